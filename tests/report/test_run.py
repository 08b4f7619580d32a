"""run(): notebooks to their end, whatever they do, and the pages and tables they leave."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell
from notebooks_to_run import PARAMETERS, STUCK, alive, failure, notebook, page
from papermill.engines import NBClientEngine

from mmmodel.report import page as report
from mmmodel.report.execute import STARTS, _execute
from mmmodel.report.run import UsageError, run

pytestmark = pytest.mark.slow


def test_a_stuck_cell_is_ended_with_its_kernel(tmp_path):
    stuck = notebook(tmp_path / "stuck.ipynb", "print('before')", STUCK, "print('after')")
    quick, out = notebook(tmp_path / "quick.ipynb"), tmp_path / "out"
    found = run([stuck, quick], out, {}, execution_timeout=3, jobs=1)
    assert str(failure(found, "stuck")).startswith("stuck, cell 3: A cell timed out")
    assert "before" in page(out, "stuck").text
    assert "✗ timed out" in page(out, "index").text
    assert (out / "quick.html").exists()
    assert not alive(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"archs": "s390"},
            r"unknown parameter archs of n; did you mean arch\? known: arch, swap, patches, steps",
        ),
        ({"swap": "yes"}, "parameter swap of n must be bool, for example True, not str 'yes'"),
        ({"swap": 1}, "must be bool"),
        ({"arch": True}, "must be str"),
        ({"patches": "q2"}, "must be list"),
    ],
)
def test_wrong_parameters_start_nothing(tmp_path, parameters, message):
    with pytest.raises(UsageError, match=message):
        run([notebook(tmp_path / "n.ipynb")], tmp_path / "out", parameters)
    assert not (tmp_path / "out").exists()


def test_wrong_notebooks_start_nothing(tmp_path):
    path, out = notebook(tmp_path / "n.ipynb"), tmp_path / "out"
    (tmp_path / "text.ipynb").write_text("not a notebook")
    (tmp_path / "file").touch()
    wrong = [
        ([tmp_path / "missing.ipynb"], out, {}, "no notebook .*missing"),
        ([tmp_path / "text.ipynb"], out, {}, "cannot be read as a notebook"),
        ([], out, {}, "no notebooks"),
        ([path, path], out, {}, "would both be"),
        ([path], tmp_path, {}, "would both be"),
        ([path], tmp_path / "file", {}, "not a folder"),
        ([path], out, {"jobs": 0}, "greater than 0"),
        ([path], out, {"execution_timeout": 0}, "greater than 0"),
    ]
    for notebooks, where, options, message in wrong:
        with pytest.raises(UsageError, match=message):
            run(notebooks, where, {}, **options)
    assert not out.exists()


def test_parameters_are_read_whatever_their_annotation():
    cells = [new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    known = {"arch": "s390", "swap": True, "patches": [], "steps": None, "depth": ...}
    assert report.parameters_of(cells) == known
    assert report.parameters_of([]) == {}


def test_a_notebook_has_a_deadline(tmp_path):
    found = run([notebook(tmp_path / "n.ipynb", STUCK)], tmp_path / "out", {}, execution_timeout=60, deadline=4)
    assert str(failure(found, "n")) == "n, cell 2: the deadline passed"
    assert not alive(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_leaves_no_process_and_keeps_what_is_done(tmp_path, number):
    sources = {"a": "1", "b": STUCK, "c": "1"}
    notebooks = [notebook(tmp_path / f"{name}.ipynb", source) for name, source in sources.items()]
    code = "import sys, pathlib, mmmodel.report.run as m; *n, out = map(pathlib.Path, sys.argv[1:]); "
    command = [sys.executable, "-c", code + "m.run(n, out, {}, jobs=1)", *notebooks, out := tmp_path / "out"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, number)
    process.wait(120)  # a busy machine takes its time; run() itself gives up after GRACE
    assert not alive(int((tmp_path / "pid").read_text()))
    assert (out / "a.html").exists()
    if number == signal.SIGINT:
        status = [notebook["status"] for notebook in json.loads((out / "run.json").read_text())["notebooks"]]
        assert status == ["ok", "stopped", "not run"]
        assert (out / "index.html").exists()


def test_an_earlier_result_is_no_result(tmp_path):
    path, out = (
        notebook(tmp_path / "n.ipynb", "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"),
        tmp_path / "out",
    )
    out.mkdir()
    (out / "n.ipynb").write_text("{}")
    found = run([path], out, {})
    assert str(failure(found, "n")) == "n: its process ended without a result"
    assert [link["href"] for link in page(out, "index").select("main a, li a")] == ["claims.html"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    report.write(path, "old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        report.write(path, "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("file", "old")]


@pytest.mark.parametrize(("deaf", "said"), [(STARTS - 1, ""), (STARTS, "RuntimeError: Kernel didn't respond")])
def test_a_kernel_that_does_not_answer_is_started_again(tmp_path, monkeypatch, deaf, said):
    execute, starts = NBClientEngine.execute_managed_notebook, []

    def start(*args, **options):
        starts.append(1)
        if len(starts) <= deaf:
            raise RuntimeError("Kernel didn't respond in 20 seconds")
        execute(*args, **options)

    monkeypatch.setattr(NBClientEngine, "execute_managed_notebook", start)
    timeouts = {"start_timeout": 20, "execution_timeout": 120, "iopub_timeout": 120}
    cells = _execute(notebook(tmp_path / "n.ipynb", "print('it ran')"), {}, timeouts).cells
    executed = str([cell.get("outputs") for cell in cells])
    assert len(starts) == STARTS
    assert ("it ran" in executed) != bool(said)
    assert said.partition(": ")[2] in executed
