"""What a run leaves of five notebooks: a page for each, the index, the ledger, tables and records."""

import csv
import json
import re

import nbformat
import pytest
from notebooks_to_run import CLAIM, SUMMARY, failure, notebook, page

from mmmodel import data
from mmmodel.report.page import policy_hash, template
from mmmodel.report.run import run

pytestmark = pytest.mark.slow
NAMES = ("bad", "dead", "good", "liar", "seen")
FIGURE = """
import matplotlib.pyplot as plt
from IPython.display import HTML, display
figure, axes = plt.subplots()
display(figure, metadata={"image/png": {"alt": 'A "curve" <going> up'}})
plt.close()
display(HTML('<img src="https://example.org/x.png" alt="far away"> <script src="//example.org/x"></script>'))
"""


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


def test_everything_is_written(found, out):
    pages = [f"{name}{suffix}" for name in NAMES for suffix in (".html", ".ipynb")]
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*pages, "claims.csv", "claims.html", "glossary.html", "index.html", "run.json"]
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


def test_pages_load_nothing_and_run_nothing_of_a_notebook(found, out):
    own = template("page.js")
    for path in out.glob("*.html"):
        soup = page(out, path.stem)
        assert [script.text for script in soup.select("script")] == [own] * (path.stem in NAMES)
        assert not soup.select("link, iframe, object, embed")
        assert not [image for image in soup.select("[src]") if not image["src"].startswith("data:")]
        policy = soup.select_one("meta[http-equiv=Content-Security-Policy]")["content"]
        assert policy.startswith("default-src 'none'")
        assert re.findall(r"script-src (.*?);", policy) == [f"'{policy_hash(own)}'"] * (path.stem in NAMES)
        assert path.read_text(encoding="utf-8").count("<script") == (path.stem in NAMES)


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
    for name in ("index", "claims", "glossary", *NAMES):
        for link in (link["href"] for link in page(out, name).select("nav a, [href*='.html#']:not([href^=next])")):
            target, _, anchor = link.partition("#")
            assert page(out, target.removesuffix(".html")).select_one(f"[id='{anchor}']" if anchor else "*")


def test_every_page_leads_to_every_other(found, out):
    order = ["good", "bad", "liar", "dead", "seen"]
    for name in ("index", "claims", "glossary", *NAMES):
        bar = page(out, name).nav
        assert [link["href"] for link in bar.select("li a")] == [f"{other}.html" for other in order]
        assert {"index.html", "claims.html", "glossary.html"} <= {link["href"] for link in bar.select("a")}
        assert [link["href"] for link in bar.select("[aria-current]")] == [f"{name}.html"]
    beside = {rel: page(out, "bad").nav.select_one(f"[rel={rel}]")["href"] for rel in ("prev", "next")}
    assert beside == {"prev": "good.html", "next": "liar.html"}
    assert not page(out, "good").select("[rel=prev]")


def test_the_index_says_it_all(found, out):
    index = page(out, "index")
    text = " ".join(index.text.split())
    assert index.em.text == "answer"
    assert index.em.parent.a["href"] == "good.html"
    assert [link["href"] for link in index.select("#proof a")] == ["seen.html#proof"]
    assert index.select_one("#proof").text == "proved, or not"
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
