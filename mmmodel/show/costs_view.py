"""Figures of what a fix costs: modelled and measured side by side, instructions measured only."""

from collections.abc import Sequence
from dataclasses import replace

from ..build.composed import Build
from ..data import rows
from ..explore.checking import check
from ..study.at_a_glance import told
from ..study.costs import (
    CYCLES,
    FUNCTIONS,
    LEFTOVERS,
    PAGES,
    WORKLOADS,
    alike,
    calls,
    instructions,
    measured,
    rates,
    units_of,
)
from ..study.measurements import patch_names
from .html import Bar, Html, block, code, join, mark, table, tag
from .tables import label

LOCKS = ("lrulock_page_cache_release", "lrulock_release_pages", "lrulock_pagevec_move")


DRAINS = ("lru_add_drain",), "lru_add_drain"
CHARTS: dict[str, tuple[str, dict[str, tuple[tuple[str, ...], str]]]] = {
    "page": (PAGES, {"drains": DRAINS, "takes of the lru_lock": (LOCKS, "lru_lock")}),
    "huge zero page": (CYCLES, {"drains": DRAINS, "drops of HZR": (("hz_put",), "huge_zero_refcount")}),
}
"""By kind of page: the measured workload, and by title what is drawn: metrics that are summed, and a name in `rates`.
"""


def chart(builds: Sequence[Build], kind: str = "page") -> Html:
    """What freeing one page costs on each build. kind: "page" (a touched 4K page) or "huge zero page" (one unmap).

    Bars are the model, rings were measured; instructions were measured only.
    """
    from .charts import grid

    workload, drawn = CHARTS[kind]
    panels = {title: [_count(b, kind, *counted) for b in builds] for title, counted in drawn.items()}
    panels[f"instructions per {WORKLOADS[workload].unit}"] = [_instructions(b, workload) for b in builds]
    common, names = _names(builds)
    title = f"Cost of freeing one {kind} {common}".strip()
    said = [f"{n}: {'; '.join(f'{t} {b[i][2]}' for t, b in panels.items())}." for i, n in enumerate(names)]
    key = "Bar: model; ○ measured; grey bar: measured only, instructions are never predicted."
    bars = grid(names, panels, " ".join([f"{title}.", *said]))
    return join(tag("p", tag("b", title)), bars, tag("small", key))


def _names(builds: Sequence[Build]) -> tuple[str, list[str]]:
    """What all builds have in common, and a name for each: its patches if that is all in which they differ."""
    bare = {label(replace(build, patches=())) for build in builds}
    if len(bare) > 1:
        return "", [label(build) for build in builds]
    return f"on {bare.pop()}", [patch_names(build, " + ") or "no patch" for build in builds]


def _count(build: Build, kind: str, metrics: Sequence[str], rate: str) -> Bar:
    workload = CHARTS[kind][0]
    model, real = rates(build).get(kind), measured(build, workload)
    value = sum(real[m] for m in metrics) / units_of(build, workload) if real else None
    return (None, None, "none") if model is None else (model[rate], value, _number(model[rate]))


def _instructions(build: Build, workload: str) -> Bar:
    found = instructions(build, workload)
    if found is None:
        return None, None, "not measured"
    over = found.get("over_stock")
    return None, found["per_unit"], _number(found["per_unit"]) + (f" ({over:+.0f})" if over else "")


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.2f}"


def at_a_glance(build: Build) -> Html:
    """Is a build right, on one CPU and in every interleaving, and what does it cost beside the same without patches?"""
    verdicts = [check(build, scenario) for scenario in ("map-read-unmap", "madv-dontneed", "zap-vs-shrinker")]
    good, headline, detail, more = told(verdicts)
    first = tag("div", tag("b", headline), f": {', '.join(v.scenario for v in verdicts)}, on {label(build)}")
    small = tag("small", " · ".join(filter(None, (detail, more, *build.notes))))
    builds = list(dict.fromkeys((replace(build, patches=()), build)))
    return join(block(good, first, small), *(chart(builds, kind) for kind in CHARTS))


METRIC = {row["metric"]: row["words"] for row in rows("metrics")}


def beside(build: Build, workload: str) -> Html:
    """Model and measurement, count by count; only what is not zero in both."""
    model, runs = calls(build, workload), [measured(build, workload, run) for run in (1, 2)]
    real = [run for run in runs if run]
    shown = []
    for metric, count in model.items():
        found = [run[metric] for run in real if metric in run]
        if count or any(found):
            cells: list[object] = [*found] or [None] * len(real)
            name = METRIC[metric] or code(f"{FUNCTIONS[metric]}()")
            shown.append((name, count, *cells, _same(count, found)))
    heads = [f"measured, run {i}" for i, _ in enumerate(real, 1)]
    title = f"{label(build)}: {WORKLOADS[workload].says}"
    return table(["counted", "model", *heads, ""], shown, title)


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
        same = "not measured" if real is None else mark(alike(found, real), "yes" if alike(found, real) else "no")
        shown.append((label(build), *(_number(sum(some) / units) for some in sums), same))
    return table(head, shown, f"per {WORKLOADS[workload].unit}: {WORKLOADS[workload].says}")
