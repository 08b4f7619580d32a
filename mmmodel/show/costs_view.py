"""Figures of what a fix costs: modelled and measured side by side, instructions measured only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..build.composed import Build
from ..explore.checking import check
from ..study.costs import FUNCTIONS, LEFTOVERS, WORKLOADS, calls, instructions, measured, rates, units_of
from .html import BOLD, HZR, Html, box, circle, code, join, line, mark, svg, table, tag, text
from .tables import banner, label

PAGES, CYCLES, KHUGEPAGED = WORKLOADS
LOCKS = ("lrulock_page_cache_release", "lrulock_release_pages", "lrulock_pagevec_move")


class Panel(NamedTuple):
    """A column of the chart: the metrics that are summed for it, and its name in `rates`."""

    title: str
    metrics: tuple[str, ...]
    rate: str


DRAINS = Panel("drains", ("lru_add_drain",), "lru_add_drain")
CHARTS = {
    "page": (PAGES, (DRAINS, Panel("takes of the lru_lock", LOCKS, "lru_lock"))),
    "huge zero page": (CYCLES, (DRAINS, Panel("drops of HZR", ("hz_put",), "huge_zero_refcount"))),
}
"""By kind of page: the measured workload and what is drawn of it."""


class Bar(NamedTuple):
    """One value of one build: from the model, as measured, in words after it."""

    model: float | None
    real: float | None
    words: str = ""


def chart(builds: Sequence[Build], kind: str = "page") -> Html:
    """What freeing one page costs on each build. kind: "page" (a touched 4K page) or "huge zero page" (one unmap).

    Bars are the model, rings were measured; instructions were measured only.
    """
    workload, drawn = CHARTS[kind]
    panels = {panel.title: [_count(b, kind, panel) for b in builds] for panel in drawn}
    panels[f"instructions per {WORKLOADS[workload].unit}"] = [_instructions(b, workload) for b in builds]
    common, names = _names(builds)
    said = [f"{n}: {'; '.join(f'{t} {_said(b[i])}' for t, b in panels.items())}." for i, n in enumerate(names)]
    words, foot = " ".join([f"Cost of freeing one {kind} {common}".strip() + ".", *said]), 68 + 34 * len(builds)
    key = "bar: model    ○ measured    grey bar: measured only, instructions are never predicted"
    return svg(
        880,
        foot + 8,
        words,
        text(240, 24, common, text_anchor="end", **BOLD),
        *(text(240, 62 + 34 * i, name, text_anchor="end") for i, name in enumerate(names)),
        *(join(*_panel(250 + 205 * i, *panel)) for i, panel in enumerate(panels.items())),
        text(250, foot, key, font_size=13, style="white-space:pre"),
        most=60,
    )


def _names(builds: Sequence[Build]) -> tuple[str, list[str]]:
    """What all builds have in common, and a name for each: its patches if that is all in which they differ."""
    bare = {label(replace(build, patches=())) for build in builds}
    if len(bare) > 1:
        return "", [label(build) for build in builds]
    stacks = [" + ".join(p.name or p.__name__ for p in build.patch_classes) for build in builds]
    return f"on {bare.pop()}", [stack or "no patch" for stack in stacks]


def _count(build: Build, kind: str, panel: Panel) -> Bar:
    workload = CHARTS[kind][0]
    model, real = rates(build).get(kind), measured(build, workload)
    value = sum(real[m] for m in panel.metrics) / units_of(build, workload) if real else None
    return Bar(None, None, "none") if model is None else Bar(model[panel.rate], value)


def _instructions(build: Build, workload: str) -> Bar:
    found = instructions(build, workload)
    if found is None:
        return Bar(None, None, "not measured")
    over = found.get("over_stock")
    return Bar(None, found["per_unit"], f" ({over:+.0f})" if over else "")


def _said(bar: Bar) -> str:
    """A value in words."""
    value = bar.real if bar.model is None else bar.model
    if value is None:
        return bar.words
    return f"{_number(value)}{bar.words}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.2f}"


def _panel(x: float, title: str, bars: Sequence[Bar]) -> Iterable[Html]:
    most = max([1.0, *(v for bar in bars for v in (bar.model, bar.real) if v is not None)])
    yield text(x, 24, title, **BOLD)
    yield line((x, 34), (x, 40 + 34 * len(bars)))
    for i, bar in enumerate(bars):
        y = 46 + 34 * i
        value = bar.model if bar.model is not None else bar.real
        width = 110 * (value or 0) / most
        look = {"fill": HZR} if bar.model is not None else {"fill": "currentColor", "opacity": 0.35}
        if value:
            yield box(x, y, width, 20, rx=0, **look)
        if bar.model is not None and bar.real is not None:
            yield circle(x + 110 * bar.real / most, y + 10, 7, stroke="currentColor")
        yield text(x + width + 14, y + 16, _said(bar))


def at_a_glance(build: Build) -> Html:
    """Is a build right, on one CPU and in every interleaving, and what does it cost beside the same without patches?"""
    verdicts = [check(build, scenario) for scenario in ("map-read-unmap", "madv-dontneed", "zap-vs-shrinker")]
    builds = list(dict.fromkeys((replace(build, patches=()), build)))
    return join(*map(banner, verdicts), *(chart(builds, kind) for kind in CHARTS))


# -- tables

WORDS = {
    "release_pages_items": "pages given to release_pages()",
    "lrulock_page_cache_release": "lru_lock, for one page",
    "lrulock_release_pages": "lru_lock, in release_pages()",
    "lrulock_pagevec_move": "lru_lock, to empty a pagevec",
    "huge_zero_refcount_atomics": "atomic operations on HZR",
    "page_count_atomics": "atomic operations on page counts",
}


def beside(build: Build, workload: str) -> Html:
    """Model and measurement, count by count; only what is not zero in both."""
    model, runs = calls(build, workload), [measured(build, workload, run) for run in (1, 2)]
    real = [run for run in runs if run]
    shown = []
    for metric, count in model.items():
        found = [run[metric] for run in real if metric in run]
        if count or any(found):
            cells: list[object] = [*found] or [None] * len(real)
            shown.append((_metric(metric), count, *cells, _same(count, found)))
    heads = [f"measured, run {i}" for i, _ in enumerate(real, 1)]
    title = f"{label(build)}: {WORKLOADS[workload].says}"
    return table(["counted", "model", *heads, ""], shown, title)


def _metric(metric: str) -> Html:
    """A metric of data/costs.csv in words."""
    if metric in FUNCTIONS:
        return code(f"{FUNCTIONS[metric]}()")
    return tag("span", WORDS[metric])


def _same(count: int, found: Sequence[int]) -> Html | str:
    """Do the counts agree? Apart by leftovers is agreement."""
    if not found:
        return "modelled only"
    apart = max(abs(count - n) for n in found)
    return mark(apart <= LEFTOVERS, "same" if not apart else f"within {apart}" if apart <= LEFTOVERS else "differs")


def per_unit(builds: Sequence[Build], workload: str) -> Html:
    """Drains, takes of the lru_lock and freeing calls for each unit of a workload, one row for each build."""
    head = ["", "lru_add_drain()", "lru_lock", "release_pages()", "put_page()", "measured alike"]
    shown = []
    for build in builds:
        found, units, real = calls(build, workload), units_of(build, workload), measured(build, workload)
        sums = [[found[m] for m in some] for some in (["lru_add_drain"], LOCKS, ["release_pages"], ["put_page"])]
        alike = "not measured" if real is None else mark(_agree(found, real), "yes" if _agree(found, real) else "no")
        shown.append((label(build), *(_number(sum(some) / units) for some in sums), alike))
    return table(head, shown, f"per {WORKLOADS[workload].unit}: {WORKLOADS[workload].says}")


def _agree(model: dict[str, int], real: dict[str, int]) -> bool:
    return all(abs(model[metric] - n) <= LEFTOVERS for metric, n in real.items())
