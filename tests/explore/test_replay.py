"""A witness runs again on a fresh kernel."""

import pytest

import mmmodel as mm


class Leaks(mm.Patch):
    """The same, and not meant."""

    def shrink_huge_zero_page_scan(self):
        return 0


@pytest.mark.parametrize(("build", "scenario"), [
    (mm.Build(), "two-mappings"), (mm.Build(debug_vm=True), "map-read-unmap"),
    (mm.Build("v4.5", "x86"), "zap-vs-shrinker"), (mm.Build("v5.13"), "fault-vs-shrinker"),
    (mm.Build("v4.7", patches=[Leaks]), "zap-vs-shrinker"), (mm.Build("v4.6", "x86", patches=["revert"]), "pin-vs-zap"),
])  # fmt: skip
def test_a_witness_runs_again_on_a_fresh_kernel(build, scenario):
    verdict = mm.check(build, scenario)
    again = verdict.replay()
    assert (again.broken, again.what, again.op) == (verdict.broken, verdict.what, verdict.op)
    assert [step[:2] for step in again.witness] == [step[:2] for step in verdict.witness]
    with pytest.raises(ValueError, match="no witness"):
        mm.check(mm.Build("v4.7"), scenario if scenario != "fault-vs-shrinker" else "fork").replay()
