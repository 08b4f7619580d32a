"""The reader's copy of the notebooks: kept, brought up to date, never written over."""

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import mmmodel as mm
from mmmodel.cli import main
from mmmodel.data import notebooks_dir
from mmmodel.report.notebooks import with_words
from mmmodel.show.glossary import HOME


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_data_path", lambda name, **_: tmp_path / "share" / name)
    return tmp_path / "share/mmmodel"


@pytest.fixture
def lab(home, monkeypatch):
    """Run the command as far as JupyterLab's own: its result, and what would be started."""
    monkeypatch.setenv("JUPYTER_PATH", "before")

    def lab(*options):
        started = []
        monkeypatch.setattr(os, "execv", lambda program, command: started.extend(command))
        return CliRunner().invoke(main, ["lab", *options]), started

    return lab


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Notebooks of ours that a test may change."""
    folder = tmp_path / "ours"
    folder.mkdir()
    for name in ("01-a", "02-b"):
        (folder / f"{name}.ipynb").write_text(f"{name}, first edition")
    monkeypatch.setattr("mmmodel.report.notebooks.notebooks_dir", lambda: folder)
    return folder


@pytest.mark.slow
def test_a_copy_is_served_and_it_says_where(lab, home):
    result, started = lab("--", "--port=1")
    assert result.exit_code == 0, result.output
    assert str(home / "notebooks") in result.stdout
    assert started[1:4] == ["-P", "-m", "jupyterlab"]
    assert f"--notebook-dir={home / 'notebooks'}" in started
    assert "--port=1" in started
    names = {path.name: path.read_text(encoding="utf-8") for path in (home / "notebooks").glob("*.ipynb")}
    assert names == {path.name: with_words(path) for path in notebooks_dir().glob("*.ipynb")}
    assert all(HOME in text for text in names.values())


def test_authors_open_the_notebooks_themselves(lab, home):
    assert f"--notebook-dir={notebooks_dir()}" in lab("--in-place")[1]
    assert not (home / "notebooks").exists()


def test_a_folder_of_the_readers_choice(lab, home):
    folders = [option for option in lab("--", "--notebook-dir=here")[1] if option.startswith("--notebook-dir")]
    assert folders == ["--notebook-dir=here"]
    assert not (home / "notebooks").exists()


def test_what_the_reader_changed_is_kept(lab, home, source):
    lab()
    mine = home / "notebooks/01-a.ipynb"
    mine.write_text("mine")
    assert "note:" not in lab()[0].stderr
    for path in source.iterdir():
        path.write_text("second edition")
    result, _ = lab()
    assert "note: 01-a is as you changed it; ours is newer" in result.stderr
    assert "02-b" not in result.stderr
    assert mine.read_text() == "mine"
    assert (home / "notebooks/02-b.ipynb").read_text() == "second edition"
    mine.unlink()
    assert "note:" not in lab()[0].stderr
    assert mine.read_text() == "second edition"


def test_a_copy_that_cannot_be_made(lab, home):
    home.parent.mkdir(parents=True)
    home.write_text("a file")
    for option in ([], ["--in-place"]):
        result, started = lab(*option)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
        assert str(home) in result.stderr
        assert not started


@pytest.mark.slow
def test_the_kernel_of_the_lab_is_this_interpreter(lab, home):
    lab()
    (spec,) = home.glob("jupyter/*/kernels/python3/kernel.json")
    assert os.environ["JUPYTER_PATH"].split(os.pathsep) == [str(spec.parents[2]), "before"]
    assert json.loads(spec.read_text())["argv"][0] == sys.executable
    assert json.loads(spec.read_text())["argv"][-3] == str(Path(mm.__file__).with_name("report") / "environment.py")
