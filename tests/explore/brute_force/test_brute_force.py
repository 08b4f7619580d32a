"""The exploration finds what two brute forces find: on the scenarios, on tiny programs, on patches of any kind."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from enumeration import compare, every_schedule, every_state
from hypothesis import assume, given
from hypothesis import strategies as st

import mmmodel as mm
from mmmodel.explore.concurrent import PROGRAMS, RECLAIM, REUSE, munmap, read
from mmmodel.explore.interleavings import explore
from mmmodel.explore.scenarios import Operation, Program
from mmmodel.kernel.mm_types import Mm, Page
from mmmodel.study.sharing import UNASKED, Meaning, noting

pytestmark = pytest.mark.slow

GENERATIONS = ("v4.5", "v4.6", "v4.7", "v4.9", "v5.13")
BUILDS = [mm.Build(version, arch) for version in GENERATIONS for arch in ("x86", "s390")]
SCENARIOS = [(name, build) for name, build in product(PROGRAMS, BUILDS) if not PROGRAMS[name].lacking(build)]
PATCHED = [
    *[("zap-vs-shrinker", mm.Build("v4.6", "s390", swap=False, patches=stack)) for stack in ((), ("q2",), ("q4",))],
    *[("zap-vs-shrinker", mm.Build("v4.6", "s390", patches=[name])) for name in ("quick-hack", "q3", "page-refcount")],
    *[("zap-vs-shrinker", mm.Build("v4.6", "x86", patches=[name])) for name in ("q2", "revert", "nr1-shortcut")],
    ("zap-vs-shrinker", mm.Build("v4.7", "um", thp=True)),
    ("zap-vs-shrinker", mm.Build("v4.7", "um")),
    ("pin-vs-zap", mm.Build("v4.6", "s390", debug_vm=True, patches=["q1-guard-put-page"])),
    ("pin-vs-zap", mm.Build("v4.6", "x86", patches=["page-refcount"])),
    ("reaper-vs-shrinker", mm.Build("v4.6", "arm64")),
    ("reaper-vs-shrinker", mm.Build("v4.7", "s390", patches=["reaper-per-vma"])),
    ("zap-vs-shrinker", mm.Build("v4.5", "powerpc")),
    *[(name, mm.Build("v4.6", "x86", patches=["page-refcount"])) for name in ("fault-vs-shrinker", "fault-vs-fault")],
    *[(name, mm.Build("v5.13", "x86", patches=["pfn-lock"])) for name in ("fault-vs-shrinker", "fault-vs-fault")],
]


@pytest.mark.parametrize(("scenario", "build"), [*SCENARIOS, *PATCHED], ids=repr)
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
