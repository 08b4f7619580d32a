"""Ways to the bug, and to other faults of the same page, that the thread of 2016 did not take."""

import pytest

import mmmodel as mm
from mmmodel.explore.concurrent import APART
from mmmodel.kernel.arches import HUGE

FIXES_OF_2016 = [
    (["quick-hack"], True), (["q4"], True), (["q4"], False), (["page-refcount"], True), (["page-refcount"], False),
    (["revert"], True), (["quick-hack", "swapn-macro"], True), (["quick-hack", "swapn-macro"], False),
]  # fmt: skip


def check(scenario, version, arch, *patches, **options):
    return mm.check(mm.Build(version, arch, patches=patches), scenario, **options)


# -- the OOM reaper


@pytest.mark.parametrize(("fix", "swap"), FIXES_OF_2016)
def test_every_fix_of_2016_leaves_the_reaper_open(fix, swap):
    verdict = mm.check(mm.Build("v4.6", "s390", swap, patches=fix), "reaper-vs-shrinker")
    assert verdict.broken == "stale-read"
    assert verdict.replay().broken == "stale-read"


@pytest.mark.parametrize(
    ("version", "arch", "patches", "broken"),
    [
        ("v4.6", "s390", (), "references-balance"),
        ("v4.7", "s390", (), "stale-read"),
        ("v4.7", "s390", ("reaper-per-vma",), ""),
        ("v4.9", "s390", (), ""),
        ("v4.7", "x86", (), ""),
        ("v4.6", "arm64", (), "stale-read"),
        ("v4.7", "arm64", (), "stale-read"),
        ("v4.7", "arm64", ("reaper-per-vma",), ""),
        ("v4.9", "arm64", (), ""),
        ("v5.14", "s390", (), ""),
    ],
)
@pytest.mark.parametrize("cpus", [2, 3])
def test_who_is_hurt_by_the_reaper(version, arch, patches, broken, cpus):
    verdict = check("reaper-vs-shrinker", version, arch, *patches, cpus=cpus)
    assert verdict.broken == broken
    assert verdict.complete


def test_at_v4_7_two_archs_are_open_to_it():
    assert {arch for arch in HUGE if not check("reaper-vs-shrinker", "v4.7", arch)} == {"s390", "arm64"}


def test_a_reaper_that_finds_the_semaphore_taken_leaves_the_victim_alone():
    k = mm.Build("v4.7").boot()
    k.mmap(k.init, 0, k.hpage_nr)
    k.load(k.init, 0)
    k.init.mmap_sem.value = -1
    assert not k._oom_reap_task(k.init)
    assert k.init.huge_mappings()
    k.init.mmap_sem.value = 0
    assert k._oom_reap_task(k.init)
    assert (k.init.huge_mappings(), k.init.mmap_sem.value) == ([], 0)


def test_there_is_no_reaper_before_v4_6():
    with pytest.raises(mm.BuildError, match=r"v4\.5 has no __oom_reap_task\(\): reaper-vs-shrinker begins with v4\.6"):
        check("reaper-vs-shrinker", "v4.5", "s390")
    with pytest.raises(mm.BuildError, match=r"begins with v4\.6"):
        mm.matrix(["s390"], ["v4.5", "v4.6"], scenarios=["reaper-vs-shrinker"])
    table = mm.matrix(["s390"], scenarios=["reaper-vs-shrinker"])
    assert "v4.5" not in set(table.version)
    assert "v4.6" in set(table.version)
    assert len(table.attrs["left_out"]) == 1
    assert "reaper-vs-shrinker" not in set(mm.matrix(["s390"], ["v4.5"]).scenario)


def test_it_is_no_fault_of_the_huge_zero_page_alone():
    verdict = check("reaper-vs-shrinker", "v4.7", "s390", use_zero_page=False)
    assert verdict.broken == "stale-read"
    assert "as init" in verdict.what


def test_it_is_a_fault_of_its_own():
    assert "reaper-vs-shrinker" in APART
    assert "zap-vs-shrinker" not in APART


# -- flush at clear


@pytest.mark.parametrize("arch", HUGE)
def test_who_was_exposed_before_the_commit(arch):
    verdict = check("zap-vs-shrinker", "v4.5", arch)
    assert verdict.broken == ("" if arch in ("powerpc", "sparc", "s390") else "stale-read")


# -- pins without a lock


@pytest.mark.parametrize(
    ("version", "arch", "holds"),
    [("v4.5", "x86", False), ("v4.6", "x86", True), ("v4.5", "s390", True), ("v4.5", "mips", False),
     ("v4.6", "mips", True), ("v4.5", "sparc", True), ("v4.6", "arm64", True), ("v4.7", "s390", True)],
)  # fmt: skip
def test_pins_without_a_lock(version, arch, holds):
    assert check("pin-fast-vs-zap", version, arch).holds is holds


class NoSecondLook(mm.Patch):
    """The entry is not looked at again, and interrupts are not off either."""

    def gup_huge_pmd(self, mm, index, head, pmd):
        return self.get_page_unless_zero(head)


class InterruptsOn(mm.Patch):
    """x86 without local_irq_disable."""

    file = "arch/x86/mm/gup.c"

    def gup_pmd_range(self, mm, addr):
        pmd = self.READ_ONCE(mm.pmd[0])
        if pmd is None or pmd.page is None or not self.gup_huge_pmd(mm, 0, pmd.page, pmd):
            return None
        self.pins += (pmd.page,)
        return pmd.page


def test_each_rule_is_needed():
    assert not check("pin-fast-vs-zap", "v4.7", "s390", NoSecondLook)
    assert not check("pin-fast-vs-zap", "v4.6", "x86", InterruptsOn)


@pytest.mark.parametrize(("version", "release", "holds"), [
    ("v4.6", "put_page", True), ("v4.6", "release_pages", True), ("v5.13", "put_page", True),
    ("v5.13", "release_pages", False),
])  # fmt: skip
def test_pins_of_tails(version, release, holds):
    assert check("pin-vs-zap", version, "x86", release=release, pinned="tail").holds is holds


def test_a_wrong_pin_names_those_there_are():
    with pytest.raises(mm.BuildError, match="allowed: head, tail"):
        check("pin-vs-zap", "v4.6", "x86", pinned="middle")


# -- KSM, use_zero_page, and branches of a fault


def test_the_scan_of_ksm():
    assert check("ksm-scan", "v4.6", "s390").op == "munmap_1"
    assert check("ksm-scan", "v4.7", "s390").holds
    naive = mm.Build("v4.6", "x86", debug_vm=True, patches=["q1-guard-put-page"])
    assert mm.check(naive, "ksm-scan").broken == "no-bug"
    assert mm.trace(mm.Build(), "ksm-scan").rows[5].op == "ksm_scan_2"


@pytest.mark.parametrize("scenario", ["map-read-unmap", "unmap-until-panic", "exit-mmap", "zap-vs-shrinker"])
def test_without_the_huge_zero_page_nothing_goes_wrong(scenario):
    assert not check(scenario, "v4.6", "s390")
    assert check(scenario, "v4.6", "s390", use_zero_page=False)
    with pytest.raises(mm.BuildError, match="use_zero_page must be True or False"):
        check(scenario, "v4.6", "s390", use_zero_page="no")


@pytest.mark.parametrize(("version", "huge"), [("v5.2", True), ("v5.13", False)])
def test_a_write_to_a_huge_zero_mapping(version, huge):
    k = mm.Build(version, "x86").boot()
    k.mmap(k.init, 0, k.hpage_nr)
    k.load(k.init, 0)
    k.store(k.init, 0, "data")
    assert bool(k.init.huge_mappings()) is huge
    assert k.load(k.init, 0) == "data"


def test_no_huge_pages_from_now_on():
    k = mm.Build("v4.6", "x86").boot()
    for slot in (0, 1):
        k.mmap(k.init, slot * k.hpage_nr, (slot + 1) * k.hpage_nr)
        k.load(k.init, slot * k.hpage_nr)
    k.madvise_nohugepage(k.init, 0, 2 * k.hpage_nr)
    k.store(k.init, 0, "data")
    k.mremap(k.init, k.hpage_nr, 3 * k.hpage_nr)
    assert k.init.huge_mappings() == []
    assert k.load(k.init, 3 * k.hpage_nr) == 0
    assert (k.huge_zero_refcount.value, k.init.pmd[3].value.table is None) == (1, False)
