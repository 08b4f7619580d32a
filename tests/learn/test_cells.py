"""The notebooks: each exercise has its cell, in which nothing is written; no hint and no solution stands there."""

import re

import nbformat
import pytest

from mmmodel.data import notebooks_dir
from mmmodel.learn.asked import EXERCISE, PREDICTION, points, texts
from mmmodel.learn.attempts import ATTEMPTS
from mmmodel.learn.values import VALUES

CELLS = {
    path.stem[:2]: nbformat.read(path, as_version=4).cells
    for path in sorted(notebooks_dir().glob("*.ipynb"))
    if any(id.startswith(path.stem[:2]) for id in texts())
}
SOURCE = {number: "\n".join(cell.source for cell in cells) for number, cells in CELLS.items()}
CODE = {number: [cell.source for cell in cells if cell.cell_type == "code"] for number, cells in CELLS.items()}


def test_every_exercise_has_one_cell_in_which_nothing_was_written():
    found = [line for cells in CODE.values() for cell in cells for line in cell.splitlines()]
    assert [line for line in found if line.startswith("mm.answer")] == [f'mm.answer("{id}", ...)' for id in VALUES]
    assert [line for line in found if line.startswith("mm.try_patch")] == [
        f'mm.try_patch("{id}", ...)' for id in ATTEMPTS
    ]
    assert len(VALUES) + len(ATTEMPTS) == len(texts(EXERCISE)) >= 30


def test_every_prediction_stands_in_its_notebook_in_order():
    for number, cells in CODE.items():
        asked = [id for cell in cells for call in re.findall(r"mm\.predict\((.*)\)", cell) for id in call.split(", ")]
        assert asked == [f'"{id}"' for id in texts(PREDICTION) if id.startswith(number)]
        assert len(asked) >= 3


def test_predictions_come_before_the_exercises_and_exercises_come_last():
    for number, cells in CELLS.items():
        ids = [cell.id for cell in cells]
        first = ids.index("exercises")
        assert not any("mm.predict" in cell.source for cell in cells[first:]), number
        assert all(cell.id.split("-")[0] in ("exercise", "answer", "your", "progress") for cell in cells[first + 1 :])


@pytest.mark.parametrize("id", texts(EXERCISE))
def test_three_hints_and_a_solution_and_none_of_it_in_the_notebook(id):
    hints, *solution = texts(EXERCISE)[id]
    assert len(points(hints)) == 3
    assert solution
    for words in [*points(hints), *(line for text in solution for line in re.split(r"(?<=[.;:]) |\n", text))]:
        if len(words) > 60:
            assert words not in SOURCE[id[:2]], words


@pytest.mark.parametrize("id", texts(PREDICTION))
def test_neither_question_nor_explanation_stands_in_the_notebook(id):
    for words in texts(PREDICTION)[id][2:]:
        assert words not in SOURCE[id[:2]]
    before = SOURCE[id[:2]].split(f'mm.predict("{id}")')[0]
    assert "details" not in before


def test_a_template_is_a_class_that_still_does_what_the_kernel_does():
    for cells in CODE.values():
        for cell in cells:
            if "mm.try_patch" in cell:
                assert re.match(r"class My\w+\(mm.Patch\):\n    \"\"\"", cell)
