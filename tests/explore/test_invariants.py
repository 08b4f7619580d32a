"""No invariant is vacuous: for each there is a build that breaks it. And the guards of question 1."""

import pytest
from two_mappings import boot, unmap

import mmmodel as mm
from mmmodel.explore.invariants import INVARIANTS, broken
from mmmodel.kernel.machine import Deadlock, KernelBug
from mmmodel.kernel.mm_types import HUGE_ZERO_PAGE

NAMED = {invariant.name: invariant for invariant in INVARIANTS}


def unmapped(build):
    """The first unmap is over, the second mapping still there."""
    kernel = boot(build)
    unmap(kernel, 0)
    return kernel


def reused_as_thp(build):
    """Huge pages are written to until memory is short: a freed block is among them."""
    kernel = unmapped(build)
    slot = 2
    while kernel.free_pages() > 2 * kernel.hpage_nr:
        slot += 1
        kernel.mmap(kernel.init, slot * kernel.hpage_nr, (slot + 1) * kernel.hpage_nr)
        kernel.store(kernel.init, slot * kernel.hpage_nr, "data")
    return kernel


def read_after_unmap(build):
    """The other mapping is read."""
    kernel = unmapped(build)
    kernel.load(kernel.init, kernel.hpage_nr)
    return kernel


def pin_released_by_release_pages(build):
    """A driver gives a pin of the head back through release_pages."""
    kernel = boot(build)
    kernel.unpin(kernel.get_user_page(kernel.init, 0), "release_pages")
    return kernel


def shrinker_delayed(build, before="huge_zero_pfn"):
    """CPU 0 runs the shrinker; just before it writes `before`, CPU 1 takes a read fault."""
    kernel = boot(build, cpus=2)
    for slot in (0, 1):
        unmap(kernel, slot)
    if kernel.reference_per_mm:
        kernel.mm_put_huge_zero_page(kernel.init)
    other = kernel.new_mm("other")
    kernel.mmap(other, 0, kernel.hpage_nr)

    def fault(word, function):
        if (word.name, function) == (before, "shrink_huge_zero_page_scan"):
            kernel.observer, kernel.cpu = None, kernel.cpus[1]
            kernel.load(other, 0)
            kernel.cpu = kernel.cpus[0]

    kernel.observer = fault
    kernel.shrink_huge_zero_page_scan()
    kernel.observer = None
    return kernel


BROKEN = {
    "references-balance": [(boot, mm.Build(arch="x86"), unmapped, mm.Build())],
    "pointer-alive": [(unmapped, mm.Build(arch="x86"), unmapped, mm.Build())],
    "recognised": [
        (reused_as_thp, mm.Build(version="v4.7"), reused_as_thp, mm.Build()),
        (shrinker_delayed, mm.Build(version="v5.2"), shrinker_delayed, mm.Build(version="v5.13")),
    ],
    "not-leaked": [
        (unmapped, mm.Build(patches=["q4"]), unmapped, mm.Build()),
        (unmapped, mm.Build(arch="x86"), pin_released_by_release_pages, mm.Build(arch="x86")),
        (unmapped, mm.Build(version="v4.9"), pin_released_by_release_pages, mm.Build(version="v4.9")),
    ],
}
CASES = [
    pytest.param(name, *case, id=f"{name}-{case[3]!r}-{case[2].__name__}")
    for name, cases in BROKEN.items()
    for case in cases
]


@pytest.mark.parametrize(("name", "good_state", "good", "bad_state", "bad"), CASES)
def test_an_invariant_holds_here_and_breaks_there(name, good_state, good, bad_state, bad):
    check = NAMED[name].check
    assert check(good_state(good)) == ""
    assert check(bad_state(bad)) != ""


def test_stale_read_is_an_event():
    assert broken(read_after_unmap(mm.Build(version="v4.7"))) is None
    name, what = broken(read_after_unmap(mm.Build()))
    assert name == "stale-read"
    assert "nobody" in what


def test_stale_read_of_somebody_elses_data():
    kernel = reused_as_thp(mm.Build())
    assert kernel.load(kernel.init, kernel.hpage_nr) == "data"
    assert broken(kernel)[0] == "stale-read"


@pytest.mark.parametrize("version", ["v4.7", "v5.13"])
def test_a_new_huge_zero_page_reads_as_zeroes_whatever_its_block_held(version):
    kernel = mm.Build(version=version).boot(memory_mib=16)
    kernel.mmap(kernel.init, 0, kernel.hpage_nr)
    kernel.store(kernel.init, 0, "data")
    block = kernel.init.pmd[0].value.page
    unmap(kernel, 0)
    kernel.mmap(kernel.init, 0, kernel.hpage_nr)
    assert kernel.load(kernel.init, 0) == 0
    assert kernel.huge_zero_page.value is block


def test_no_bug_is_an_event():
    unmap(unmapped(mm.Build()), 1)
    with pytest.raises(KernelBug, match="page_ref_count"):
        unmap(unmapped(mm.Build(debug_vm=True)), 1)


def test_one_owner_is_an_event():
    """The second unmap puts a page that has no reference."""
    kernel = unmapped(mm.Build())
    assert "one-owner" not in dict(kernel.violations)
    unmap(kernel, 1)
    assert dict(kernel.violations)["one-owner"] == "a reference of page 0x200 is dropped, but it has none"


def test_no_complaint_is_an_event():
    """A pin of the other mapping frees the block again."""
    kernel = unmapped(mm.Build())
    kernel.unpin(kernel.get_user_page(kernel.init, kernel.hpage_nr))
    assert "Bad page state" in dict(kernel.violations)["no-complaint"]


@pytest.mark.parametrize("version", ["v5.13", "v5.14", "v6.1"])
def test_no_deadlock_is_an_event(version):
    with pytest.raises(Deadlock, match="huge_zero_lock is already held by CPU 0") as caught:
        shrinker_delayed(mm.Build(version=version, patches=["pfn-lock"]))
    assert caught.value.invariant == "no-deadlock"


def test_nobody_leaves_the_kernel_with_a_lock():
    kernel = boot(mm.Build())
    kernel.spin_lock(kernel.init.ptl)
    assert broken(kernel, "always")[0] == "no-deadlock"


def test_every_invariant_is_shown_to_break():
    assert set(NAMED) == {*BROKEN, "stale-read", "one-owner", "no-bug", "no-complaint", "no-deadlock"}


def test_a_verdict_names_what_was_looked_at():
    assert set(mm.check(mm.Build("v4.7"), "fork").invariants) == set(NAMED)
    assert {invariant.name for invariant in INVARIANTS if not invariant.harm} == {"references-balance"}


def test_a_verdict_names_the_invariant_that_broke_first():
    assert mm.check(mm.Build(), "two-mappings").broken in ("references-balance", "pointer-alive")
    guarded = mm.check(mm.Build(debug_vm=True, patches=["q1-guard"]), "two-mappings")
    assert guarded.broken == "no-bug"
    assert "is_huge_zero_page" in guarded.what


# -- the two halves of CVE-2026-74632, stepped by hand


def test_a_late_write_of_the_pfn_hides_the_new_page():
    kernel = shrinker_delayed(mm.Build(version="v5.13"))
    page = kernel.huge_zero_page.value
    assert page.owner == HUGE_ZERO_PAGE
    assert kernel.is_huge_zero_page(page)
    assert kernel.huge_zero_pfn.value is None
    assert broken(kernel, "always")[0] == "recognised"


@pytest.mark.parametrize("version", ["v4.7", "v5.2", "v5.13", "v5.14", "v6.1", "v6.1.184"])
def test_a_fault_before_the_shrinker_begins_keeps_the_page(version):
    kernel = shrinker_delayed(mm.Build(version=version), before="huge_zero_refcount")
    assert kernel.huge_zero_page.value.owner == HUGE_ZERO_PAGE
    assert broken(kernel, "always") is None


class Asked(mm.Patch):
    """A BUG in the very function that an invariant asks."""

    def is_huge_zero_pmd(self, pmd):
        self.BUG_ON(pmd.page is not None, "asked")
        return super().is_huge_zero_pmd(pmd)


def test_a_bug_that_an_invariant_runs_into_is_a_verdict_with_a_witness():
    verdict = mm.check(mm.Build("v4.7", patches=[Asked]), "two-mappings")
    assert (verdict.broken, verdict.what, bool(verdict.witness)) == ("no-bug", "asked", True)
