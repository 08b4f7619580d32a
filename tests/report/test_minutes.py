"""The minutes: what they take, what a reader of them can be made to believe, and that they go on where they ended."""

import json

import mistune
import pytest

from mmmodel.report.minutes import COLUMNS, LONG, Minutes
from mmmodel.report.notebooks import UsageError

HOSTILE = "<script>alert(1)</script> **[x](javascript:1)** | \x1b[31m\r\n# not a heading\n- no item `x` &amp; ~~y~~"


@pytest.fixture
def minutes(tmp_path):
    return Minutes(tmp_path / "minutes.json")


def test_what_was_added_is_there_when_they_are_opened_again(minutes):
    assert not minutes.path.exists(), "nothing was said yet"
    minutes.add(
        "shown", {"state": "version=v4.7&arch=s390&swap=n&patches=", "said": "does not hold in 9 of 12 scenarios"}
    )
    minutes.add("notes", {"said": "who has SWAP=n?", "state": ""})
    minutes.add("votes", {"name": "Ann", "fix": "question 4", "vote": "for"})
    minutes.add("decision", {"said": "question 4"})
    again = Minutes(minutes.path)
    assert again.entries == minutes.entries
    again.add("notes", {"said": "more"})
    assert [note["said"] for note in json.loads(minutes.path.read_text())["notes"]] == ["who has SWAP=n?", "more"]
    assert list(minutes.path.parent.iterdir()) == [minutes.path]


def test_a_vote_can_be_changed_and_a_state_is_noted_once(minutes):
    for vote in ("for", "against"):
        minutes.add("votes", {"name": "Ann", "fix": "question 4", "vote": vote})
    minutes.add("votes", {"name": "Bob", "fix": "question 4", "vote": "for"})
    minutes.add("votes", {"name": "Ann", "fix": "question 3", "vote": "abstain"})
    assert "question 4: 1 for (Bob); 1 against (Ann)\n" in minutes.mail()
    for state in ("a", "a", "b", "a"):
        minutes.add("shown", {"state": state, "said": ""})
    assert [entry["state"] for entry in minutes.entries["shown"]] == ["a", "b", "a"]
    for words in ("yes", "no"):
        minutes.add("decision", {"said": words})
    assert [entry["said"] for entry in minutes.entries["decision"]] == ["no"]


@pytest.mark.parametrize(
    ("kind", "words", "why"),
    [
        ("note", {}, "unknown kind of entry 'note' (did you mean notes?); allowed: shown, notes, votes, decision"),
        ("notes", {"said": " \n"}, "notes: said is empty"),
        ("votes", {"name": "Ann", "vote": "yes"}, "unknown vote 'yes'; allowed: for, against, abstain"),
        ("notes", {"said": 3}, "said must be text"),
        ("notes", {"said": "x" * (LONG + 1)}, "of at most"),
    ],
)
def test_what_is_no_entry(minutes, kind, words, why):
    with pytest.raises(ValueError, match=why.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")):
        minutes.add(kind, words)
    assert not minutes.path.exists()


@pytest.mark.parametrize("text", ["", "[]", '{"cells": []}', '{"notes": [{"said": 3, "at": ""}]}', '{"notes": [{}]}'])
def test_a_file_that_holds_something_else_is_left_alone(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="holds no minutes"):
        Minutes(path)
    assert path.read_text() == text


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        Minutes(tmp_path / "nowhere" / "minutes.json")


def test_what_was_typed_stays_text(minutes):
    for kind in ("notes", "decision"):
        minutes.add(kind, {"said": HOSTILE})
    minutes.add("votes", {"name": HOSTILE[:60], "fix": HOSTILE[:60], "vote": "for"})
    minutes.add("shown", {"state": "patches=<b>_x_</b>", "said": HOSTILE})
    html = mistune.create_markdown(escape=False, plugins=["strikethrough", "table", "url"])(minutes.markdown())
    assert "<script" not in html
    assert not {tag for tag in ("<a ", "<strong>", "<em>", "<b>", "<code>", "<s>", "<table>") if tag in html}
    assert html.count("<h1>") == 1
    assert html.count("<h2>") == 4
    assert html.count("&lt;script&gt;") == 5
    assert "\x1b" not in minutes.markdown() + minutes.mail() + minutes.path.read_text()


def test_a_mail_has_72_columns(minutes):
    minutes.add("notes", {"said": "words " * 40 + "a" * 200})
    minutes.add("shown", {"state": "patches=" + "q2+" * 50, "said": "x"})
    assert max(map(len, minutes.mail().splitlines())) == COLUMNS
    assert minutes.mail().startswith("Minutes: 20")
