"""Predictions: the right option is found by running the model, is one of them, and shows only after a choice."""

import pytest
from bs4 import BeautifulSoup

import mmmodel as mm
from mmmodel.learn.asked import PREDICTION, points, texts
from mmmodel.learn.predictions import RIGHT, option
from mmmodel.show import stepper


@pytest.fixture
def shown(monkeypatch):
    """What would be displayed: the static copy, the widget."""
    found = []
    monkeypatch.setattr(stepper, "display", found.append)
    return found


ANSWERS = {
    "00": ["HZR 2, PC 1", "HZR 3, PC 0", "it is free"], "01": ["HZR 9, PC -7", "1", "some"],
    "02": ["HZR", "it goes down by one", "right"], "03": ["no", "4", "nearly 10,000"],
    "04": ["after all CPUs", "on s390 and arm64", "3"], "05": ["2", "it ran to the end, and zeroes", "all"],
    "06": ["a handful", "neither", "when the pin is put"], "07": ["16385", "6", "all"],
    "08": ["more than ten times", "their counter", "no"], "09": ["it repairs", "no drain", "none"],
    "10": ["3", "all", "the page's own count"],
    "11": ["it gets worse", "v5.13", "on arm64 alone", "1"],
    "12": ["no-bug", "4", "right in every"],
}  # fmt: skip


def test_three_in_each_notebook_and_each_has_its_words():
    ids = {f"{number}.{letter}" for number, answers in ANSWERS.items() for letter in "abcd"[: len(answers)]}
    assert ids == RIGHT.keys() == texts(PREDICTION).keys()


def test_every_question_has_options_of_which_one_is_meant():
    for id, (question, listed, *why) in texts(PREDICTION).items():
        options = points(listed)
        assert question.endswith("?"), id
        assert len(set(options)) == len(options) >= 2
        assert why, id


@pytest.mark.slow
@pytest.mark.parametrize("number", [number for number in ANSWERS if number != "10"])
def test_the_model_finds_the_answer(number):
    for letter, begins in zip("abcd", ANSWERS[number], strict=False):
        options = points(texts(PREDICTION)[f"{number}.{letter}"][1])
        assert option(options, RIGHT[f"{number}.{letter}"]()).startswith(begins)


@pytest.mark.slow
@pytest.mark.usefixtures("found_before")
def test_the_model_finds_the_answers_of_the_decision():
    options = points(texts(PREDICTION)["10.a"][1])
    assert [option(options, RIGHT["10.a"]()), RIGHT["10.b"](), RIGHT["10.c"]()] == ANSWERS["10"]


def test_the_answer_comes_with_a_choice_and_says_whether_it_was_right(shown):
    mm.predict("00.b")
    static, box = shown
    page = BeautifulSoup(static, "html.parser")
    assert page.details.b.text == "HZR 3, PC 0"
    assert [item.text for item in page.ul.find_all("li")] == points(texts(PREDICTION)["00.b"][1])
    ask, *buttons, below, _ = box.children
    assert "Say first" in ask.value
    assert [button.description for button in buttons] == points(texts(PREDICTION)["00.b"][1])
    assert "too many" not in below.value
    buttons[0].click()
    assert "✗ no" in below.value
    assert "It is: HZR 3, PC 0." in below.value
    buttons[1].click()
    assert "✓ right" in below.value
    assert "One too many in HZR" in below.value


def test_a_prediction_that_does_not_exist_is_refused():
    with pytest.raises(mm.BuildError, match="unknown prediction '00\\.z'"):
        mm.predict("00.z")


def test_several_questions_are_behind_a_fold(shown):
    mm.predict("00.a", "00.b")
    static, box = shown
    page = BeautifulSoup(static.data if hasattr(static, "data") else static, "html.parser")
    assert page.details.summary.text.startswith("Say first: 2 questions")
    assert len(page.details.find_all("ul")) == 2
    folded = box.children[0]
    assert folded.selected_index is None
    assert len(folded.children[0].children) == 2
