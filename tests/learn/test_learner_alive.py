"""A prediction and an answer cell in JupyterLab, as a learner has them: by mouse and by keyboard."""

import pytest
from serving import cell, in_lab, lab_options, served, write_notebook

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.slow
CELLS = [
    cell("code", "toggles", "mm.explorer(repr, swap=True, arch=True)"),
    cell("code", "say-b", 'mm.predict("00.b")'),
    cell("code", "answer-1", 'mm.answer("01.1", ...)'),
]


@pytest.fixture
def lab(browser, tmp_path):
    """JupyterLab with the three cells, run."""
    notebook = write_notebook(tmp_path / "learner.ipynb", *CELLS)
    with served(tmp_path / "log", *lab_options(tmp_path)) as (url, _):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(120_000)
        yield in_lab(page, url, notebook)
        page.close()


def test_a_learner_predicts_and_answers(lab):
    options = lab.locator(".mm-options button")
    options.nth(0).click()
    said = lab.locator(".jp-OutputArea").filter(has=options)
    playwright.expect(said).to_contain_text("✗ no: you said “HZR 2, PC 1”. It is: HZR 3, PC 0.")
    lab.keyboard.press("Tab")
    lab.keyboard.press("Space")
    playwright.expect(said).to_contain_text("✓ right: you said “HZR 3, PC 0”.")
    playwright.expect(lab.get_by_text("the answer", exact=True)).to_be_hidden()
    last = lab.locator(".jp-CodeCell").last
    playwright.expect(last).to_contain_text("01.1: not answered yet")
    for answer, words in (("1, 1", "✗ not what the model finds"), ("3, -1", "01.1: ✓ right")):
        last.locator(".cm-content").click()
        lab.keyboard.press("Control+A")
        lab.keyboard.type(f'mm.answer("01.1", {answer})')
        lab.keyboard.press("Control+Enter")
        playwright.expect(last).to_contain_text(words)
