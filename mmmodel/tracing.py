"""Sequential runs: one CPU, one operation after the other, and what the counters were after each."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .build import Build, choose, given
from .invariants import broken
from .kernel.machine import KernelBug, Var
from .scenarios import ROUND, SEQUENTIAL, Scenario
from .snapshot import snapshot

if TYPE_CHECKING:
    import pandas as pd


class Row(NamedTuple):
    """The counters after an operation; a count that does not exist is None. `present`: is PTR set?"""

    step: int
    op: str
    huge_zero_refcount: int | None
    page_count: int | None
    present: int


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

    @property
    def changed(self) -> str:
        """What the step changed, in words; empty for a read."""
        changes = self.more or [(self.word, self.before, self.after)]
        return "; ".join(f"{word}: {before} -> {after}" for word, before, after in changes if before != after)


@dataclass
class Verdict:
    """What checking a build against a scenario says.

    cpus; holds; broken: the invariant broken first, `what` about it, `op`: the operation under way; witness: the steps
    that lead there; states, transitions, depth, seconds; complete: was everything looked at, if not `bound` says what
    stopped it.
    """

    build: Build
    scenario: str
    holds: bool
    broken: str = ""
    what: str = ""
    op: str = ""
    witness: list[Step] = field(default_factory=list, repr=False)
    states: int = 0
    transitions: int = 0
    depth: int = 0
    complete: bool = True
    bound: str = ""
    seconds: float = 0.0
    cpus: int = 1

    def __bool__(self) -> bool:
        return self.holds


@dataclass
class Trace:
    """One sequential run: `rows` after each operation, `steps`, what it cost, what the kernel printed."""

    build: Build
    scenario: str
    rows: list[Row]
    steps: list[Step]
    costs: Counter[str]
    dmesg: list[str]
    verdict: Verdict

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame: step, op, huge_zero_refcount, page_count, present."""
        import pandas as pd

        frame = pd.DataFrame(self.rows, columns=list(Row._fields))
        return frame.astype({"huge_zero_refcount": "Int64", "page_count": "Int64"})


class Journal:
    """Writes down each step once it is complete, that is when the next one begins."""

    def __init__(self, kernel: Any) -> None:
        self.kernel, self.steps = kernel, list[Step]()
        self.pending: tuple[int, str, Var, Any] | None = None
        self.broken: tuple[str, str] | None = None
        self.until: int | None = None

    def __call__(self, var: Var, function: str) -> None:
        """A step begins."""
        self.flush()
        self.pending = (self.kernel.cpu.id, function, var, var.value)

    def flush(self) -> None:
        """Complete the step under way and ask the invariants that hold always."""
        if self.pending is not None:
            cpu, function, var, before = self.pending
            self.pending = None
            self.steps.append(Step(cpu, function, var.name, before, var.value, *counters(self.kernel)))
            self.kernel.quiet = False
            if self.broken is None and (wrong := broken(self.kernel, "always")):
                self.broken, self.until = wrong, len(self.steps)
            self.kernel.quiet = True


def counters(kernel: Any) -> tuple[int | None, int | None, int]:
    """HZR, PC of the page PTR names, and whether there is one."""
    page, hzr = kernel.huge_zero_page.value, kernel.huge_zero_refcount
    return None if hzr is None else hzr.value, None if page is None else page.count.value, int(page is not None)


def run(build: Build, scenario: Scenario, journal: bool, stop: bool = False, kernel_class: type | None = None) -> Trace:
    """Run a scenario; keep steps if `journal`; with `stop`, not beyond the first broken invariant.

    With `stop`, a scenario also ends when a round leaves the kernel as an earlier one did.
    """
    started = time.perf_counter()
    kernel = build.boot(memory_mib=scenario.memory_mib, kernel_class=kernel_class)
    kernel.costs.clear()
    notes = kernel.observer = Journal(kernel) if journal else None
    trace = Trace(build, scenario.name, [], [], kernel.costs, kernel.dmesg, Verdict(build, scenario.name, True))
    ops, found, seen = scenario.run(kernel), None, set[Any]()
    while True:
        try:
            op = next(ops, None)
        except KernelBug as bug:
            op, found = None, found or ("no-bug", str(bug))
        except MemoryError as error:
            kernel.dmesg.append(f"out of memory: {error}")
            op = None
        if op == ROUND:
            if stop and known(kernel, seen):
                break
            continue
        if notes:
            notes.flush()
            found = found or notes.broken
        if op is not None:
            trace.rows.append(Row(len(trace.rows), op, *counters(kernel)))
        if not trace.verdict.broken and (found := found or broken(kernel, "always")):
            trace.verdict.holds, (trace.verdict.broken, trace.verdict.what) = False, found
            trace.verdict.op = op or f"after {trace.rows[-1].op}"
            trace.verdict.witness = notes.steps[: notes.until] if notes else []
        if op is None or (stop and found):
            break
    if notes:
        trace.steps, kernel.observer = notes.steps, None
    trace.costs = Counter(kernel.costs)
    if not found and (found := broken(kernel, "end")):
        trace.verdict.holds, (trace.verdict.broken, trace.verdict.what) = False, found
        trace.verdict.op, trace.verdict.witness = "end", trace.steps
    trace.verdict.seconds = time.perf_counter() - started
    return trace


def known(kernel: Any, seen: set[Any]) -> bool:
    """Was the kernel in this very state after an earlier round?"""
    before = len(seen)
    seen.add(snapshot(kernel))
    return len(seen) == before


def trace(build: Build | None = None, scenario: str = "map-read-unmap") -> Trace:
    """Run a sequential scenario on a build and write everything down.

    Raises BuildError for an unknown scenario, naming those there are.
    """
    return run(given(build), SEQUENTIAL[choose("sequential scenario", scenario, SEQUENTIAL)], journal=True)
