"""Random programs: processes map, read, write, unmap, fork and exit; somebody pins; the shrinker runs.

On builds that should hold no invariant ever breaks, and memory reads as what was written to it. On the broken ones a
shortest program that shows it is found.
"""

from copy import deepcopy

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import mmmodel as mm
from mmmodel.explore.invariants import broken
from mmmodel.kernel.machine import KernelBug
from mmmodel.kernel.mm_types import HUGE_ZERO_PAGE

pytestmark = pytest.mark.slow

SLOTS, CPUS, PROCESSES, PINS, MEMORY = 2, 2, 3, 2, 8
WHOLE, FIRST, SECOND = (0, 1), (0, 0.5), (0.5, 1)
which = st.integers(0, 99)
parts = st.sampled_from((WHOLE, FIRST, SECOND))
halves = st.sampled_from((FIRST, SECOND))
OOM = "out of memory"


class Programs(RuleBasedStateMachine):
    """`build` is the kernel under test; `program` is what was done to it."""

    build: mm.Build
    program: list[str]

    @initialize()
    def boot(self):
        self.k = self.build.boot(cpus=CPUS, memory_mib=MEMORY)
        self.written, self.whole = {}, True
        self.names = [f"child{i}" for i in range(99, 0, -1)]
        type(self).program = self.program = []

    # -- helpers

    def range(self, slot, part=WHOLE):
        return [int((slot + end) * self.k.hpage_nr) for end in part]

    def mapped(self, which, part=WHOLE):
        """One of the (process, slot) of which this part is mapped; None when there is none."""
        found = [(m, s) for m in self.k.mms for s in range(SLOTS) if m.maps(*self.range(s, part))]
        return found[which % len(found)] if found else None

    def unmapped(self, which, mms=None):
        found = [(m, s) for m in mms or self.k.mms for s in range(SLOTS) if not m.overlaps(*self.range(s))]
        return found[which % len(found)] if found else None

    def do(self, name, *arguments):
        """One operation; OOM when memory is exhausted."""
        self.program.append(f"{name}({', '.join(map(str, arguments))})")
        self.whole = False
        try:
            return getattr(self.k, name)(*arguments)
        except MemoryError:
            return OOM

    def forget(self, place, part):
        """What was written to a part is gone; of a huge page the whole may hold it."""
        if part is WHOLE:
            self.written.pop(place, None)
        else:
            self.written.get(place, {}).pop(part, None)

    # -- operations

    @rule(cpu=st.integers(0, CPUS - 1))
    def run_on(self, cpu):
        if self.k.cpu is not self.k.cpus[cpu]:
            self.k.cpu = self.k.cpus[cpu]
            self.program.append(f"cpu {cpu}")

    @rule(which=which)
    def map_read(self, which):
        if place := self.unmapped(which):
            self.do("mmap", place[0], *self.range(place[1]))
            assert self.do("load", place[0], *self.range(place[1])[:1]) in (0, OOM)

    @rule(which=which, part=halves)
    def read(self, which, part):
        """What was written there last; or what was written to the other half since, for a huge page has one content."""
        if place := self.mapped(which, part):
            known = self.written.get(place, {})
            expected = known.get(part) or {0, *known.get("anywhere", ())}
            assert self.do("load", place[0], self.range(place[1], part)[0]) in {OOM, *expected}

    @rule(which=which, part=halves)
    def write(self, which, part):
        if place := self.mapped(which, part):
            content = f"{place[0]}'s data"
            known = self.written.setdefault(place, {})
            known.setdefault("anywhere", set()).add(content)
            for half in known.keys() & {FIRST, SECOND}:
                known[half].add(content)
            if self.do("store", place[0], self.range(place[1], part)[0], content) is not OOM:
                known[part] = {content}

    @rule(which=which, part=parts)
    def munmap(self, which, part):
        if place := self.mapped(which, part):
            self.do("munmap", place[0], *self.range(place[1], part))
            self.forget(place, part if place[0].overlaps(*self.range(place[1])) else WHOLE)

    @rule(which=which, part=parts)
    def discard(self, which, part):
        if place := self.mapped(which, part):
            self.do("madvise_dontneed", place[0], *self.range(place[1], part))
            self.forget(place, part)

    @rule(which=which, part=parts, write=st.booleans())
    def mprotect(self, which, part, write):
        if place := self.mapped(which, part):
            self.do("mprotect", place[0], *self.range(place[1], part), write)

    @rule(which=which, to=which)
    def mremap(self, which, to):
        place = self.mapped(which)
        if place and (target := self.unmapped(to, place[:1])):
            self.do("mremap", place[0], place[1] * self.k.hpage_nr, target[1] * self.k.hpage_nr)
            self.written[target] = self.written.pop(place, {})

    @precondition(lambda self: len(self.k.mms) < PROCESSES)
    @rule(which=which)
    def fork(self, which):
        parent = self.k.mms[which % len(self.k.mms)]
        child = self.do("fork", parent, self.names.pop())
        for slot in range(SLOTS):
            self.written[child, slot] = deepcopy(self.written.get((parent, slot), {}))

    @precondition(lambda self: len(self.k.mms) > 1)
    @rule(which=which)
    def exit(self, which):
        process = self.k.mms[1 + which % (len(self.k.mms) - 1)]
        self.do("exit", process)
        self.check_accounts(process)

    @rule()
    def shrink(self):
        self.do("shrink_huge_zero_page_scan")

    @precondition(lambda self: len(self.k.pins) < PINS)
    @rule(which=which, part=halves)
    def pin(self, which, part):
        if place := self.mapped(which):
            self.do("get_user_page", place[0], *self.range(place[1], part)[:1])

    @precondition(lambda self: self.k.pins)
    @rule(which=which)
    def unpin(self, which):
        self.do("unpin", self.k.pins[which % len(self.k.pins)])

    # -- what must hold

    def check_accounts(self, process):
        """A page table for each slot in use, kept in reserve behind a huge mapping; and RSS, page by page."""
        used = {slot: pmd.value for slot, pmd in process.pmd.items() if pmd.value is not None}
        huge = {slot for slot, pmd in used.items() if pmd.page is not None}
        own = [pmd for pmd in process.huge_mappings() if pmd.expects != HUGE_ZERO_PAGE]
        small = [pte for slot in used.keys() - huge for pte in used[slot].table.ptes.values() if pte.page is not None]
        assert process.nr_ptes == len(used)
        assert process.deposit.keys() == huge
        assert process.rss["MM_ANONPAGES"] == len(own) * self.k.hpage_nr + len(small)

    @invariant()
    def nothing_is_broken(self):
        if hasattr(self, "k"):
            assert broken(self.k, "always") is None
            assert self.k.dmesg == []
            for process in self.k.mms:
                self.check_accounts(process)
            self.whole = True

    def teardown(self):
        """Everybody exits: all memory is free again, and whole."""
        if hasattr(self, "k") and self.whole:
            assert self.all_freed(self.k) == self.all_freed(self.build.boot(CPUS, MEMORY))

    def all_freed(self, kernel):
        """Free blocks by order."""
        assert broken(kernel, "end") is None
        for cpu in kernel.cpus:
            kernel.cpu = cpu
            kernel.lru_add_drain()
        return [sum(len(kind[order]) for kind in kernel.free_area) for order in range(kernel.hpage_order + 1)]


def machine(build):
    return type("Programs", (Programs,), {"build": build})


HOLD = [
    mm.Build(version="v4.5", arch="s390"),
    mm.Build(version="v4.5", arch="x86"),
    mm.Build(arch="x86", swap=False),
    mm.Build(arch="arm64"),
    mm.Build(arch="ia64"),
    *[mm.Build(patches=[patch]) for patch in ("q2", "q3", "q4", "page-refcount", "revert")],
    mm.Build(swap=False, patches=["swapn-macro"]),
    mm.Build(patches=["q3", "nr1-shortcut-guarded"]),
    mm.Build(version="v4.7"),
    mm.Build(version="v4.7", arch="x86", patches=["page-refcount"]),
    mm.Build(version="v4.9"),
    mm.Build(version="v5.2", arch="sh", thp=True),
    mm.Build(version="v5.13", patches=["pfn-lock"]),
    mm.Build(version="v5.14", swap=False),
]
BREAK = [
    mm.Build(),
    mm.Build(version="v4.7", swap=False),
    mm.Build(version="v4.9", swap=False),
    mm.Build(arch="x86", patches=["nr1-shortcut"]),
    mm.Build(arch="sh", thp=True),
    mm.Build(version="v4.7", debug_vm=True, patches=["q1-guard-put-page"]),
]


def checked(build):
    """With DEBUG_VM, and with the exact guard of question 1: neither may fire on a correct kernel."""
    toggles = {"version": build.version, "arch": build.arch, "swap": build.swap, "thp": build.thp}
    return mm.Build(**toggles, debug_vm=True, patches=[*build.patches, "q1-guard"])


@pytest.mark.parametrize("build", HOLD, ids=repr)
def test_no_random_program_breaks(build):
    programs = machine(checked(build))
    run_state_machine_as_test(programs, settings=settings(max_examples=60, stateful_step_count=30))


@pytest.mark.parametrize("build", BREAK, ids=repr)
def test_a_short_program_that_breaks_is_found(build):
    shrinking = settings(
        max_examples=300,
        stateful_step_count=15,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
    )
    programs = machine(build)
    with pytest.raises((AssertionError, KernelBug)) as caught:
        run_state_machine_as_test(programs, settings=shrinking)
    print(*programs.program, caught.value, sep="\n")
    assert len(programs.program) <= 4, programs.program
