"""The timeline: bars are as long as what they stand for, no label meets another; tables of the faults."""

import re
from itertools import combinations

import pandas as pd
import pytest
from bs4 import BeautifulSoup

import mmmodel as mm
from mmmodel.data import rows
from mmmodel.show import faults_view, timeline
from mmmodel.show.html import BAD
from mmmodel.study.years import ABOUT, spans

LEFT, TODAY = 210, 2027


@pytest.fixture(scope="module")
def drawing():
    return BeautifulSoup(timeline.timeline(), "html.parser").svg


def test_a_bar_for_each_fault_from_its_opening_to_its_close(drawing):
    bars = [
        [float(x) for x in re.findall(r"[ML] (-?[\d.]+) ", path["d"])]
        for path in drawing.select('[data-is="bar"] path')
    ]
    scale = timeline.WIDE / (timeline.LAST - timeline.FIRST)
    for xs, span in zip(bars, spans(), strict=True):
        ends = [LEFT + (year - timeline.FIRST) * scale for year in (span.opened, span.closed or TODAY)]
        assert [min(xs), max(xs)] == pytest.approx(ends, abs=0.1)


def test_no_label_meets_another(drawing):
    labels = {row["label"] for row in rows("events")}
    found = [
        (float(text["x"]), float(text["y"]), text.text) for text in drawing.find_all("text") if text.text in labels
    ]
    assert {words for *_, words in found} == labels
    for (x, y, words), (other, above, _) in combinations(sorted(found), 2):
        assert abs(y - above) > 13 or x + 7.5 * len(words) < other
    _, _, width, _ = map(float, drawing["viewbox"].split())
    assert max(x + 7.5 * len(words) for x, _, words in found) < width


def test_it_says_what_it_shows_and_is_seen_in_both_themes(drawing):
    assert all(fault in drawing["aria-label"] for fault in ABOUT)
    assert "mm-flag-order: from 2016 on, open" in drawing["aria-label"]
    colours = set(re.findall(r"#[0-9a-f]+", " ".join(tag["style"] for tag in drawing.find_all(style=True))))
    assert colours <= {BAD}
    shapes = {tag["data-is"] for tag in drawing.select("[data-is]")}
    assert {"opens", "closes", "none"} <= shapes, "not by colour alone"


def test_every_event_is_in_the_table():
    page = BeautifulSoup(timeline.events(), "html.parser")
    assert len(page.select("tbody tr")) == len(rows("events"))


def test_faults_of_a_build():
    text = BeautifulSoup(faults_view.faults(mm.Build("v4.6", "s390")), "html.parser").get_text(" ")
    assert "singular-put the report ✗ at munmap_A" in text
    assert "mm-flag-order the flag of the mm – –" in text
    unknown = BeautifulSoup(faults_view.faults(mm.Build("v4.6", "arc")), "html.parser").get_text(" ")
    assert unknown.count("not known") == len(ABOUT)


def test_recorded_audits():
    page = BeautifulSoup(faults_view.audits(), "html.parser")
    assert len(page.select("tbody tr")) == len({row["tree"] for row in rows("audits")})
    assert all(cell.text[0] in "✓✗" for row in page.select("tbody tr") for cell in row.find_all("td")[1:])


def test_what_happened_and_what_would_have_caught_it():
    assert "another process reads what was written" in faults_view.outcomes()
    assert faults_view.outcomes().count("a BUG stops it") == 7


@pytest.mark.slow
def test_each_way_to_find_a_fault_was_tried():
    page = BeautifulSoup(faults_view.attempts(), "html.parser")
    signs = ["".join(cell.text[0] for cell in row.find_all("td")[1:]) for row in page.select("tbody tr")]
    assert signs == ["✓✓✓✓", *["✗✗✓✓"] * 4]


def test_one_tree():
    found = pd.DataFrame([("pfn-race", verdict, "s390", "a.c:1 f") for verdict in faults_view.VERDICTS])
    text = BeautifulSoup(faults_view.audited(found), "html.parser").get_text(" ")
    assert text.count("pfn-race") == 4
    assert "✗ affected s390 a.c:1 f" in text
