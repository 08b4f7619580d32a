"""The guards of question 1, as patches: they fire at the first bad unmap and do not repair it."""

from dataclasses import replace

import pytest
from two_mappings import boot, unmap

import mmmodel as mm
from mmmodel.explore.invariants import broken
from mmmodel.explore.sequential import SEQUENTIAL
from mmmodel.kernel.machine import KernelBug
from mmmodel.kernel.mm_types import HUGE_ZERO_PAGE
from mmmodel.study.guards import guarded

CORRECT = [
    mm.Build(version="v4.5", arch="s390"),
    mm.Build(version="v4.5", arch="x86"),
    mm.Build(arch="x86"),
    mm.Build(arch="arm64"),
    *[mm.Build(version=version) for version in ("v4.7", "v4.9", "v5.2", "v5.13", "v5.14", "v6.1", "v6.1.184")],
    *[mm.Build(patches=[patch]) for patch in ("quick-hack", "q2", "q3", "q4")],
]
BAD = [mm.Build(), mm.Build(swap=False), mm.Build(version="v4.7", swap=False), mm.Build(arch="sh", thp=True)]


@pytest.mark.parametrize("guard", ["q1-guard", "q1-guard-put-page"])
@pytest.mark.parametrize("build", BAD, ids=repr)
def test_a_guard_fires_at_the_first_bad_unmap(build, guard):
    kernel = boot(guarded(build, guard))
    with pytest.raises(KernelBug, match="is_huge_zero_page"):
        unmap(kernel, 0)
    assert len(kernel.dmesg) == 1


@pytest.mark.parametrize("build", BAD, ids=repr)
def test_a_guard_detects_but_does_not_repair(build):
    assert (
        mm.trace(replace(guarded(build, "q1-guard"), debug_vm=False), "two-mappings").rows
        == mm.trace(build, "two-mappings").rows
    )


@pytest.mark.parametrize("scenario", [name for name in SEQUENTIAL if name not in ("unmap-until-panic", "ksm-scan")])
@pytest.mark.parametrize("guard", ["q1-guard", "q1-guard-put-page"])
def test_without_pins_no_guard_fires_on_a_correct_kernel(guard, scenario):
    for build in CORRECT:
        assert mm.check(guarded(build, guard), scenario)


def pinned_and_shrunk(kernel):
    """A pin outlives every mapping and the shrinker; then it is released, and that frees the page for good."""
    page = kernel.get_user_page(kernel.init, 0)
    unmap(kernel, 0)
    unmap(kernel, 1)
    if kernel.reference_per_mm:
        kernel.mm_put_huge_zero_page(kernel.init)
    assert kernel.shrink_huge_zero_page_scan() == kernel.hpage_nr
    assert page.owner == HUGE_ZERO_PAGE
    kernel.unpin(page)
    assert page.owner is None


@pytest.mark.parametrize("build", CORRECT, ids=repr)
def test_the_exact_guard_never_fires_on_a_pin(build):
    kernel = boot(guarded(build, "q1-guard"))
    kernel.unpin(kernel.get_user_page(kernel.init, 0))
    kernel.unpin(kernel.get_user_page(kernel.init, 5))
    pinned_and_shrunk(kernel)
    assert kernel.dmesg == []
    assert broken(kernel, "always") is None


@pytest.mark.parametrize("build", CORRECT, ids=repr)
def test_the_naive_guard_fires_on_a_legal_pin(build):
    kernel = boot(guarded(build, "q1-guard-put-page"))
    page = kernel.get_user_page(kernel.init, 0)
    with pytest.raises(KernelBug, match="is_huge_zero_page"):
        kernel.unpin(page)
