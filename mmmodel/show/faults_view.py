"""The faults of the huge zero page as tables: in a build, in real trees, what one does, what would have caught it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..build.composed import Build
from ..explore.checking import MEMORY
from ..kernel.arches import ARCHES
from ..study import pfn_race
from ..study.audits import recorded
from ..study.means import ASKED, FIRST, asked, there, tried
from ..study.years import ABOUT
from .html import Html, join, mark, table, tag, unbroken

if TYPE_CHECKING:
    import pandas as pd

VERDICTS = {"affected": False, "latent": None, "unknown": None, "not affected": True}


def faults(build: Build) -> Html:
    """Each fault in the version, arch and SWAP of a build: by the steps as they come, and in the order of its arch."""
    order = ARCHES[build.arch]["memory"]
    shown = [(fault, ABOUT[fault], _answer(fault, build, "sc"), _answer(fault, build, "arch")) for fault in ASKED]
    return table(["fault", "", "as the steps come (sc)", f"in the order of {build.arch} ({order})"], shown)


def _answer(fault: str, build: Build, memory: str) -> Html | str:
    """What the exploration says; of a word or a flag that does not exist yet, a dash."""
    if memory == "arch" and ARCHES[build.arch]["memory"] not in MEMORY:
        return "not known"
    verdict = asked(fault, build.version, build.arch, build.swap, memory)
    if verdict is None:
        return "–"
    found = there(fault, verdict)
    if verdict.cpus == 1:
        return mark(not found, f"at {verdict.op}" if found else "holds")
    return mark(not found, f"{verdict.depth} steps" if found else f"none of {verdict.states:,} states")


def outcomes() -> Html:
    """CVE-2026-74632 once it has happened: what each operation did, with SWAP, without, and with DEBUG_VM."""
    shown = [
        (words, *("; ".join(pfn_race.happened(name, swap)) for swap in (True, False)), _stopped(name))
        for name, words in pfn_race.OPERATIONS.items()
    ]
    return table(["what the program did", "SWAP on", "SWAP off", "with DEBUG_VM"], shown)


def _stopped(variant: str) -> str:
    return "a BUG stops it" if pfn_race.stops(variant) else "not stopped"


def attempts() -> Html:
    """Each fault, and each way to find it, tried."""
    means = list(tried(next(iter(FIRST))))
    shown = [(tag("b", fault), *(mark(*tried(fault)[way]) for way in means)) for fault in FIRST]
    return table(["", *means], shown)


def audited(short: pd.DataFrame) -> Html:
    """One tree (of `study.audits.shortened`): each fault, verdict and archs, and the first place it rests on."""
    shown = [(fault, mark(VERDICTS[verdict], verdict), *rest) for fault, verdict, *rest in short.values.tolist()]
    return table(["fault", "verdict", "archs", "read at"], shown)


def audits() -> Html:
    """The trees that were recorded: for each fault the archs that are affected, and when that was read."""
    found, shown = recorded(), []
    for (tree, version, date), rows in found.groupby(["tree", "version", "date"], sort=False):
        affected = rows[rows.verdict == "affected"].set_index("fault").archs
        names = [mark(fault not in affected, affected.get(fault, "none")) for fault in FIRST]
        shown.append((join(version, tag("div", tag("small", f"{tree}, ", unbroken(date)))), *names))
    return table(["tree", *FIRST], shown, look="font-size:90%")
