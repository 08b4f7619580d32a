"""Figures of the blast radius of a patch: verdicts and behaviour by arch, callers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..build.composed import Build
from ..explore.checking import check
from ..explore.concurrent import APART, PROGRAMS
from ..kernel.arches import ARCHES
from ..study.blast import Effect, breaks, callers
from .html import Html, code, join, mark, table, tag
from .tables import label

if TYPE_CHECKING:
    import pandas as pd

CHANGES = {
    "mended": "held only with it",
    "broken": "holds only without it",
    "counters": "other counters",
    "calls": "other calls",
    "same": "no difference",
    "undecided": "not decided",
}
"""What a patch changes in a run, in words; see blast.Effect."""
Cell = tuple[object, ...]


def _grouped(cells: Mapping[str, Cell]) -> list[tuple[str, *tuple[object, ...]]]:
    """Archs with equal cells in one row, the smallest group first; the largest is `all others`."""
    groups: dict[Cell, list[str]] = {}
    for arch, row in cells.items():
        groups.setdefault(row, []).append(arch)
    ordered = sorted(groups.items(), key=lambda group: len(group[1]))
    which = "all" if len(ordered) == 1 else "the other"
    return [(", ".join(archs) if len(archs) <= 8 else f"{which} {len(archs)} archs", *row) for row, archs in ordered]


def verdicts(effects: Iterable[Effect], explored: pd.DataFrame) -> Html:
    """Does everything hold with the patch? Run on one CPU (`effects`), and in every interleaving (`explored`)."""
    found: dict[tuple[str, bool], tuple[list[tuple[str, bool | None]], list[tuple[str, bool | None]]]] = {}
    for e in effects:
        found.setdefault((e.arch, e.swap), ([], []))[0].append((e.scenario, e.after))
    for arch, swap, scenario, holds in explored[["arch", "swap", "scenario", "holds"]].values:
        found[arch, swap][1].append((scenario, holds))
    cells = {arch: tuple(_verdict(part) for swap in (True, False) for part in found[arch, swap]) for arch in ARCHES}
    head = ["", "SWAP=y: run", "SWAP=y: explored", "SWAP=n: run", "SWAP=n: explored"]
    return table(head, _grouped(cells))


def _verdict(scenarios: Sequence[tuple[str, bool | None]]) -> Html:
    wrong, open_ = ([name for name, holds in scenarios if holds is said] for said in (False, None))
    if not wrong and open_:
        return join(mark(None, f"{len(open_)} of {len(scenarios)} undecided"), tag("small", f": {', '.join(open_)}"))
    if not wrong:
        return mark(True, f"all {len(scenarios)} hold")
    if set(wrong) <= set(APART):
        return join(mark(True, "right about the report"), tag("small", f"; {', '.join(wrong)} stays open"))
    return join(mark(False, f"{len(wrong)} of {len(scenarios)} break"), tag("small", f": {', '.join(wrong)}"))


def radius(effects: Iterable[Effect]) -> Html:
    """On which archs does the kernel behave differently with the patch, and how?"""
    found: dict[tuple[str, bool], Counter[str]] = {}
    for e in effects:
        found.setdefault((e.arch, e.swap), Counter())[e.what] += 1
    cells = {arch: tuple(_changes(found[arch, swap]) for swap in (True, False)) for arch in ARCHES}
    return table(["scenarios", "SWAP=y", "SWAP=n"], _grouped(cells))


def _changes(found: Counter[str]) -> Html:
    if set(found) == {"same"}:
        return Html("no difference")
    lines = {what: f"{found[what]} {words}" for what, words in CHANGES.items() if found[what]}
    signs = [mark(what == "mended", w) if what in ("mended", "broken") else tag("span", w) for what, w in lines.items()]
    return join(*(part for sign in signs for part in (sign, Html("<br>"))))


def compared(effects: Sequence[Effect]) -> Html:
    """Stacks of patches beside each other: the archs on which each mends, breaks or changes something."""
    stacks, kinds = list(dict.fromkeys(e.patches for e in effects)), ("mended", "broken", "counters", "calls")
    shown = [(_called(stack), *(_hit(effects, stack, what) for what in kinds)) for stack in stacks]
    return table(["with", *(CHANGES[what] for what in kinds)], shown)


def _called(stack: Sequence[object]) -> str:
    return " + ".join(patch if isinstance(patch, str) else getattr(patch, "__name__", "") for patch in stack)


def _hit(effects: Iterable[Effect], stack: Sequence[object], what: str) -> str | None:
    found = {arch: set[bool]() for arch in ARCHES}
    for e in effects:
        if (e.patches, e.what) == (stack, what):
            found[e.arch].add(e.swap)
    only = {True: " (SWAP=y)", False: " (SWAP=n)"}
    hit = [f"{arch}{only[swaps.pop()] if len(swaps) == 1 else ''}" for arch, swaps in found.items() if swaps]
    return (", ".join(hit) or None) if len(hit) <= 4 else f"{len(hit)} archs"


def broken(effects: Sequence[Effect]) -> Html:
    """On which archs some scenario breaks, one row for each stack of patches."""
    stacks = list(dict.fromkeys(e.patches for e in effects))
    found = [[", ".join(breaks(effects, s, swap)) or mark(True, "none") for swap in (True, False)] for s in stacks]
    shown = [(" + ".join(stack) or "no patch", *archs) for stack, archs in zip(stacks, found, strict=True)]
    return table(["with", "breaks, SWAP=y", "breaks, SWAP=n"], shown)


def latent(patches: Sequence[str], version: str = "v4.6", archs: Sequence[str] = ("ia64", "sh", "um")) -> Html:
    """Archs that free like s390 but have no huge pages: what if they got them?"""
    scenarios = ("map-read-unmap", "zap-vs-shrinker")
    builds = [Build(version, arch, swap, True, patches=tuple(patches)) for arch in archs for swap in (True, False)]
    found = [(build, [check(build, scenario) for scenario in scenarios]) for build in builds]
    shown = [(label(build), *(mark(v.holds, v.broken or v.status) for v in verdicts)) for build, verdicts in found]
    return table(["", *(f"{s}, {'explored' if s in PROGRAMS else 'run'}" for s in scenarios)], shown)


def calls_changed(patch: str, version: str = "v4.6") -> Html:
    """Who calls what the patch changes, in v4.6.2: directly, and one level up."""
    shown = [
        (code(f"{c.callee}()"), code(f"{c.function}()"), f"{c.file}:{c.line}", c.note or None)
        for c in sorted(callers(patch, version), key=lambda c: c.level)
    ]
    return table(["called", "by", "where", "what is freed, and how"], shown)
