"""Two brute forces that share none of the machinery of the exploration, and what the exploration finds beside.

The brute forces run the same kernel functions, each CPU in a greenlet that stops before each of its steps. They know
nothing of pieces, of watched memory, or of what a CPU has observed.

`every_schedule` runs every schedule from boot to its end, one after the other, and remembers nothing.
`every_state` runs from boot too, but goes on only from states it has not seen. A state is all that can be reached from
the kernel, and every stack frame of every CPU: the code, the instruction, the local variables.

Each of them says how long the shortest schedule is that breaks an invariant, which invariants break there, with which
outcomes schedules end, and which contents the memory can have: this is what is compared.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from operator import attrgetter
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from greenlet import getcurrent, greenlet

import mmmodel as mm
from mmmodel.explore.bounds import Bounds
from mmmodel.explore.interleavings import explore
from mmmodel.explore.invariants import broken
from mmmodel.explore.pieces import Pieces
from mmmodel.explore.scenarios import Operation, Program
from mmmodel.explore.walk import Plain
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.machine import Cpu, KernelBug, Var
from mmmodel.kernel.mm_types import Mm, MmuGather, Page, PageTable
from mmmodel.kernel.versions import V4_5


@cache
def preemptible(cls: type[V4_5]) -> type[V4_5]:
    """The kernel class whose steps give way. During an exploration page tables are not allocated: see `pieces`."""

    class Preemptible(cls):  # type: ignore[misc, valid-type]
        def __init__(self, cpus: int = 1) -> None:
            super().__init__(cpus)
            self.scheduler: greenlet | None = None
            self.blocked: dict[int, Callable[[], bool]] = {}

        def step(self, var: Var) -> None:
            if self.scheduler is not None and getcurrent() is not self.scheduler:
                cpu = self.cpu
                self.scheduler.switch()
                self.cpu = cpu

        def spin_lock(self, lock: Var) -> None:
            self.blocked[self.cpu.id] = lambda: lock.value is not None
            super().spin_lock(lock)

        def wait_below(self, var: Var, limit: int) -> None:
            self.blocked[self.cpu.id] = lambda: var.value >= limit
            super().wait_below(var, limit)

        def tlb_invalidate(self, mm: Mm, index: int | None = None, cpus: list[Cpu] | None = None) -> None:
            if cpus is None:
                self.blocked[self.cpu.id] = lambda: mm.irqs_off.value > 0
            super().tlb_invalidate(mm, index, cpus)

        def pte_alloc_one(self, mm: Mm) -> PageTable | None:
            return PageTable(self.page(0)) if self.scheduler else super().pte_alloc_one(mm)

        def pte_free(self, mm: Mm, table: PageTable) -> None:
            if not self.scheduler:
                super().pte_free(mm, table)

        def pte_free_tlb(self, tlb: MmuGather, table: PageTable) -> None:
            if not self.scheduler:
                super().pte_free_tlb(tlb, table)

    return Preemptible


class Run:
    """One run from boot; `step(cpu)` lets a CPU go on to its next step. Every CPU starts just before its first."""

    def __init__(self, build: mm.Build, program: Program, cpus: int, schedule: tuple[int, ...] = ()) -> None:
        order = int(ARCHES[build.arch]["huge_page_order"])
        self.kernel: Any = build.boot(cpus, (cpus + 2) << order >> 8, preemptible(build.kernel_class))
        operations = program.set_up(self.kernel, cpus)
        self.kernel.scheduler = getcurrent()
        self.kernel.blocked.clear()
        self.inside, self.done, self.bug = [False] * cpus, [0] * cpus, False
        self.cpus = [greenlet(self.run) for _ in operations]
        for cpu, mine in enumerate(operations):
            self.cpus[cpu].switch(cpu, mine)
        for cpu in schedule:
            self.step(cpu)

    def run(self, cpu: int, operations: list[Operation]) -> None:
        """What one CPU does."""
        self.kernel.cpu = self.kernel.cpus[cpu]
        try:
            for _, operation in operations:
                operation(self.kernel)
                self.inside[cpu] = False
                self.done[cpu] += 1
        except KernelBug:
            self.bug, self.inside[cpu] = True, False

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of what nobody waits for any more: Python does not look into the stack of a greenlet for garbage."""
        for cpu in self.cpus:
            if not cpu.dead:
                cpu.throw()

    def ready(self) -> list[int]:
        """The CPUs that can take a step."""
        blocked = self.kernel.blocked
        return [c for c, cpu in enumerate(self.cpus) if not cpu.dead and not (c in blocked and blocked[c]())]

    def step(self, cpu: int) -> None:
        self.kernel.blocked.pop(cpu, None)
        self.inside[cpu] = True
        self.cpus[cpu].switch()

    def wrong(self) -> str:
        """The invariant that is broken now."""
        self.kernel.quiet = not any(self.inside)
        found = broken(self.kernel, "always")
        return "no-bug" if self.bug and not self.kernel.violations else found[0] if found else ""

    def leaked(self) -> str:
        """What the end of everything breaks; asked where a patch may count in its own way."""
        self.kernel.cpu = self.kernel.cpus[0]
        found = None if self.kernel.keeps_the_rule else broken(self.kernel, "end")
        return found[0] if found else ""

    def state(self) -> Any:
        """Everything that can make a difference to what follows."""
        seen: dict[int, Any] = {}
        frozen: list[Any] = [freeze(self.kernel, seen)]
        for cpu, thread in enumerate(self.cpus):
            frozen.append((self.done[cpu], self.inside[cpu]))
            frame = thread.gr_frame
            while frame is not None:
                if frame.f_code is not Run.run.__code__:
                    variables = [(name, freeze(value, seen)) for name, value in frame.f_locals.items()]
                    frozen.append((frame.f_code, frame.f_lasti, *variables))
                frame = frame.f_back
        return tuple(frozen)


IRRELEVANT = {"blocked", "build", "costs", "cpu", "dmesg", "quiet", "scheduler"}


"""Of a kernel: who runs, how a thing is asked, and what is only ever written."""


PLAIN = {type(None), int, str, frozenset}
FIELDS = {kind: attrgetter(*kind.__slots__) for kind in (Page, Var, Mm, Cpu, MmuGather, PageTable)}


def freeze(thing: Any, seen: dict[int, Any]) -> Any:
    """A value that is equal for equal structures, shared parts included."""
    kind = type(thing)
    if kind in PLAIN:
        return thing
    if isinstance(thing, tuple):
        return tuple([item if type(item) in PLAIN else freeze(item, seen) for item in thing])
    if isinstance(thing, bool | type | FunctionType | MethodType):
        return str(thing) if kind is bool else thing.__name__
    if id(thing) in seen:
        return seen[id(thing)]
    seen[id(thing)] = ("seen", len(seen))
    if kind in FIELDS:
        parts: Any = FIELDS[kind](thing)
    elif isinstance(thing, dict):
        parts = [part for item in thing.items() for part in item]
    elif isinstance(thing, V4_5):
        parts = [part for name, value in vars(thing).items() if name not in IRRELEVANT for part in (name, value)]
    elif isinstance(thing, list):
        parts = thing
    else:
        assert kind.__name__.endswith("iterator"), kind
        parts = thing.__reduce__()[1:]
    return kind, *[part if type(part) in PLAIN else freeze(part, seen) for part in parts]


def outcome(kernel: Any) -> Any:
    """What `explore` says of a finished run: HZR, PC, is PTR set, who owns which block."""
    page, hzr = kernel.huge_zero_page.value, kernel.huge_zero_refcount
    owners = tuple(kernel.page(block << kernel.hpage_order).owner for block in kernel.mem_map)
    return hzr and hzr.value, page and page.count.value, int(page is not None), owners


def content(kernel: Any) -> Any:
    """What is in memory and in the CPUs, by number and name."""
    pages = [kernel.page(block << kernel.hpage_order) for block in kernel.mem_map]
    order = range(kernel.hpage_order + 1)
    pfn = getattr(kernel, "huge_zero_pfn", None)
    return (
        outcome(kernel),
        pfn and pfn.value,
        tuple((page.pfn, page.count.value, page.order, page.flags, page.content) for page in pages),
        tuple(tuple(area[o] for o in order) for area in kernel.free_area),
        tuple((mm.vmas, *(str(pmd.value and pmd.value[:3]) for pmd in mm.pmd.values()), mm.huge_zero.value, mm.nr_ptes,
               mm.attach_count.value, mm.flush_mm.value, mm.ptl.value) for mm in kernel.mms),
        tuple((str(cpu.tlb), str(cpu.active_mm), str(cpu.gather.batches), cpu.gather.range) for cpu in kernel.cpus),
        str(kernel.pins),
        kernel.lru_lock.value,
    )  # fmt: skip


class Found(NamedTuple):
    """`shortest`: steps to a broken invariant, None if all hold; `broken`: those that break there."""

    shortest: int | None
    broken: set[str]
    outcomes: set[Any]
    contents: set[Any]
    size: int


def every_schedule(build: mm.Build, program: Program, cpus: int) -> Found:
    """Run every schedule; a schedule ends where an invariant breaks. `size`: how many there are."""
    shortest: dict[int, set[str]] = {}
    outcomes, contents, schedules = set(), {content(Run(build, program, cpus).kernel)}, 0
    todo: list[tuple[int, ...]] = [()]
    while todo:
        schedule = todo.pop()
        with Run(build, program, cpus, schedule[:-1]) as run:
            wrong, ready = "", list(schedule[-1:]) or run.ready()
            schedule = schedule[:-1]
            while ready and not wrong:
                todo += [(*schedule, cpu) for cpu in ready[1:]]
                run.step(ready[0])
                schedule = (*schedule, ready[0])
                if wrong := run.wrong():
                    shortest.setdefault(len(schedule), set()).add(wrong)
                else:
                    contents.add(content(run.kernel))
                ready = run.ready()
            if not wrong:
                assert all(cpu.dead for cpu in run.cpus)
                outcomes.add(outcome(run.kernel))
                if leak := run.leaked():
                    shortest.setdefault(len(schedule), set()).add(leak)
        schedules += 1
    first = min(shortest, default=None)
    return Found(first, shortest[first] if first else set(), outcomes, contents, schedules)


def every_state(build: mm.Build, program: Program, cpus: int) -> Found:
    """Run every schedule up to states seen before, the short ones first. `size`: the states seen."""
    run = Run(build, program, cpus)
    seen, outcomes, contents = {run.state()}, set(), {content(run.kernel)}
    level: list[tuple[int, ...]] = [()]
    while level:
        further, wrong, leaks = [], set(), set()
        for schedule in level:
            with ExitStack() as runs:
                run = runs.enter_context(Run(build, program, cpus, schedule))
                if not (ready := run.ready()):
                    assert all(cpu.dead for cpu in run.cpus)
                    outcomes.add(outcome(run.kernel))
                    leaks |= {run.leaked()} - {""}
                for cpu in ready:
                    if cpu != ready[0]:
                        run = runs.enter_context(Run(build, program, cpus, schedule))
                    run.step(cpu)
                    if found := run.wrong():
                        wrong.add(found)
                    elif (state := run.state()) not in seen:
                        seen.add(state)
                        contents.add(content(run.kernel))
                        further.append((*schedule, cpu))
        if wrong or leaks:
            return Found(len(level[0]) + (not leaks), leaks or wrong, outcomes, contents, len(seen))
        level = further
    return Found(None, set(), outcomes, contents, len(seen))


def ours(build: mm.Build, program: Program, cpus: int) -> Found:
    """The same of the exploration."""
    verdict, outcomes = explore(build, program, cpus)
    walk = Plain(Pieces(build, program, cpus))
    walk.run(Bounds(10**9))
    contents = set()
    for state, _ in walk.parents:
        walk.pieces.memory.state = walk.pieces.memory.view(state)
        contents.add(content(walk.pieces.kernel))
    assert verdict.complete
    assert verdict.states == len(walk.parents)
    return Found(None if verdict else verdict.depth, {verdict.broken} - {""}, outcomes, contents, verdict.states)


def compare(brute: Callable[..., Found], build: mm.Build, program: Program, cpus: int = 2) -> None:
    """Assert that the exploration finds what a brute force finds."""
    theirs, mine = brute(build, program, cpus), ours(build, program, cpus)
    assert mine.shortest == theirs.shortest
    if mine.shortest is None:
        assert (mine.outcomes, mine.contents) == (theirs.outcomes, theirs.contents)
    else:
        assert len(mine.broken) == 1
        assert mine.broken <= theirs.broken
        assert mine.outcomes <= theirs.outcomes
