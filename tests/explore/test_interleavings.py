"""The exploration against two brute forces that share none of its machinery; verdicts, mutants, bounds, state counts.

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
from functools import cache
from itertools import product
from types import FunctionType, MethodType
from typing import Any, NamedTuple

import pytest
from greenlet import getcurrent, greenlet
from hypothesis import assume, given
from hypothesis import strategies as st

import mmmodel as mm
from mmmodel import data
from mmmodel.explore.checking import MOST_CPUS
from mmmodel.explore.concurrent import PROGRAMS, RECLAIM, REUSE, Operation, Program, munmap, read
from mmmodel.explore.interleavings import Walk, explore
from mmmodel.explore.invariants import broken
from mmmodel.explore.pieces import Explorer
from mmmodel.explore.sharing import UNASKED, Meaning, noting
from mmmodel.kernel.arches import ARCHES, FLUSHING
from mmmodel.kernel.machine import Cpu, KernelBug, Var
from mmmodel.kernel.mm_types import Mm, MmuGather, Page, PageTable
from mmmodel.kernel.patches import PageRefcount
from mmmodel.kernel.versions import V4_5, VERSIONS

# -- the brute forces


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


def freeze(thing: Any, seen: dict[int, Any]) -> Any:
    """A value that is equal for equal structures, shared parts included."""
    kind = type(thing)
    if kind in PLAIN:
        return thing
    if isinstance(thing, bool | type | FunctionType | MethodType):
        return str(thing) if kind is bool else thing.__name__
    if isinstance(thing, tuple):
        return tuple([item if type(item) in PLAIN else freeze(item, seen) for item in thing])
    if id(thing) in seen:
        return seen[id(thing)]
    seen[id(thing)] = ("seen", len(seen))
    if isinstance(thing, Page | Var | Mm | Cpu | MmuGather | PageTable):
        parts: Any = [getattr(thing, field) for field in kind.__slots__]
    elif isinstance(thing, dict):
        parts = [part for item in thing.items() for part in item]
    elif isinstance(thing, V4_5):
        parts = [part for name, value in vars(thing).items() if name not in IRRELEVANT for part in (name, value)]
    elif isinstance(thing, list):
        parts = thing
    else:
        assert kind.__name__.endswith("iterator"), kind
        parts = thing.__reduce__()[1:]
    return kind.__name__, *[part if type(part) in PLAIN else freeze(part, seen) for part in parts]


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
        run = Run(build, program, cpus, schedule[:-1])
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
            run = Run(build, program, cpus, schedule)
            if not (ready := run.ready()):
                assert all(cpu.dead for cpu in run.cpus)
                outcomes.add(outcome(run.kernel))
                leaks |= {run.leaked()} - {""}
            for cpu in ready:
                run = run if cpu == ready[0] else Run(build, program, cpus, schedule)
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
    walk = Walk(Explorer(build, program, cpus))
    walk.run(10**9, float("inf"), None)
    contents = set()
    for state, _ in walk.parents:
        walk.explorer.memory.load(state)
        contents.add(content(walk.explorer.kernel))
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


# -- the scenarios, on two CPUs, and some on three

GENERATIONS = ("v4.5", "v4.6", "v4.7", "v4.9", "v5.13")
BUILDS = [mm.Build(version, arch) for version in GENERATIONS for arch in ("x86", "s390")]
PATCHED = [
    *[("zap-vs-shrinker", mm.Build("v4.6", "s390", swap=False, patches=stack)) for stack in ((), ("q2",), ("q4",))],
    *[("zap-vs-shrinker", mm.Build("v4.6", "s390", patches=[name])) for name in ("quick-hack", "q3", "page-refcount")],
    *[("zap-vs-shrinker", mm.Build("v4.6", "x86", patches=[name])) for name in ("q2", "revert", "nr1-shortcut")],
    ("zap-vs-shrinker", mm.Build("v4.7", "um", thp=True)),
    ("zap-vs-shrinker", mm.Build("v4.7", "um")),
    ("pin-vs-zap", mm.Build("v4.6", "s390", debug_vm=True, patches=["q1-guard-put-page"])),
    ("pin-vs-zap", mm.Build("v4.6", "x86", patches=["page-refcount"])),
    *[(name, mm.Build("v4.6", "x86", patches=["page-refcount"])) for name in ("fault-vs-shrinker", "fault-vs-fault")],
    *[(name, mm.Build("v5.13", "x86", patches=["pfn-lock"])) for name in ("fault-vs-shrinker", "fault-vs-fault")],
]


@pytest.mark.parametrize(("scenario", "build"), [*product(PROGRAMS, BUILDS), *PATCHED], ids=repr)
def test_the_exploration_finds_what_running_every_state_from_boot_finds(scenario: str, build: mm.Build) -> None:
    compare(every_state, build, PROGRAMS[scenario])


@pytest.mark.parametrize(("scenario", "build"), [
    *[("pin-vs-zap", mm.Build(*build)) for build in (("v4.5", "x86"), ("v4.6", "s390"), ("v4.7", "x86"))],
    *[("zap-vs-shrinker", mm.Build(*build)) for build in (("v4.5", "x86"), ("v4.6", "s390"), ("v4.9", "x86"))],
], ids=repr)  # fmt: skip
def test_the_exploration_finds_what_running_every_schedule_from_boot_finds(scenario: str, build: mm.Build) -> None:
    compare(every_schedule, build, PROGRAMS[scenario])


@pytest.mark.parametrize(("scenario", "build"), [
    ("zap-vs-shrinker", mm.Build("v4.5", "x86")), ("zap-vs-shrinker", mm.Build("v4.6", "x86")),
    ("zap-vs-shrinker", mm.Build("v4.6", "s390")), ("zap-vs-shrinker", mm.Build("v4.9", "s390")),
    ("pin-vs-zap", mm.Build("v4.5", "x86")),
], ids=repr)  # fmt: skip
def test_it_does_with_three_cpus_too(scenario: str, build: mm.Build) -> None:
    compare(every_state, build, PROGRAMS[scenario], 3)


# -- tiny programs

OPERATIONS: dict[str, Callable[[Mm], list[Operation]]] = {
    "read": lambda mm: [read(mm)],
    "write": lambda mm: [("write", lambda k: k.store(mm, 0, "data"))],
    "munmap": lambda mm: [munmap(mm)],
    "madvise": lambda mm: [("madvise", lambda k: k.madvise_dontneed(mm, 0, k.hpage_nr))],
    "leave": lambda mm: [("leave", lambda k: k.leave_mm())],
    "pin": lambda mm: [("pin", lambda k: k.get_user_page(mm, 0))],
    "unpin": lambda mm: [("unpin", lambda k: [k.unpin(page) for page in k.pins])],
    "shrink": lambda mm: RECLAIM,
    "reuse": lambda mm: [REUSE],
}


def tiny(mapped: str, *texts: str) -> Program:
    """CPUs in `mapped` start with a live translation; a text says what a CPU does, `other:` in a process of its own."""

    def set_up(k: Any, cpus: int) -> list[list[Operation]]:
        other = k.new_mm("other")
        for process in k.mms:
            k.mmap(process, 0, k.hpage_nr)
            k.pmd_alloc(process, 0)
        mine = [other if text.startswith("other:") else k.init for text in texts]
        for cpu in map(int, mapped):
            k.cpu = k.cpus[cpu]
            k.load(mine[cpu], 0)
        words = [text.removeprefix("other:").split() for text in texts]
        return [[o for word in text for o in OPERATIONS[word](mine[cpu])] for cpu, text in enumerate(words)]

    return Program(f"{mapped}; " + " | ".join(texts), "", set_up, len(texts), len(texts))


FEW_SCHEDULES = [
    tiny("0", "munmap", "shrink"),
    tiny("0", "munmap shrink", "shrink"),
    tiny("01", "munmap", "read"),
    tiny("01", "munmap", "leave read"),
    tiny("01", "madvise", "shrink read"),
    tiny("0", "munmap", "other:shrink reuse"),
    tiny("1", "shrink", "munmap"),
    tiny("01", "munmap", "pin unpin"),
    tiny("", "read", "shrink"),
]
RETRIES = [
    tiny("", "read", "other:read"),
    tiny("", "read madvise", "shrink"),
    tiny("0", "munmap", "other:read"),
    tiny("0", "munmap read", "other:shrink read"),
    tiny("0", "madvise read", "shrink"),
    tiny("01", "madvise", "pin unpin read"),
    tiny("0", "write", "other:read"),
]


@pytest.mark.parametrize("program", FEW_SCHEDULES, ids=lambda p: p.name)
def test_tiny_programs_by_every_schedule(program: Program) -> None:
    for build in (mm.Build("v4.5", "x86"), mm.Build("v4.9", "x86")):
        compare(every_schedule, build, program)


@pytest.mark.parametrize("program", RETRIES, ids=lambda p: p.name)
def test_tiny_programs_with_retry_loops_by_every_state(program: Program) -> None:
    patched = mm.Build("v4.6", "x86", patches=["page-refcount"])
    for build in (mm.Build("v4.7", "s390"), mm.Build("v5.13", "x86"), patched):
        compare(every_state, build, program)


@given(
    mapped=st.sampled_from(["", "0", "1", "01"]),
    texts=st.tuples(*[st.lists(st.sampled_from(sorted(OPERATIONS.keys() - {"pin", "unpin", "write"})), min_size=1,
                               max_size=2).map(" ".join)] * 2),
    other=st.sampled_from(["", "other:"]),
    build=st.sampled_from([*BUILDS, *[build for _, build in PATCHED]]),
)  # fmt: skip
def test_random_programs_by_every_state(mapped: str, texts: tuple[str, str], other: str, build: mm.Build) -> None:
    program = tiny(mapped, texts[0], other + texts[1])
    assume(explore(build, program, 2)[0].states <= 150)
    compare(every_state, build, program)


# -- patches with code of their own are explored step by step, or refused


class Racy(mm.Patch):
    """The count is read, then written, in a function that otherwise is one step."""

    def put_page_testzero(self, page: Page) -> bool:
        count = self.atomic_read(page.count) - 1
        self.atomic_set(page.count, count)
        return bool(count == 0)


class MoreSteps(mm.Patch):
    """Another step before those of the function."""

    def alloc_pages(self, order: int, owner: str, *, movable: bool = False, compound: bool = False) -> Page | None:
        self.READ_ONCE(self.huge_zero_page)
        return super().alloc_pages(order, owner, movable=movable, compound=compound)

    def instruction(self, mm: Mm, addr: int, content: object) -> tuple[bool, object]:
        self.READ_ONCE(mm.flush_mm)
        return super().instruction(mm, addr, content)


class OwnAttribute(mm.Patch):
    """Something to remember that is no word of the kernel."""

    def boot_huge_memory(self) -> None:
        super().boot_huge_memory()
        self.puts = 0

    def put_huge_zero_page(self) -> None:
        puts = self.puts
        super().put_huge_zero_page()
        self.puts = puts + 1
        self.BUG_ON(self.puts == 2, "both")


class OwnLoop(mm.Patch):
    """Gives up when it has lost twice: its rounds are not alike."""

    def get_huge_zero_page(self) -> Page | None:
        tries = 0
        while True:
            tries += 1
            if self.atomic_inc_not_zero(self.huge_zero_refcount):
                return self.READ_ONCE(self.huge_zero_page)
            if tries == 3 or not (page := self.alloc_huge_zero_page()):
                return None
            if self.cmpxchg(self.huge_zero_page, None, page) is None:
                self.atomic_set(self.huge_zero_refcount, 2)
                return page
            self._free_pages(page, page.order)


@pytest.mark.parametrize(("patches", "scenario", "breaks"), [
    (["page-refcount", Racy], "pin-vs-zap", "not-leaked"),
    (["page-refcount"], "pin-vs-zap", ""),
    ([MoreSteps], "fault-vs-shrinker", ""),
    ([MoreSteps], "zap-vs-shrinker", ""),
    ([OwnAttribute], "zap-vs-zap", "no-bug"),
    ([OwnLoop], "fault-vs-fault", ""),
], ids=str)  # fmt: skip
def test_what_a_patch_does_is_explored(patches: list[Any], scenario: str, breaks: str) -> None:
    build = mm.Build("v4.7", "x86", patches=patches)
    compare(every_state, build, PROGRAMS[scenario])
    verdict = mm.check(build, scenario, 2)
    assert verdict.broken == breaks
    again = mm.check(build, scenario, 2, kernel_class=noting(build.kernel_class, Meaning(build).keys() - {UNASKED}, []))
    assert (again.broken, again.states, again.depth) == (breaks, verdict.states, verdict.depth)


class Carrying(mm.Patch):
    """Says so although they are not."""

    def get_huge_zero_page(self) -> Page | None:
        tries = 0
        while self.retry():
            tries += self.atomic_read(self.huge_zero_refcount) == 0
            if tries == 2 or self.atomic_inc_not_zero(self.huge_zero_refcount):
                return self.READ_ONCE(self.huge_zero_page)
        return None


def test_a_loop_that_would_be_explored_wrongly_is_refused() -> None:
    with pytest.raises(mm.BuildError, match="retry loop carries tries"):
        mm.check(mm.Build("v4.7", "x86", patches=[Carrying]), "fault-vs-fault", 2)


# -- whatever the model can do in a trace it can do here


def with_operation(*operations: Callable[[Any], object]) -> Program:
    """A CPU shrinks, another, that has the page mapped, does these."""
    program = PROGRAMS["zap-vs-shrinker"]
    mine = [(f"operation {i}", operation) for i, operation in enumerate(operations)]
    return program._replace(set_up=lambda k, cpus: [program.set_up(k, cpus)[1][:2], mine])


@pytest.mark.parametrize("operations", [
    [lambda k: k.exit(k.init)], [lambda k: k.fork(k.init, "child")], [lambda k: k.new_mm("child")],
    [lambda k: k.fork(k.init, "child"), lambda k: k.exit(k.mms[-1])],
    [lambda k: k.fork(k.init, "child"), lambda k: k.fork(k.init, "child")],
    [lambda k: k.split_huge_pmd(k.init, 0)], [lambda k: k.munmap(k.init, 0, k.hpage_nr // 2)],
    [lambda k: k.mremap(k.init, 0, k.hpage_nr)],
])  # fmt: skip
@pytest.mark.parametrize("build", [mm.Build("v4.7", "x86"), mm.Build("v4.7"), mm.Build("v4.9", "x86")], ids=repr)
def test_processes_and_parts_are_explored(operations: list[Callable[[Any], object]], build: mm.Build) -> None:
    compare(every_state, build, with_operation(*operations))


# -- verdicts

RACE, COUNT, PFN = "stale-read", "references-balance", "recognised"
VERDICTS = [
    # what aa88b68c closed, and what it opened
    ("zap-vs-shrinker", mm.Build("v4.5", "x86"), RACE), ("zap-vs-shrinker", mm.Build("v4.5", "s390"), ""),
    ("zap-vs-shrinker", mm.Build("v4.6", "x86"), ""), ("zap-vs-shrinker", mm.Build("v4.6", "s390"), COUNT),
    *[("zap-vs-shrinker", mm.Build("v4.6", arch, patches=[patch]), "") for arch in ("s390", "x86")
      for patch in ("quick-hack", "q2", "q3", "q4", "page-refcount")],
    ("zap-vs-shrinker", mm.Build("v4.6", "x86", patches=["revert"]), RACE),
    ("zap-vs-shrinker", mm.Build("v4.6", "s390", patches=["revert"]), ""),
    # arches that free before the flush, if they had huge pages
    *[("zap-vs-shrinker", mm.Build("v4.7", arch, thp=True), RACE) for arch in ("sh", "um")],
    *[("zap-vs-shrinker", mm.Build("v4.6", arch, thp=True, patches=["quick-hack"]), RACE) for arch in ("sh", "um")],
    *[("zap-vs-shrinker", mm.Build("v5.2", arch, thp=True), "") for arch in ("sh", "um")],
    ("zap-vs-shrinker", mm.Build("v4.6", "ia64", thp=True), COUNT),
    ("zap-vs-shrinker", mm.Build("v4.7", "ia64", thp=True), ""),
    # faults; CVE-2026-74632 and its fix
    *[("fault-vs-fault", mm.Build(version, arch), "") for version in VERSIONS for arch in ("x86", "s390")],
    *[("fault-vs-shrinker", mm.Build(version, arch), PFN if version in ("v5.13", "v5.14") else "")
      for version in VERSIONS for arch in ("x86", "s390")],
    *[("fault-vs-shrinker", mm.Build("v4.6", arch, patches=["page-refcount"]), "") for arch in ("x86", "s390")],
    *[("fault-vs-shrinker", mm.Build(version, arch, patches=["pfn-lock"]), "")
      for version in ("v5.13", "v5.14") for arch in ("x86", "s390")],
]  # fmt: skip


@pytest.mark.parametrize(("scenario", "build", "breaks"), VERDICTS, ids=repr)
def test_verdicts(scenario: str, build: mm.Build, breaks: str) -> None:
    verdict = mm.check(build, scenario)
    assert (verdict.holds, verdict.broken, verdict.complete) == (not breaks, breaks, True)
    assert bool(verdict.witness) is bool(breaks)


def test_the_witness_of_the_cve_has_its_decisive_steps_in_order() -> None:
    witness = mm.check(mm.Build("v5.13", "x86"), "fault-vs-shrinker", 2).witness
    names = ("huge_zero_refcount", "huge_zero_page", "huge_zero_pfn")
    changes = [(step.cpu, *change) for step in witness for change in step.more if change[0] in names]
    old, new = changes[1][2], changes[2][3]
    assert [change for change in changes if change[2] != 0] == [
        (0, "huge_zero_refcount", 1, 0),
        (0, "huge_zero_page", old, None),
        (1, "huge_zero_page", None, new),
        (1, "huge_zero_pfn", old.pfn, new.pfn),
        (0, "huge_zero_pfn", new.pfn, None),
    ]
    assert witness[-1].function == "set_huge_zero_page"


# -- mutants: each is a mistake in one place


class CountFirst(mm.Patch):
    """HZR is set before PTR is published."""

    def get_huge_zero_page(self) -> Page | None:
        while self.retry():
            if self.atomic_inc_not_zero(self.huge_zero_refcount):
                return self.READ_ONCE(self.huge_zero_page)
            page = self.alloc_huge_zero_page()
            self.atomic_set(self.huge_zero_refcount, 2)
            if page is None or self.cmpxchg(self.huge_zero_page, None, page) is None:
                return page
            self._free_pages(page, page.order)
        return None


class FreeFirst(mm.Patch):
    """The shrinker frees the page, then clears PTR."""

    def shrink_huge_zero_page_scan(self) -> int:
        if self.atomic_cmpxchg(self.huge_zero_refcount, 1, 0) != 1:
            return 0
        page = self.READ_ONCE(self.huge_zero_page)
        self._free_pages(page, page.order)
        self.xchg(self.huge_zero_page, None)
        return self.hpage_nr


class NoWait(mm.Patch):
    """s390: a CPU that attaches does not wait for a flush under way."""

    file = "arch/s390/include/asm/mmu_context.h"

    def switch_mm(self, mm: Mm) -> None:
        if self.cpu.active_mm is not mm:
            self.atomic_add(1, mm.attach_count)
            V4_5.switch_mm(self, mm)
            if self.READ_ONCE(mm.flush_mm):
                self.tlb_invalidate(mm)


class NeverEager(mm.Patch):
    """s390: the entry is cleared without a flush although the mm is attached elsewhere."""

    file = "arch/s390/mm/pgtable.c"

    def pmdp_huge_get_and_clear_full(self, mm: Mm, index: int, full: bool) -> None:
        self.atomic_add(FLUSHING, mm.attach_count)
        self.atomic_set(mm.pmd[index], None)
        self.WRITE_ONCE(mm.flush_mm, True)
        self.atomic_add(-FLUSHING, mm.attach_count)


class SetCount(PageRefcount):
    """The page's own count as the reference count, but the first one is stored: that loses one taken meanwhile."""

    name = ""

    def get_page(self, page: Page) -> None:
        self.atomic_set(page.count, 2)


@pytest.mark.parametrize(("mutant", "scenario", "arch", "breaks"), [
    (CountFirst, "fault-vs-fault", "x86", "not-leaked"), (FreeFirst, "fault-vs-shrinker", "x86", "pointer-alive"),
    (FreeFirst, "zap-vs-shrinker", "s390", "pointer-alive"), (NoWait, "zap-vs-shrinker", "s390", RACE),
    (NeverEager, "zap-vs-shrinker", "s390", RACE), (SetCount, "fault-vs-shrinker", "x86", "one-owner"),
])  # fmt: skip
def test_mutants_are_found(mutant: type[mm.Patch], scenario: str, arch: str, breaks: str) -> None:
    assert mm.check(mm.Build("v4.7", arch), scenario).holds
    assert mm.check(mm.Build("v4.7", arch, patches=[mutant]), scenario).broken == breaks


# -- bounds


class Unmarked(mm.Patch):
    """The loop of get_huge_zero_page, without saying that its rounds are alike."""

    def get_huge_zero_page(self) -> Page | None:
        while not self.atomic_inc_not_zero(self.huge_zero_refcount):
            page = self.alloc_huge_zero_page()
            if page is None or self.cmpxchg(self.huge_zero_page, None, page) is None:
                self.atomic_set(self.huge_zero_refcount, 2)
                return page
            self._free_pages(page, page.order)
        return self.READ_ONCE(self.huge_zero_page)


class Interrupted(mm.Patch):
    """Somebody presses Ctrl-C while kernel code runs."""

    def put_huge_zero_page(self) -> None:
        raise KeyboardInterrupt


def test_retry_loops_end_without_a_bound() -> None:
    assert mm.check(mm.Build("v4.7", "x86"), "fault-vs-fault").complete
    endless = mm.check(mm.Build("v4.7", "x86", patches=[Unmarked]), "fault-vs-fault", max_states=2000)
    assert (endless.status, endless.holds, bool(endless)) == ("undecided", None, False)
    assert endless.bound in ("2000 states", "get_huge_zero_page does not return")


@pytest.mark.parametrize(("patches", "bounds", "bound"), [
    ((), {"max_states": 100}, "100 states"), ((), {"max_seconds": 1e-9}, "time"), ((Interrupted,), {}, "interrupted"),
])  # fmt: skip
def test_what_stopped_an_exploration_is_said(patches: Any, bounds: dict[str, Any], bound: str) -> None:
    verdict = mm.check(mm.Build("v4.7", "x86", patches=patches), "zap-vs-shrinker", **bounds)
    assert (verdict.status, verdict.holds, verdict.complete, verdict.bound) == ("undecided", None, False, bound)
    assert f"none of the {verdict.states} states seen is wrong" in verdict.what
    assert 0 < verdict.states < 332
    assert not verdict.witness


def test_progress_is_reported_and_can_interrupt() -> None:
    numbers: list[int] = []

    def progress(states: int) -> None:
        numbers.append(states)
        if states > 50:
            raise KeyboardInterrupt

    verdict = mm.check(mm.Build("v4.7", "x86"), "zap-vs-shrinker", progress=progress)
    assert verdict.bound == "interrupted"
    assert numbers == sorted(numbers)
    assert numbers[-1] == verdict.states


@pytest.mark.parametrize("bounds", [{"max_states": 0}, {"max_seconds": 0}])
def test_a_bound_that_allows_nothing(bounds: dict[str, Any]) -> None:
    with pytest.raises(mm.BuildError, match="above 0"):
        mm.check(mm.Build(), "zap-vs-shrinker", **bounds)


@pytest.mark.parametrize("cpus", [1, 0, -1, MOST_CPUS + 1, 2.0, "2"])
def test_a_number_of_cpus_a_scenario_cannot_have(cpus: Any) -> None:
    with pytest.raises(mm.BuildError, match="2 to 8 CPUs"):
        mm.check(mm.Build(), "zap-vs-shrinker", cpus)


def test_a_sequential_scenario_takes_one_cpu() -> None:
    with pytest.raises(mm.BuildError, match="1 CPU"):
        mm.check(mm.Build(), "map-read-unmap", 2)


# -- the size of the model


def counted() -> dict[tuple[str, str], list[dict[str, str]]]:
    """The rows of data/state_counts.csv by scenario and version."""
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in data.rows("state_counts"):
        groups.setdefault((row["scenario"], row["version"]), []).append(row)
    return groups


def test_every_scenario_and_version_is_counted() -> None:
    assert set(counted()) == set(product(PROGRAMS, VERSIONS))


@pytest.mark.parametrize(("scenario", "version"), counted())
def test_state_counts(scenario: str, version: str) -> None:
    """After an intended change of the model: python benchmarks/state_counts.py --write."""
    for row in counted()[scenario, version]:
        stack = row["patches"].split("+") if row["patches"] else []
        build = mm.Build(version, row["arch"], row["swap"] == "y", row["thp"] == "y", patches=stack)
        v = mm.check(build, scenario, int(row["cpus"]))
        found = ("ny"[v.holds], v.broken, *map(str, (v.states, v.transitions, v.depth)))
        assert found == tuple(row[name] for name in ("holds", "broken", "states", "transitions", "depth")), build
