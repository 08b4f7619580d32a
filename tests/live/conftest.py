"""The page that travels, built once, and opened from disk in Chromium with the network off."""

import fcntl
import shutil

import pytest

from mmmodel.report.live import build_page

SECONDS = 1000


@pytest.fixture(scope="session")
def live_html(in_common):
    if not shutil.which("npm"):
        pytest.skip("install the Debian package npm")
    with (in_common / "live.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (page := in_common / "live.html").exists():
            build_page(page)
    return page


@pytest.fixture
def wrong():
    """What went wrong in pages, or left them: there must be nothing at the end, but what a test takes out."""
    found = []
    yield found
    assert found == []


@pytest.fixture
def opened(browser, live_html, wrong):
    """Opens the page, at a fragment, and waits until it is ready."""
    contexts = []

    def opening(fragment="", **options):
        contexts.append(browser.new_context(offline=True, viewport={"width": 1280, "height": 800}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(120 * SECONDS)
        page.on("console", lambda said: wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if request.url[:4] == "http" else None)
        page.on("dialog", lambda dialog: wrong.append(dialog.message) or dialog.dismiss())
        page.goto(f"{live_html.as_uri()}{fragment}")
        page.evaluate("mmmodel.ready")
        return page

    yield opening
    for context in contexts:
        context.close()
