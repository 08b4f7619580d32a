"""The verdicts of the project's facts, checked by SPIN on models that share no code with mmmodel; and mmmodel's own."""

import dataclasses
import shutil
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from spin import INVARIANTS, PATCHES, Result, run

import mmmodel as mm
from mmmodel.explore.concurrent import PROGRAMS, munmap
from mmmodel.explore.interleavings import explore
from mmmodel.explore.scenarios import Operation, Program
from mmmodel.explore.tracing import Verdict
from mmmodel.kernel.patches import PATCHES as CLASSES
from mmmodel.kernel.versions import VERSIONS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("spin") is None or shutil.which("gcc") is None,
        reason="SPIN checks the models: install the Debian packages spin and gcc",
    ),
]

HOLDS = None
# version, arch, SWAP, patch, the invariant that breaks
ZAP = [
    # aa88b68c closed the race on the generic gather; s390 never had it, and got a wrong count instead
    ("v4.5", "generic", True, "none", "stale-read"),
    ("v4.5", "arm", True, "none", "stale-read"),
    ("v4.5", "s390", True, "none", HOLDS),
    ("v4.5", "arm64", True, "none", "stale-read"),
    ("v4.5", "powerpc", True, "none", HOLDS),
    ("v4.6", "powerpc", True, "revert", HOLDS),
    ("v4.6", "generic", True, "none", HOLDS),
    ("v4.6", "generic", False, "none", HOLDS),
    ("v4.6", "arm", True, "none", HOLDS),
    ("v4.6", "s390", True, "none", "freed-under-ptr"),
    ("v4.6", "s390", False, "none", "freed-under-ptr"),
    # the fixes that were discussed
    *[("v4.6", arch, True, patch, HOLDS) for arch in ("s390", "generic")
      for patch in ("quick-hack", "q2", "q3", "q4", "page-refcount")],
    *[("v4.6", "s390", False, patch, "freed-under-ptr") for patch in ("quick-hack", "q2", "q3")],
    *[("v4.6", "s390", False, patch, HOLDS) for patch in ("q4", "page-refcount")],
    ("v4.6", "s390", True, "revert", HOLDS),
    ("v4.6", "generic", True, "revert", "stale-read"),
    ("v4.6", "generic", True, "nr1-shortcut", "freed-under-ptr"),
    ("v4.6", "generic", True, "nr1-shortcut-guarded", HOLDS),
    *[("v4.6", "s390", True, f"{q}+nr1-shortcut", "freed-under-ptr") for q in ("q2", "q3", "q4")],
    *[("v4.6", "s390", True, f"{q}+nr1-shortcut-guarded", HOLDS) for q in ("q2", "q3", "q4")],
    ("v4.7", "s390", True, "nr1-shortcut", HOLDS),
    ("v4.7", "generic", True, "nr1-shortcut", "freed-under-ptr"),
    # the merged fix: right on s390 with SWAP=y; it would not close the race on um and sh, had they huge pages
    ("v4.7", "generic", True, "none", HOLDS),
    ("v4.7", "s390", True, "none", HOLDS),
    ("v4.7", "s390", False, "none", "freed-under-ptr"),
    *[("v4.6", arch, True, "none", "freed-under-ptr") for arch in ("ia64", "sh", "um")],
    ("v4.7", "ia64", True, "none", HOLDS),
    ("v4.7", "sh", True, "none", "stale-read"),
    ("v4.7", "um", True, "none", "stale-read"),
    # one reference per mm, and how SWAP=n ended
    *[("v4.9", arch, True, "none", HOLDS) for arch in ("generic", "s390", "ia64", "sh", "um")],
    *[("v4.9", arch, False, "none", "freed-under-ptr") for arch in ("s390", "ia64", "sh", "um")],
    *[("v5.2", arch, False, "none", HOLDS) for arch in ("ia64", "sh", "um")],
    *[(version, "s390", False, "none", "freed-under-ptr") for version in ("v5.2", "v5.13")],
    *[("v5.14", arch, swap, "none", HOLDS) for arch in ("s390", "generic") for swap in (True, False)],
]  # fmt: skip
REAPER = [
    # every fix of 2016 leaves it open on s390, and what v4.15 did closes it
    ("v4.6", "s390", True, "none", "freed-under-ptr"),
    *[("v4.6", "s390", True, patch, "stale-read")
      for patch in ("quick-hack", "q2", "q3", "q4", "page-refcount", "revert")],
    *[("v4.6", "s390", False, patch, "stale-read") for patch in ("quick-hack+swapn-macro", "q4")],
    ("v4.7", "s390", True, "none", "stale-read"),
    ("v4.7", "s390", True, "reaper-per-vma", HOLDS),
    ("v4.6", "s390", True, "reaper-per-vma", "freed-under-ptr"),
    # arm64 does not flush a whole mm; the others do, and put the page afterwards
    *[(version, "arm64", True, "none", "stale-read") for version in ("v4.6", "v4.7")],
    ("v4.7", "arm64", True, "reaper-per-vma", HOLDS),
    *[("v4.7", arch, True, "none", HOLDS) for arch in ("generic", "powerpc")],
    ("v4.6", "generic", True, "revert", "stale-read"),
    ("v4.6", "powerpc", True, "revert", HOLDS),
    # one reference per mm
    *[("v4.9", arch, True, "none", HOLDS) for arch in ("s390", "arm64", "generic")],
    ("v4.9", "s390", False, "none", "freed-under-ptr"),
    ("v5.14", "s390", True, "none", HOLDS),
]  # fmt: skip
FAULT = [
    *[(version, "generic", True, "none", HOLDS) for version in ("v4.5", "v4.6", "v4.7", "v4.9", "v5.2")],
    ("v4.6", "generic", True, "page-refcount", HOLDS),
    *[(version, "generic", True, "none", "unrecognised") for version in ("v5.13", "v5.14", "v6.1")],
    *[(version, "generic", True, "pfn-lock", HOLDS) for version in ("v5.13", "v5.14", "v6.1")],
    *[("v6.1.184", arch, swap, "none", HOLDS) for arch in ("generic", "s390") for swap in (True, False)],
    ("v4.5", "s390", True, "none", HOLDS),
    ("v4.6", "s390", True, "none", "freed-under-ptr"),
    ("v4.7", "s390", True, "none", HOLDS),
    ("v4.7", "s390", False, "none", "freed-under-ptr"),
    ("v5.14", "s390", False, "none", "unrecognised"),
    ("v5.14", "s390", False, "pfn-lock", HOLDS),
]


@pytest.fixture(scope="module", autouse=True)
def results_in_common(in_common: Path) -> Iterator[None]:
    """The workers of one run of the tests share what SPIN found."""
    folder = in_common / "spin"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPIN_RESULTS", str(folder))
        yield


# To compile takes longer than a small search, and so does room for a large one.
TCC = "tcc" if shutil.which("tcc") else "gcc"
quickly = partial(run, pan_options=["-O0"], compiler=TCC, limits=("-m100000", "-w18"))


def agrees(result: Result, breaks: str | None) -> bool:
    return (result.holds, result.violation) == (breaks is None, breaks)


# -- the same question asked of mmmodel

MEANS = {
    HOLDS: {""},
    "stale-read": {"stale-read"},
    "freed-under-ptr": {"references-balance", "pointer-alive"},
    "unbalanced": {"references-balance", "pointer-alive"},
    "unrecognised": {"recognised"},
    "bug-on": {"no-bug"},
}


def madvise_vs_shrinker(k: Any, cpus: int) -> list[list[Operation]]:
    _, *others = PROGRAMS["zap-vs-shrinker"].set_up(k, cpus)
    return [[("madvise", lambda k: k.madvise_dontneed(k.init, 0, k.hpage_nr))], *others]


def fault_and_unmap_vs_shrinker(k: Any, cpus: int) -> list[list[Operation]]:
    shrinker, *faults = PROGRAMS["fault-vs-shrinker"].set_up(k, cpus)
    return [shrinker, *([*fault, munmap(mm)] for fault, mm in zip(faults, k.mms[1:], strict=True))]


# What the Promela models do and the scenarios of mmmodel do not: zap without freeing page tables, so that the gather
# holds a single page; and unmap after a fault.
MADVISE = Program("madvise-vs-shrinker", "", madvise_vs_shrinker, 3, 2)
FAULT_AND_UNMAP = Program("fault-and-unmap-vs-shrinker", "", fault_and_unmap_vs_shrinker, 3, 2)


def build_of(version: str, arch: str, swap: bool, patch: str) -> mm.Build:
    stack = [name for name in patch.split("+") if name != "none"]
    return mm.Build(version, "x86" if arch == "generic" else arch, swap, thp=True, patches=stack)


def ours(version: str, arch: str, swap: bool, patch: str, cpus: int = 3) -> Verdict:
    build = build_of(version, arch, swap, patch)
    if "nr1-shortcut" in build.patches and arch == "generic":
        return explore(build, MADVISE, cpus)[0]
    return mm.check(build, "zap-vs-shrinker", cpus)


def reaped(version: str, arch: str, swap: bool, patch: str, cpus: int = 3) -> Verdict:
    return mm.check(build_of(version, arch, swap, patch), "reaper-vs-shrinker", cpus)


# -- zap-vs-shrinker


@pytest.mark.parametrize(("version", "arch", "swap", "patch", "breaks"), ZAP)
def test_zap_vs_shrinker(version: str, arch: str, swap: bool, patch: str, breaks: str | None) -> None:
    result = quickly("zap-vs-shrinker", version=version, arch=arch, swap=swap, patch=patch)
    assert agrees(result, breaks), result
    assert ours(version, arch, swap, patch).broken in MEANS[breaks]


def patches_for(version: str) -> list[str]:
    """Those that were written for a version; and the stacks of the thread where the regression is."""
    order = list(VERSIONS).index
    names = [n for n, c in CLASSES.items() if n in PATCHES and order(c.since) <= order(version) <= order(c.until)]
    shortcuts = ("nr1-shortcut", "nr1-shortcut-guarded") if version in ("v4.6", "v4.7") else ()
    stacks = [f"{q}+{shortcut}" for q in ("q2", "q3", "q4") for shortcut in shortcuts]
    return ["none", *names, *stacks, *(["quick-hack+swapn-macro"] if version == "v4.6" else [])]


def patches_and_swap(version: str, arch: str) -> list[tuple[str, bool]]:
    """SWAP matters where pages are freed one by one."""
    return list(product(patches_for(version), (True, False) if arch in ("s390", "ia64", "sh") else (True,)))


@pytest.mark.parametrize(("version", "arch"), [
    *product(VERSIONS, ("generic", "s390")),
    *product(("v4.5", "v4.6", "v4.7", "v4.9"), ("ia64", "sh")),  # from v5.2 generic
])  # fmt: skip
def test_mmmodel_and_spin_agree_on_every_build(version: str, arch: str) -> None:
    different = []
    for patch, swap in [*patches_and_swap(version, arch), ("none", False)]:
        spin = quickly("zap-vs-shrinker", version=version, arch=arch, swap=swap, patch=patch)
        mine = ours(version, arch, swap, patch)
        alike = explore(build_of(version, arch, swap, patch), MADVISE, 3)[0]
        if not {mine.broken, alike.broken} <= MEANS[spin.violation]:
            different.append((patch, swap, spin.violation, mine.broken, alike.broken))
    assert not different


@pytest.mark.parametrize("cpus", [2, 4, 6])
@pytest.mark.parametrize(("version", "arch", "breaks"), [
    ("v4.5", "generic", "stale-read"), ("v4.6", "generic", HOLDS), ("v4.5", "s390", HOLDS),
    ("v4.6", "s390", "freed-under-ptr"), ("v4.7", "s390", HOLDS), ("v4.7", "sh", "stale-read"),
    ("v4.9", "s390", HOLDS), ("v5.14", "generic", HOLDS),
])  # fmt: skip
def test_any_number_of_cpus(version: str, arch: str, breaks: str | None, cpus: int) -> None:
    result = quickly("zap-vs-shrinker", version=version, arch=arch, cpus=cpus)
    assert agrees(result, breaks), result
    if cpus <= 4:
        assert ours(version, arch, True, "none", cpus).broken in MEANS[breaks]


@pytest.mark.parametrize(("arch", "spins"), [
    ("powerpc", "powerpc"), ("sparc", "powerpc"), ("arm64", "arm64"), ("mips", "generic"), ("arc", "generic"),
])  # fmt: skip
def test_the_old_race_by_arch(arch: str, spins: str) -> None:
    for version, swap in (("v4.5", True), ("v4.5", False), ("v4.6", True)):
        result = quickly("zap-vs-shrinker", version=version, arch=spins, swap=swap)
        assert ours(version, arch, swap, "none").broken in MEANS[result.violation]
        assert result.holds is (version == "v4.6" or spins == "powerpc")


# -- reaper-vs-shrinker


@pytest.mark.parametrize(("version", "arch", "swap", "patch", "breaks"), REAPER)
def test_reaper_vs_shrinker(version: str, arch: str, swap: bool, patch: str, breaks: str | None) -> None:
    result = quickly("reaper-vs-shrinker", version=version, arch=arch, swap=swap, patch=patch)
    assert agrees(result, breaks), result
    assert reaped(version, arch, swap, patch).broken in MEANS[breaks]


@pytest.mark.parametrize(("version", "arch"), [
    *product(list(VERSIONS)[1:], ("generic", "s390")), *product(("v4.6", "v4.7", "v4.9"), ("arm64", "powerpc")),
    *product(("v4.6", "v4.7"), ("ia64", "sh")),
])  # fmt: skip
def test_mmmodel_and_spin_agree_on_the_reaper(version: str, arch: str) -> None:
    builds = patches_and_swap(version, arch)
    if version in ("v4.6", "v4.7"):
        alone = [p for p in patches_for(version) if p not in ("none", "reaper-per-vma") and "nr1" not in p]
        builds += [(f"{p}+reaper-per-vma", swap) for p, swap in builds if p in alone]
    different = []
    for patch, swap in builds:
        spin = quickly("reaper-vs-shrinker", version=version, arch=arch, swap=swap, patch=patch)
        mine = reaped(version, arch, swap, patch)
        if mine.broken not in MEANS[spin.violation]:
            different.append((patch, swap, spin.violation, mine.broken))
    assert not different


@pytest.mark.parametrize("cpus", [2, 4])
@pytest.mark.parametrize(("version", "arch", "patch"), [
    ("v4.6", "s390", "none"), ("v4.6", "s390", "q4"), ("v4.7", "s390", "none"), ("v4.7", "s390", "reaper-per-vma"),
    ("v4.7", "arm64", "none"), ("v4.7", "generic", "none"), ("v4.9", "s390", "none"),
])  # fmt: skip
def test_any_number_of_victims(version: str, arch: str, patch: str, cpus: int) -> None:
    result = quickly("reaper-vs-shrinker", version=version, arch=arch, patch=patch, cpus=cpus)
    assert reaped(version, arch, True, patch, cpus).broken in MEANS[result.violation]


@pytest.mark.parametrize(("version", "arch", "patch", "mistake"), [
    ("v4.7", "generic", "none", "no-finish"), ("v4.7", "s390", "reaper-per-vma", "no-attach-spin"),
])  # fmt: skip
def test_a_reaper_that_holds_needs_its_flush(version: str, arch: str, patch: str, mistake: str) -> None:
    assert quickly("reaper-vs-shrinker", version=version, arch=arch, patch=patch).holds
    result = quickly("reaper-vs-shrinker", version=version, arch=arch, patch=patch, mistake=mistake)
    assert agrees(result, "stale-read"), result


# -- fault-vs-shrinker


@pytest.mark.parametrize(("version", "arch", "swap", "patch", "breaks"), FAULT)
def test_fault_vs_shrinker(version: str, arch: str, swap: bool, patch: str, breaks: str | None) -> None:
    result = quickly("fault-vs-shrinker", version=version, arch=arch, swap=swap, patch=patch)
    assert agrees(result, breaks), result
    mine, _ = explore(build_of(version, arch, swap, patch), FAULT_AND_UNMAP, 3)
    assert mine.broken in MEANS[breaks]


@pytest.mark.parametrize("patch", ["none", "pfn-lock"])
def test_the_pfn_race_needs_one_faulting_cpu(patch: str) -> None:
    result = quickly("fault-vs-shrinker", version="v5.13", arch="generic", patch=patch, cpus=2)
    assert agrees(result, "unrecognised" if patch == "none" else HOLDS), result
    mine = mm.check(build_of("v5.13", "generic", True, patch), "fault-vs-shrinker", 2)
    assert mine.broken == ("recognised" if patch == "none" else "")


# -- the Promela models themselves


# model, version, arch, patch, mistake: what shows that the invariant can fail
CAN_FAIL = {
    "stale-read": ("zap-vs-shrinker", "v4.5", "generic", "none", None),
    "freed-under-ptr": ("zap-vs-shrinker", "v4.6", "s390", "none", None),
    "unbalanced": ("zap-vs-shrinker", "v4.6", "s390", "none", None),
    "bug-on": ("zap-vs-shrinker", "v4.6", "generic", "none", "double-put"),
    "unrecognised": ("fault-vs-shrinker", "v5.13", "generic", "none", None),
}


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_every_invariant_can_fail_alone(invariant: str) -> None:
    model, version, arch, patch, mistake = CAN_FAIL[invariant]
    others = [name for name in INVARIANTS if name != invariant]
    result = quickly(model, version=version, arch=arch, patch=patch, mistake=mistake, ignore=others)
    assert agrees(result, invariant), result
    assert quickly(model, version=version, arch=arch, patch=patch, mistake=mistake, ignore=INVARIANTS).holds


@pytest.mark.parametrize("version", ["v4.5", "v4.7"])
def test_s390_needs_the_wait_for_a_flush_in_flight(version: str) -> None:
    assert quickly("zap-vs-shrinker", version=version, arch="s390").holds
    result = quickly("zap-vs-shrinker", version=version, arch="s390", mistake="no-attach-spin")
    assert agrees(result, "stale-read"), result


def test_reduction_does_not_change_a_verdict() -> None:
    for version, arch in (("v4.5", "generic"), ("v4.7", "generic"), ("v4.7", "s390")):
        reduced = quickly("zap-vs-shrinker", version=version, arch=arch, cpus=4)
        full = run("zap-vs-shrinker", version=version, arch=arch, cpus=4, pan_options=["-O0", "-DNOREDUCE"])
        assert reduced.violation == full.violation
        assert reduced.holds is full.holds
        assert not full.holds or reduced.states < full.states


@pytest.mark.parametrize("wrong", [
    {"version": "v4.4"}, {"arch": "vax"}, {"patch": "q5"}, {"mistake": "x"}, {"cpus": 9},
    {"patch": "pfn-lock"}, {"version": "v4.9", "patch": "revert"}, {"version": "v5.2", "patch": "reaper-per-vma"},
    {"model": "reaper-vs-shrinker", "version": "v4.5"},
])  # fmt: skip
def test_what_is_not_modelled_is_refused(wrong: dict) -> None:
    with pytest.raises((ValueError, RuntimeError)):
        run(**{"model": "zap-vs-shrinker", "version": "v4.6", "arch": "s390", **wrong})


def test_a_missing_spin_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="spin"):
        run("zap-vs-shrinker", version="v4.6", arch="s390")


def test_results_are_immutable() -> None:
    result = quickly("zap-vs-shrinker", version="v4.6", arch="s390", cpus=2)
    assert (result.states, result.transitions, result.depth) > (0, 0, 0)
    assert 0 < result.seconds_run < result.seconds_total
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.holds = True
