"""What does not return, waits for ever, or fails: undecided, a verdict with a witness, or one line."""

import ctypes

import proposals as given
import pytest

import mmmodel as mm
from mmmodel.explore.concurrent import PROGRAMS
from mmmodel.explore.patience import PatchError, patience


@pytest.fixture
def impatient(monkeypatch):
    """A shorter patience with code that does not return, so that these tests do."""
    monkeypatch.setattr("mmmodel.explore.patience.PATIENCE", 0.7)
    monkeypatch.setattr("mmmodel.explore.bounds.HURRY", 0.3)


class Slow(mm.Patch):
    """A right patch in a long exploration."""

    def put_huge_zero_page(self):
        super().put_huge_zero_page()


@pytest.mark.slow
def test_a_long_exploration_of_a_readers_patch_is_no_code_that_does_not_return(monkeypatch):
    monkeypatch.setattr("mmmodel.explore.patience.PATIENCE", 0.2)
    verdict = mm.check(mm.Build("v4.7", patches=[Slow]), "zap-vs-shrinker", 5)
    assert (verdict.status, verdict.states) == ("holds", 152781)


def test_many_runs_that_return_are_not_one_that_does_not(monkeypatch):
    monkeypatch.setattr("mmmodel.explore.patience.PATIENCE", 0.2)
    with patience(True) as clock:
        clock.start()
        assert all(mm.check(mm.Build("v4.7", patches=[Slow]), "fork-pressure") for _ in range(10))


class StandsStill(mm.Patch):
    """A machine that stops for a while, as under load or while garbage is collected: no Python runs."""

    def put_huge_zero_page(self):
        ctypes.PyDLL(None).usleep(450_000)
        super().put_huge_zero_page()


@pytest.mark.slow
def test_a_machine_that_stops_for_a_while_is_no_code_that_does_not_return(monkeypatch):
    monkeypatch.setattr("mmmodel.explore.patience.PATIENCE", 0.1)
    assert mm.check(mm.Build("v4.7", patches=[StandsStill]), "map-read-unmap").status == "holds"


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("patch", [given.Loop, given.SpinsOnAWord])
@pytest.mark.parametrize("scenario", ["map-read-unmap", "zap-vs-shrinker"])
def test_a_patch_that_does_not_return_is_undecided(patch, scenario):
    verdict = mm.check(mm.Build(patches=[patch]), scenario)
    assert (verdict.status, verdict.holds, bool(verdict)) == ("undecided", None, False)
    assert verdict.bound == "free_page_and_swap_cache does not return"
    assert verdict.seconds < 10


def test_a_deadlock_is_a_verdict_with_a_witness():
    for scenario in ("map-read-unmap", "exit-mmap", "zap-vs-shrinker", "pin-vs-zap"):
        verdict = mm.check(mm.Build("v4.6", "x86", patches=[given.LocksTwice]), scenario)
        assert (verdict.broken, bool(verdict.witness)) == ("no-deadlock", True)
        assert "page_table_lock" in verdict.what


class LocksCrosswise(mm.Patch):
    """Two locks, in either order."""

    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.a_lock, self.b_lock = mm.Var("a_lock"), mm.Var("b_lock")

    def zap_huge_zero_page(self, tlb, page):
        first, second = (self.a_lock, self.b_lock) if self.cpu.id else (self.b_lock, self.a_lock)
        self.spin_lock(first)
        self.spin_lock(second)
        super().zap_huge_zero_page(tlb, page)
        self.spin_unlock(second)
        self.spin_unlock(first)


def test_so_is_one_that_takes_two():
    assert mm.check(mm.Build("v4.7", patches=[LocksCrosswise]), "map-read-unmap")
    verdict = mm.check(mm.Build("v4.7", patches=[LocksCrosswise]), "zap-vs-zap")
    assert verdict.broken == "no-deadlock"
    assert "CPU 0 waits for a_lock" in verdict.what
    assert "CPU 1 waits for b_lock" in verdict.what
    assert verdict.replay().broken == "no-deadlock"


class Fails(mm.Patch):
    """A Python error."""

    def free_page_and_swap_cache(self, page):
        return page.no_such_field


class ReturnsNothing(mm.Patch):
    """What the kernel then does with it fails there."""

    def pte_alloc_one(self, mm_):
        return "not a table"


@pytest.mark.parametrize("scenario", ["map-read-unmap", "zap-vs-shrinker"])
def test_a_python_error_is_one_line_of_the_readers_own(scenario):
    with pytest.raises(PatchError) as caught:
        mm.check(mm.Build(patches=[Fails]), scenario)
    assert "Fails.free_page_and_swap_cache, line " in str(caught.value)
    assert "(return page.no_such_field): AttributeError" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_patch_without_source_fails_in_one_line_too():
    names = {"mm": mm}
    body = "class Made(mm.Patch):\n    def put_page(self, page):\n        1 / 0\n"
    exec(body, names)
    with pytest.raises(PatchError, match=r"Made.put_page, line 3: ZeroDivisionError: division by zero"):
        mm.check(mm.Build(patches=[names["Made"]]), "write-fault")


def test_an_error_in_the_set_up_of_a_scenario_is_a_verdict():
    verdict = mm.check(mm.Build(debug_vm=True, patches=["q1-guard-put-page", "page-refcount"]), "fault-vs-shrinker")
    assert (verdict.broken, verdict.op) == ("no-bug", "set-up")
    assert verdict.replay().op == "set-up"


class Polls(mm.Patch):
    """The shrinker waits for what nobody will ever do, by steps."""

    def shrink_huge_zero_page_scan(self):
        while self.atomic_read(self.huge_zero_refcount) != 99:
            pass
        return 0


class PollsAndBreaks(Polls):
    """The same, and another CPU runs into a BUG meanwhile."""

    def put_huge_zero_page(self):
        self.BUG_ON(True, "nobody may put it")


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("memory", ["sc", "weak"])
@pytest.mark.parametrize("scenario", PROGRAMS)
def test_code_that_polls_for_ever_does_not_return_whatever_is_explored(scenario, memory):
    if scenario in ("fault-vs-fault", "zap-vs-zap"):
        return  # nobody reclaims there
    verdict = mm.check(mm.Build("v4.7", "x86", patches=[Polls]), scenario, memory=memory)
    assert (verdict.status, verdict.bound) == ("undecided", "shrink_huge_zero_page_scan does not return")


def test_what_breaks_beside_code_that_polls_for_ever_is_broken():
    verdict = mm.check(mm.Build("v4.7", "s390", patches=[PollsAndBreaks]), "zap-vs-shrinker")
    assert verdict.broken == "no-bug"
    assert verdict.replay().broken == "no-bug"


class Counts(Polls):
    """The same, and never the same twice."""

    def shrink_huge_zero_page_scan(self):
        while True:
            self.atomic_inc(self.huge_zero_refcount)


class OnlyPuts(mm.Patch):
    """Who faults finds no page, and one that is still there, for ever."""

    def shrink_huge_zero_page_scan(self):
        self.put_huge_zero_page()
        return 0


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_code_that_never_comes_back_to_the_same_place_does_not_return():
    verdict = mm.check(mm.Build("v4.7", "x86", patches=[Counts]), "fault-vs-shrinker")
    assert (verdict.status, verdict.bound) == ("undecided", "shrink_huge_zero_page_scan does not return")


def test_kernel_code_that_tries_for_ever_ends_nothing():
    assert mm.check(mm.Build("v4.7", "x86", patches=[OnlyPuts]), "fault-vs-shrinker").broken == "no-bug"
