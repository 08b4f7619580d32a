"""What was answered is kept in a file of the user's: whole, damaged, shared, or not to be written."""

import json
import subprocess
import sys

import pytest
from refusals import told

import mmmodel as mm
from mmmodel.learn.progress import answered, record, where


def test_what_was_answered_is_there_for_the_next_who_looks(home):
    mm.answer("00.1", "x86")
    mm.answer("00.1", "s390")
    mm.answer("00.1", "arm64")
    mm.answer("01.2", "yes")
    assert home in where().parents
    assert answered() == {"00.1": True, "01.2": False}
    shown = told(mm.progress())
    assert "1 of 49 exercises answered" in shown
    assert "✓ 00.1" in shown
    assert "? 01.2 not yet right" in shown


def test_the_same_again_is_not_written_again():
    for _ in range(3):
        mm.answer("00.1", "x86")
        mm.answer("01.2", "no")
    assert len(where().read_text().split()) == 4


def test_it_is_forgotten_by_one_call():
    mm.answer("00.1", "s390")
    assert "0 of 49" in told(mm.progress(reset=True))
    assert answered() == {}
    assert "0 of 49" in told(mm.progress(reset=True))


GOOD = '["00.1", true]'
DAMAGED = [
    b"",
    b"\0\xff\xfe{",
    b"[[[",
    b'["00.1", tr',
    b'{"00.1": true}',
    b'["00.1"]',
    b'["00.1", 1, 2]',
    b"null",
    b"5",
    b"[7, true]",
]


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("before", [True, False])
def test_a_damaged_file_costs_the_damaged_line_only(damage, before):
    where().parent.mkdir(parents=True)
    where().write_bytes(GOOD.encode() + b"\n" + damage if before else damage)
    assert answered() == ({"00.1": True} if before else {})
    assert "✓ right" in told(mm.answer("01.2", "no"))
    assert answered() == ({"00.1": True} if before else {}) | {"01.2": True}


@pytest.mark.parametrize("obstacle", ["a file where the directory should be", "a directory where the file should be"])
def test_an_answer_counts_where_nothing_can_be_written(obstacle, home):
    if obstacle.startswith("a file"):
        (home / "mmmodel").write_text("")
    else:
        where().mkdir(parents=True)
    text = told(mm.answer("01.2", "no"))
    assert "✓ right" in text
    assert "This is not remembered" in text
    assert "0 of 49" in told(mm.progress())
    assert "0 of 49" in told(mm.progress(reset=True))


WRITE = (
    "import sys; from mmmodel.learn.progress import record; [record(f'{sys.argv[1]}.{n}', True) for n in range(100)]"
)


def test_several_notebooks_at_once_lose_nothing(home):
    runs = [subprocess.Popen([sys.executable, "-c", WRITE, name]) for name in ("a", "b", "c")]
    assert [run.wait() for run in runs] == [0, 0, 0]
    assert answered() == {f"{name}.{n}": True for name in "abc" for n in range(100)}
    assert all(json.loads(line) for line in where().read_text().split("\n") if line)


def test_what_was_right_once_stays_right():
    assert [record("x", right) for right in (False, True, False)] == ["", "", ""]
    assert answered() == {"x": True}
