"""--patch file.py:Class: a reader's own patch on the command line, in every process, with one line for each error."""

import csv
import subprocess
import sys

import pytest
from click.testing import CliRunner

import mmmodel as mm
from mmmodel.cli import main

FIX = """
import mmmodel as mm

class Fix(mm.Patch):
    def free_page_and_swap_cache(self, page):
        if self.is_huge_zero_page(page):
            self.put_huge_zero_page()
        else:
            super().free_page_and_swap_cache(page)

class Twin(mm.Patch):
    def put_page(self, page):
        super().put_page(page)

class Wrong(mm.Patch):
    def put_page(self):
        pass

def function():
    pass
"""
FILES = {
    "fix.py": FIX,
    "none.py": "x = 1",
    "syntax.py": "import mmmodel as mm\n\nclass Fix(mm.Patch)\n    pass\n",
    "name.py": "x = 1\n\ndef f():\n    return unknown\n\nf()\n",
    "exits.py": "import sys\nsys.exit(3)\n",
    "null.py": "x = 1\0",
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "folder.py").mkdir()
    monkeypatch.chdir(tmp_path)


def run(command):
    return CliRunner().invoke(main, command.split())


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("verdict fork --patch fix.py:Fix", 0),
        ("verdict fork --patch fix.py:Twin", 1),
        ("verdict fork --patch fix.py:Twin --patch q2 --patch fix.py:Fix", 0),
        ("trace fork --patch ./fix.py:Fix", 0),
    ],
)
def test_a_patch_from_a_file(command, status):
    assert run(command).exit_code == status


def test_a_patch_without_effect_is_said():
    result = run("verdict fork --no-swap --patch fix.py:Fix")
    assert result.exit_code == 1
    assert "note: Fix has no effect: include/linux/swap.h has a macro for free_page_and_swap_cache" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fix.py:Fx", "fix.py has no Fx; its patches: Fix, Twin, Wrong"),
        ("fix.py", "fix.py: which class? fix.py:NAME; its patches: Fix, Twin, Wrong"),
        ("none.py:Fix", "none.py has no Fix; its patches: none, derive one from mm.Patch"),
        ("fix.py:function", "a class derived from mm.Patch, not the function function"),
        ("fix.py:Wrong", "Wrong.put_page(self): the kernel calls put_page(page)"),
        ("absent.py:Fix", "cannot read absent.py: No such file"),
        ("folder.py:Fix", "cannot read folder.py: Is a directory"),
        ("syntax.py:Fix", "syntax.py, line 3: SyntaxError: expected ':'"),
        ("name.py:Fix", "name.py, line 4: NameError: name 'unknown' is not defined"),
        ("exits.py:Fix", "exits.py, line 2: SystemExit: 3"),
        ("null.py:Fix", "null.py, line 1: "),
    ],
)
@pytest.mark.parametrize("command", ["verdict fork --patch", "matrix --patch q2+"])
def test_a_file_that_cannot_be_used(command, text, said):
    result = run(f"{command}{' ' * (command[-1] != '+')}{text}")
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_matrix_takes_files_in_all_its_processes():
    options = ["--arch=s390", "--version=v4.6", "--swap", "--scenario=fork", "--format=csv", "--patch=fix.py:Fix"]
    command = [sys.executable, "-m", "mmmodel.cli", "matrix", *options, "--patch=q3+fix.py:Twin"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [(row["patches"], row["broken"]) for row in rows] == [("", rows[0]["broken"]), ("Fix", ""), ("q3+Twin", "")]
    assert result.returncode == 1


@pytest.mark.slow
def test_the_workers_of_a_pool_that_was_not_forked_know_them_too():
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from mmmodel.cli.patch_files import load, stack

    own = stack("fix.py:Twin+fix.py:Fix")
    with ProcessPoolExecutor(1, get_context("spawn"), load, (["fix.py:Fix"],)) as pool:
        table = mm.matrix(["s390"], ["v4.6"], patches=[own], scenarios=["fork"], executor=pool)
    assert table.equals(mm.matrix(["s390"], ["v4.6"], patches=[own], scenarios=["fork"]))


@pytest.mark.parametrize("command", ["run", "meeting"])
def test_a_notebook_takes_names_only(command):
    result = run(f"{command} --patch fix.py:Fix")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "Error: a notebook takes patches by name, and Fix is from a file: mmmodel verdict takes it"
    ]


def test_a_file_that_was_changed_is_read_again(tmp_path):
    assert run("verdict fork --patch fix.py:Fix").exit_code == 0
    (tmp_path / "fix.py").write_text(FIX.replace("self.put_huge_zero_page()", "self.put_page(page)"), encoding="utf-8")
    assert run("verdict fork --patch fix.py:Fix").exit_code == 1
