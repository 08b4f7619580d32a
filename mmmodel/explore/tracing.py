"""Sequential runs: one CPU, one operation after the other, and what the counters were after each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from ..build.composed import Build, given
from ..data import as_frame
from ..kernel.machine import KernelBug, Var
from ..words import BuildError, choose
from .handed_out import Front
from .invariants import broken, judges
from .patience import Clock, DoesNotReturn, judged
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
    """One sequential run: `rows` after each operation, `steps`, what it cost, what the kernel printed.

    due: what HZR and PC have to be after each operation; (None, None) where a patch does not say how it counts.
    Without a journal it is empty, as the steps are.
    """

    build: Build
    scenario: str
    rows: list[Row]
    steps: list[Step]
    costs: Counter[str]
    dmesg: list[str]
    verdict: Verdict
    due: list[tuple[int | None, int | None]] = field(default_factory=list)

    def __repr__(self) -> str:
        known = self.off if self.due else ()
        off = [f"; after {row.op} {words}" for row, words in zip(self.rows, known, strict=False) if words]
        size = f"{len(self.rows)} operations, {len(self.steps)} steps"
        return f"<{self.build!r}: {self.scenario}, {size}{off[0] if off else ''}>"

    @property
    def off(self) -> list[str]:
        """After each operation: which counter is not what is due, in words; empty if both are, or nobody can say."""
        both = zip(self.rows, self.due, strict=True)
        found = [zip(("HZR", "PC"), row[2:4], due, strict=True) for row, due in both]
        return ["; ".join(f"{n} is {c}, due {d}" for n, c, d in each if d not in (None, c)) for each in found]

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
    deadline, verdict = perf_counter() + max_seconds, Verdict(build, scenario.name, invariants=judges(build))
    trace = Trace(build, scenario.name, [], [], Counter(), [], verdict)
    with judged(verdict, scenario.run, "boot") as clock:
        kernel = build.boot(memory_mib=scenario.memory_mib, kernel_class=kernel_class)
        kernel.costs.clear()
        kernel.use_zero_page = use_zero_page
        notes = kernel.observer = Journal(kernel) if journal else None
        trace.dmesg, trace.steps = kernel.dmesg, notes.steps if notes else []
        bound = _run(trace, kernel, scenario, stop, deadline, clock)
        trace.costs, kernel.observer = Counter(kernel.costs), None
        if not bound and not verdict.broken and (wrong := broken(kernel, "end")):
            (verdict.broken, verdict.what), verdict.op, verdict.witness = wrong, "end", trace.steps
        if bound and not verdict.broken:
            reached = f"{trace.rows[-1].op if trace.rows else 'the start'}, {len(trace.rows)} operations"
            verdict.stopped(bound, f"stopped after {reached}")
    if verdict.broken:
        verdict.again = lambda: run(build, scenario, True, True, kernel_class, use_zero_page=use_zero_page).verdict
    return trace


def _run(trace: Trace, kernel: Any, scenario: Scenario, stop: bool, deadline: float, clock: Clock) -> str:
    """Run it operation by operation; what came before its end."""
    seen = set[Any]()
    try:
        for op in _operations(scenario, kernel):
            clock.start()
            if op != ROUND:
                _note(trace, kernel, op)
            if stop and (trace.verdict.broken or (op == ROUND and known(kernel, seen))):
                break
            if perf_counter() > deadline:
                return "time"
        else:
            _note(trace, kernel)
    except KernelBug as bug:
        _note(trace, kernel, "", (bug.invariant, str(bug)))
    except MemoryError as error:
        kernel.dmesg.append(f"out of memory: {error}")
        _note(trace, kernel)
        return "out of memory"
    except KeyboardInterrupt:
        return "interrupted"
    except DoesNotReturn as error:
        return str(error)
    if not (trace.rows or trace.verdict.broken):
        raise BuildError(f"{scenario.name} yields no operation: there is nothing to judge")
    return ""


def _note(trace: Trace, kernel: Any, op: str = "", wrong: tuple[str, str] | None = None) -> None:
    """Note the counters after an operation, and the invariant that broke first."""
    verdict, notes = trace.verdict, kernel.observer
    if notes:
        notes.flush()
        wrong = wrong or notes.broken
    if op:
        trace.rows.append(Row(len(trace.rows), op, *counters(kernel)))
    if op and notes:
        trace.due.append(kernel.references_due() if trace.build.keeps_the_rule else (None, None))
    if not verdict.broken and (wrong := wrong or broken(kernel, "always")):
        verdict.broken, verdict.what = wrong
        verdict.op = op or (f"after {trace.rows[-1].op}" if trace.rows else "start")
        verdict.witness = trace.steps[: notes.until] if notes else []


def _operations(scenario: Scenario, kernel: Any) -> Iterator[str]:
    """The operations of a scenario.

    Raises BuildError if it is no generator of their names.
    """
    found = scenario.run(kernel if official(scenario.run) else Front(kernel))
    if not isinstance(found, Iterator):
        raise BuildError(f"{scenario.name} must be a generator: yield the name of each operation after it")
    for op in found:
        if not isinstance(op, str):
            raise BuildError(f"{scenario.name} yields the name of each operation after it, not {op!r}")
        yield op


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
