"""Pages in Chromium, from disk, with the network off: steps and predictions move without a kernel, and on paper."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import mmmodel as mm
from mmmodel.report.page import page
from mmmodel.show import stepper

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
pytestmark = pytest.mark.slow
HOSTILE = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"


@pytest.fixture
def path(monkeypatch, tmp_path):
    """A page with a stepper, a prediction, and a cell that fails with hostile words."""
    shown = []
    monkeypatch.setattr(stepper, "display", shown.append)
    mm.stepper([f"<i>frame {i}</i>{HOSTILE}" for i in range(4)], ["start", HOSTILE, "c", "end"], key=(1, 2))
    mm.predict("00.b")
    outputs = [new_output("display_data", {"text/html": str(static)}) for static in shown[::2]]
    outputs.append(new_output("error", ename="Error", evalue=HOSTILE, traceback=[HOSTILE]))
    nb = new_notebook(cells=[new_markdown_cell("# A page"), new_code_cell("1 / 0", outputs=outputs)])
    nbformat.validate(nb)
    (tmp_path / "n.html").write_text(page(nb, tmp_path / "n.ipynb", {}, []), encoding="utf-8")
    return tmp_path / "n.html"


def opened(browser, path, **options):
    tab = browser.new_context(offline=True, **options).new_page()
    tab.on("pageerror", lambda error: pytest.fail(str(error)))
    tab.goto(path.as_uri())
    return tab


def test_steps_by_mouse_and_keyboard(browser, path):
    tab = opened(browser, path)
    now = tab.locator("i >> visible=true")
    expect(now).to_have_text("frame 0")
    for name, number in (("next", 1), ("next", 2), ("back", 1)):
        tab.get_by_role("button", name=name).click()
        expect(now).to_have_text(f"frame {number}")
    tab.keyboard.press("ArrowLeft")  # on a button
    expect(now).to_have_text("frame 0")
    tab.get_by_role("slider").focus()
    for key, number in (("End", 3), ("ArrowLeft", 2), ("Home", 0)):
        tab.keyboard.press(key)
        expect(now).to_have_text(f"frame {number}")
    assert tab.title() == "A page", "what a notebook says is text"
    tab.context.close()


def test_a_prediction_says_right_or_wrong_and_nothing_before(browser, path):
    tab = opened(browser, path)
    ask = tab.locator(".mm-predict")
    expect(ask.get_by_text("One too many in HZR")).to_be_hidden()
    ask.get_by_role("button", name="HZR 2, PC 1").click()
    expect(ask.get_by_role("alert")).to_have_text("✗ no: you said “HZR 2, PC 1”. It is: HZR 3, PC 0.")
    expect(ask.get_by_text("One too many in HZR")).to_be_visible()
    ask.get_by_role("button", name="HZR 3, PC 0").press("Enter")
    expect(ask.get_by_role("alert")).to_have_text("✓ right: you said “HZR 3, PC 0”.")
    tab.context.close()


def test_without_a_script_everything_can_be_read(browser, path):
    tab = opened(browser, path, java_script_enabled=False)
    assert tab.locator("i >> visible=true").all_inner_texts() == ["frame 1", "frame 2"]
    tab.get_by_text("all 4 steps").click()
    assert tab.locator(".mm-steps i >> visible=true").all_inner_texts() == [f"frame {i}" for i in range(4)]
    assert tab.locator(".mm-predict li").all_inner_texts() == ["HZR 2, PC 1", "HZR 3, PC 0", "HZR 2, PC 0"]
    expect(tab.get_by_text("One too many in HZR")).to_be_hidden()
    tab.get_by_text("the answer").click()
    expect(tab.get_by_text("One too many in HZR")).to_be_visible()
    tab.context.close()


def test_on_paper(browser, path):
    tab = opened(browser, path)
    tab.emulate_media(media="print")
    assert tab.locator("i >> visible=true").all_inner_texts() == ["frame 1", "frame 2"]
    expect(tab.get_by_text("One too many in HZR")).to_be_hidden()
    assert tab.locator("nav, .bar").locator("visible=true").count() == 0
    tab.context.close()
