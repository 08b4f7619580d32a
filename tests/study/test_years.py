"""The history of the faults: read off data/events.csv, and nothing in it is overlooked."""

import re

import pytest

from mmmodel.data import rows
from mmmodel.kernel.versions import VERSIONS
from mmmodel.study import means, years


def test_dates():
    assert years.year("2016-01-01") == pytest.approx(2016, abs=0.01)
    assert years.year("2016-07") == pytest.approx(2016.54, abs=0.01)
    assert years.year("2024") == 2024.5
    assert years.year("2026-12-31") < 2027


@pytest.mark.parametrize("row", rows("events"), ids=lambda row: row["date"] + row["label"])
def test_every_word_of_an_effect_is_understood(row):
    found = years.clauses(row["effect"])
    assert {fault for _, fault, _ in found} == {
        name for name in years.ABOUT if re.search(rf"\b{name}\b", row["effect"])
    }
    assert {verb for verb, *_ in found} <= {"opens", "closes", "makes", "none"}


def test_a_clause_may_have_several_faults_and_a_limit():
    told = "closes pfn-race, pfn-order and mm-flag-order where it is on; opens zap-race"
    assert years.clauses(told) == [
        *(("closes", name, "where it is on") for name in ("pfn-race", "pfn-order", "mm-flag-order")),
        ("opens", "zap-race", ""),
    ]


def test_spans():
    found = {span.fault: span for span in years.spans()}
    assert list(found) == list(years.ABOUT) == list(means.ASKED)
    assert [fault for fault, span in found.items() if span.closed is None] == ["mm-flag-order"]
    for span in found.values():
        assert 2012 < span.opened < (span.closed or 2027) < 2027.1
        assert span.marks[0].verb == "opens"
    put = found["singular-put"]
    assert (int(put.opened), int(put.closed)) == (2016, 2021)
    assert [v for v in VERSIONS if put.covers(v)] == ["v4.6", "v4.7", "v4.9", "v5.2", "v5.13"]


def test_every_event_is_somewhere():
    marks = [mark.label for span in years.spans() for mark in span.marks] + [mark.label for mark in years.others()]
    assert set(marks) == {row["label"] for row in rows("events")}
