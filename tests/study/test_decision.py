"""The decision: what each fix does, where, and that every answer can be opened."""

import pytest
from bs4 import BeautifulSoup

from mmmodel.data import rows
from mmmodel.kernel.patches import PATCHES
from mmmodel.show import decision_view as decision_figures
from mmmodel.study import decision
from mmmodel.study.decision import FIXES, MUST, answers

pytestmark = pytest.mark.slow

RIGHT = ["question 4", "the page's own count", "quick hack and macro"]


def test_which_fixes_do_all_they_must():
    assert [fix for fix in FIXES if decision.right(fix)] == RIGHT


@pytest.mark.parametrize(
    ("question", "good"),
    [
        ("s390, SWAP on", set(FIXES) - {"nothing", "question 1: a guard"}),
        ("s390, SWAP off", {*RIGHT, "undo the commit"}),
        ("other archs", set(FIXES)),
        ("race closed", set(RIGHT)),
        ("sh, um, ia64", {"the page's own count", "quick hack and macro", "undo the commit"}),
    ],
)
def test_the_answers(question, good):
    assert {fix for fix in FIXES if answers(fix)[question].good} == good


def test_the_question_about_other_archs_can_be_answered_with_no(monkeypatch):
    monkeypatch.setattr(decision, "FIXES", {"shortcut": ("quick-hack", "nr1-shortcut")})
    monkeypatch.setattr(decision, "verdicts", decision.verdicts.__wrapped__)
    answer = decision.elsewhere("shortcut")
    assert not answer.good
    assert any(
        said.startswith("arm64, SWAP on: references-balance breaks in map-read-unmap") for said in answer.evidence
    )


def test_the_race_is_open_only_where_that_was_seen_and_not_known_where_runs_ended_early():
    found = {fix: answers(fix)["race closed"] for fix in FIXES}
    assert [fix for fix in FIXES if found[fix].good is False] == ["undo the commit"]
    unknown = [fix for fix in FIXES if found[fix].good is None]
    assert set(unknown) == set(FIXES) - {*RIGHT, "undo the commit"}
    for fix in unknown:
        assert found[fix].words.startswith("? not known in ")
        assert "ended before, because a counter was wrong" in found[fix].evidence[-1]


def test_a_run_that_ends_early_is_no_evidence_about_the_race():
    explored = {name: int(answers(name)["race closed"].evidence[0].split()[2]) for name in ("nothing", "question 4")}
    assert 0 < explored["nothing"] < explored["question 4"]


def test_every_answer_has_its_evidence():
    for fix in FIXES:
        for answer in answers(fix).values():
            assert answer.words
            assert answer.evidence or answer.words in ("nobody", "nothing")


def test_measured_prices_are_those_of_the_data():
    over = {row["patches"]: float(row["value"]) for row in rows("costs")
            if row["metric"] == "guest_instructions_per_unit_over_stock" and row["swap"] == "y"}  # fmt: skip
    assert decision.price("question 2") == pytest.approx(over["q2"], abs=0.01)
    assert decision.price("quick hack and macro") == decision.price("quick hack")  # the macro is not compiled then


def test_each_patch_has_its_facts():
    assert {row["patch"] for row in rows("patches")} == {*PATCHES, *map("+".join, FIXES.values())}
    for row in rows("patches"):
        for name in filter(None, row["patch"].split("+")):
            assert PATCHES[name].file in row["files"].split("; ")


def test_nothing_is_without_risk_because_a_list_is_empty():
    risks = {fix: answers(fix)["at risk"] for fix in FIXES}
    assert all(answer.good is None and answer.words and answer.evidence for answer in risks.values())
    assert risks["nothing"].words == "everybody on s390"
    assert "speculative" in risks["the page's own count"].evidence[0]
    assert "quick hack" not in decision.at_risk("quick hack and macro").words


def test_every_cell_of_the_table_opens():
    page = BeautifulSoup(decision_figures.decision_table(), "html.parser")
    assert len(page.tbody.find_all("tr")) == len(FIXES)
    assert len(page.find_all("details")) == sum(bool(a.evidence) for fix in FIXES for a in answers(fix).values())
    assert all(opened.summary.text.strip() and opened.find("li") for opened in page.find_all("details"))


def test_the_picture_says_its_message():
    picture = BeautifulSoup(decision_figures.picture(), "html.parser").svg
    assert picture["aria-label"].startswith(f"3 of {len(FIXES)} do all they must: {', '.join(RIGHT)}")
    signs = [text.text for text in picture.find_all("text") if text.text in ("✓", "✗", "?")]
    assert len(signs) == len(FIXES) * (len(MUST) + 2)
    assert "+112" in [text.text for text in picture.find_all("text")]


def test_the_answer_in_a_paragraph():
    words = BeautifulSoup(decision_figures.summary(), "html.parser")
    assert [vote.text for vote in words.find_all("b")] == ["quick hack and macro"]
    assert "until v5.14" in words.text
    assert len(words.find_all("p")) == 1
