"""Verdicts quick enough to follow a toggle, in words: do the telling scenarios hold, and what changed since before?"""

from collections.abc import Sequence
from dataclasses import fields
from shlex import quote
from typing import Any

from ..build.composed import Build
from ..data import rows
from ..explore.checking import check
from ..explore.concurrent import PROGRAMS
from ..explore.scenarios import fault, lacking
from ..explore.verdict import Verdict
from ..kernel.patches import PATCHES
from ..words import VERDICT
from .measurements import build_of

Verdicts = Sequence[Verdict]

QUICK: dict[str, int | None] = dict.fromkeys(
    ["map-read-unmap", "two-mappings", "fork", "madv-dontneed", "write-fault", "exit-mmap", "mremap", "split"]
) | {"zap-vs-shrinker": 3, "fault-vs-shrinker": 2, "pin-vs-zap": 2, "reaper-vs-shrinker": 3}
"""The scenarios, with the CPUs of those that are explored: some 30 ms for all. Left out: those that run to a panic."""


def presets() -> dict[str, Build]:
    """The builds a discussion of the four questions comes back to, by what they are called."""
    return {row["preset"]: build_of(row) for row in rows("presets")}


_REMEMBERED: dict[tuple[Build, str], Verdict] = {}


def quick_verdicts(build: Build) -> list[Verdict]:
    """The verdict of each scenario in QUICK; one that was decided before is remembered."""
    names = [name for name in QUICK if not lacking(name, build)]
    new = {(build, n): check(build, n, QUICK[n]) for n in names if (build, n) not in _REMEMBERED}
    _REMEMBERED.update((key, verdict) for key, verdict in new.items() if verdict.complete)
    return [(_REMEMBERED | new)[build, name] for name in names]


def told(verdicts: Verdicts) -> tuple[bool | None, str, str, str]:
    """Do all verdicts (there is at least one) hold, a headline that says so, what stands behind it, and where else.

    None: none is broken, but not all are decided.
    """
    bad, undecided = ([v for v in verdicts if v.status == status] for status in ("broken", "undecided"))
    many = f"{len(verdicts)} scenarios" if len(verdicts) > 1 else verdicts[0].scenario
    if not bad and not undecided:
        return True, f"{VERDICT[True]} in {'all of ' if len(verdicts) > 1 else ''}{many}", _looked_at(verdicts), ""
    told, good = bad or undecided, False if bad else None
    if bad and not undecided and all(fault(v.scenario) for v in bad):
        rest = f"It holds in {len(verdicts) - len(bad)} of {many}, all that are about the report. {why(bad[0])}"
        open_ = f"right about the report; {', '.join(fault(v.scenario) for v in bad)} stays open"
        return False, f"{VERDICT[False]} in {len(bad)} of {many}: {open_}", rest, ""
    number = f"{len(told)} of {many}" if len(verdicts) > 1 else many
    others = f"Nor does it hold in {_listed(bad[1:])}. " * bool(bad[1:])
    others += f"Undecided: {_listed(undecided[not bad :])}." * bool(undecided[not bad :])
    return good, f"{VERDICT[good]} in {number}", why(told[0]), others


def why(verdict: Verdict) -> str:
    """What broke first, or what came before an answer and how far it got."""
    if verdict.broken:
        return f"{verdict.broken} broke at {verdict.op} in {verdict.scenario}: {verdict.what}"
    return f"{verdict.scenario} is not decided: {verdict.reason}"


def _listed(verdicts: Verdicts) -> str:
    return ", ".join(v.scenario for v in verdicts)


def _looked_at(verdicts: Verdicts) -> str:
    """How much was looked at."""
    explored = [v for v in verdicts if v.scenario in PROGRAMS]
    states = f"{sum(v.states for v in explored):,} states"
    runs = [f"{len(verdicts) - len(explored)} runs of one CPU"] * (len(explored) < len(verdicts))
    runs += [f"{len(explored)} explored in every order of their steps: none of {states} is wrong"] * bool(explored)
    return "; ".join(runs)


def differences(before: Build, after: Build) -> list[str]:
    """Which toggles differ, from what to what."""
    found = []
    for name in (f.name for f in fields(Build) if f.compare):
        was, now = (_value(getattr(b, name)) for b in (before, after))
        if was != now:
            found.append(f"{name} {was} → {now}")
    return found


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(p if isinstance(p, str) else p.__name__ for p in value) or "none"
    return {True: "on", False: "off"}.get(value, str(value))


def verdict_changes(before: Verdicts, after: Verdicts) -> str:
    """Which scenarios have another verdict than before, in words."""
    old = {v.scenario: v for v in before}
    pairs = [(old[v.scenario], v) for v in after if v.scenario in old]
    kinds = {
        "did not hold, now holds": [v.scenario for was, v in pairs if v.holds and not was.holds],
        "held, now does not": [v.scenario for was, v in pairs if was.holds and v.broken],
        "now undecided": [v.scenario for was, v in pairs if v.holds is None is not was.holds],
        "breaks in another way": [
            f"{v.scenario} ({was.broken} → {v.broken})" for was, v in pairs if v.broken != was.broken != "" != v.broken
        ],
    }
    said = [f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names]
    return "; ".join(said) or "no verdict changed"


def command(build: Build, file: str = "") -> str:
    """The command line that asks for the verdicts of a build; a class of a reader's is looked for in `file`.

    Empty if it has such a class, and there is no file.
    """
    usual = Build(build.version, build.arch)
    words = ["mmmodel verdict", f"--version {build.version}", f"--arch {build.arch}"]
    words += ["--no-swap"] * (not build.swap) + ["--debug-vm"] * build.debug_vm
    words += [f"--{'' if build.thp else 'no-'}thp"] * (build.thp != usual.thp)
    words += [f"--patch {p if isinstance(p, str) else quote(f'{file}:{p.__name__}')}" for p in build.patches]
    return " ".join(words) if file or all(patch in PATCHES for patch in build.patches) else ""
