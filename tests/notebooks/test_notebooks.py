"""Notebooks: committed clean, short cells, and true for every parameter."""

import ast
import json
import re
from functools import cache
from statistics import median, quantiles

import nbformat
import pytest
from bs4 import BeautifulSoup, SoupStrainer
from nbconvert.preprocessors import ExecutePreprocessor
from nbformat.v4 import new_code_cell, new_notebook
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

import mmmodel as mm
from mmmodel.data import notebooks_dir
from mmmodel.kernel.arches import OWN_GATHER
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS
from mmmodel.report.page import WIDGET, headline, parameters_of

NOTEBOOKS = sorted(notebooks_dir().glob("*.ipynb"))
PARAMETERS = {"version": "v4.6", "arch": "s390", "swap": True, "patches": []}
# Each version, own gather, patch; SWAP on and off; with and without huge pages. All: benchmarks/notebooks.py.
COVERING = {
    "default": {},
    "hack": {"patches": ["quick-hack"]},
    "fixed-noswap": {"version": "v4.7", "swap": False, "patches": ["q4", "reaper-per-vma"]},
    "guard": {"arch": "arm", "patches": ["q1-guard"]},
    "before": {"arch": "ia64", "version": "v4.5", "swap": False, "patches": ["q3"]},
    "no-huge-pages": {"arch": "um", "version": "v5.14", "swap": False, "patches": ["q2"]},
    "shortcut": {"version": "v4.9", "patches": ["nr1-shortcut"]},
    "guarded-shortcut": {"arch": "sh", "version": "v5.2", "patches": ["nr1-shortcut-guarded"]},
    "page-refcount": {"arch": "arm64", "patches": ["page-refcount"]},
    "undone": {"arch": "x86", "patches": ["revert"]},
    "two-patches": {"version": "v5.13", "swap": False, "patches": ["swapn-macro", "pfn-lock", "mm-flag-acquire"]},
    "no-release": {"arch": "powerpc", "version": "v6.1", "patches": ["pfn-lock-relaxed"]},
    "today": {"arch": "x86", "version": "v6.1.184", "patches": ["q1-guard-put-page"]},
}


def named(path):
    return path.stem


def test_the_covering_set_covers():
    builds = [mm.Build(**parameters) for parameters in COVERING.values()]
    assert {build.version for build in builds} == set(VERSIONS)
    assert {build.arch for build in builds} >= {*OWN_GATHER, "x86"}
    assert {build.swap for build in builds} == {True, False}
    assert {patch for build in builds for patch in build.patches} == set(PATCHES)


@pytest.fixture(params=NOTEBOOKS, ids=named)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_committed_clean(path):
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    nbformat.validate(notebook)
    assert text == json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    for cell in notebook["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)
        assert not re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4})*", cell["id"]), "an id a reader can say"


def test_one_cell_of_parameters(notebook):
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    more = {"tree": ""} if "mm.audit(" in "".join(cell.source for cell in notebook.cells) else {}
    assert parameters_of(notebook.cells) == PARAMETERS | more


def test_opens_with_its_question_and_its_time(notebook):
    title, question = headline(notebook.cells)
    assert title
    assert question.endswith("?")
    assert "*Time: " in notebook.cells[0].source


def test_a_cell_is_a_handful_of_lines(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
    assert median(lengths) <= 4
    assert quantiles(lengths, n=10)[-1] <= 12
    assert max(lengths) <= 25


def test_a_line_fits_on_the_page(notebook):
    lines = [line for cell in code_cells(notebook) for line in cell.source.splitlines()]
    assert [line for line in lines if len(line) > 88] == []


def test_two_lines_of_imports_are_enough(notebook):
    trees = [ast.parse(cell.source) for cell in code_cells(notebook)]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert ast.unparse(nodes[0]) == "import mmmodel as mm"
    assert [node.module for node in nodes[1:]] in ([], ["mmmodel"])


def test_offers_toggles_and_exercises(notebook):
    source = "\n".join(cell.source for cell in notebook.cells)
    assert "mm.explorer(" in source
    assert "# Exercises" in source
    assert "mm.answer(" in source or "mm.try_patch(" in source
    assert len(re.findall(r'"\d\d\.[a-z]"', source)) >= 3
    assert not any(word in source for word in ("interact(", "interactive(", "Output("))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_ends_with_what_one_can_do_now_and_what_is_next(path):
    last = nbformat.read(path, as_version=4).cells[-1]
    assert last.id == "your-next-step"
    assert last.source.startswith("## What you can do now\n\nYou can ")
    links = re.findall(r"\]\((\d\d-[\w-]+\.ipynb)\)", last.source.split("**Next:**")[1])
    assert links
    assert {*links} <= {path.name for path in NOTEBOOKS} | {"11-aftermath.ipynb"}


REMEMBER = "from benchmarks.notebooks import remember\nremember()\n__import__('gc').set_threshold(1_000_000, 20, 100)"
"""What does not depend on the parameters is the same in every run of a notebook: it is worked out once."""
FORGET = """import comm, ipywidgets
ipywidgets.Widget.close_all()
comm.create_comm = comm.DummyComm  # nobody listens to widgets: the first run has told them
%reset -f
__import__('gc').freeze()"""


@pytest.fixture
def kernel(monkeypatch):
    """A client with one kernel, for all runs of a notebook."""
    monkeypatch.setenv("PYTHONPATH", str(notebooks_dir().parent))
    client = ExecutePreprocessor(timeout=120, startup_timeout=60, kernel_name="python3")
    client.resources = {"metadata": {"path": str(notebooks_dir())}}
    client.nb = new_notebook(cells=[new_code_cell(REMEMBER)])
    with client.setup_kernel():
        client.execute_cell(client.nb.cells[0], 0)
        yield client


@pytest.mark.slow
@pytest.mark.usefixtures("found_before")
@pytest.mark.parametrize("path", NOTEBOOKS[::-1], ids=named)
def test_runs_and_stays_true(path, kernel):
    """For each build of the covering set. The first run is on a fresh kernel; the others find what is cached there."""
    for name, parameters in COVERING.items():
        try:
            stays_true(path, parameters, kernel)
        except Exception as error:
            error.add_note(f"{path.stem}, {name}: {parameters}")
            raise


def stays_true(path, parameters, kernel):
    """Run a notebook, with papermill's parameters; then forget its variables and close its widgets."""
    done = kernel.nb = parameterize_notebook(load_notebook_node(str(path)), parameters)
    done.cells.append(new_code_cell(FORGET))
    kernel.reset_execution_trackers()
    for index, cell in enumerate(done.cells):
        kernel.execute_cell(cell, index)
    for cell in code_cells(done):
        kinds = [list(output.get("data", ())) for output in cell.outputs]
        assert all(output.output_type != "error" for output in cell.outputs)
        assert not [output.text for output in cell.outputs if output.get("name") == "stderr"]
        live = [i for i, kind in enumerate(kinds) if WIDGET in kind]
        assert all("text/html" in kinds[i - 1] for i in live if i), "a static copy comes before each widget"
        assert 0 not in live
        assert all(says_its_message(output.get("data", {}).get("text/html", "")) for output in cell.outputs)


@cache
def says_its_message(page):
    """Each figure of an output. Many outputs are the same in each run."""
    pictures = BeautifulSoup(page, "html.parser", parse_only=SoupStrainer(["svg", "img"]))
    return all(of["aria-label" if of.name == "svg" else "alt"].strip() for of in pictures.find_all(["svg", "img"]))
