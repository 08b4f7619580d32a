"""The verdicts of the project's facts, checked by SPIN on models that share no code with mmmodel."""

import dataclasses
import shutil

import pytest
from promela.spin import INVARIANTS, Result, run

pytestmark = pytest.mark.skipif(
    shutil.which("spin") is None or shutil.which("gcc") is None,
    reason="SPIN checks the models: install the Debian packages spin and gcc",
)

HOLDS = None
# version, arch, SWAP, patch, the invariant that breaks
ZAP = [
    # aa88b68c closed the race on the generic gather; s390 never had it, and got a wrong count instead
    ("v4.5", "generic", True, "none", "stale-read"),
    ("v4.5", "arm", True, "none", "stale-read"),
    ("v4.5", "s390", True, "none", HOLDS),
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
FAULT = [
    *[(version, "generic", True, "none", HOLDS) for version in ("v4.5", "v4.6", "v4.7", "v4.9", "v5.2")],
    ("v4.6", "generic", True, "page-refcount", HOLDS),
    *[(version, "generic", True, "none", "unrecognised") for version in ("v5.13", "v5.14")],
    *[(version, "generic", True, "pfn-lock", HOLDS) for version in ("v5.13", "v5.14")],
    ("v4.5", "s390", True, "none", HOLDS),
    ("v4.6", "s390", True, "none", "freed-under-ptr"),
    ("v4.7", "s390", True, "none", HOLDS),
    ("v4.7", "s390", False, "none", "freed-under-ptr"),
    ("v5.14", "s390", False, "none", "unrecognised"),
    ("v5.14", "s390", False, "pfn-lock", HOLDS),
]


def agrees(result: Result, breaks: str | None) -> bool:
    return (result.holds, result.violation) == (breaks is None, breaks)


@pytest.mark.parametrize(("version", "arch", "swap", "patch", "breaks"), ZAP)
def test_zap_vs_shrinker(version: str, arch: str, swap: bool, patch: str, breaks: str | None) -> None:
    result = run("zap-vs-shrinker", version=version, arch=arch, swap=swap, patch=patch)
    assert agrees(result, breaks), result


@pytest.mark.parametrize(("version", "arch", "swap", "patch", "breaks"), FAULT)
def test_fault_vs_shrinker(version: str, arch: str, swap: bool, patch: str, breaks: str | None) -> None:
    result = run("fault-vs-shrinker", version=version, arch=arch, swap=swap, patch=patch)
    assert agrees(result, breaks), result


@pytest.mark.parametrize("cpus", [2, 4, 6])
@pytest.mark.parametrize(("version", "arch", "race"), [("v4.5", "generic", True), ("v4.6", "generic", False),
                                                       ("v4.5", "s390", False), ("v4.7", "s390", False),
                                                       ("v4.7", "sh", True)])  # fmt: skip
def test_the_race_needs_a_third_cpu_in_this_scenario(version: str, arch: str, race: bool, cpus: int) -> None:
    result = run("zap-vs-shrinker", version=version, arch=arch, cpus=cpus)
    assert agrees(result, "stale-read" if race and cpus > 2 else HOLDS), result


@pytest.mark.parametrize("patch", ["none", "pfn-lock"])
def test_the_pfn_race_needs_one_faulting_cpu(patch: str) -> None:
    result = run("fault-vs-shrinker", version="v5.13", arch="generic", patch=patch, cpus=2)
    assert agrees(result, "unrecognised" if patch == "none" else HOLDS), result


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
    result = run(model, version=version, arch=arch, patch=patch, mistake=mistake, ignore=others)
    assert agrees(result, invariant), result
    assert run(model, version=version, arch=arch, patch=patch, mistake=mistake, ignore=INVARIANTS).holds


@pytest.mark.parametrize("version", ["v4.5", "v4.7"])
def test_s390_needs_the_wait_for_a_flush_in_flight(version: str) -> None:
    assert run("zap-vs-shrinker", version=version, arch="s390").holds
    result = run("zap-vs-shrinker", version=version, arch="s390", mistake="no-attach-spin")
    assert agrees(result, "stale-read"), result


def test_reduction_does_not_change_a_verdict() -> None:
    for version, arch in (("v4.5", "generic"), ("v4.7", "generic"), ("v4.7", "s390")):
        reduced = run("zap-vs-shrinker", version=version, arch=arch, cpus=4)
        full = run("zap-vs-shrinker", version=version, arch=arch, cpus=4, pan_options=["-DNOREDUCE"])
        assert reduced.violation == full.violation
        assert reduced.holds is full.holds
        assert not full.holds or reduced.states < full.states


@pytest.mark.parametrize("wrong", [
    {"version": "v4.4"}, {"arch": "vax"}, {"patch": "q5"}, {"mistake": "x"}, {"cpus": 7},
    {"patch": "pfn-lock"}, {"version": "v4.9", "patch": "revert"},
])  # fmt: skip
def test_what_is_not_modelled_is_refused(wrong: dict) -> None:
    with pytest.raises((ValueError, RuntimeError)):
        run("zap-vs-shrinker", **{"version": "v4.6", "arch": "s390", **wrong})


def test_a_missing_spin_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="spin"):
        run("zap-vs-shrinker", version="v4.6", arch="s390")


def test_results_are_immutable() -> None:
    result = run("zap-vs-shrinker", version="v4.6", arch="s390", cpus=2)
    assert (result.states, result.transitions, result.depth) > (0, 0, 0)
    assert 0 < result.seconds_run < result.seconds_total
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.holds = True
