"""What an explorer is set to, as the query of an address; and back to what it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmmodel as mm
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.versions import VERSIONS
from mmmodel.show.states import History, build_asked, query
from mmmodel.show.toggles import Explorer

OFFERS = {
    "version": list(VERSIONS), "arch": list(ARCHES), "swap": (True, False), "thp": (True, False),
    "debug_vm": (True, False), "patches": ["q2", "q3", "q4", "quick-hack"],
}  # fmt: skip


class Mine(mm.Patch):
    """Nothing."""


def test_a_query_reads_like_the_toggles():
    build = mm.Build("v4.7", "s390", False, patches=["q2", "q3"])
    assert query(build) == "version=v4.7&arch=s390&swap=n&patches=q2+q3"
    assert query(mm.Build(arch="alpha", thp=True, debug_vm=True)).endswith("swap=y&thp=y&debug_vm=y&patches=")


@given(
    st.builds(
        mm.Build, st.sampled_from(list(VERSIONS)), st.sampled_from(list(ARCHES)), st.booleans(), st.booleans(),
        st.booleans(), st.permutations(OFFERS["patches"]).flatmap(lambda p: st.sampled_from([p[:n] for n in range(3)])),
    )
)  # fmt: skip
def test_a_query_brings_its_build_back(build):
    assert build_asked("?" + query(build), mm.Build(patches=["q4"], debug_vm=True, thp=False), OFFERS) == (build, [])


def test_what_is_not_named_is_as_now():
    now = mm.Build("v4.9", "x86", patches=["q3"])
    assert build_asked("swap=n", now, OFFERS) == (mm.Build("v4.9", "x86", False, patches=["q3"]), [])
    assert build_asked("debug_vm=y", now, OFFERS) == (mm.Build("v4.9", "x86", debug_vm=True, patches=["q3"]), [])
    assert build_asked("theme=dark&token=x", now, OFFERS) == (now, [])
    assert build_asked("arch=alpha", now, OFFERS)[0].thp is False, "THP follows the arch"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version=v9", "unknown version 'v9'; allowed: v4.5, v4.6"),
        ("swap=off", "unknown swap 'off'"),
        ("patches=q2+q9", "unknown patch 'q9'"),
        ("patches=revert", "unknown patch 'revert'; allowed: q2, q3, q4, quick-hack"),
        ("verison=v4.7", "unknown toggle 'verison' (did you mean version?); allowed: version, arch"),
        ("patches=q2+q2", "a patch is given twice"),
    ],
)
def test_what_is_asked_in_vain(text, said):
    build, (line,) = build_asked(text, mm.Build(), OFFERS)
    assert line.startswith(said)
    assert build in (mm.Build(), mm.Build(patches=["q2"]))


def test_history():
    history = History(1)
    history.add(2)
    history.add(2)
    history.add(3)
    assert [history.go(-1), history.go(-1)] == [2, 1]
    assert not history.has(-1)
    assert history.go(1) == 2
    history.add(4)
    assert history.shown == [1, 2, 4]
    assert not history.has(1)


# -- in an explorer


@pytest.fixture
def explorer():
    offers = {"version": True, "arch": True, "swap": True, "thp": True, "patches": ["q2", "q4", Mine]}
    return Explorer(repr, mm.Build(), "20em", offers, False, True)


def test_an_explorer_tells_and_takes_its_state(explorer):
    explorer.controls["arch"].value = "x86"
    assert explorer.state.value == "version=v4.6&arch=x86&swap=y&patches="
    explorer.state.value = "version=v4.7&swap=n&patches=Mine+q4"
    assert explorer.now == mm.Build("v4.7", "x86", False, patches=[Mine, "q4"])
    assert explorer.patches[Mine].description == "1. Mine"


def test_an_explorer_says_what_was_asked_in_vain(explorer):
    explorer.state.value = "version=<v9>&swap=n"
    assert "unknown version &#x27;&lt;v9&gt;&#x27;; allowed: v4.5, v4.6" in explorer.top.value
    assert explorer.now == mm.Build(swap=False)
    assert explorer.state.value == "version=v4.6&arch=s390&swap=n&patches="
    explorer.controls["swap"].value = True
    assert "In the address" not in explorer.top.value


def test_undo_and_redo(explorer):
    assert explorer.back.disabled
    explorer.controls["arch"].value = "x86"
    explorer.preset.value = mm.Build("v4.7", swap=False)
    explorer.back.click()
    assert explorer.now == mm.Build(arch="x86")
    explorer.back.click()
    assert explorer.now == mm.Build()
    assert explorer.back.disabled
    explorer.again.click()
    assert (explorer.now, explorer.controls["arch"].value) == (mm.Build(arch="x86"), "x86")
    explorer.patches["q4"].value = True
    assert explorer.again.disabled
