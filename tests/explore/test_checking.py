"""A check of what is not there is refused in one line that names what is."""

import pytest
from refusals import assert_one_line

import mmmodel as mm
from mmmodel.explore.sequential import SEQUENTIAL


@pytest.mark.parametrize("function", [mm.trace, mm.check], ids=["trace", "check"])
@pytest.mark.parametrize("scenario", ["map_read_unmap", "", None, 3, ["map-read-unmap"]], ids=repr)
def test_a_scenario_that_is_none(function, scenario):
    with pytest.raises(mm.BuildError) as error:
        function(mm.Build(), scenario)
    assert_one_line(error, SEQUENTIAL)


@pytest.mark.parametrize("function", [mm.trace, mm.check], ids=["trace", "check"])
@pytest.mark.parametrize("build", ["quick-hack", mm.Build, 4.6], ids=repr)
def test_a_build_that_is_none(function, build):
    with pytest.raises(mm.BuildError) as error:
        function(build, "fork")
    assert_one_line(error, ["mm.Build"])


@pytest.mark.parametrize("cpus", [0, 1, -1, 99, "3", 2.5, True], ids=repr)
def test_a_number_of_cpus_a_concurrent_scenario_cannot_have(cpus):
    with pytest.raises(mm.BuildError) as error:
        mm.check(mm.Build(), "zap-vs-shrinker", cpus=cpus)
    assert_one_line(error, ["zap-vs-shrinker", repr(cpus)])


def test_several_cpus_for_a_sequential_scenario():
    with pytest.raises(mm.BuildError) as error:
        mm.check(mm.Build(), "fork", cpus=2)
    assert_one_line(error, ["fork", "zap-vs-shrinker"])


def test_an_interrupt_while_the_steps_are_written_down_is_not_lost(monkeypatch):
    def interrupted(kernel):
        raise KeyboardInterrupt

    monkeypatch.setattr("mmmodel.explore.tracing.Journal", interrupted)
    assert mm.check(mm.Build(), "map-read-unmap").bound == "interrupted"
    table = mm.matrix(["s390"], ["v4.6"], scenarios=["map-read-unmap", "fork"])
    assert set(table.status) == {"undecided"}
