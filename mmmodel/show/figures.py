"""Figures: pure functions that return HTML. They work offline, on paper, in grey and in the dark.

What is modelled comes from a run of the model, what is measured from data/*.csv (see `evidence`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from math import log2
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from ..build.composed import Build
from ..data import rows
from ..explore.sequential import SEQUENTIAL
from ..explore.tracing import Trace, run
from ..study.kept import kept_one
from ..study.measurements import compare, measured, nearest, owner, plain
from ..study.unmap import Unmap
from ..words import arrowed, kernel_name
from .contents import contents, said  # noqa: F401
from .first_look import first_look  # noqa: F401
from .glossary import glossary  # noqa: F401
from .html import BAD, BOLD, GOOD, INK, MIDDLE, MONO, Html, arrow, box, figure_html, join, mark, svg, table, tag, text  # noqa: F401
from .tables import REUSE, aftermath, agreement, endings, frames, holders, label, ledger, steps_table  # noqa: F401

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


# -- one unmap, two counters


def the_bug(build: Build, beside: Build | None = None) -> Html:
    """The picture of the bug: which counter an unmap drops on `build`, beside x86 of the same version.

    Two processes map the page, one of them unmaps it.
    """
    builds = (beside or Build(version=build.version, arch="x86"), build)
    unmaps = [Unmap(b, cpus=1, others=1) if b.thp else None for b in builds]
    length = max([len(u.route) for u in unmaps if u] or [2])
    words = ". ".join(f"{label(b)}: {_told(u)}" for b, u in zip(builds, unmaps, strict=True))
    names = [wrap(label(b), 30, break_on_hyphens=False) for b in builds]
    titles = [text(x, 20 + 18 * i, line, font_size=16, **MIDDLE, **BOLD)
              for x, name in zip((155, 465), names, strict=True) for i, line in enumerate(name)]  # fmt: skip
    below = 18 * (max(map(len, names)) - 1)
    panels = [_panel(length, u, x) for u, x in zip(unmaps, (155, 465), strict=True)]
    drawn = (*titles, tag("g", *panels, transform=f"translate(0 {below})"))
    words = f"Two processes map the huge zero page, one unmaps it. {words}."
    return svg(620, 27 * length + 214 + below, words, *drawn, most=42)


def _changes(unmap: Unmap) -> Iterable[tuple[str, int | None, int | None, int | None]]:
    return zip(("HZR", "PC"), unmap.before, unmap.after, unmap.due, strict=True)


def _told(unmap: Unmap | None) -> str:
    if unmap is None:
        return "no transparent huge pages"
    moves = [f"{n} {arrowed(a, b)}{'' if b == d else f', should be {d}'}" for n, a, b, d in _changes(unmap)]
    return f"{', '.join(moves)}; {unmap.state}" + ", and the other process still maps it" * (unmap.page.owner is None)


def _panel(length: int, unmap: Unmap | None, middle: float) -> Html:
    if unmap is None:
        why = ("no transparent huge pages,", "so no huge zero page to unmap")
        return join(*(text(middle, 80 + 22 * i, s, **MIDDLE) for i, s in enumerate(why)))
    sign, colour = ("✓", GOOD) if unmap.after == unmap.due else ("✗", BAD)
    dropped = " and ".join(name for name, before, after, _ in _changes(unmap) if before != after)
    freed = f"{unmap.state}, and still mapped" if unmap.page.owner is None else "the counts are wrong"
    end = "the counts are right" if unmap.after == unmap.due else freed
    look = {"fill": colour, **MIDDLE, **BOLD}
    return join(
        text(middle, 42, f"{sign} one unmap drops {dropped or 'nothing'}", font_size=15, **look),
        *_route(unmap.route, middle),
        *_buckets(unmap, middle, 27 * len(unmap.route) + 48, 27 * length + 74),
        text(middle, 27 * length + 202, f"{sign} {end}", font_size=15, **look),
    )


def _route(route: Sequence[str], x: float) -> Iterator[Html]:
    for i, function in enumerate(route):
        y, last = 27 * i + 54, i == len(route) - 1
        if i:
            yield arrow(x, y - 7, x, y, w=0.3)
        if function == "tlb_invalidate":
            yield text(x, y + 15, "TLBs are flushed", font_style="italic", **MIDDLE)
        else:
            yield box(x - 125, y, 250, 20, stroke="currentColor" if last else "none", stroke_width=1.5)
            look = {"font_family": MONO, **MIDDLE, **(BOLD if last else {})}
            yield text(x, y + 15, f"{kernel_name(function)}()", **look)


def _buckets(unmap: Unmap, x: float, y: float, foot: float) -> Iterator[Html]:
    for centre, (name, before, after, right) in zip((x - 77, x + 77), _changes(unmap), strict=True):
        if before != after:
            yield arrow(x, y, centre, foot, GOOD if after == right else BAD, 6)
        yield _bucket(centre, foot, name, arrowed(before, after), "" if after == right else f"{right}")
    if unmap.before == unmap.after:
        yield text(x, y + 26, "no counter moves", font_style="italic", **MIDDLE)


def _bucket(x: float, y: float, name: str, change: str, wanted: str) -> Html:
    colour, width = (BAD, 5) if wanted else (GOOD, 2)
    what = "the page's own count" if name == "PC" else "huge_zero_refcount"
    verdict = f"✗ should be {wanted}" if wanted else "✓ right"
    return join(
        box(x - 73, y, 146, 106, stroke=colour, stroke_width=width),
        text(x, y + 24, name, font_size=17, **MIDDLE, **BOLD),
        text(x, y + 43, what, font_size=12, **MIDDLE),
        text(x, y + 74, change, font_size=28, **MIDDLE, **BOLD),
        text(x, y + 97, verdict, font_size=15, fill=colour, **MIDDLE, **BOLD),
    )


# -- the counters of a run


def counters(
    trace: Trace,
    measured: pd.DataFrame | None = None,
    where: str = "a real kernel",
    high: int = 190,
    named: bool = True,
) -> Html:
    """HZR and PC after each operation; over them the points `measured` on the kernel that `where` names.

    high: in pixels. named: with the operations below.
    """
    from .charts import over_operations

    model, ops = list(zip(*(row[2:4] for row in trace.rows), strict=True)), [row.op for row in trace.rows]
    points, wrong = [(), ()], list[int]()
    if measured is not None and len(measured):
        both = compare(trace, measured)
        wrong = [int(step) for step in both.step[~both.agree]]
        points = list(zip(*plain(measured[["huge_zero_refcount", "page_count"]]), strict=True))
        ops = max(ops, list(measured.op), key=len)
    words, key = _heard(trace, len(points[0]), wrong), f"Lines: model of {label(trace.build)}"
    key += f"; ○ HZR, □ PC: measured on {where}" * bool(points[0]) + "; ✗: they differ" * bool(wrong)
    key += "; tinted: below 0, dropped more often than taken" * any((v or 0) < 0 for v in sum((*model, *points), ()))
    return join(
        tag("p", words), over_operations(ops, model, points, wrong, words, high, named), tag("small", f"{key}.")
    )


def beside(build: Build, scenario: str) -> Html:
    """The counters of a build, and the points measured on a kernel like it; else on the nearest one."""
    real = nearest(build, scenario)
    if real == build:
        return _measured(real, scenario)
    words = f"The nearest kernel that was measured is {label(real)}:"
    own = counters(run(build, SEQUENTIAL[scenario], journal=False), high=95, named=False)
    return join(own, tag("p", tag("b", words)), _measured(real, scenario, 95))


@cache
def _measured(real: Build, scenario: str, high: int = 190) -> Html:
    """The counters of a build that was measured; drawn once, for it is the nearest of many."""

    def draw() -> Html:
        rows = measured(build=real, scenario=scenario)
        rows = rows[rows.memory_mib == rows.memory_mib.iloc[0]]
        where = f"{real.arch} {rows.tree.iloc[0]}, QEMU {rows.qemu.iloc[0]}"
        return counters(run(real, SEQUENTIAL[scenario], journal=False), rows, where, high)

    return Html(*kept_one(lambda: [draw()], real, f"measured-{scenario}-{high}"))


def _heard(trace: Trace, measured: int, wrong: Sequence[int]) -> str:
    end = " and ".join(f"{n} {arrowed(v, v)}" for n, v in zip(("HZR", "PC"), trace.rows[-1][2:4], strict=True))
    ran = f"{trace.scenario}, model of {label(trace.build)}: {end} in the end."
    if not measured:
        return f"{ran} No measured kernel is like it."
    if wrong:
        return f"{ran} ✗ {len(wrong)} of {measured} measured rows differ, the first at step {wrong[0]}."
    return f"{ran} ✓ all {measured} measured rows agree."


# -- what becomes of the page

WIDE = 410
DASHED: dict[str, Any] = {"fc": "none", "ls": (0, (4, 2))}
OWNERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "huge zero page": ("zero", {"fc": (GOOD, 0.2), "ec": GOOD}, "it is the huge zero page"),
    "free": ("free", {"ec": INK, **DASHED}, "it is in the free lists"),
    "nobody": ("PC ≤ 0", {"fc": (INK, 0.1)}, "not free, yet no reference is left: set aside, or in use without one"),
    "somebody else": ("bold frame", {"fc": (BAD, 0.2), "ec": BAD, "lw": 2}, "in use by somebody else, named"),
}
MESSAGES = {row["symptom"]: (row["sign"], row["meaning"]) for row in rows("symptoms")}


def fates(build: Build | None = None) -> Html:
    """Whose the page became on measured kernels like `build` (default: the reported), and what they printed.

    One lane per machine, boxes that grow with the logarithm of their operations; machines with DEBUG_VM in one line.
    """
    from .charts import drawn

    build = build or Build()
    lanes, stopped = _machines(build, "n"), [letters for *_, came in _machines(build, "y") if (letters := _said(came))]
    high = 54 * (len(lanes) + bool(stopped))

    def draw(ax: Axes) -> None:
        ax.set(xlim=(0, WIDE), ylim=(high, 0))
        for i, lane in enumerate(lanes):
            _lane(ax, 54 * i, *lane)
        if stopped:
            ax.text(-8, high - 11, "with DEBUG_VM", size=13, ha="right")
            ax.barh(high - 16, 43, 28, 1, ec=BAD, **DASHED)
            ax.text(22, high - 11, "stops", size=13, ha="center")
            ax.text(52, high - 11, f"{len(stopped)} machines, after: {', '.join(stopped)}", size=13)

    spoke = [_said(came) for *_, came in lanes]
    data, seen = sum("D" in letters for letters in spoke), "".join(stopped + spoke)
    words = f"{label(build)}: in {data} of {len(lanes)} measured runs a program read somebody else's data (D)."
    legend = [(short, meaning) for short, _, meaning in OWNERS.values()]
    legend += [pair for pair in MESSAGES.values() if pair[0] in seen]
    key = tag("small", *(join(tag("b", sign), f": {meaning}. ") for sign, meaning in legend))
    return join(tag("p", mark(not data, words)), drawn(draw, words, (WIDE, high), (195, 0, 35, 6)), key)


def _machines(build: Build, debug_vm: str) -> list[tuple[str, pd.DataFrame, list[tuple[float, str]]]]:
    """For each measured machine of a build: its name, its run, and the messages it printed with or without DEBUG_VM."""
    printed = measured("crashes", build=build, debug_vm=debug_vm)
    runs = {key: run for key, run in measured(build=build).groupby(["scenario", "memory_mib"]) if key[0] in REUSE}
    ordered = sorted(runs, key=lambda key: (REUSE.index(key[0]), key[1]))
    crashes = {key: printed[(printed.scenario == key[0]) & (printed.memory_mib == key[1])] for key in ordered}
    return [(f"{key[0]}, {key[1]} MiB", runs[key], _messages(runs[key], crashes[key])) for key in ordered]


def _said(came: Sequence[tuple[float, str]]) -> str:
    return "".join(letter for _, letter in came)


def _messages(run: pd.DataFrame, crashes: pd.DataFrame) -> list[tuple[float, str]]:
    """Where in the run (after a row: half a row more) each kind of message came first, and its letter."""
    loops = [int(op[5:]) if op.startswith("iter_") else -1 for op in run.op]
    found: dict[tuple[float, str], None] = {}
    for where, symptom in zip(crashes.last_step, crashes.symptom, strict=True):
        letter = next((sign for start, (sign, _) in MESSAGES.items() if symptom.startswith(start)), "")
        number = int(next((word for word in where.split() if word.isdigit()), 0))
        if "iteration" in where:
            number = max(i for i, loop in enumerate(loops) if 0 <= loop <= number)
        if letter:
            found[number + 0.5 * where.startswith("after"), letter] = None
    return sorted(found, key=lambda place: place[0])


def _lane(ax: Axes, y: float, name: str, run: pd.DataFrame, came: Sequence[tuple[float, str]]) -> None:
    """One machine: a box for each owner of the page in turn, above it the messages where they came."""
    owners = [owner(row) for row in run.itertuples()]
    row = next((i for i, who in enumerate(owners) if who), 0)
    spells = [(who, len(list(same))) for who, same in groupby(owners[row:])]
    named = [(*OWNERS.get(who, (who, OWNERS["somebody else"][1]))[:2], n) for who, n in spells]
    least = sum(7 * len(short) + 10 for short, *_ in named)
    unit = min(56, (WIDE - least) / max(1, sum(log2(n) for *_, n in named)))
    ax.text(-8, y + 43, name, size=13, ha="right")
    x, signs, taken = 0.0, list(came), 0.0
    for short, look, n in named:
        width = 7 * len(short) + 10 + unit * log2(n)
        ax.barh([y + 38] * bool(short), width - 2, 28, x + 1, **look)
        ax.text(x + width / 2, y + 43, short, size=13, ha="center")
        while signs and signs[0][0] < row + n:
            place, letter = signs.pop(0)
            taken = max(x + width * (place - row + 0.5) / n, taken + 20)
            ax.plot(taken, y + 12, "o", ms=18, mfc="none", mec=BAD, mew=1.5)
            ax.text(taken, y + 17, letter, size=13, weight="bold", ha="center")
        x, row = x + width, row + n
