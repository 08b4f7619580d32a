"""The notebook of the review meeting in Chromium: JupyterLab and Voila, real kernels, by mouse and by keyboard."""

import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from serving import cell, in_lab, lab_options, needs_axe, serious, served, write_notebook

import mmmodel as mm
from mmmodel.data import notebooks_dir
from mmmodel.show.decision_view import proof_id
from mmmodel.show.tables import label
from mmmodel.study.at_a_glance import QUICK, command, told

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.slow
NOTEBOOK = notebooks_dir() / "10-the-decision.ipynb"
ARTIFACTS = os.environ.get("MMMODEL_ARTIFACTS")
SECONDS = 1000
# From the reported kernel on: what is toggled, to what, and the build it leads to.
TOGGLES = [
    ("arch", "x86", mm.Build(arch="x86")),
    ("CONFIG_SWAP", False, mm.Build(arch="x86", swap=False)),
    ("q4", True, mm.Build(arch="x86", swap=False, patches=["q4"])),
    ("arch", "s390", mm.Build(swap=False, patches=["q4"])),
    ("CONFIG_SWAP", True, mm.Build(patches=["q4"])),
]
CUT_OFF = """box => [...box.querySelectorAll("*")].filter(e => /auto|scroll/.test(getComputedStyle(e).overflow)
    && (e.scrollHeight > e.clientHeight + 2 || e.scrollWidth > e.clientWidth + 2)).map(e => e.className)"""
SMALLEST = """box => Math.min(...[...box.querySelectorAll("svg text")].map(e =>
    parseFloat(getComputedStyle(e).fontSize) * Math.hypot(e.getScreenCTM().a, e.getScreenCTM().b)))"""
OUTSIDE = """box => [...box.querySelectorAll("svg text")].filter(e => {
    const own = e.getBoundingClientRect(), all = e.ownerSVGElement.getBoundingClientRect()
    return own.left < all.left - 1 || own.right > all.right + 1 || own.bottom > all.bottom + 1 })
    .map(e => e.textContent)"""
SCROLLED = "#rendered_cells, .jp-NotebookPanel .jp-WindowedPanel-outer"
LONG_STACK = ["quick-hack", "q1-guard", "q2", "q3", "nr1-shortcut-guarded", "swapn-macro", "reaper-per-vma"]
FIGURES = {
    "witness": "mm.explorer(lambda b: lanes.swim_lanes(memory_order.publication(b.arch, 'pfn-lock-relaxed')), "
    "mm.Build(arch='arm64'), '44em', arch=['arm64', 'x86'], patches=['pfn-lock'])",
    "steps": "mm.stepper(*lanes.frames(mm.check(mm.Build('v4.5', 'x86'), 'zap-vs-shrinker')), height='37em')",
    "beside": "lanes.gathers_side_by_side([mm.Build(arch=arch) for arch in ('x86', 's390', 'ia64', 'um', 'sh')])",
    "first": "figures.first_look(after=True)",
    "kinds": "kinds_view.difference(build, 'PG_active')",
    "years": "timeline.timeline()",
    "fates": "figures.fates(build)",
}
FOCUSED = "e => { const look = getComputedStyle(e); return [look.outlineStyle, parseFloat(look.outlineWidth)] }"


def new_page(browser):
    """A page that notes what goes wrong in it (`wrong`): errors, and requests that leave this machine."""
    page = browser.new_page(viewport={"width": 1920, "height": 1200})
    page.set_default_timeout(180 * SECONDS)
    page.wrong = []
    page.on("console", lambda said: page.wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("request", lambda request: note_if_outside(page, request.url))
    return page


def note_if_outside(page, url):
    if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).hostname not in ("127.0.0.1", "localhost"):
        page.wrong.append(f"asked the network for {url}")


@pytest.fixture(scope="module", params=["lab", "meeting"])
def live(request, browser, tmp_path_factory):
    """The explorer with the verdict, alive, in JupyterLab or as a dashboard; opened once for all tests."""
    folder = tmp_path_factory.mktemp(request.param)
    notebook = Path(shutil.copy(NOTEBOOK, folder))  # JupyterLab saves what it runs
    if request.param == "meeting":
        pytest.importorskip("voila", reason="pip install 'mmmodel[meeting]'")
    arguments = ["meeting", notebook, "--no-browser"] if request.param == "meeting" else lab_options(folder)
    with served(folder / "log", *arguments) as (url, _):
        page = new_page(browser)
        if request.param == "meeting":
            page.goto(url)
        else:
            in_lab(page, url, notebook)
        explorer = page.locator(".mm-explorer").filter(has=page.locator(".mm-verdict")).first
        explorer.wait_for()
        explorer.scroll_into_view_if_needed()
        explorer.name = request.param
        yield explorer
        page.close()


@pytest.fixture
def opened(live):
    """The same, on the reported kernel."""
    dropdown(live, "preset").select_option("the reported kernel")
    read(live, mm.Build())
    yield live
    keep(live, "end")


def keep(explorer, name):
    """A screenshot, in the folder for what tests leave behind, if there is one."""
    if ARTIFACTS:
        Path(ARTIFACTS).mkdir(parents=True, exist_ok=True)
        explorer.page.screenshot(path=Path(ARTIFACTS, f"{explorer.name}-{name}.png"))


def dropdown(explorer, name):
    return explorer.get_by_label(name, exact=True)


def choice(explorer, name):
    return explorer.get_by_role("radio", name=name, exact=True)


def tick(explorer, name):
    """By its label; a patch that is applied has a number before its name."""
    return explorer.locator("label:has(input)").filter(has_text=name).first.locator("input")


def read(explorer, build):
    """Wait until the page shows `build`; compare what it says with checking that build here."""
    banner = explorer.locator(".mm-verdict")
    playwright.expect(explorer.locator("pre")).to_contain_text(f"{build!r}\n")
    good, headline, *_ = told([mm.check(build, scenario, cpus) for scenario, cpus in QUICK.items()])
    assert banner.inner_text().startswith("✓" if good else "✗")
    assert f"{headline}: {label(build)}" in banner.inner_text()
    playwright.expect(explorer.locator("svg").first).to_be_visible()


def test_toggles_and_verdicts(opened):
    read(opened, mm.Build())
    keep(opened, "0-reported")
    for i, (name, value, build) in enumerate(TOGGLES, 1):
        if isinstance(value, str):
            choice(opened, value).check(force=True)
        else:
            tick(opened, name).set_checked(value)
        read(opened, build)
        playwright.expect(opened.locator(".mm-verdict")).to_have_attribute("aria-live", "polite")
        keep(opened, f"{i}-{name}-{value}")
    dropdown(opened, "preset").select_option("the merged fix without SWAP")
    read(opened, mm.Build("v4.7", swap=False))
    assert not tick(opened, "CONFIG_SWAP").is_checked()
    assert choice(opened, "v4.7").is_checked()
    assert opened.page.wrong == []


def test_a_patch_is_applied_earlier(opened):
    tick(opened, "q4").check()
    tick(opened, "nr1-shortcut-guarded").check()
    read(opened, mm.Build(patches=["q4", "nr1-shortcut-guarded"]))
    button = opened.locator("button:visible").filter(has_text="earlier")
    assert button.evaluate("e => e.scrollWidth <= e.clientWidth"), "its name is cut off"
    button.click()
    read(opened, mm.Build(patches=["nr1-shortcut-guarded", "q4"]))


def test_by_keyboard_alone(opened):
    keys = opened.page.keyboard
    choice(opened, "v4.6").focus()
    keys.press("ArrowRight")
    read(opened, mm.Build("v4.7"))
    for _ in range(40):
        if opened.page.evaluate("document.activeElement.parentElement.textContent.trim()") == "q4":
            break
        keys.press("Tab")
    style, width = opened.page.evaluate(f"({FOCUSED})(document.activeElement)")
    assert style != "none"
    assert width >= 2
    keep(opened, "focus")
    keys.press("Space")
    read(opened, mm.Build("v4.7", patches=["q4"]))
    assert opened.page.wrong == []


def test_no_key_reaches_the_notebook(opened):
    if opened.name == "meeting":
        return
    cells = opened.page.locator(".jp-Cell")
    active, number = opened.page.locator(".jp-Cell.jp-mod-active"), cells.count()
    for part in (choice(opened, "v4.6"), tick(opened, "q4"), dropdown(opened, "preset")):
        part.focus()
        before = active.get_attribute("data-windowed-list-index")
        for key in ("Escape", "x", "a", "b", "ArrowDown", "ArrowUp", "d", "d"):
            opened.page.keyboard.press(key)
        assert cells.count() == number
        assert active.get_attribute("data-windowed-list-index") == before


@pytest.mark.parametrize("size", [(1280, 800), (1024, 768)])
def test_nothing_is_cut_off_on_a_small_screen(opened, size):
    """A view that does not fit would have a scrollbar of its own, inside a page that has one."""
    usual = opened.page.viewport_size
    opened.page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    assert opened.evaluate(CUT_OFF) == []
    assert opened.evaluate(SMALLEST) >= 11
    assert size == (1024, 768) or opened.bounding_box()["height"] <= 600
    opened.page.set_viewport_size(usual)


@pytest.mark.parametrize("size", [(1280, 800), (1024, 768), (1920, 1080)])
def test_the_first_screen_is_the_question_and_the_decision(opened, size):
    page, usual = opened.page, opened.page.viewport_size
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    page.evaluate(f"document.querySelector('{SCROLLED}').scrollTo(0, 0)")
    page.locator(".mm-decision svg").wait_for()
    title, says, figure = (page.locator(e).first.bounding_box() for e in ("h1", ".mm-decision b", ".mm-decision svg"))
    assert 0 < title["y"] < says["y"] < figure["y"] < 0.65 * size[1]
    assert page.locator(".mm-decision b").inner_text().startswith("3 of 9 do all they must")
    if opened.name == "meeting":
        assert figure["y"] + figure["height"] < size[1]
        assert figure["width"] > 0.85 * size[0]
        assert not page.locator(".mm-options").first.is_visible()
    keep(opened, f"first-screen-{size[0]}")
    page.set_viewport_size(usual)


def test_a_long_stack_of_patches_fits(opened):
    for number, name in enumerate(LONG_STACK, 1):
        tick(opened, name).check()
        read(opened, mm.Build(patches=LONG_STACK[:number]))
    assert opened.evaluate(CUT_OFF) == []
    assert opened.evaluate(OUTSIDE) == []
    keep(opened, "long-stack")


def test_two_fixes_are_compared_at_once(opened):
    page = opened.page
    box = page.locator(".mm-two-fixes").last
    dropdown(box, "other").select_option("undo the commit")
    box.get_by_text("quick hack or undo the commit: ").wait_for(timeout=3 * SECONDS)
    keep(opened, "two-fixes")
    assert page.wrong == []


def test_a_cell_leads_to_the_runs_it_rests_on(opened):
    page, name = opened.page, proof_id("quick hack", "s390, SWAP off")
    cell = page.locator("td > details").filter(has=page.locator(f'a[href="#{name}"]'))
    cell.locator("summary").click()
    cell.locator("a").click()
    proof = page.locator(f"#{name}")
    playwright.expect(proof).to_be_in_viewport()
    proof.locator("summary").first.click()
    shown = proof.get_by_text(command(mm.Build(swap=False, patches=["quick-hack"]))).first
    playwright.expect(shown).to_be_visible()
    assert len(page.context.pages) == 1
    keep(opened, "proof")


def test_all_of_it_is_printed(opened):
    if opened.name == "meeting":
        assert len(re.findall(rb"/Type\s*/Page\b", opened.page.pdf())) > 5


def test_notes_are_for_whoever_leads(opened):
    if opened.name == "meeting":
        note = opened.page.get_by_text("For whoever leads the meeting").first
        assert not note.is_visible()
        opened.page.evaluate("location.hash = 'notes'")
        playwright.expect(note).to_be_visible()
        opened.page.evaluate("location.hash = ''")


@needs_axe
def test_axe_finds_nothing_serious_in_the_dashboard(opened):
    if opened.name == "lab":
        return
    usual = opened.page.viewport_size
    opened.page.set_viewport_size({"width": 1024, "height": 768})
    assert not serious(opened.page)
    opened.page.set_viewport_size(usual)


def test_every_kind_of_figure_fits_and_can_be_read(browser, tmp_path):
    cells = [cell("code", name, source) for name, source in FIGURES.items()]
    more = cell(
        "code", "more", "from mmmodel.show import kinds_view, timeline", "from mmmodel.study import memory_order"
    )
    notebook = write_notebook(tmp_path / "figures.ipynb", more, *cells)
    with served(tmp_path / "log", *lab_options(tmp_path)) as (url, _):
        page = in_lab(new_page(browser), url, notebook)
        for width, height in (1280, 800), (1024, 768):
            page.set_viewport_size({"width": width, "height": height})
            for i, name in enumerate(FIGURES, 3):
                shown = page.locator(f'.jp-Cell[data-windowed-list-index="{i}"] .jp-OutputArea')
                shown.scroll_into_view_if_needed()
                shown.locator("svg:visible").first.wait_for()
                assert shown.evaluate(SMALLEST) >= 11, (name, width)
                assert width == 1024 or shown.bounding_box()["height"] <= 600, name
        assert page.wrong == []
        page.close()


def test_it_says_so_when_its_kernel_is_gone(opened):
    """The last one: nothing answers after it."""
    if opened.name == "meeting":
        return
    page = opened.page
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.locator(".lm-Menu-itemLabel").filter(has_text="Restart Kernel…").first.click()
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    opened.get_by_role("alert").filter(has_text="is gone or was restarted").wait_for(timeout=3 * SECONDS)
