"""Verdicts: what checking a build says. Three answers: holds, broken, undecided; only a finished check holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..build.composed import Build
from ..kernel.machine import TlbEntry
from ..kernel.mm_types import Mm, Page, Pmd, Pte
from ..words import kernel_name


class Step(NamedTuple):
    """One access to shared memory: which CPU, in which kernel function, to which word; the counters after it."""

    cpu: int
    function: str
    word: str
    before: Any
    after: Any
    huge_zero_refcount: int | None
    page_count: int | None
    present: int
    more: tuple[tuple[str, Any, Any], ...] = ()
    """In an exploration: everything the step changed, as (word, before, after)."""
    missed: tuple[str, str, Any, Any] | None = None
    """Where CPUs do not see accesses in order: did it read, or write, which word; what value; and the newest one."""

    @property
    def changed(self) -> str:
        """What the step changed, in words; empty for a read that found what is there."""
        changes = self.more or [(self.word, self.before, self.after)]
        told = [f"{word}: {words(was)} -> {words(now)}" for word, was, now in changes if was != now]
        if self.missed:
            verb, word, value, newest = self.missed
            told.append(f"{word}: {verb} {words(value)}, and misses {words(newest)}")
        return "; ".join(told)


def words(value: Any) -> str:
    """A value of a word of memory as a reader knows it, the same in every run."""
    if isinstance(value, Pmd):
        access = "writable" if value.write else "read-only"
        return f"maps {value.page} ({value.expects}, {access})" if value.page else str(value.table)
    if isinstance(value, Pte):
        return f"maps {value.page or 'the small zero page'}"
    if isinstance(value, TlbEntry):
        return f"{value.mm}[{value.index}]={value.page}"
    if isinstance(value, Mapping):
        shown = [f"{key}: {words(item)}" for key, item in list(value.items())[:4]]
        return ", ".join(shown + ["..."] * (len(value) > 4)) or "none"
    if isinstance(value, tuple | frozenset):
        return ", ".join(sorted(map(words, value)) if isinstance(value, frozenset) else map(words, value)) or "none"
    if isinstance(value, str | int | Page | Mm):
        return str(value)
    return "none" if value is None else getattr(value, "name", "") or type(value).__name__


@dataclass
class Verdict:
    """What checking a build against a scenario says.

    status: holds, broken or undecided. broken: the invariant broken first, `what` about it, `op`: the operation under
    way; witness: the steps that lead there. bound: what came before an answer (a limit, an interruption, a function
    that does not return, memory that ran out), `what`: how far it got. invariants: those that were looked at. cpus;
    memory: its order (sc, tso, weak); alike: the CPUs that run the same, so that of states which differ in their names
    only one was looked at; states, transitions, depth, seconds.
    """

    build: Build
    scenario: str
    broken: str = ""
    what: str = ""
    op: str = ""
    witness: list[Step] = field(default_factory=list)
    states: int = 0
    transitions: int = 0
    depth: int = 0
    bound: str = ""
    seconds: float = 0.0
    cpus: int = 1
    invariants: tuple[str, ...] = ()
    memory: str = "sc"
    alike: tuple[int, ...] = ()
    again: Callable[[], Verdict] | None = field(default=None, compare=False)

    def stopped(self, bound: str, reached: str) -> None:
        """Nothing is decided: what came before an answer, and how far it got."""
        self.bound, self.what = bound, f"{bound}; {reached}" if "not return" in bound else reached

    @property
    def status(self) -> str:
        """holds, broken or undecided."""
        return "broken" if self.broken else "undecided" if self.bound else "holds"

    @property
    def holds(self) -> bool | None:
        """True, False, or None where nothing was decided."""
        return None if self.status == "undecided" else self.status == "holds"

    @property
    def complete(self) -> bool:
        """Did no bound, interruption or function that does not return come first?"""
        return not self.bound

    def __bool__(self) -> bool:
        return self.status == "holds"

    @property
    def reason(self) -> str:
        """Of an undecided verdict: what came before an answer, and how far it got."""
        return self.what if self.what.startswith(self.bound) else f"{self.bound}: {self.what}"

    def replay(self) -> Verdict:
        """Run the witness again, step by step, on a kernel booted for it: the verdict of that one run.

        Raises ValueError if there is no witness.
        """
        if self.again is None:
            raise ValueError(f"{self.scenario} is {self.status}: there is no witness to run again")
        return self.again()

    def __str__(self) -> str:
        """The verdict in one line."""
        order = f" (memory {self.memory})" * (self.memory != "sc")
        if self.status == "holds":
            return f"holds in {self.scenario}{order}"
        if self.status == "undecided":
            return f"undecided in {self.scenario}{order}: {self.reason}"
        return f"breaks {self.broken} at {kernel_name(self.op)} in {self.scenario}{order}: {self.what}"

    def __repr__(self) -> str:
        return f"<{self.build!r}: {self}>"
