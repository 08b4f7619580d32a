"""The guards of question 1: the exact one stops what is wrong and nothing else; the naive one stops a legal pin."""

import pytest

import mmmodel as mm
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.machine import KernelBug
from mmmodel.kernel.versions import VERSIONS
from mmmodel.study.guards import PROGRAMS, goes_wrong_at, guarded, stops_at

WITH_THP = [arch for arch, facts in ARCHES.items() if facts["thp"] == "y"]
BROKEN = [
    *[mm.Build(version=v, swap=False) for v in ("v4.6", "v4.7", "v4.9", "v5.2", "v5.13")],
    mm.Build(),
    *[mm.Build(arch=arch, thp=True) for arch in ("sh", "um", "ia64")],
    *[mm.Build(patches=[q, "nr1-shortcut"]) for q in ("q2", "q3", "q4")],
]
CORRECT = [
    *[mm.Build(version=v, arch=arch) for v in VERSIONS for arch in ("x86", "s390") if (v, arch) != ("v4.6", "s390")],
    *[mm.Build(patches=[fix]) for fix in ("quick-hack", "q2", "q3", "q4", "page-refcount", "revert")],
    *[mm.Build(swap=False, patches=[fix]) for fix in ("q4", "page-refcount", "swapn-macro")],
]


@pytest.mark.parametrize("build", BROKEN, ids=repr)
def test_the_exact_guard_stops_the_first_unmap_that_frees(build):
    assert stops_at(guarded(build), "read munmap") == ""
    assert stops_at(guarded(build, "q1-guard"), "read munmap") == "munmap"
    assert stops_at(guarded(build, "q1-guard"), PROGRAMS["unmap while pinned, put the pin"]) == "put-pin"


@pytest.mark.parametrize("build", CORRECT, ids=repr)
def test_the_exact_guard_is_silent_on_a_correct_kernel(build):
    for program in PROGRAMS.values():
        assert goes_wrong_at(build, program) == ""
        assert stops_at(guarded(build, "q1-guard"), program) == ""


@pytest.mark.parametrize("build", CORRECT[1:], ids=repr)
def test_the_exact_guard_is_silent_in_every_order(build):
    """Not on x86 at v4.5, the first of them: that has the race which the commit closed."""
    verdict = mm.check(guarded(build, "q1-guard"), "pin-vs-zap", cpus=3)
    assert (verdict.holds, verdict.complete) == (True, True)


@pytest.mark.parametrize("arch", WITH_THP)
def test_the_naive_guard_stops_a_legal_pin(arch):
    build = guarded(mm.Build(arch=arch), "q1-guard-put-page")
    assert stops_at(build, "read pin put-pin") == "put-pin"


def test_the_exact_guard_also_watches_release_pages():
    """The last reference may be a tail's pin that release_pages drops."""
    k = mm.Build(debug_vm=True, patches=["q1-guard"]).boot()
    k.mmap(k.init, 0, k.hpage_nr)
    pin = k.get_user_page(k.init, 1)
    k.munmap(k.init, 0, k.hpage_nr)
    with pytest.raises(KernelBug, match="is_huge_zero_page"):
        k.unpin(pin, "release_pages")


def test_guarding_keeps_the_patches_and_replaces_a_guard():
    build = mm.Build(patches=["q3", "q1-guard-put-page"])
    assert guarded(build, "q1-guard") == mm.Build(debug_vm=True, patches=["q3", "q1-guard"])
    assert guarded(build) == mm.Build(debug_vm=True, patches=["q3"])
