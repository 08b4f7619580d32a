"""Is a fault in a build, and what would have caught it? By runs, held against what is known."""

import pytest

import mmmodel as mm
from mmmodel.kernel.versions import VERSIONS
from mmmodel.study import means, years
from mmmodel.study.references import given_away


@pytest.mark.slow
def test_the_model_finds_what_the_calendar_says():
    found = means.found_in(["s390", "x86"])
    assert list(found.columns) == list(means.COLUMNS)
    assert len(found) == len(VERSIONS) * 2 * 2 * 4
    for span in years.spans():
        there = set(found.version[(found.fault == span.fault) & found.found])
        in_mainline = {v for v in VERSIONS if span.covers(v)} - {"v6.1.184"}
        assert there == (in_mainline if means.ASKED[span.fault].memory == "sc" else set())


def test_what_does_not_exist_yet_is_not_asked_for():
    assert means.asked("reaper-fullmm", "v4.5", "s390") is None
    assert means.asked("pfn-order", "v5.2", "arm64") is None
    assert means.asked("mm-flag-order", "v4.7", "arm64") is None
    assert not means.there("mm-flag-order", None)


def test_the_counter_is_mended_only_where_it_is_wrong():
    patches = {place: means.asked_of("reaper-fullmm", *place).patches
               for place in (("v4.6", "s390"), ("v4.6", "x86"), ("v4.7", "s390"), ("v4.7", "s390", False))}  # fmt: skip
    assert list(patches.values()) == [means.MENDED, (), (), ("swapn-macro",)]
    assert means.asked_of("mm-flag-order", "v6.1.184", "arm64").patches == ()


@pytest.mark.slow
def test_what_would_have_caught_each():
    tried = {fault: means.tried(fault) for fault in means.FIRST}
    assert all(ways["audit"].found and ways["exploration"].found for ways in tried.values())
    on_one_cpu = [fault for fault, ways in tried.items() if ways["assertion"].found or ways["test on s390"].found]
    assert on_one_cpu == ["singular-put"]
    assert all(way.words for ways in tried.values() for way in ways.values())


def test_whose_page_the_shrinker_gives_away():
    given = {v: given_away(mm.Build(v, swap=False)) for v in ("v4.5", "v4.7", "v4.9", "v5.14")}
    assert given["v4.7"] == ""
    assert "somebody" in given["v4.9"]
    assert given["v4.5"] == given["v5.14"] == "the page is the huge zero page"
