"""Nothing passes in silence: each cell runs and each claim is made, or the run fails and says which was not."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from mmmodel.data import rows
from mmmodel.report.notebooks import promised
from mmmodel.report.run import run
from mmmodel.report.unchecked import unchecked

pytestmark = pytest.mark.slow

MAKE = "import mmmodel as mm\n"
HIDE = "try:\n    mm.claim('M09', False)\nexcept AssertionError:\n    pass"
CODE = {
    "magic": ["%%notmagic\n" + MAKE + "mm.claim('M09', True)\nmm.claim('M10', True)", "1"],
    "line": ["%notmagic\n" + MAKE + "mm.claim('M09', True)"],
    "script": ["%%script false --no-raise-error\n" + MAKE + "mm.claim('M09', True)"],
    "after": ["1 / 0", MAKE, "mm.claim('M09', True)"],
    "ended": [MAKE, "import os; os._exit(0)", "mm.claim('M09', True)"],
    "hidden": [MAKE + HIDE, "from IPython.display import clear_output\nmm.claim('M10', True)\nclear_output()"],
    "branch": [MAKE + "if False:\n    mm.claim('M09', True)", "%%capture\nmm.claim('M10', True)"],
    "twice": [MAKE + "mm.claim('M09', True)", "# mm.claim('M10', True)\nmm.claim('M09', True)"],
    "none": [MAKE + "for id in []:\n    mm.claim(id, True)"],
    "alias": [
        "from mmmodel import claim as check, claims as c\nother = c.claim\nother('M09', True)",
        "if False:\n    check('M10', False)\n    other('M11', False)\n    c.claim('M12', False)",
    ],
    "again": [MAKE + "mm.claim('M09', True)", "if False:\n    mm.claim('M09', False)"],
    "formatted": [MAKE + "mm.claim('M09', True)", "%matplotlib inline\nif False:\n    mm.claim(f'M{2:02}', False)"],
    "timed": [MAKE + "mm.claim('M09', True)", "%%time\nfor id in []:\n    mm.claim(id, False)"],
    "never called": [
        MAKE + "mm.claim('M09', True)",
        "def later(id='M10'):\n    mm.claim(id, False)\n    mm.claim('M11', 1)",
    ],
    "called": [
        MAKE + "def one(id):\n    mm.claim(id, True)\ndef two():\n    mm.claim('A01', True)",
        "%matplotlib inline\none('M09')\ntwo()",
        "%time [mm.claim(f'M{n}', True) for n in (11, 12)]",
        "!true\nmm.claim?",
    ],
    "fine": ["%%time\n" + MAKE + "mm.claim('M09', True)", "%%html\n<b>x</b>", "", "# nothing", "%%capture\n1"],
}
FOUND = {
    "magic": [
        "magic, cell 1: it did not run: UsageError: Cell magic `%%notmagic` not found.",
        "magic, cell 2: it did not run",
        "magic, cell 1: M09 was not checked",
        "magic, cell 1: M10 was not checked",
    ],
    "line": [
        "line, cell 1: it did not run: UsageError: Line magic function `%notmagic` not found.",
        "line, cell 1: M09 was not checked",
    ],
    "script": ["script, cell 1: it did not run here: %%script took its code", "script, cell 1: M09 was not checked"],
    "after": [
        "after, cell 1: ZeroDivisionError: division by zero",
        "after, cell 2: it did not run, nor did 3",
        "after, cell 3: M09 was not checked",
    ],
    "ended": [
        "ended, cell 2: DeadKernelError: Kernel died",
        "ended, cell 3: it did not run",
        "ended, cell 3: M09 was not checked",
    ],
    "hidden": ["M09 does not hold", "hidden, cell 2: M10 was not checked"],
    "branch": ["branch, cell 1: M09 was not checked", "branch, cell 2: M10 was not checked"],
    "twice": ["twice, cell 2: M09 was made more than once, in cells 1, 2"],
    "none": ["none, cell 1: it makes claims, and none came out"],
    "alias": [f"alias, cell 2: {id} was not checked" for id in ("M10", "M11", "M12")],
    "again": ["again, cell 2: M09 was not checked here"],
    "formatted": ["formatted, cell 2: it makes claims, and none came out"],
    "timed": ["timed, cell 2: it makes claims, and none came out"],
    "never called": [
        "never called, cell 2: it makes claims, and none came out",
        "never called, cell 2: M11 was not checked",
    ],
    "called": [],
    "fine": [],
    "other": [
        "other, cell 1: it did not run",
        "other: a raw cell has code, which did not run",
        "other: a markdown cell has code, which did not run",
        "other: M09 was not checked",
        "other: M10 was not checked",
        "other, cell 2: its summary came out empty",
        "other: a markdown cell is tagged summary, and shows nothing there",
    ],
}


def other():
    """What is not code, or is told not to run."""
    tags = [{"tags": [name]} for name in ("skip-execution", "summary", "summary")]
    skipped, empty = new_code_cell("1", metadata=tags[0]), new_code_cell("'text'", metadata=tags[1])
    prose = [new_raw_cell("A word, for the printer."), new_markdown_cell("The answer.", metadata=tags[2])]
    turned = new_markdown_cell("# A heading?\nmm.claim('M10', True)")
    prose += [
        new_markdown_cell("`mm.claim('M11', True)` is how"),
        new_markdown_cell("Why?"),
        new_markdown_cell("x = 1"),
    ]
    return [new_raw_cell(MAKE + "mm.claim('M09', True)"), turned, skipped, empty, *prose]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("silent")
    for name, sources in CODE.items():
        nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), folder / f"{name}.ipynb")
    nbformat.write(new_notebook(cells=other()), folder / "other.ipynb")
    return run(sorted(folder.glob("*.ipynb")), folder / "out", {})


@pytest.mark.parametrize("name", FOUND)
def test_what_did_not_happen_is_a_failure_that_says_where(found, name):
    failures = [str(failure) for failure in found.failures if failure.notebook == name]
    assert len(failures) == len(FOUND[name]), failures
    assert [words for words, said in zip(FOUND[name], failures, strict=True) if words not in said] == []


def test_it_is_in_the_record_on_the_index_and_on_the_page(found):
    record = json.loads(found.index.with_name("run.json").read_text())
    status = {notebook["name"]: notebook["status"] for notebook in record["notebooks"]}
    assert status.pop("fine") == status.pop("called") == "ok"
    assert set(status.values()) == {"failed"}
    assert not found.ok
    assert not record["ok"]
    assert {"M09", "M10", "M11", "M12"} == {
        f["claim"] for n in record["notebooks"] for f in n["failures"] if f["claim"]
    }
    assert "M10 was not checked" in found.index.with_name("magic.html").read_text(encoding="utf-8")
    assert '<td>M10<td><b class="bad">✗ not checked</b>' in found.index.read_text(encoding="utf-8")


def test_a_claim_that_the_table_promises_is_checked(tmp_path, monkeypatch):
    monkeypatch.setattr("mmmodel.report.notebooks.notebooks_dir", lambda: tmp_path)
    path = tmp_path / "02-counting-references.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), path)
    (failure,) = run([path], tmp_path / "out", {}).failures
    (id,) = [row["id"] for row in rows("claims") if path.stem in row["notebooks"]]
    assert str(failure) == f"{path.stem}: {id} was not checked, which data/claims.csv says it does"
    assert failure.claim == id


def test_nothing_is_promised_for_a_notebook_that_is_not_ours(tmp_path):
    assert promised(tmp_path / "02-counting-references.ipynb") == []


@pytest.mark.parametrize(
    ("source", "ids"),
    [
        ('mm.claim("M09", x)', ["M09"]),
        ("claim(id='M09', holds=x); mm.claims.claim('Q1', y)", ["M09", "Q1"]),
        ("# mm.claim('M09', x)", []),
        ("print('mm.claim(\"M09\", x)')", []),
        ("[mm.claim(id, x) for id in ids]", [""]),
        ("mm.claim(f'M09', x)", [""]),
        ("check = partial(mm.claim, how='')\ncheck('M09', x)", ["M09"]),
        ("check = getattr(mm, 'claim')\ncheck('M09', x)", ["M09"]),
        ("%%bash\nmm.claim('M09', x); mm.claim(\n 'M10', x) # claim('Q1')", ["M09", "M10"]),
        ("%time mm.claim('M09', x)\nx = !ls\nclaim?", ["M09"]),
        ("%timeit -n 1 mm.claim(id, x)", [""]),
        ("def f(:\n mm.claim('M09', x)", ["M09"]),
        ("-" * 3000 + "1\nmm.claim('M09', x)", ["M09"]),
    ],
)
def test_the_claims_in_a_cell_that_made_none(source, ids):
    cell = new_code_cell(source, metadata={"papermill": {"status": "completed"}}, execution_count=1)
    found = [claim for words, _, claim in unchecked(new_notebook(cells=[cell]), []) if "its code" not in words]
    assert sorted(found) == ids


def test_a_page_of_images_is_no_empty_summary():
    cell = new_code_cell("1", metadata={"tags": ["summary"], "papermill": {"status": "completed"}}, execution_count=1)
    for html, empty in (("<p> </p><script>1</script>", True), ("<svg></svg>", False), ("<b>x</b>", False)):
        cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": html})]
        assert bool(list(unchecked(new_notebook(cells=[cell]), []))) == empty
