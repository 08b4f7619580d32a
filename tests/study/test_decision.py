"""The decision: what each fix does, where, and that every answer can be opened."""

import re
import time

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

from mmmodel.build.composed import Build
from mmmodel.cli import main
from mmmodel.data import rows
from mmmodel.explore.checking import check
from mmmodel.kernel.patches import PATCHES
from mmmodel.show import decision_view as decision_figures
from mmmodel.show import proofs as show_proofs
from mmmodel.show import two_fixes
from mmmodel.study import decision
from mmmodel.study.at_a_glance import command
from mmmodel.study.decision import FIXES, MUST, QUESTIONS, answers
from mmmodel.words import BuildError

pytestmark = pytest.mark.slow

RIGHT = ["question 4", "the page's own count", "quick hack and macro"]


def test_which_fixes_do_all_they_must():
    assert [fix for fix in FIXES if decision.right(fix)] == RIGHT


@pytest.mark.parametrize(
    ("question", "good"),
    [
        ("s390, SWAP on", set(FIXES) - {"nothing", "question 1: a guard"}),
        ("s390, SWAP off", {*RIGHT, "undo the commit"}),
        ("other archs: counters", set(FIXES)),
        ("race closed", set(RIGHT)),
        ("sh, um, ia64: counters", {"the page's own count", "quick hack and macro", "undo the commit"}),
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


def test_who_is_at_risk_from_undoing_the_commit_is_who_loses_the_race():
    found = answers("undo the commit")
    archs = {build.arch for build, _ in found["race closed"].broken}
    assert f"({', '.join(sorted(archs))})" in " ".join(found["at risk"].evidence)


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


# -- from a cell to the runs that break


@pytest.fixture(scope="module")
def proofs():
    return BeautifulSoup(show_proofs.proofs(), "html.parser")


def test_each_cell_has_its_proof_under_a_name_that_stays(proofs):
    assert decision_figures.proof_id("quick hack", "s390, SWAP off") == "proof-quick-hack-s390-swap-off"
    names = [decision_figures.proof_id(fix, question) for fix in FIXES for question in QUESTIONS]
    assert [section["id"] for section in proofs.find_all("section")] == names
    assert len({found["id"] for found in proofs.select("[id]")}) == len(proofs.select("[id]"))


def test_a_proof_names_each_run_that_breaks_and_how_to_repeat_it(proofs):
    for fix in FIXES:
        for question, answer in answers(fix).items():
            told = proofs.find(id=decision_figures.proof_id(fix, question)).text
            assert all(said in told for said in answer.evidence)
            for build, scenario in answer.broken:
                assert f"mm.check({build!r}, {scenario!r}){command(build)} --witness {scenario}" in told
                proof = decision.witnesses()[build, scenario]
                assert re.search(rf"{scenario} on [^:]*\b{build.arch}\b[^:]*: {proof.broken} breaks, ", told)
                assert proof.what in told


def test_the_runs_of_a_cell_are_those_it_counts():
    assert len(answers("quick hack")["s390, SWAP off"].broken) == 14
    assert answers("quick hack")["s390, SWAP off"].words.startswith("14 of")
    for fix in FIXES:
        for answer in answers(fix).values():
            assert bool(answer.broken) == (answer.good is False or answer.words.startswith("? not known"))


def test_a_witness_is_shown_once_and_breaks_what_it_says(proofs):
    tables = [str(table) for table in proofs.find_all("table")]
    assert len(tables) == len(set(tables)) < len(decision.witnesses()) / 4
    assert all(proofs.find(id=link["href"][1:]).table for link in proofs.find_all("a"))
    for run, proof in decision.witnesses().items():
        again = check(*run)
        assert (again.broken, again.what) == (proof.broken, proof.what)
        assert len(again.witness) == proof.steps == proof.rows[-1][1] > 0


def test_a_repeated_command_breaks(proofs):
    line = next(line.text for line in proofs.select("pre") if line.text.startswith("mmmodel "))
    result = CliRunner().invoke(main, line.split()[1:])
    assert result.exit_code == 1, result.output
    assert "broken" in result.output


def test_the_proofs_stay_small():
    assert len(show_proofs.proofs()) < 400_000


def test_a_cell_of_the_table_leads_to_its_runs():
    page = BeautifulSoup(decision_figures.decision_table(), "html.parser")
    links = [link["href"] for link in page.find_all("a")]
    assert all(link["onclick"] for link in page.find_all("a"))
    assert links == [f"#{decision_figures.proof_id(f, q)}" for f in FIXES for q in QUESTIONS if answers(f)[q].broken]


# -- two fixes side by side


def test_verdicts_that_differ_are_those_of_the_table():
    found = decision.differing("quick hack", "quick hack and macro")
    assert set(found.arch) == {"s390"}
    assert not found.swap.any()
    assert (set(found.one), set(found.other)) == ({"broken"}, {"holds"})
    assert set(found.scenario) == {scenario for _, scenario in answers("quick hack")["s390, SWAP off"].broken}
    assert decision.differing("question 4", "question 4").empty


@pytest.mark.parametrize(("one", "other"), [("quick hack", "question 4"), ("nothing", "undo the commit")])
def test_two_fixes_side_by_side(one, other):
    page = BeautifulSoup(two_fixes.side_by_side(one, other), "html.parser")
    rows = [[cell.text for cell in row.find_all("td")] for row in page.tbody.find_all("tr")]
    asked = [name.removesuffix(" (the same)") for name, *_ in rows]
    assert set(asked) == set(QUESTIONS)
    for question, (name, *shown) in zip(asked, rows, strict=True):
        words = [answers(fix)[question].words for fix in (one, other)]
        assert all(word in cell for word, cell in zip(words, shown, strict=True))
        assert name.endswith(" (the same)") == (words[0] == words[1])
    found = decision.differing(one, other)
    assert page.b.text.endswith(f"answers differ, and {len(found)} of 304 verdicts")
    assert all(scenario in page.find_all("ul")[-1].text for scenario in found.scenario)
    assert [repr(Build(patches=FIXES[fix])) in page.text for fix in (one, other)] == [True, True]


def test_a_choice_repaints_at_once(monkeypatch):
    shown = []
    monkeypatch.setattr(two_fixes, "present", lambda static, box: shown.extend([static, box]))
    two_fixes.two_fixes("quick hack", "question 4")
    static, box = shown
    left, right = box.children[0].children
    assert static in box.children[1].value
    answers("undo the commit")
    start = time.process_time()
    right.value = "undo the commit"
    assert time.process_time() - start < 0.3
    assert two_fixes.side_by_side("quick hack", "undo the commit") in box.children[1].value
    assert left.options == right.options == tuple(FIXES)


def test_a_fix_that_does_not_exist():
    with pytest.raises(BuildError, match="quick hack"):
        two_fixes.two_fixes("quick hacks")
