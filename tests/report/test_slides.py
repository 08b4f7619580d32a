"""A talk out of tagged cells: what is on a slide, what is said, keys, paper; and who asks for one that is not there."""

import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from notebooks_to_run import notebook, page

from mmmodel.cli import main
from mmmodel.report.page import WIDGET
from mmmodel.report.slides import as_page

HOSTILE = "<script>document.title = 'run'</script>"


def shows(html, **more):
    return [new_output("display_data", {"text/html": html, **more})]


CELLS = [
    new_markdown_cell("# The talk\n\nWhy? See [the next](next.ipynb).", metadata={"tags": ["slide"]}),
    new_markdown_cell("Say hello.", metadata={"tags": ["notes"]}),
    new_markdown_cell("## A `section`\n\nSaid, not shown.", metadata={"tags": ["slide", "said"]}),
    new_code_cell("left = 'out'", outputs=shows("<b>not in the talk</b>")),
    new_code_cell("hidden()", outputs=shows(f"<b>a figure</b>{HOSTILE}"), metadata={"tags": ["more"]}),
    new_code_cell("widget", outputs=shows("<b>still</b>") + shows("", **{WIDGET: {}}), metadata={"tags": ["slide"]}),
]


@pytest.fixture
def talk(tmp_path):
    return as_page(CELLS, tmp_path)


def test_what_is_shown_and_what_is_said(talk):
    soup = BeautifulSoup(talk, "html.parser")
    slides = soup.select(".slide")
    shown = [" ".join(slide.select_one(".content").get_text(" ").split()) for slide in slides]
    assert shown == ["The talk ¶ Why? See the next.", "A section a figure", "A section still"]
    assert [[notes.p.text for notes in slide.select(".notes")] for slide in slides] == [
        ["Say hello."], ["Said, not shown."], [],
    ]  # fmt: skip
    assert soup.title.text == "The talk"
    assert len(soup.select("script")) == 1
    assert not soup.select("a:not(.anchor-link)")
    assert not re.search(r"hidden\(\)|not in the talk|\ssrc=|@import", str(soup.main))


def test_a_talk_without_slides_is_refused(tmp_path):
    said = CliRunner().invoke(
        main, ["run", str(notebook(tmp_path / "n.ipynb")), "-o", str(tmp_path / "out"), "--slides"]
    )
    assert (said.exit_code, said.stderr) == (2, "Error: no cell of n is tagged slide\n")


@pytest.mark.slow
def test_a_run_writes_it_and_the_next_one_does_not_keep_it(tmp_path):
    path = notebook(tmp_path / "n.ipynb", "print('a talk')")
    nb = nbformat.read(path, as_version=4)
    nb.cells[-1].metadata.tags = ["slide"]
    nbformat.write(nb, path)
    for options, written in ((["--slides"], True), ([], False)):
        done = CliRunner().invoke(main, ["run", str(path), "-o", str(tmp_path / "out"), *options])
        assert done.exit_code == 0, done.output
        assert (tmp_path / "out/slides.html").exists() == written
        assert bool(page(tmp_path / "out", "index").select("a[href='slides.html']")) == written


@pytest.mark.slow
def test_keys_and_paper(talk, browser, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    (tmp_path / "slides.html").write_text(talk, encoding="utf-8")
    tab = browser.new_context(offline=True, viewport={"width": 1024, "height": 768}).new_page()
    tab.goto((tmp_path / "slides.html").as_uri())
    now = tab.locator(".slide >> visible=true")
    for key, number in (
        ("ArrowRight", 2),
        ("PageDown", 3),
        ("Space", 3),
        ("ArrowLeft", 2),
        ("Home", 1),
        ("End", 3),
    ):
        tab.keyboard.press(key)
        playwright.expect(now).to_contain_text(f"{number} / 3")
    tab.keyboard.press("ArrowLeft")
    playwright.expect(tab.get_by_text("Said, not shown.")).to_be_hidden()
    tab.keyboard.press("n")
    playwright.expect(tab.get_by_text("Said, not shown.")).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1024
    assert tab.title() == "The talk"
    assert tab.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") == 3
