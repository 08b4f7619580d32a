"""Verdicts kept for runs and meetings: where that is asked for, and only what does not depend on the reader."""

import os

import pandas as pd
import pytest

import mmmodel as mm
from mmmodel.study import blast, costs, kept, matrix


class Mine(mm.Patch):
    """Nothing."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(kept.FOLDER, str(tmp_path))
    return tmp_path


@pytest.fixture
def worked_out(monkeypatch):
    """Which scenarios were worked out."""
    found, work = [], matrix.verdicts
    monkeypatch.setattr(matrix, "verdicts", lambda group, scenario: found.append(scenario) or work(group, scenario))
    return found


def table(*patches, scenario="map-read-unmap"):
    return mm.matrix(["s390"], ["v4.6", "v4.7"], patches=patches or ((),), scenarios=[scenario])


def test_a_table_is_the_same_and_worked_out_once(folder, worked_out):
    first, again = table(), table()
    pd.testing.assert_frame_equal(first, again)
    assert worked_out == ["map-read-unmap"]
    table("q4")
    assert len(worked_out) == len(list(folder.iterdir())) == 2


def test_what_a_reader_defined_is_always_worked_out(folder, worked_out):
    @mm.scenario("kept-for-nobody")
    def mine(k):
        yield "nothing"

    for _ in range(2):
        table(Mine)
        table(scenario="kept-for-nobody")
    blast.behaviour((("q4",),), scenarios=("kept-for-nobody",))
    assert len(worked_out) == 4
    assert not list(folder.iterdir())


@pytest.mark.parametrize("text", ["", "[", "5", '"text"', "\udcff"])
def test_what_is_damaged_is_worked_out_again(folder, worked_out, text):
    first = table()
    for file in folder.iterdir():
        file.write_text(text, encoding="utf-8", errors="surrogateescape")
    pd.testing.assert_frame_equal(first, table())
    assert len(worked_out) == 2


def test_nothing_is_kept_unless_it_is_asked_for(worked_out, monkeypatch):
    monkeypatch.delenv(kept.FOLDER, raising=False)
    table(), table()
    assert len(worked_out) == 2


def test_another_model_has_other_verdicts(monkeypatch, tmp_path):
    before = kept.this_model()
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "memory.py").write_text("")
    monkeypatch.setattr(kept, "PACKAGE", tmp_path)
    assert kept.this_model() != before


def test_a_run_leaves_its_verdicts_to_meetings(folder, worked_out, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    first = table()
    kept.leave(folder)
    monkeypatch.setenv(kept.FOLDER, str(kept.cache()))
    pd.testing.assert_frame_equal(first, table())
    assert len(worked_out) == 1


def test_models_of_long_ago_are_forgotten(folder, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    before = [kept.cache().with_name(f"model{number}") for number in range(kept.MODELS)]
    for age, model in enumerate(before):
        model.mkdir(parents=True)
        os.utime(model, (age, age))
    table()
    kept.leave(folder)
    assert {*kept.cache().parent.iterdir()} == {kept.cache(), *before[1:]}


def test_where_nothing_can_be_written_nothing_is_lost(folder, worked_out, monkeypatch):
    monkeypatch.setenv(kept.FOLDER, str(folder / "file" / "below"))
    (folder / "file").write_text("")
    assert len(table()) == 4


def test_counts_and_effects_are_kept_too(folder, monkeypatch):
    few = {"stacks": (("q4",),), "scenarios": ("map-read-unmap",)}
    found = costs.calls(mm.Build("v4.6"), costs.CYCLES, 2), blast.behaviour(**few)
    assert {file.name.partition(".")[0] for file in folder.iterdir()} == {"unmap_huge_zero-2", "effects-map-read-unmap"}
    for room, work, known in ((costs, "_counted", costs._count), (blast, "_seen_by", blast.behaviour)):
        monkeypatch.setattr(room, work, lambda *_: pytest.fail("worked out again"))
        known.cache_clear()
    assert (costs.calls(mm.Build("v4.6"), costs.CYCLES, 2), blast.behaviour(**few)) == found
