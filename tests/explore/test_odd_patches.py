"""Patches and scenarios that are legal and odd: what they do counts, not how Python runs them."""

import enum
import functools
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass

import pytest

import mmmodel as mm
from mmmodel.explore.patience import PatchError
from mmmodel.explore.scenarios import PROGRAMS, SEQUENTIAL

V4_7 = functools.partial(mm.Build, "v4.7")
CONCURRENT, BOTH = ("zap-vs-zap",), ("two-mappings", "zap-vs-zap")


@pytest.fixture
def own():
    """Scenarios of a test, gone after it."""
    yield
    for registry in (SEQUENTIAL, PROGRAMS):
        registry.pop("own", None)


def verdicts(patch, scenarios=BOTH):
    return {name: mm.check(V4_7(patches=[patch]), name) for name in scenarios}


# -- right ones


class Pending(mm.Patch):
    """The huge zero page is put late, once for each entry of a container."""

    first = staticmethod(list)

    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.q = self.first()

    def zap_huge_zero_page(self, tlb, page):
        self.q += [self.cpu.id]

    def tlb_finish_mmu(self, tlb):
        super().tlb_finish_mmu(tlb)
        while self.cpu.id in self.q:
            self.q.remove(self.cpu.id)
            self.put_huge_zero_page()


class InADeque(Pending):
    first = staticmethod(deque)


class InASet(Pending):
    first = staticmethod(set)

    def zap_huge_zero_page(self, tlb, page):
        self.q |= {self.cpu.id}


class InTheGather(mm.Patch):
    def tlb_gather_mmu(self, mm, fullmm=False):
        tlb = super().tlb_gather_mmu(mm, fullmm)
        tlb.late = []
        return tlb

    def zap_huge_zero_page(self, tlb, page):
        tlb.late += [page]

    def tlb_finish_mmu(self, tlb):
        super().tlb_finish_mmu(tlb)
        for _ in tlb.late:
            self.put_huge_zero_page()


class ByDefault(Pending):
    first = staticmethod(dict)

    def zap_huge_zero_page(self, tlb, page):
        self.q.setdefault(self.cpu.id, []).append(page)

    def tlb_finish_mmu(self, tlb):
        super(Pending, self).tlb_finish_mmu(tlb)
        for _ in self.q.pop(self.cpu.id, []):
            self.put_huge_zero_page()


class OnTheClass(Pending):
    """A list that every kernel of this patch begins with."""

    q = []  # noqa: RUF012

    def boot_huge_memory(self):
        super(Pending, self).boot_huge_memory()


class State(enum.Enum):
    IDLE = 0
    PENDING = 1


@dataclass
class Note:
    n: int = 0


class Plain(mm.Patch):
    """Values that are compared and looked into as anywhere in Python."""

    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.state, self.note, self.text, self.known, self.pairs = State.IDLE, Note(), b"", {}, [(2, "b"), (1, "a")]

    def zap_huge_zero_page(self, tlb, page):
        self.BUG_ON(self.note != Note() or not isinstance(self.known, dict), "not as in Python")
        self.state, self.pairs = State.PENDING, self.pairs + [(0, "c")]  # noqa: RUF005
        self.pairs.sort()
        self.known = self.known | {self.cpu.id: self.pairs.copy()}
        self.BUG_ON(self.state is not State.PENDING or self.pairs[0] != (0, "c"), "lost")
        super().zap_huge_zero_page(tlb, page)


class InFinally(mm.Patch):
    """Python that runs on the way out runs when the kernel's code gets there, not when another CPU gets in."""

    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.busy, self.a_lock, self.b_lock = 0, mm.Var("a_lock"), mm.Var("b_lock")

    def zap_huge_zero_page(self, tlb, page):
        self.spin_lock(self.a_lock)
        self.busy += 1
        try:
            self.put_huge_zero_page()
            self.spin_lock(self.b_lock)
            self.spin_unlock(self.b_lock)
        finally:
            self.busy -= 1
            self.spin_unlock(self.a_lock)
        self.BUG_ON(self.busy < 0, "busy")

    def tlb_finish_mmu(self, tlb):
        super().tlb_finish_mmu(tlb)
        self.spin_lock(self.b_lock)
        self.READ_ONCE(self.huge_zero_refcount)
        self.spin_unlock(self.b_lock)


class Bare(mm.Patch):
    def zap_huge_zero_page(self, tlb, page):
        try:  # noqa: SIM105
            self.put_huge_zero_page()
        except:  # noqa: E722
            pass


@pytest.mark.parametrize(
    "patch", [Pending, InADeque, InASet, InTheGather, ByDefault, OnTheClass, Plain, InFinally, Bare]
)
def test_what_is_right_holds_however_it_is_written(patch):
    assert [v.status for v in verdicts(patch).values()] == ["holds", "holds"], verdicts(patch)


# -- wrong ones


class Swallows(mm.Patch):
    def put_huge_zero_page(self):
        try:  # noqa: SIM105
            self.BUG_ON(True, "fires always")
        except Exception:
            pass
        super().put_huge_zero_page()


class LeaksByTheRule(mm.Patch):
    def references_due(self):
        return super().references_due()

    def shrink_huge_zero_page_scan(self):
        return 0


class SeesTwo(ByDefault):
    def zap_huge_zero_page(self, tlb, page):
        self.q.setdefault("puts", []).append(page)
        self.put_huge_zero_page()

    def tlb_finish_mmu(self, tlb):
        super(Pending, self).tlb_finish_mmu(tlb)
        self.BUG_ON(len(self.q.get("puts", [])) > 1, "two puts")


class LeavesAMutex(mm.Patch):
    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.mutexes = {"one": mm.Var("mutex")}

    def zap_huge_zero_page(self, tlb, page):
        super().zap_huge_zero_page(tlb, page)
        self.spin_trylock(self.mutexes["one"])


class UnlocksTwice(mm.Patch):
    def zap_huge_zero_page(self, tlb, page):
        super().zap_huge_zero_page(tlb, page)
        self.spin_unlock(self.lru_lock)


class InSetUp(mm.Patch):
    def get_huge_zero_page(self):
        self.BUG_ON(True, "mine")


class AtBoot(mm.Patch):
    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.BUG_ON(True, "boot")


@pytest.mark.parametrize(("patch", "broken"), [
    (Swallows, "no-bug"), (LeaksByTheRule, "not-leaked"), (SeesTwo, "no-bug"), (LeavesAMutex, "no-deadlock"),
    (UnlocksTwice, "no-complaint"), (InSetUp, "no-bug"), (AtBoot, "no-bug"),
])  # fmt: skip
def test_what_is_wrong_is_found_on_one_cpu_and_on_several(patch, broken):
    assert {v.broken for v in verdicts(patch).values()} == {broken}


class LooksAround(mm.Patch):
    """Acts by how many classes of the kernel define a function."""

    def put_page(self, page):
        if len([c for c in type(self).__mro__ if "put_page" in vars(c)]) > 3 and self.is_huge_zero_page(page):
            self.put_huge_zero_page()
        else:
            super().put_page(page)


class PutsBelow(mm.Patch):
    def free_page_and_swap_cache(self, page):
        super().put_page(page)


def test_a_table_shows_a_patch_the_classes_that_a_check_shows():
    stack = ["q3", LooksAround, PutsBelow]
    table = mm.matrix(["s390"], ["v4.7"], [True], [stack], ["fork"])
    assert list(table.status) == [mm.check(V4_7(patches=stack), "fork").status] == ["broken"]


# -- refused, in one line


class Exits(mm.Patch):
    def free_page_and_swap_cache(self, page):
        sys.exit(0)


COUNT = 0


class Global(mm.Patch):
    def zap_huge_zero_page(self, tlb, page):
        global COUNT
        COUNT += 1
        super().zap_huge_zero_page(tlb, page)


class OfTheClass(mm.Patch):
    puts = 0

    def zap_huge_zero_page(self, tlb, page):
        OfTheClass.puts += 1
        super().zap_huge_zero_page(tlb, page)


class Cached(mm.Patch):
    @functools.cached_property
    def pending(self):
        return []

    def zap_huge_zero_page(self, tlb, page):
        self.pending.append(page)
        super().zap_huge_zero_page(tlb, page)


class InATuple(mm.Patch):
    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.q = tuple([] for _ in self.cpus)


@pytest.mark.parametrize(("patch", "words"), [
    (Exits, "SystemExit"), (Global, "^COUNT is changed"), (OfTheClass, "^OfTheClass.puts is changed"),
    (Cached, "^self.pending is changed"), (InATuple, "^q is a tuple that holds a container"),
])  # fmt: skip
def test_what_cannot_be_followed_is_refused(patch, words):
    with pytest.raises((mm.BuildError, PatchError), match=words):
        verdicts(patch, CONCURRENT)


def counting(kind):
    """An operation that keeps a count somewhere in Python."""
    box, number = deque(), 0

    def nonlocal_(k):
        nonlocal number
        number += 1

    def default(k, seen=[]):  # noqa: B006
        seen.append(1)

    operations = {"a variable": nonlocal_, "a deque": lambda k: box.append(1), "a default": default,
                  "a partial": functools.partial(lambda box, k: box.append(1), deque())}  # fmt: skip
    return operations[kind]


@pytest.mark.parametrize("kind", ["a variable", "a deque", "a default", "a partial"])
def test_operations_share_no_python_variables(own, kind):
    operation = counting(kind)
    mm.program("own")(lambda k, cpus: [[("op", operation), ("read", lambda k: k.load(k.init, 0))]] * 2)
    with pytest.raises(mm.BuildError, match="lies outside of the kernel"):
        mm.check(V4_7(), "own")


def test_they_may_share_what_nobody_changes(own):
    names = {"first": 1}
    mm.program("own")(lambda k, cpus: [[("op", lambda k: k.BUG_ON(names["first"] != 1, "?"))]] * cpus)
    assert mm.check(V4_7(), "own")


@pytest.mark.parametrize("operations", [[], [[], []]])
def test_a_program_without_operations_decides_nothing(own, operations):
    mm.program("own")(lambda k, cpus: operations)
    with pytest.raises(mm.BuildError, match="no operations"):
        mm.check(V4_7(), "own")


@pytest.mark.parametrize(("options", "words"), [
    ({"max_state": 5}, "did you mean max_states"), ({"release": "x"}, "unknown option 'release'"),
])  # fmt: skip
@pytest.mark.parametrize("scenario", BOTH)
def test_an_option_that_does_not_exist_is_named(scenario, options, words):
    with pytest.raises(mm.BuildError, match=words):
        mm.check(V4_7(), scenario, **options)


def test_values_of_options():
    with pytest.raises(mm.BuildError, match="numbers above 0"):
        mm.check(V4_7(), "zap-vs-zap", max_states="5")
    with pytest.raises(mm.BuildError, match="unknown release 'x'"):
        mm.check(V4_7(), "pin-vs-zap", release="x")


# -- what does not come back


class BootsForEver(mm.Patch):
    def boot_huge_memory(self):
        super().boot_huge_memory()
        while True:
            pass


class Sleeps(mm.Patch):
    def free_page_and_swap_cache(self, page):
        time.sleep(60)


class WaitsForPython(mm.Patch):
    def free_page_and_swap_cache(self, page):
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()


@pytest.mark.parametrize("patch", [BootsForEver, Sleeps, WaitsForPython])
def test_a_wait_for_ever_is_undecided(monkeypatch, patch):
    monkeypatch.setattr("mmmodel.explore.patience.PATIENCE", 0.3)
    verdict = mm.check(mm.Build(patches=[patch]))
    function = "boot_huge_memory" if patch is BootsForEver else "free_page_and_swap_cache"
    assert (verdict.status, verdict.what.split(" does not return")[0]) == ("undecided", function)


class TriesAgain(mm.Patch):
    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.fix_lock = mm.Var("fix_lock")

    def zap_huge_zero_page(self, tlb, page):
        while not self.spin_trylock(self.fix_lock):
            pass
        self.put_huge_zero_page()
        self.spin_unlock(self.fix_lock)


@pytest.mark.slow
def test_the_function_that_spins_is_named():
    assert mm.check(V4_7(patches=[TriesAgain]), "zap-vs-zap").what.startswith("zap_huge_zero_page does not return")


# -- page frames


def test_a_page_freed_as_two_frees_the_neighbour(own):
    @mm.scenario("own")
    def neighbour(k):
        yield "start"
        pages = {page.pfn: page for page in (k.alloc_pages(0, name) for name in ("P", "A", "B"))}
        k._free_pages(next(page for pfn, page in pages.items() if pfn % 2 == 0 and pfn + 1 in pages), 1)
        yield "free_as_two"

    verdict = mm.check(V4_7("x86"), "own")
    assert (verdict.broken, verdict.op) == ("one-owner", "free_as_two")


def test_a_page_that_a_scenario_was_given_has_the_fields_of_a_page(own):
    @mm.scenario("own")
    def count(k):
        yield "start"
        page = k.alloc_pages(0, "A")
        assert k.atomic_read(page.count) == 1
        k.put_page(page=page)
        yield "end"

    assert mm.check(V4_7(), "own")


def test_a_number_that_is_set_is_a_c_int():
    kernel = V4_7().boot()
    kernel.atomic_set(kernel.huge_zero_refcount, 2**31)
    assert kernel.huge_zero_refcount.value == -(2**31)
