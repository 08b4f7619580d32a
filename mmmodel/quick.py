"""Verdicts quick enough to follow a toggle, in words: do the telling scenarios hold, and what changed since before?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any

from .build import Build
from .checking import check
from .claims import VERDICT
from .kernel.patches import PATCHES
from .programs import PROGRAMS
from .verdict import Verdict

Verdicts = Sequence[Verdict]

QUICK: dict[str, int | None] = {
    "map-read-unmap": None,
    "two-mappings": None,
    "fork": None,
    "madv-dontneed": None,
    "write-fault": None,
    "exit-mmap": None,
    "mremap": None,
    "split": None,
    "zap-vs-shrinker": 3,
    "fault-vs-shrinker": 2,
    "pin-vs-zap": 2,
}
"""The scenarios, with the CPUs of those that are explored: some 30 ms for all. Left out: those that run to a panic."""

_PRESETS: dict[str, dict[str, Any]] = {
    "the reported kernel": {},
    "the same on x86": {"arch": "x86"},
    "before the commit": {"version": "v4.5"},
    "before the commit, x86: the race": {"version": "v4.5", "arch": "x86"},
    "the report's quick hack": {"patches": ["quick-hack"]},
    "quick hack without SWAP": {"patches": ["quick-hack"], "swap": False},
    "the merged fix": {"version": "v4.7"},
    "the merged fix without SWAP": {"version": "v4.7", "swap": False},
    "merged, and the SWAP=n macro": {"version": "v4.7", "swap": False, "patches": ["swapn-macro"]},
    "question 1: the exact guard": {"patches": ["q1-guard"], "debug_vm": True},
    "question 1: the naive guard, x86": {"arch": "x86", "patches": ["q1-guard-put-page"], "debug_vm": True},
    "question 2": {"patches": ["q2"]},
    "question 3": {"patches": ["q3"]},
    "question 3 with the nr == 1 shortcut": {"patches": ["q3", "nr1-shortcut"]},
    "question 3, shortcut after the test": {"patches": ["q3", "nr1-shortcut-guarded"]},
    "question 4": {"patches": ["q4"]},
    "question 4 without SWAP": {"patches": ["q4"], "swap": False},
    "Hugh Dickins: the page's own count": {"patches": ["page-refcount"]},
    "the commit undone": {"patches": ["revert"]},
    "the commit undone, x86": {"arch": "x86", "patches": ["revert"]},
    "CVE-2026-74632": {"version": "v5.13", "arch": "x86"},
    "CVE-2026-74632, fixed": {"version": "v5.13", "arch": "x86", "patches": ["pfn-lock"]},
}


def presets() -> dict[str, Build]:
    """The builds a discussion of the four questions comes back to, by what they are called."""
    return {label: Build(**toggles) for label, toggles in _PRESETS.items()}


@lru_cache(maxsize=1024)
def _checked(build: Build, scenario: str, cpus: int | None) -> Verdict:
    return check(build, scenario, cpus)


def quick_verdicts(build: Build) -> list[Verdict]:
    """The verdict of each scenario in QUICK; one that was asked for before is remembered."""
    return [_checked(build, scenario, cpus) for scenario, cpus in QUICK.items()]


# -- in words


def told(verdicts: Verdicts) -> tuple[bool, str, str, str]:
    """Do all verdicts (there is at least one) hold, a headline that says so, what stands behind it, and where else."""
    bad = [v for v in verdicts if not v.holds]
    many = f"{len(verdicts)} scenarios" if len(verdicts) > 1 else verdicts[0].scenario
    if not bad:
        return True, f"{VERDICT[True]} in {'all of ' if len(verdicts) > 1 else ''}{many}", _looked_at(verdicts), ""
    number = f"{len(bad)} of {many}" if len(verdicts) > 1 else many
    first = f"{bad[0].broken} broke at {bad[0].op} in {bad[0].scenario}: {bad[0].what}"
    others = f"Nor does it hold in {', '.join(v.scenario for v in bad[1:])}." if bad[1:] else ""
    return False, f"{VERDICT[False]} in {number}", first, others


def _looked_at(verdicts: Verdicts) -> str:
    """How much was looked at, and what was not."""
    explored = [v for v in verdicts if v.scenario in PROGRAMS]
    states = f"{sum(v.states for v in explored):,} states"
    runs = [f"{len(verdicts) - len(explored)} runs of one CPU"] * (len(explored) < len(verdicts))
    runs += [f"{len(explored)} explored in every order of their steps: none of {states} is wrong"] * bool(explored)
    bounds = [f"{v.scenario} only up to a bound: {v.bound}" for v in explored if not v.complete]
    return "; ".join(runs + bounds)


def differences(before: Build, after: Build) -> list[str]:
    """Which toggles differ, from what to what."""
    found = []
    for name in (f.name for f in fields(Build)):
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
        "did not hold, now holds": [v.scenario for was, v in pairs if v.holds > was.holds],
        "held, now does not": [v.scenario for was, v in pairs if v.holds < was.holds],
        "breaks in another way": [
            f"{v.scenario} ({was.broken} → {v.broken})" for was, v in pairs if v.broken != was.broken != "" != v.broken
        ],
    }
    said = [f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names]
    return "; ".join(said) or "no verdict changed"


def command(build: Build) -> str:
    """The command line that asks for the verdicts of a build; empty if one of its patches has no name there."""
    usual = Build(build.version, build.arch)
    words = ["mmmodel verdict", f"--version {build.version}", f"--arch {build.arch}"]
    words += ["--no-swap"] * (not build.swap) + ["--debug-vm"] * build.debug_vm
    words += [f"--{'' if build.thp else 'no-'}thp"] * (build.thp != usual.thp)
    words += [f"--patch {patch}" for patch in build.patches]
    return " ".join(words) if all(patch in PATCHES for patch in build.patches) else ""
