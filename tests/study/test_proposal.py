"""The questions of the report, each put to the same examination."""

import pytest

import mmmodel as mm
from mmmodel.study.proposal import Proposal

PROPOSALS = {patch: Proposal(patch) for patch in ("q2", "q3", "q4")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "with_swap", "without"), [("q2", True, False), ("q3", True, False), ("q4", True, True)]
)
def test_repairs(patch, with_swap, without):
    assert (PROPOSALS[patch].repairs(True), PROPOSALS[patch].repairs(False)) == (with_swap, without)


@pytest.mark.slow
def test_an_idea_that_repairs_nothing():
    nothing = Proposal("nr1-shortcut")
    assert not nothing.repairs()
    assert "broken" in nothing.changes(s390=False)
    assert not nothing.healthy


@pytest.mark.slow
def test_what_each_changes():
    assert PROPOSALS["q2"].changes(s390=True, swap=False) == {"same"}
    assert PROPOSALS["q4"].changes(s390=False) == {"same"}
    assert "calls" in PROPOSALS["q2"].changes(s390=False)
    assert "mended" in PROPOSALS["q4"].changes(s390=True, swap=False)


@pytest.mark.slow
def test_prices():
    assert [p.drains for p in PROPOSALS.values()] == [1, 0, 1]
    assert PROPOSALS["q3"].price < PROPOSALS["q2"].price
    assert all(p.healthy for p in PROPOSALS.values())


def test_the_patch_lies_below_the_readers_own():
    assert PROPOSALS["q2"].on(mm.Build(patches=["q1-guard"])).patches == ("q2", "q1-guard")
    assert PROPOSALS["q2"].on(mm.Build(patches=["q2"])).patches == ("q2",)


def test_the_same_beside_each():
    builds = PROPOSALS["q3"].beside(False, ("q3", "nr1-shortcut"))
    assert builds[0] == mm.Build(swap=False)
    assert builds[-1].patches == ("q3", "nr1-shortcut")
