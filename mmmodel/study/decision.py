"""The decision: every proposed fix held against the same questions, each answer with the runs it rests on."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from math import inf
from typing import Any, NamedTuple

import pandas as pd

from ..build.composed import Build
from ..data import rows
from ..explore.checking import check
from ..explore.concurrent import APART, JUDGED
from ..explore.sequential import ALONE
from ..kernel.arches import HUGE
from ..kernel.patches import PATCHES, SwapnMacro
from .blast import callers, changed
from .costs import PAGES, instructions, rates
from .kept import kept
from .matrix import matrix
from .sharing import shared
from .story import story

VERSION = "v4.6"
"""The kernel of the report: what is to be decided is what to do with it."""
FIXES = {row["called"]: tuple(filter(None, row["patch"].split("+"))) for row in rows("patches") if row["called"]}
"""What can be merged, by the name it has in a meeting, as a stack of patches."""
OTHERS = tuple(arch for arch in HUGE if arch != "s390")
CONCURRENT = tuple(name for name in JUDGED if name not in APART)
COUNTER = "references-balance"
"""What breaks first where a counter is wrong; in a concurrent scenario everything else is the race."""
LATENT = ("sh", "um", "ia64")
"""They free through the singular function and have no huge pages."""
Run = tuple[Build, str]
"""A build in a scenario."""


class Answer(NamedTuple):
    """One cell: is it good (None: a matter of degree), a few words, the evidence in sentences, the runs that break."""

    good: bool | None
    words: str
    evidence: list[str]
    broken: Sequence[Run] = ()


@cache
def verdicts(*archs: str) -> pd.DataFrame:
    """Every fix on these archs (default: all with huge pages), SWAP on and off, in every scenario it is judged by.

    The columns of `mm.matrix`, and `fix`.
    """
    if not archs:
        return pd.concat([verdicts("s390"), verdicts(*OTHERS)])
    names = {"+".join(stack): name for name, stack in FIXES.items()}
    found = matrix(archs, [VERSION], patches=list(FIXES.values()), scenarios=[*ALONE, *JUDGED])
    return found.assign(fix=found.patches.map(names))


def _of(fix: str, *archs: str) -> pd.DataFrame:
    """The verdicts of one fix."""
    found = verdicts(*archs)
    return found[found.fix == fix]


def _held(rows: pd.DataFrame, what: str) -> Answer:
    """Does everything hold in these rows? If not: in how many of them, and what broke first in which."""
    bad, undecided = rows[rows.status == "broken"], rows[rows.status == "undecided"]
    if rows.empty:
        return Answer(None, "? not known", [f"no run of {what}"])
    if bad.empty and not undecided.empty:
        told = [f"{r.arch}, SWAP {'on' if r.swap else 'off'}, {r.scenario}: {r.what}" for r in undecided.itertuples()]
        return Answer(None, f"? {len(undecided)} of {len(rows)} undecided", told)
    if bad.empty:
        states = int(rows.states.sum())
        looked = f", none of {states:,} states" if states else ""
        return Answer(True, "holds", [f"holds in {len(rows)} runs of {what}{looked}"])
    told = [
        f"{arch}, SWAP {'on' if swap else 'off'}: {broken} breaks in {', '.join(group.scenario)}"
        for (arch, swap, broken), group in bad.groupby(["arch", "swap", "broken"], sort=False)
    ]
    return Answer(False, f"{len(bad)} of {len(rows)} break", told, _runs(bad))


def _runs(rows: pd.DataFrame) -> list[Run]:
    """Rows of `verdicts` as runs."""
    named: Any = rows[["version", "arch", "swap", "fix", "scenario"]].itertuples(index=False)
    return [(Build(version, arch, swap, patches=FIXES[fix]), scenario) for version, arch, swap, fix, scenario in named]


def on_s390(fix: str, swap: bool) -> Answer:
    """Is s390 right, with or without swap, in every scenario of the report?"""
    found = _of(fix, "s390")
    found = found[(found.swap == swap) & ~found.scenario.isin(APART)]
    return _held(found, f"{len(ALONE)} sequential and {len(CONCURRENT)} concurrent scenarios")


def elsewhere(fix: str) -> Answer:
    """Are the counters right on the other archs with huge pages? (The race is another question.)"""
    found = _of(fix, *OTHERS)
    found = found[~found.scenario.isin(APART)]
    counted = found.status.mask(found.scenario.isin(CONCURRENT) & (found.broken != COUNTER), "holds")
    answer = _held(found.assign(status=counted), "the other archs with huge pages")
    raced = int((found.status != counted).sum())
    told = f"in {raced} of them the counters are right until the race is lost, which is the next question"
    return answer._replace(evidence=answer.evidence + [told] * bool(raced))


def race(fix: str) -> Answer:
    """Does nobody, on any arch, use the page after it was given away? Explored in every interleaving.

    A run that ends because a counter is wrong says nothing about it: then it is not known there.
    """
    found = _of(fix)
    found = found[found.scenario.isin(CONCURRENT)]
    told = found[found.broken != COUNTER]
    answer, ended = _held(told, f"the {len(CONCURRENT)} concurrent scenarios"), len(found) - len(told)
    if not ended or answer.good is False:
        return answer
    early = f"{ended} of {len(found)} runs ended before, because a counter was wrong"
    bad = _runs(found[found.status == "broken"])
    return Answer(None, f"? not known in {ended} of {len(found)}", [*answer.evidence, early], bad)


def reaper(fix: str) -> Answer:
    """What a fix leaves open: does the OOM reaper, which takes a living process for a dead one, still hurt somebody?

    No fix of 2016 was about it; upstream closed it in v4.15.
    """
    found = _of(fix)
    found = found[found.scenario == "reaper-vs-shrinker"]
    bad = found[found.status == "broken"]
    told = [
        f"{broken} breaks on {', '.join(dict.fromkeys(group.arch))}"
        for broken, group in bad.groupby("broken", sort=False)
    ]
    answer = _held(found, "reaper-vs-shrinker")
    return answer._replace(words=f"open on {', '.join(dict.fromkeys(bad.arch))}", evidence=told) if told else answer


def latent(fix: str) -> Answer:
    """Would the counters of sh, um and ia64 be right if they had huge pages, with and without swap?

    That is all that a fix can do there: sh and um also free before they flush.
    """
    builds = [Build(VERSION, arch, swap, True, patches=FIXES[fix]) for arch in LATENT for swap in (True, False)]
    bad = [(build, "map-read-unmap") for build in builds if not check(build, "map-read-unmap")]
    named = "; ".join(f"{build.arch}, SWAP {'on' if build.swap else 'off'}" for build, _ in bad)
    said = f"if they had huge pages: {f'wrong on {named}' if bad else 'right on all three'}"
    return Answer(not bad, f"{len(builds) - len(bad)} of {len(builds)}", [said], bad)


def counted(number: int, what: str) -> str:
    """A number of things, in words."""
    return f"{number} {what}{'s' * (number != 1)}"


def compiled(fix: str) -> Build:
    """The build of the price: s390 with swap, where the macro for kernels without it is not compiled."""
    return Build(VERSION, patches=tuple(patch for patch in FIXES[fix] if PATCHES[patch] is not SwapnMacro))


def price(fix: str) -> float | None:
    """Instructions more than nothing for each freed 4K page, s390 with swap; measured, None if it was not."""
    found = instructions(compiled(fix), PAGES)
    return found["over_stock"] if found else None


def cost(fix: str) -> Answer:
    """What one more page costs on s390 with swap: instructions measured, everything else modelled."""
    more, told = price(fix), []
    idle = [patch for patch in FIXES[fix] if patch not in compiled(fix).patches]
    told += [f"with SWAP on, {patch} adds nothing to it (include/linux/swap.h)" for patch in idle]
    for what, per in rates(Build(VERSION, patches=FIXES[fix])).items():
        told.append(f"modelled, per {what}: " + ", ".join(f"{name} {number:g}" for name, number in per.items()))
    words = "not known" if more is None else f"{more:+.0f} instructions"
    return Answer(None, words, [f"{words} per freed 4K page, measured"] * (more is not None) + told)


def calling(fix: str) -> Answer:
    """Who calls what the change touches: read in v4.6.2, data/callers.csv."""
    found = list(dict.fromkeys(c for patch in FIXES[fix] for c in callers(patch) if c.level == 1))
    told = [f"{c.function} ({c.file}:{c.line}){f': {c.note}' if c.note else ''}" for c in found]
    return Answer(None, counted(len(found), "caller") if found else "nobody", told)


def lines(fix: str) -> float:
    """Lines of C added and removed; infinite where nobody wrote them down."""
    facts = [row for row in rows("patches") if row["patch"] in FIXES[fix]]
    known = [int(row[column]) for row in facts for column in ("lines_added", "lines_removed") if row[column]]
    return sum(known) if len(known) == 2 * len(facts) else inf


def touched(fix: str) -> Answer:
    """Files, functions and lines of the change; what is not written in a mail is derived."""
    facts = [row for row in rows("patches") if row["patch"] in FIXES[fix]]
    files = list(dict.fromkeys(name for row in facts for name in row["files"].split("; ")))
    written = f"{counted(int(lines(fix)), 'line')}, " if lines(fix) < inf else ""
    words = written + counted(len(files), "file")
    how = {row["how"] for row in facts}
    functions = list(dict.fromkeys(name for patch in FIXES[fix] for name in changed(patch)))
    told = [", ".join(files), f"functions: {', '.join(functions)}", f"how it is known: {'; '.join(sorted(how))}"]
    return Answer(None, words if facts else "nothing", told if facts else [])


def at_risk(fix: str) -> Answer:
    """Whom the stack as a whole could hurt; derived from reading unless it says otherwise. "not known": not written."""
    facts = [row for row in rows("patches") if row["patch"] == "+".join(FIXES[fix])]
    told = [f"{row['at_risk']} ({row['how']}: {row['source']})" for row in facts]
    return Answer(None, facts[0]["risk"] if facts else "not known", told)


QUESTIONS: dict[str, Callable[[str], Answer]] = {
    "s390, SWAP on": lambda fix: on_s390(fix, True),
    "s390, SWAP off": lambda fix: on_s390(fix, False),
    "other archs: counters": elsewhere,
    "race closed": race,
    "OOM reaper": reaper,
    "sh, um, ia64: counters": latent,
    "cost": cost,
    "callers": calling,
    "touched": touched,
    "at risk": at_risk,
}
MUST = tuple(QUESTIONS)[:4]
"""What a fix has to do; the others are matters of degree."""


@cache
def answers(fix: str) -> dict[str, Answer]:
    """The answers to all questions about a fix."""
    return {question: ask(fix) for question, ask in QUESTIONS.items()}


def right(fix: str) -> bool:
    """Does a fix do all it has to: s390 with and without swap, the other archs, the race?"""
    return all(answers(fix)[question].good for question in MUST)


class Proof(NamedTuple):
    """What a run breaks, in how many steps, and these as rows: first, last, CPU, functions, what they change."""

    broken: str
    what: str
    steps: int
    rows: Sequence[tuple[int, int, int, list[str], list[str]]]


@cache
def witnesses() -> dict[Run, Proof]:
    """The runs that break in a cell, checked again for their steps; builds that behave the same share theirs."""
    runs: dict[str, dict[Build, None]] = {}
    for build, scenario in (run for fix in FIXES for answer in answers(fix).values() for run in answer.broken):
        runs.setdefault(scenario, {})[build] = None
    found = {name: kept(partial(_proofs, name), [*builds], f"proofs-{name}") for name, builds in runs.items()}
    return {(b, name): Proof(*p) for name, builds in runs.items() for b, p in zip(builds, found[name], strict=True)}


def _proofs(scenario: str, builds: Sequence[Build]) -> list[Proof]:
    def proof(build: Build, kernel_class: type) -> Proof:
        v = check(build, scenario, kernel_class=kernel_class)
        if not v.broken:  # by the table it breaks: this check was interrupted
            raise KeyboardInterrupt
        return Proof(v.broken, v.what, len(v.witness), [row[:5] for row in story(v)[2]])

    return [found for found, _ in shared(builds, proof)]


def differing(one: str, other: str) -> pd.DataFrame:
    """The verdicts that two fixes do not share: arch, swap, scenario, and the status with each (`one`, `other`)."""
    found = verdicts().pivot(index=["arch", "swap", "scenario"], columns="fix", values="status")
    both = pd.DataFrame({"one": found[one], "other": found[other]})
    return both[both.one != both.other].reset_index()
