"""Verdicts on builds, over every sequential scenario; and why a patch has no effect."""

import pytest

import mmmodel as mm
from mmmodel.explore.sequential import SEQUENTIAL
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.versions import VERSIONS


def broken_scenarios(build):
    return [name for name in SEQUENTIAL if not mm.check(build, name).holds]


def stacked(*fixes, on, **toggles):
    return [mm.Build(arch=arch, patches=fixes, **toggles) for arch in on]


HOLD = [
    # before the commit; after it on the generic gather; without THP whatever the gather
    *[mm.Build(version="v4.5", arch=arch) for arch in ("s390", "x86")],
    *[mm.Build(arch=arch) for arch in ("x86", "arm64", "arm", "powerpc", "sparc", "mips", "arc")],
    *[mm.Build(arch=arch) for arch in ("sh", "um", "ia64")],
    mm.Build(thp=False),
    # the merged fix, with SWAP; and its successors
    *[mm.Build(version=version) for version in ("v4.7", "v4.9", "v5.2", "v5.13")],
    *[mm.Build(version=version, swap=swap) for version in ("v5.14", "v6.1", "v6.1.184") for swap in (True, False)],
    *[mm.Build(version="v5.2", arch=arch, thp=True, swap=False) for arch in ("sh", "um", "ia64")],
    # the proposals
    *[mm.Build(patches=[patch]) for patch in ("quick-hack", "q2", "q3", "q4")],
    *[mm.Build(swap=False, patches=[patch]) for patch in ("q4", "page-refcount", "swapn-macro", "revert")],
    *[mm.Build(patches=[patch]) for patch in ("page-refcount", "swapn-macro", "revert")],
    *[mm.Build(version=version, swap=False, patches=["swapn-macro"]) for version in ("v4.7", "v4.9", "v5.13")],
    *stacked("page-refcount", on=["x86", "arm64"]),
    *stacked("revert", on=["x86", "arm64"]),
    # Kirill Shutemov's shortcut with the test in front of it
    *[b for q in ("q2", "q3", "q4") for b in stacked(q, "nr1-shortcut-guarded", on=["s390", "x86", "arm64"])],
    *stacked("nr1-shortcut-guarded", on=["x86", "arm64"], swap=False),
    # the quick hack does not go through release_pages at all
    mm.Build(patches=["quick-hack", "nr1-shortcut"]),
]
BREAK = [
    mm.Build(),
    mm.Build(swap=False),
    *[mm.Build(arch=arch, thp=True) for arch in ("sh", "um", "ia64")],
    *[mm.Build(version=version, swap=False) for version in ("v4.7", "v4.9", "v5.2", "v5.13")],
    *[mm.Build(swap=False, patches=[patch]) for patch in ("quick-hack", "q2", "q3")],
    *[b for q in ("q2", "q3", "q4") for b in stacked(q, "nr1-shortcut", on=["s390", "x86", "arm64"])],
    *stacked("nr1-shortcut", on=["x86", "arm64"], version="v4.7"),
    mm.Build(patches=["nr1-shortcut-guarded"]),
    *[mm.Build(patches=[guard]) for guard in ("q1-guard", "q1-guard-put-page")],
]


@pytest.mark.parametrize("build", HOLD, ids=repr)
def test_holds_in_every_scenario(build):
    assert broken_scenarios(build) == []


@pytest.mark.parametrize("build", BREAK, ids=repr)
def test_breaks(build):
    verdict = mm.check(build, "madv-dontneed")
    assert not verdict
    assert verdict.broken
    assert verdict.witness


def test_scenarios_that_never_unmap_a_huge_zero_mapping_do_not_show_the_regression():
    assert set(SEQUENTIAL) - set(broken_scenarios(mm.Build())) == {"write-fault", "split"}


def test_on_x86_the_literal_shortcut_shows_only_where_no_page_table_is_in_the_batch():
    build = mm.Build(arch="x86", patches=["nr1-shortcut"])
    assert {"map-read-unmap", "exit-mmap"}.isdisjoint(broken_scenarios(build))
    assert "map-read-unmap" in broken_scenarios(mm.Build(arch="arm64", patches=["nr1-shortcut"]))


def test_exit_hides_the_literal_shortcut_on_every_generic_arch():
    for arch in ("x86", "arm64"):
        assert mm.check(mm.Build(arch=arch, patches=["nr1-shortcut"]), "exit-mmap")


@pytest.mark.parametrize("debug_vm", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_debug_vm_complains_about_no_correct_kernel(version, debug_vm):
    assert broken_scenarios(mm.Build(version=version, arch="x86", debug_vm=debug_vm)) == []


def test_only_s390_was_affected():
    assert [arch for arch in ARCHES if not mm.check(mm.Build(arch=arch), "madv-dontneed")] == ["s390"]


def test_a_patch_with_an_effect_gives_no_reason():
    for build in (*HOLD, *BREAK):
        guards = any(patch.needs_debug_vm for patch in build.patch_classes)
        if build.arch == "s390" and build.swap and build.version == "v4.6" and not guards:
            assert build.without_effect == {}


def test_thp_on_an_arch_without_it_is_labelled():
    assert mm.Build(arch="sh", thp=True).hypothetical
    assert not mm.Build(arch="sh").hypothetical
    assert not mm.Build(thp=True).hypothetical


def test_repr_is_code_that_makes_the_same_build():
    assert [build for build in (*HOLD, *BREAK) if eval(repr(build), {"mm": mm}) != build] == []


@pytest.mark.parametrize(("version", "sizes"), [("v5.14", [600]), ("v6.1", [512, 88])])
def test_a_batch_is_freed_in_runs_of_512_from_v6_1(version, sizes, monkeypatch):
    kernel, freed = mm.Build(version, "arm", thp=True).boot(), []
    monkeypatch.setattr(kernel, "free_pages_and_swap_cache", lambda pages, nr: freed.append((len(pages), nr)))
    kernel.cpu.gather.batches = (tuple(range(600)),)
    kernel.tlb_flush_mmu_free(kernel.cpu.gather)
    assert freed == [(size, size) for size in sizes]
