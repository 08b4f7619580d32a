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
    return [(_archs(archs, len(ordered)), *row) for row, archs in ordered]


def _archs(archs: Sequence[str], groups: int) -> str:
    if len(archs) <= 8:
        return ", ".join(archs)
    return f"all {len(archs)} archs" if groups == 1 else f"the other {len(archs)} archs"


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
    words = "right about the report" if set(wrong) <= set(APART) else f"{len(wrong)} of {len(scenarios)} break"
    rest = f"; {', '.join(wrong)} stays open" if set(wrong) <= set(APART) else f": {', '.join(wrong)}"
    return join(mark(set(wrong) <= set(APART), words), tag("small", rest))


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
    words = [(what, f"{found[what]} {words}") for what, words in CHANGES.items() if found[what]]
    return join(*(part for what, w in words for part in (_sign(what, w), Html("<br>"))))


def _sign(what: str, words: str) -> Html:
    return mark(what == "mended", words) if what in ("mended", "broken") else tag("span", words)


def broken(effects: Sequence[Effect]) -> Html:
    """On which archs some scenario breaks, one row for each stack of patches."""
    stacks = list(dict.fromkeys(e.patches for e in effects))
    found = [[", ".join(breaks(effects, s, swap)) or mark(True, "none") for swap in (True, False)] for s in stacks]
    names = [" + ".join(stack) or "no patch" for stack in stacks]
    head = ["with", "breaks, SWAP=y", "breaks, SWAP=n"]
    return table(head, [(name, *archs) for name, archs in zip(names, found, strict=True)])


def latent(patches: Sequence[str], version: str = "v4.6", archs: Sequence[str] = ("ia64", "sh", "um")) -> Html:
    """Archs that free like s390 but have no huge pages: what if they got them?"""
    scenarios = ("map-read-unmap", "zap-vs-shrinker")
    builds = [Build(version, arch, swap, True, patches=tuple(patches)) for arch in archs for swap in (True, False)]
    shown = [(label(build), *(_one(build, scenario) for scenario in scenarios)) for build in builds]
    return table(["", *(f"{s}, {'explored' if s in PROGRAMS else 'run'}" for s in scenarios)], shown)


def _one(build: Build, scenario: str) -> Html:
    verdict = check(build, scenario)
    return mark(verdict.holds, verdict.broken or verdict.status)


def calls_changed(patch: str, version: str = "v4.6") -> Html:
    """Who calls what the patch changes, in v4.6.2: directly, and one level up."""
    shown = [
        (code(f"{c.callee}()"), code(f"{c.function}()"), f"{c.file}:{c.line}", c.note or None)
        for c in sorted(callers(patch, version), key=lambda c: c.level)
    ]
    return table(["called", "by", "where", "what is freed, and how"], shown)
