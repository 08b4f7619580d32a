"""What a run writes for other programs: JUnit XML, a summary in Markdown."""

from xml.etree import ElementTree

import pytest

from mmmodel.report.outcome import Outcome
from mmmodel.report.results import Results, junit, markdown

START = "2026-01-01T00:00:00+00:00"
NASTY = "<b>|x|</b> & `y` *z* \x1b[31m\x00 ]]> \ud800 @someone #1\nnext [a](http://x)"


@pytest.fixture
def outcomes():
    good = Outcome("good", "Title", "", promised=["M09"], status="ok", seconds=1.5)
    good.claims = [{"id": "M09", "holds": True, "how": ""}]
    bad = Outcome("bad", "Title", "", promised=["M10", "Q1"], status="ok")
    bad.claims = [{"id": "M10", "holds": False, "how": ""}]
    bad.fail("M10 does not hold", 2, "M10")
    bad.fail(NASTY, 3)
    return [good, bad]


def test_each_notebook_and_each_claim_is_a_case(outcomes):
    root = ElementTree.fromstring(junit(outcomes, START))
    cases = {(case.get("classname"), case.get("name")): case for case in root.iter("testcase")}
    assert list(cases) == [("good", "good"), ("good", "M09"), ("bad", "bad"), ("bad", "M10"), ("bad", "Q1")]
    failed = {name: case.find("failure").text for (_, name), case in cases.items() if case.find("failure") is not None}
    assert failed["M10"] == "bad, cell 2: M10 does not hold"
    assert failed["Q1"] == "it was not checked"
    assert failed["bad"] == f"bad, cell 3: {NASTY}".replace("\x1b", "�").replace("\x00", "�").replace("\ud800", "�")
    assert [(suite.get("tests"), suite.get("failures")) for suite in root] == [("2", "0"), ("3", "3")]
    assert cases["good", "good"].get("time") == "1.5"


def test_the_summary_shows_text_as_it_is(outcomes):
    lines = markdown({"ok": False, "end": START, "interrupted": "", "parameters": {}, "start": START}, outcomes).split(
        "\n"
    )
    assert lines[0] == "## ✗ mmmodel: 1 of 2 notebooks ok, 1 of 2 claims hold"
    assert "- ✗ bad\\, cell 2\\: M10 does not hold" in lines
    (nasty,) = [line for line in lines if "next" in line]
    assert r"\<b\>\|x\|\<\/b\> \& \`y\` \*z\*" in nasty
    assert r"\[a\]\(http\:\/\/x\)" in nasty
    assert "| good | 1 | 1.5 s | ✓ ok |" in lines
    assert "| bad | 1 | 0.0 s | ✗ failed |" in lines


def test_a_run_that_was_killed_is_red_everywhere(tmp_path, outcomes):
    files = [tmp_path / "junit.xml", tmp_path / "summary.md"]
    good = outcomes[0]
    good.claims, good.failures = [], []
    found = Results(tmp_path / "out", {}, *files).write([good])
    assert (found["ok"], found["end"]) == (False, None)
    assert "This run has not ended" in (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert "not ended" in files[1].read_text(encoding="utf-8")
    assert "✗ not checked" in (tmp_path / "out/claims.html").read_text(encoding="utf-8")
