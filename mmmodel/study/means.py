"""The faults of the huge zero page in the model: is one in a build? And what would have caught it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from ..build.composed import Build
from ..data import as_frame
from ..explore.checking import check
from ..explore.scenarios import lacking
from ..explore.sequential import ALONE
from ..explore.verdict import Verdict
from ..kernel.versions import VERSIONS
from .audits import recorded
from .decision import COUNTER
from .guards import guarded, stops_at
from .memory_order import ordered
from .references import EVENTS
from .sharing import shared

if TYPE_CHECKING:
    import pandas as pd

MENDED = ("quick-hack", "swapn-macro")
"""The report hides what comes after it: where its counter is wrong it is mended, to look for the others."""


COLUMNS = ("version", "arch", "swap", "fault", "found")


class Question(NamedTuple):
    """How to ask a build for a fault: the scenario, what breaks in it, under which order, what is out of the way.

    needs: a kernel function without which there is nothing to ask. cpus: by default those of the scenario.
    """

    scenario: str
    breaks: str
    memory: str = "sc"
    mended: tuple[str, ...] = ()
    needs: str = "boot_mm"
    cpus: int | None = None

    def answerable(self, build: Build) -> bool:
        """Has a build what the fault could be in?"""
        return not lacking(self.scenario, build) and hasattr(build.kernel_class, self.needs)


ASKED = {
    "zap-race": Question("zap-vs-shrinker", "stale-read"),
    "singular-put": Question("two-mappings", COUNTER),
    "reaper-fullmm": Question("reaper-vs-shrinker", "stale-read"),
    "pfn-race": Question("fault-vs-shrinker", "recognised", cpus=2),
    "pfn-order": Question("fault-unmap-vs-shrinker", "recognised", "arch", ("pfn-lock-relaxed",), "publish"),
    "mm-flag-order": Question("threads-vs-shrinker", "recognised", "arch", ("pfn-lock",), "test_huge_zero"),
}


def asked_of(fault: str, version: str, arch: str, swap: bool = True) -> Build:
    """The build that is asked for a fault: what hides it is mended."""
    wrong = fault != "singular-put" and there("singular-put", asked("singular-put", version, arch, swap))
    build = Build(version, arch, swap, patches=(*MENDED * wrong, *ASKED[fault].mended))
    return replace(build, patches=tuple(p for p in build.patches if p not in build.without_effect))


def asked(fault: str, version: str, arch: str, swap: bool = True, memory: str = "") -> Verdict | None:
    """The verdict that tells whether a fault is in a build; None if it has nothing that the fault could be in.

    memory: sc, tso, weak, or arch; default what the fault needs.
    """
    question, build = ASKED[fault], asked_of(fault, version, arch, swap)
    if not question.answerable(build):
        return None
    return ordered(build, question.scenario, memory or question.memory, question.cpus)


def found_in(archs: Sequence[str]) -> pd.DataFrame:
    """Which faults are in which version, by the steps as they come: columns version, arch, swap, fault, found."""
    questions = {fault: question for fault, question in ASKED.items() if question.memory == "sc"}
    places, found = [*product(VERSIONS, archs, (True, False))], dict[tuple[Any, ...], bool]()
    for fault, question in questions.items():
        every = {place: asked_of(fault, *place) for place in places}
        builds = {place: build for place, build in every.items() if question.answerable(build)}
        answers = shared([*builds.values()], partial(_answer, question))
        found |= {(*place, fault): there(fault, verdict) for place, (verdict, _) in zip(builds, answers, strict=True)}
    rows = [(*place, name, found.get((*place, name), False)) for place in places for name in questions]
    return as_frame(rows, COLUMNS)


def _answer(question: Question, build: Build, kernel_class: type) -> Verdict:
    """By the steps as they come."""
    return check(build, question.scenario, question.cpus, kernel_class=kernel_class)


def there(fault: str, verdict: Verdict | None) -> bool:
    """Does the verdict tell of the fault?"""
    return verdict is not None and verdict.broken == ASKED[fault].breaks


FIRST = {
    "singular-put": ("v4.6", "s390", "v4.7.4"),
    "reaper-fullmm": ("v4.7", "s390", "v4.7.4"),
    "pfn-race": ("v5.13", "s390", "v5.14"),
    "pfn-order": ("v5.13", "arm64", "v5.14"),
    "mm-flag-order": ("v6.1.184", "arm64", "v6.1.192"),
}
"""Where each fault is looked for: a version, an arch that has it, and the version of a real tree that was audited."""


class Try(NamedTuple):
    """Did it find the fault, and what did it say?"""

    found: bool
    words: str


@cache
def tried(fault: str) -> dict[str, Try]:
    """Each way to find a fault, tried: assertions, a test on s390, the audit of a tree, the exploration."""
    version, arch, tree = FIRST[fault]
    build = asked_of(fault, version, arch)
    stops = [event for event, acts in EVENTS.items() if stops_at(guarded(build, "q1-guard"), acts)]
    on_s390 = asked_of(fault, version, "s390")
    broken = [name for name in ALONE if not check(on_s390, name)]
    rows = recorded().query("version.str.startswith(@tree) and fault == @fault and verdict == 'affected'")
    verdict = asked(fault, version, arch)
    assert verdict is not None
    steps = verdict.depth
    return {
        "assertion": Try(bool(stops), f"stops at {stops[0]}" if stops else f"silent in {len(EVENTS)} operations"),
        "test on s390": Try(bool(broken), broken[0] if broken else f"{len(ALONE)} programs of one CPU hold"),
        "audit": Try(len(rows) > 0, f"{tree}: {', '.join(rows.archs)}" if len(rows) else f"nothing in {tree}"),
        "exploration": Try(there(fault, verdict), f"{verdict.scenario}{f', {steps} steps' * bool(steps)}"),
    }
