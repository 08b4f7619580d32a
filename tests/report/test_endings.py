"""However a run is asked for and however it ends: one line with the cause, and an index of what is there."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_notebook

from mmmodel.cli import main

SLEEP = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"
FULL = "import resource, sys; sys.dont_write_bytecode = True; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"


def notebook(path, *code, **metadata):
    cells = [new_code_cell("arch = 's390'", metadata={"tags": ["parameters"]}), *map(new_code_cell, code)]
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


def command(*arguments):
    return [sys.executable, "-m", "mmmodel.cli", "run", *map(str, arguments)]


def refused(*arguments):
    """The one line on standard error of a run that is refused."""
    result = CliRunner().invoke(main, ["run", *map(str, arguments)])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def stderr_lines(text):
    """Without the progress bar."""
    return [line for line in text.replace("\r", "\n").splitlines() if line.strip() and "notebook" not in line]


# -- what is asked for


@pytest.mark.parametrize("name", ["02", "2", "02-counting-references", "02-counting-references.ipynb"])
def test_a_notebook_has_the_names_it_has_in_a_meeting(name, tmp_path):
    """The parameter is looked for in it: so it was found."""
    assert "unknown parameter nope of 02-counting-references" in refused(name, "-p", "nope", "1", "-o", tmp_path)


def test_a_notebook_that_is_named_twice(tmp_path):
    assert "would both be" in refused("02", "2", "-o", tmp_path)


@pytest.mark.parametrize("name", ["index", "claims"])
def test_a_notebook_with_the_name_of_a_page_of_the_report(name, tmp_path):
    assert f"{name}.ipynb and another file" in refused(notebook(tmp_path / f"{name}.ipynb"), "-o", tmp_path / "out")


@pytest.mark.parametrize("option", ["--debug-vm", "--thp", "--no-thp"])
@pytest.mark.parametrize("name", ["run", "meeting"])
def test_notebooks_have_four_parameters_and_no_other_option(name, option):
    result = CliRunner().invoke(main, [name, option])
    assert result.exit_code == 2
    assert "No such option" in result.stderr
    assert option not in CliRunner().invoke(main, [name, "--help"]).stdout


@pytest.mark.parametrize(
    "options",
    [
        ["--arch", "x86", "-p", "arch", "s390"],
        ["-p", "arch", "s390", "-p", "arch", "x86"],
        ["--no-swap", "-p", "swap", "true"],
        ["--patch", "q2", "-p", "patches", '["q3"]'],
    ],
    ids=" ".join,
)
def test_what_contradicts_itself(options, tmp_path):
    assert "is given twice: " in refused("02", *options, "-o", tmp_path)


WRONG = {
    "99": ('{"nbformat": 99, "nbformat_minor": 0, "metadata": {}, "cells": []}', "its nbformat is 99, not 4"),
    "none": ('{"metadata": {}, "cells": []}', "it has no nbformat"),
    "3": ('{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}', "its nbformat is 3, not 4"),
    "float": ('{"nbformat": 4.0, "nbformat_minor": 5, "metadata": {}, "cells": []}', "its nbformat is 4.0, not 4"),
    "text": ("hello", "Expecting value"),
    "empty": ("", "Expecting value"),
    "truncated": ('{"nbformat": 4, "cells": [{"cell', "Unterminated string"),
    "list": ("[1]", "it has no nbformat"),
    "no cells": ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "'cells' is a required property"),
    "number": ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [5]}', "cells/0"),
    "source": (
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": '
        '[{"cell_type": "markdown", "metadata": {}, "source": 5, "id": "x"}]}',
        "cells/0/source: 5 is not valid",
    ),
    "deep": ("[" * 100_000, "recursion"),
    "binary": (b"\xff\xfe\x00", "can't decode"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_notebook(case, tmp_path):
    content, cause = WRONG[case]
    path = tmp_path / "wrong.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    line = refused(path, "-o", tmp_path / "out")
    assert f"{path} cannot be read as a notebook" in line
    assert cause in line
    assert not (tmp_path / "out").exists()
    result = CliRunner().invoke(main, ["meeting", str(path)])
    assert (result.exit_code, result.stderr) == (2, f"{line}\n")


# -- where it is written


@pytest.mark.parametrize("where", ["file", "file/below", "/proc/nowhere", "/dev/null"])
def test_a_report_that_has_no_place(where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert f"{where} is not a folder" in refused(notebook(tmp_path / "n.ipynb"), "-o", where)


@pytest.mark.parametrize("option", ["--junit", "--summary"])
@pytest.mark.parametrize(
    ("where", "cause"), [("/dev/null", "is not a file"), (".", "is not a file"), ("file/x", "cannot be written")]
)
def test_a_file_that_has_no_place(option, where, cause, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    line = refused(notebook(tmp_path / "n.ipynb"), "-o", "out", option, where)
    assert where in line
    assert cause in line


@pytest.mark.parametrize(
    "options",
    [
        ["--junit", "other.ipynb"],
        ["--summary", "n.ipynb"],
        ["--summary", "link"],
        *(["--junit", f"out/{name}"] for name in ("index.html", "run.json", "claims.csv", "claims.html", "n.html")),
        ["--junit", "same", "--summary", "out/../same"],
    ],
    ids=" ".join,
)
def test_a_file_that_would_take_the_place_of_another(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = notebook(tmp_path / "n.ipynb")
    (tmp_path / "link").symlink_to(path)
    before = path.read_bytes()
    assert "it would be written over" in refused(path, "-o", "out", *options)
    assert path.read_bytes() == before
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_full_disk(tmp_path):
    """A limit on the size of files, to any process that the run starts."""
    limited = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))  # noqa: E731
    path, out = notebook(tmp_path / "n.ipynb"), tmp_path / "out"
    done = subprocess.run(command(path, "-o", out), preexec_fn=limited, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert stderr_lines(done.stderr) == [f"Error: {out}/claims.html cannot be written: File too large"]


@pytest.mark.slow
def test_a_page_that_cannot_be_written_says_why(tmp_path):
    path, out = notebook(tmp_path / "n.ipynb", "print('x' * 500_000)"), tmp_path / "out"
    limited = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))  # noqa: E731
    done = subprocess.run(command(path, "-o", out), preexec_fn=limited, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert stderr_lines(done.stderr) == ["FAILED n: its result could not be written: File too large"]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_endless_output_keeps_its_beginning_and_its_end(tmp_path):
    endless = "import sys\nfor n in range(60_000):\n    print('line', n)\n    n % 9 or print('x', file=sys.stderr)"
    path, out = notebook(tmp_path / "n.ipynb", endless, "print('short')"), tmp_path / "out"
    assert CliRunner().invoke(main, ["run", str(path), "-o", str(out)]).exit_code == 0
    page = (out / "n.html").read_text(encoding="utf-8")
    assert [words in page for words in ("line 0\n", "line 59999\n", "short", "line 30000\n")] == [True] * 3 + [False]
    assert page.count("characters are left out here]") == 1
    assert len(page) < 1_000_000
    assert (out / "n.ipynb").stat().st_size < 1_500_000


# -- one after the other, and two at once


@pytest.mark.slow
def test_the_index_is_of_what_is_there(tmp_path):
    """Of an earlier run only what is not ours stays, and nothing outside the folder is touched."""
    out = tmp_path / "out"
    out.mkdir()
    names = ["old", "../outside", "index"]
    (out / "run.json").write_text(json.dumps({"notebooks": [{"name": name} for name in names]}))
    for path in (out / "old.html", out / "old.ipynb", out / "theirs.html", tmp_path / "outside.html"):
        path.touch()
    done = CliRunner().invoke(main, ["run", str(notebook(tmp_path / "new.ipynb")), "-o", str(out)])
    assert done.exit_code == 0, done.output
    left = sorted(path.name for path in out.iterdir() if path.suffix in (".html", ".ipynb"))
    assert left == ["claims.html", "glossary.html", "index.html", "new.html", "new.ipynb", "theirs.html"]
    assert (tmp_path / "outside.html").exists()
    assert "old.html" not in (out / "index.html").read_text(encoding="utf-8")


def started(path, *options):
    """A run in a process group of its own, as soon as a cell of it waits."""
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command(path, *options), start_new_session=True, **output)
    while not (path.parent / "pid").exists() or not (path.parent / "pid").read_text():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    return process


@pytest.mark.slow
@pytest.mark.parametrize(("number", "group"), [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGTERM, True)])
def test_an_interrupted_run(tmp_path, number, group):
    """While it runs a second one is refused; then it writes down what there is and says what happened to it."""
    path, out, junit = notebook(tmp_path / "n.ipynb", SLEEP), tmp_path / "out", tmp_path / "new/junit.xml"
    process = started(path, "-o", out, "--junit", junit)
    assert "another run is writing into" in refused(notebook(tmp_path / "other.ipynb"), "-o", out)
    assert "has not ended" in (out / "index.html").read_text(encoding="utf-8")
    clock = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - clock < 15
    assert process.returncode == 128 + number
    assert stderr_lines(errors) == [
        "FAILED n, cell 2: the run was interrupted",
        "The run was interrupted; what was done by then is there.",
    ]
    record = json.loads((out / "run.json").read_text())
    assert (record["ok"], record["interrupted"]) == (False, number.name)
    assert record["interpreter"] == sys.executable
    assert f"interrupted by {number.name}" in (out / "index.html").read_text(encoding="utf-8")
    assert ElementTree.parse(junit).find(".//failure").get("message") == "n, cell 2: the run was interrupted"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.slow
def test_a_run_that_is_stopped_before_its_notebook_was_read(tmp_path):
    """At any moment: it says that it was interrupted, and nothing of ours."""
    path, out = notebook(tmp_path / "n.ipynb", SLEEP), tmp_path / "out"
    for seconds in (0.5, 1, 1.5, 2, 2.5, 3):
        process = subprocess.Popen(command(path, "-o", out), stderr=subprocess.PIPE, text=True)
        while not (out / "run.json").exists():
            time.sleep(0.01)
        time.sleep(seconds)
        process.terminate()
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 143
        assert [line for line in stderr_lines(errors) if not line.startswith(("FAILED n", "The run"))] == []
        assert ": the run was interrupted" in errors
        (out / "run.json").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["random", "types", "queue"])
def test_a_file_in_the_current_directory_is_no_module_of_a_run(name, tmp_path):
    (tmp_path / "cwd").mkdir()
    (tmp_path / f"cwd/{name}.py").write_text("raise SystemExit")
    run = [f"{sys.exec_prefix}/bin/mmmodel", "run", str(notebook(tmp_path / "n.ipynb")), "-o", str(tmp_path / "out")]
    done = subprocess.run(run, cwd=tmp_path / "cwd", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_run_without_a_progress_bar(tmp_path, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    run = command(notebook(tmp_path / "n.ipynb"), "-o", tmp_path / "out")
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_killed_run_does_not_pass_and_blocks_nobody(tmp_path):
    path, out = notebook(tmp_path / "n.ipynb", SLEEP), tmp_path / "out"
    process = started(path, "-o", out)
    process.kill()
    process.communicate(timeout=60)
    assert json.loads((out / "run.json").read_text())["ok"] is False
    assert "the run did not come to its end" in (out / "index.html").read_text(encoding="utf-8")
    notebook(path)
    assert CliRunner().invoke(main, ["run", str(path), "-o", str(out)]).exit_code == 0


@pytest.mark.slow
def test_a_hung_cell_costs_its_time_and_little_more(tmp_path):
    path = notebook(tmp_path / "n.ipynb", "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)", SLEEP)
    clock = time.monotonic()
    done = CliRunner().invoke(main, ["run", str(path), "-o", str(tmp_path / "out"), "--timeout", "3"])
    assert time.monotonic() - clock < 25
    assert done.exit_code == 1
    assert "FAILED n, cell 3: A cell timed out" in done.stderr
