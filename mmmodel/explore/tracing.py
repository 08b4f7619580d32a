"""Sequential runs: one CPU, one operation after the other, and what the counters were after each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from ..build.composed import Build, given
from ..data import as_frame
from ..kernel.machine import KernelBug, Var
from ..words import BuildError, choose
from .handed_out import Front
from .invariants import broken, judges
from .patience import Clock, DoesNotReturn, blamed, patience
from .scenarios import Scenario, official
from .sequential import ROUND, SEQUENTIAL
from .snapshot import snapshot
from .verdict import Step, Verdict

if TYPE_CHECKING:
    import pandas as pd


class Row(NamedTuple):
    """The counters after an operation; a count that does not exist is None. `present`: is PTR set?"""

    step: int
    op: str
    huge_zero_refcount: int | None
    page_count: int | None
    present: int


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

    def __repr__(self) -> str:
        return f"<{self.build!r}: {self.scenario}, {len(self.rows)} operations, {len(self.steps)} steps>"

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame: step, op, huge_zero_refcount, page_count, present."""
        return as_frame(self.rows, Row._fields, huge_zero_refcount="Int64", page_count="Int64")


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


def run(
    build: Build,
    scenario: Scenario,
    journal: bool,
    stop: bool = False,
    kernel_class: type | None = None,
    max_seconds: float = inf,
    use_zero_page: bool = True,
) -> Trace:
    """Run a scenario; keep steps if `journal`; with `stop`, not beyond the first broken invariant.

    With `stop`, a scenario also ends when a round leaves the kernel as an earlier one did.

    Raises PatchError for a Python error in code of the reader's.
    """
    started = time.perf_counter()
    verdict = Verdict(build, scenario.name, invariants=judges(build))
    trace = Trace(build, scenario.name, [], [], Counter(), [], verdict)
    names = readers(build, scenario.run)
    with patience(bool(names)) as clock, blamed(names):
        clock.start()
        try:
            _run(trace, scenario, journal, stop, kernel_class, started + max_seconds, clock, use_zero_page)
        except KernelBug as bug:
            verdict.broken, verdict.what, verdict.op = bug.invariant, str(bug), "boot"
        except DoesNotReturn as error:
            verdict.bound = str(error)
    if verdict.status == "undecided":
        reached = f"stopped after {trace.rows[-1].op if trace.rows else 'the start'}, {len(trace.rows)} operations"
        verdict.what = f"{verdict.bound}; {reached}" if "not return" in verdict.bound else reached
    verdict.seconds = time.perf_counter() - started
    if verdict.broken:
        verdict.again = lambda: run(build, scenario, True, True, use_zero_page=use_zero_page).verdict
    return trace


def readers(build: Build, function: Any) -> str:
    """Whose code besides ours runs: the reader's patches, the reader's scenario."""
    names = [p.__name__ for p in build.patches if isinstance(p, type)]
    return ", ".join(names + ["the scenario"] * (not official(function)))


def _run(trace: Trace, scenario: Scenario, journal: bool, stop: bool, kernel_class: type | None, deadline: float,
         clock: Clock, use_zero_page: bool) -> None:  # fmt: skip
    """Run it operation by operation; what comes before the end is the bound of the verdict."""
    kernel = trace.build.boot(memory_mib=scenario.memory_mib, kernel_class=kernel_class)
    kernel.costs.clear()
    kernel.use_zero_page = use_zero_page
    trace.costs, trace.dmesg = kernel.costs, kernel.dmesg
    notes = kernel.observer = Journal(kernel) if journal else None
    ops, found, seen, verdict = _operations(scenario, kernel), None, set[Any](), trace.verdict
    try:
        while True:
            clock.start()
            try:
                op = next(ops, None)
            except KernelBug as bug:
                op, found = None, found or (bug.invariant, str(bug))
            except MemoryError as error:
                kernel.dmesg.append(f"out of memory: {error}")
                op, verdict.bound = None, "out of memory"
            if op == ROUND:
                if stop and known(kernel, seen):
                    break
                continue
            if not isinstance(op, str | None):
                raise BuildError(f"{scenario.name} yields the name of each operation after it, not {op!r}")
            if notes:
                notes.flush()
                found = found or notes.broken
            if op is not None:
                trace.rows.append(Row(len(trace.rows), op, *counters(kernel)))
            if not verdict.broken and (found := found or broken(kernel, "always")):
                verdict.broken, verdict.what = found
                verdict.op = op or (f"after {trace.rows[-1].op}" if trace.rows else "start")
                verdict.witness = notes.steps[: notes.until] if notes else []
            if not (trace.rows or found or verdict.bound):
                raise BuildError(f"{scenario.name} yields no operation: there is nothing to judge")
            if op is None or (stop and found):
                break
            if time.perf_counter() > deadline:
                verdict.bound = "time"
                break
    except KeyboardInterrupt:
        verdict.bound = "interrupted"
    except DoesNotReturn as error:
        verdict.bound = str(error)
    if notes:
        trace.steps, kernel.observer = notes.steps, None
    trace.costs = Counter(kernel.costs)
    if not verdict.bound and not found and (found := broken(kernel, "end")):
        verdict.broken, verdict.what = found
        verdict.op, verdict.witness = "end", trace.steps
    verdict.bound *= not verdict.broken


def _operations(scenario: Scenario, kernel: Any) -> Iterator[Any]:
    """The operations of a scenario.

    Raises BuildError if it is no generator.
    """
    found = scenario.run(kernel if official(scenario.run) else Front(kernel))
    if not isinstance(found, Iterator):
        raise BuildError(f"{scenario.name} must be a generator: yield the name of each operation after it")
    return found


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
