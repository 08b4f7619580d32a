"""run(): notebooks to their end, whatever they do, and the pages and tables they leave."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mmmodel import data
from mmmodel.report import page as report
from mmmodel.report.run import UsageError, run

PARAMETERS = "arch = 's390'\nswap: bool = True\npatches: list[str] = []\nsteps: int | None = None\ndepth = 1 + 1"
CLAIM = "from mmmodel.claims import claim\n"
STUCK = "import os; open('pid', 'w').write(str(os.getpid()))\nwhile True: pass"
FIGURE = """
import matplotlib.pyplot as plt
from IPython.display import HTML, display
figure, axes = plt.subplots()
display(figure, metadata={"image/png": {"alt": 'A "curve" <going> up'}})
plt.close()
display(HTML('<img src="https://example.org/x.png" alt="far away"> <script src="//example.org/x"></script>'))
"""
SUMMARY = """
from mmmodel.claims import claim
claim("M09", True)
HTML('<p>The <em>answer</em>, in <a href="good.ipynb">good</a>. <script>1</script></p>')
"""


def notebook(path, *code):
    title = f"# The title\n\n**Why** is `{path.stem}` here? See [the next](next.ipynb#there).\n\nMore prose."
    first = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell(title), first, *(new_code_cell(source) for source in code)]
    for cell in cells:
        if cell.source == SUMMARY:
            cell.metadata.tags = ["summary"]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def alive(pid):
    """Whether a process runs; a killed one takes a moment to go."""
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("{notebooks}")  # papermill would take this for a format string


@pytest.fixture(scope="module")
def out(folder, tmp_path_factory):
    return tmp_path_factory.mktemp("report") / "new"


@pytest.fixture(scope="module")
def found(folder, out):
    notebooks = [
        notebook(folder / "good.ipynb", "print('on', arch)", CLAIM + "claim('M09', True, '<script>how</script>')"),
        notebook(folder / "bad.ipynb", "print('before')", "1 / 0", "print('after')"),
        notebook(folder / "liar.ipynb", CLAIM + "claim('M09', True)\nclaim('M10', False, 'by decree')"),
        notebook(folder / "dead.ipynb", "print('before')", "import os; os._exit(1)"),
        notebook(folder / "seen.ipynb", FIGURE, "import ipywidgets; ipywidgets.HTML('widget')", SUMMARY),
    ]
    return run(notebooks, out, {"arch": "x86"})


def failure(found, name):
    """The first one of a notebook: its cause."""
    return next(failure for failure in found.failures if failure.notebook == name)


def page(out, name):
    return BeautifulSoup((out / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def test_everything_is_written(found, out):
    names = ["bad", "dead", "good", "liar", "seen"]
    pages = [f"{name}{suffix}" for name in names for suffix in (".html", ".ipynb")]
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*pages, "claims.csv", "claims.html", "index.html", "run.json"]
    )
    for path in out.glob("*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))
    assert not found.ok
    assert found.index == out / "index.html"
    assert {failure.notebook for failure in found.failures} == {"bad", "dead", "liar"}


def test_parameters_reach_the_notebook_and_the_page(found, out):
    assert "on x86" in page(out, "good").text
    header = page(out, "good").header.text
    assert "arch = 'x86' (set for this run), swap = True, patches = [], steps = None" in " ".join(header.split())


def test_claims_are_collected(found, out):
    with (out / "claims.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [(row["id"], row["holds"], row["notebook"], row["cell"]) for row in table] == [
        ("M09", "True", "good", "3"),
        ("M09", "True", "liar", "2"),
        ("M10", "False", "liar", "2"),
        ("M09", "True", "seen", "4"),
    ]
    assert table[0]["how"] == "<script>how</script>"
    assert table[0]["said_by"] == "report"
    assert [claim["id"] for claim in found.claims] == ["M09", "M09", "M10", "M09"]


def test_a_failing_cell_is_named_and_the_rest_kept(found, out):
    assert str(failure(found, "bad")) == "bad, cell 3: ZeroDivisionError: division by zero"
    assert "before" in page(out, "bad").text
    assert not json.loads((out / "bad.ipynb").read_text())["cells"][-1]["outputs"]


def test_a_false_claim_is_named(found):
    liar = failure(found, "liar")
    assert (liar.cell, liar.claim) == (2, "M10")
    assert str(liar).startswith("liar, cell 2: M10 does not hold: ")
    assert str(liar).endswith("(by decree)")


def test_a_stuck_cell_is_ended_with_its_kernel(tmp_path):
    stuck = notebook(tmp_path / "stuck.ipynb", "print('before')", STUCK, "print('after')")
    quick, out = notebook(tmp_path / "quick.ipynb"), tmp_path / "out"
    found = run([stuck, quick], out, {}, execution_timeout=3, jobs=1)
    assert str(failure(found, "stuck")).startswith("stuck, cell 3: A cell timed out")
    assert "before" in page(out, "stuck").text
    assert "✗ timed out" in page(out, "index").text
    assert (out / "quick.html").exists()
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_dead_kernel_is_a_failure(found, out):
    assert str(failure(found, "dead")) == "dead, cell 3: DeadKernelError: Kernel died"
    assert "before" in page(out, "dead").text


def test_run_json_has_the_circumstances(found, out):
    facts = json.loads((out / "run.json").read_text())
    assert facts["parameters"] == {"arch": "x86"}
    assert facts["versions"]["papermill"]
    status = {notebook["name"]: notebook["status"] for notebook in facts["notebooks"]}
    assert status["good"] == "ok"
    assert status["dead"] == "failed"
    assert all(notebook["seconds"] > 0 for notebook in facts["notebooks"])


def test_pages_load_and_run_nothing(found, out):
    for path in out.glob("*.html"):
        soup = page(out, path.stem)
        assert not soup.select("script, link, iframe, object, embed")
        assert not [image for image in soup.select("[src]") if not image["src"].startswith("data:")]
        assert soup.select_one("meta[http-equiv=Content-Security-Policy]")["content"].startswith("default-src 'none'")
        assert "<script" not in path.read_text(encoding="utf-8")


def test_alternative_text_survives(found, out):
    assert [image["alt"] for image in page(out, "seen").select("img")] == ['A "curve" <going> up']
    assert "[far away]" in page(out, "seen").text


def test_widgets_leave_no_trace(found, out):
    assert "HTML(value=" not in page(out, "seen").main.text
    assert not page(out, "seen").select_one("#cell-3 .output")


def test_links_and_anchors(found, out):
    assert page(out, "good").select_one("#claim-M09")
    assert page(out, "good").select_one("main a:-soup-contains('the next')")["href"] == "next.html#there"
    index = page(out, "index")
    links = [link["href"] for link in index.select("a")]
    assert {"good.html", "good.html#claim-M09", "liar.html#claim-M10", "bad.html#cell-3"} <= set(links)
    assert all(page(out, link.split(".html")[0]).select_one("#" + link.split("#")[1]) for link in links if "#" in link)


def test_the_index_says_it_all(found, out):
    index = page(out, "index")
    text = " ".join(index.text.split())
    assert index.em.text == "answer"
    assert index.em.parent.a["href"] == "good.html"
    assert index.select_one("main > p").text.startswith("The answer")
    assert "Why is good here? See the next." in text
    assert "✓ ok" in text
    assert "✗ failed" in text
    assert index.select_one("#M10 .bad").text == "✗ does not hold"
    assert index.select_one("#M01").text.startswith("M01? open")


def test_the_ledger_tells_what_became_of_each_claim(found, out):
    ledger = page(out, "claims")
    rows = {row["id"]: " ".join(row.get_text(" ").split()) for row in ledger.select("tr[id]")}
    assert set(rows) == {row["id"] for row in data.rows("claims")}
    assert "✓ corrected good liar seen Exactly four" in rows["M09"]
    assert "said: Only s390 and sh" in rows["M09"]
    assert "<script>how</script>" in rows["M09"]
    assert "✗ does not hold liar" in rows["M10"]
    assert rows["Q1"].startswith("Q1 ? open Because")
    assert "1\xa0×\xa0✗ does not hold" in ledger.main.p.text


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
    assert [link["href"] for link in page(out, "index").select("a")] == ["claims.html"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    report.write(path, "old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        report.write(path, "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("file", "old")]
