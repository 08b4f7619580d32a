"""The pages of a meeting in Chromium: addresses, a kernel or a connection that is gone, following, minutes."""

import json

import psutil
import pytest
from serving import cell, served, write_notebook

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("voila", reason="pip install 'mmmodel[meeting]'")

pytestmark = pytest.mark.slow
SECONDS = 1000
EXPLORER = "mm.explorer(repr, build, verdict=True, presets=True, version=True, arch=True, swap=True, patches=True)"
STATE = "document.querySelector('.mm-explorer .mm-state input')?.value"


@pytest.fixture
def meeting(tmp_path):
    notebook = write_notebook(
        tmp_path / "mine.ipynb", cell("code", "explore", EXPLORER), cell("markdown", "long", "\n\n".join("word" * 99))
    )
    arguments = ["meeting", notebook, "--no-browser", "--minutes", tmp_path / "minutes.json"]
    with served(tmp_path / "log", *arguments) as (url, process):
        yield url, process, tmp_path
    assert "Traceback" not in (tmp_path / "log").read_text()


def visit(browser, url):
    """Another person's page; what goes wrong in it is in `wrong`."""
    page = browser.new_context().new_page()
    page.set_default_timeout(120 * SECONDS)
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda said: page.wrong.append(said.text) if said.type == "error" else None)
    page.goto(url)
    return page


def shows(page, state):
    """Wait until the toggles are in this state, and so is the address."""
    page.wait_for_function(f"{STATE} === '{state}' && location.search === '?{state}'")


def kernels(process):
    return len(psutil.Process(process.pid).children())


def test_a_state_is_an_address(browser, meeting):
    url, _, _ = meeting
    page = visit(browser, f"{url}&version=v4.7&swap=n&patches=q2+q9")
    shows(page, "version=v4.7&arch=s390&swap=n&patches=q2")
    assert "unknown patch 'q9'" in page.get_by_role("alert").filter(has_text="allowed: quick-hack").inner_text()
    page.locator(".mm-explorer").get_by_label("CONFIG_SWAP").click()
    shows(page, "version=v4.7&arch=s390&swap=y&patches=q2")
    page.get_by_role("button", name="undo").click()
    shows(page, "version=v4.7&arch=s390&swap=n&patches=q2")
    assert "token" not in page.url
    assert page.wrong == []


def test_a_kernel_that_is_gone(browser, meeting):
    url, process, _ = meeting
    page = visit(browser, f"{url}&arch=x86")
    shows(page, state := "version=v4.6&arch=x86&swap=y&patches=")
    page.wait_for_timeout(3 * SECONDS)
    before = kernels(process)
    page.keyboard.press("End")
    for child in psutil.Process(process.pid).children():
        child.kill()
    gone = page.get_by_role("alert").filter(has_text="nothing answers")
    gone.wait_for(timeout=3 * SECONDS)
    assert gone.bounding_box()["y"] == 0, "seen wherever one is"
    page.get_by_role("button", name="Load this page again").click()
    playwright.expect(page.locator("#mm-gone")).to_be_hidden()
    page.wait_for_timeout(5 * SECONDS)
    if page.locator("#mm-gone").is_visible():  # the page that was made before had its kernel killed too
        page.get_by_role("button", name="Load this page again").click()
    shows(page, state)
    for _ in range(3):
        page.reload()
        shows(page, state)
    page.wait_for_timeout(5 * SECONDS)
    assert kernels(process) <= before


def test_following_and_minutes(browser, meeting):
    url, _, folder = meeting
    chair = visit(browser, url)
    shows(chair, "version=v4.6&arch=s390&swap=y&patches=")
    guest = visit(browser, f"{url}&arch=arm64")
    shows(guest, "version=v4.6&arch=arm64&swap=y&patches=")
    guest.locator("#mm-meeting summary").click()
    guest.get_by_label("follow the presenter").check()
    shows(guest, "version=v4.6&arch=s390&swap=y&patches=")
    chair.locator(".mm-explorer").get_by_label("CONFIG_SWAP").click()
    shows(guest, "version=v4.6&arch=s390&swap=n&patches=")
    chair.locator("#mm-meeting summary").click()
    chair.get_by_role("button", name="note this state").click()
    guest.get_by_label("name").fill("<b>Ann</b>")
    guest.get_by_label("fix").fill("question 4")
    guest.get_by_role("button", name="vote").click()
    chair.get_by_text("<b>Ann</b> is for question 4").wait_for()
    guest.locator("#mm-meeting li a[title*='swap=n']").wait_for()
    kept = json.loads((folder / "minutes.json").read_text())
    assert kept["votes"][0]["fix"] == "question 4"
    assert kept["shown"][-1]["state"] == "version=v4.6&arch=s390&swap=n&patches="
    assert chair.wrong == guest.wrong == []
