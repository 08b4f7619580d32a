"""The page in use: what it says, how it is stopped, by keyboard, from a link, with hostile text."""

import json
from urllib.parse import quote

import pytest
from click.testing import CliRunner

import mmmodel as mm
from mmmodel.cli import main
from mmmodel.explore.checking import SCENARIOS

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

pytestmark = pytest.mark.slow
DONE = {"timeout": 120_000}
FIX = """class MyFix(mm.Patch):
    def free_page_and_swap_cache(self, page):
        if self.is_huge_zero_page(page):
            self.put_huge_zero_page()
        else:
            super().free_page_and_swap_cache(page)
"""
LOOP = "class Loop(mm.Patch):\n    def free_page_and_swap_cache(self, page):\n        while True:\n            pass\n"
HOSTILE = "</script><img src=x onerror=alert(1)>"
EVIL = f"""
Evil = type({HOSTILE!r}, (mm.Patch,), {{"__module__": __name__, "__doc__": {HOSTILE!r}, "name": {HOSTILE!r},
    "free_page_and_swap_cache": lambda self, page: self.violate({HOSTILE!r}, {HOSTILE!r})}})
"""
UNESCAPED = "import mmmodel.show.html\nmmmodel.show.html.escape = lambda text, *_: text\n"


def link(**state):
    return "#" + quote(json.dumps(state))


def checked(page):
    """Wait until everything was checked."""
    expect(page.locator("#status")).to_contain_text("scenarios checked", **DONE)
    return page


def test_it_is_small_and_can_be_read_at_once(live_html, browser):
    assert live_html.stat().st_size < 10e6
    page = browser.new_page()
    page.goto(live_html.as_uri(), wait_until="commit")
    expect(page.locator("#status")).to_contain_text("being unpacked")
    expect(page.get_by_label("version").first).to_be_enabled()
    page.close()


def test_scripts_can_ask(opened):
    page = opened(link(compare=False))

    def check(source="", **question):
        return page.evaluate("([source, question]) => mmmodel.check(source, question)", [source, question])

    verdict, said = (
        mm.check(mm.Build("v4.5", "x86"), "zap-vs-shrinker"),
        check(version="v4.5", arch="x86", scenario="zap-vs-shrinker"),
    )
    assert said == {n: getattr(verdict, n) for n in ("status", "broken", "what", "states")} | {
        "seconds": said["seconds"],
        "error": "",
    }
    assert check(scenario="fork")["status"] == "broken"
    assert check(FIX, scenario="fork")["status"] == check(FIX, scenario="fork", patches=["q3"])["status"] == "holds"
    own = '@mm.scenario("mine")\ndef mine(k):\n    yield "nothing"\n'
    assert check(own, scenario="mine")["status"] == "holds"
    for source, question, words in [
        ("", {"scenario": "mine"}, "unknown scenario 'mine'"), ("", {"version": "v4.4"}, "unknown version"),
        ("", {"scenario": "fork", "cpus": 3}, "it takes 1 CPU"), ("", {"colour": "red"}, "unknown option"),
        ("x = 1\ny = )", {}, "line 2: SyntaxError"), ("x = 1 / 0", {}, "line 1: ZeroDivisionError"),
        (FIX.replace("page)", "page, x)", 1), {}, "the kernel calls"), ("mm.matrix", {}, "not in this page"),
        ("class A(mm.Patch):\n    def put_page(self, page): return self.put_page(page)", {}, "RecursionError"),
    ]:  # fmt: skip
        said = check(source, **question)
        assert (said["status"], said["error"].count("\n")) == ("error", 0)
        assert words in said["error"]


def test_what_never_returns_can_be_stopped(opened):
    page = opened(link(source=LOOP, compare=False, a={"mine": True}))
    expect(page.locator("#status")).to_contain_text("map-read-unmap")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("alert")).to_have_text("stopped by you")
    assert page.evaluate("mmmodel.check('', {scenario: 'fork'})")["status"] == "broken"
    script = "source => { const said = mmmodel.check(source); setTimeout(mmmodel.stop, 500); return said; }"
    assert page.evaluate(script, LOOP)["status"] == "undecided"
    page.get_by_label("SWAP").first.uncheck()  # the next run stops what is under way, too
    page.get_by_label("with your patch").first.uncheck()
    checked(page)


@pytest.mark.parametrize("more", ["", UNESCAPED], ids=["escaped", "by a model that was tampered with"])
def test_hostile_text_stays_text(opened, wrong, more):
    given = {"arch": HOSTILE, "patches": [HOSTILE], "mine": True}
    page = checked(
        opened(link(compare=False, source=more + EVIL, scenario=HOSTILE, cpus=HOSTILE, memory=HOSTILE, a=given))
    )
    expect(page.locator("#verdicts thead")).to_contain_text(HOSTILE)
    expect(page.locator("#pictures")).to_contain_text(f"broken: {HOSTILE}")
    page.get_by_role("button", name="Copy as mail").click()
    assert page.locator("img, iframe, main script, main a").count() == 0
    if more:
        assert all("inline event handler violates" in words for words in wrong)
        wrong.clear()


def test_by_keyboard_and_from_a_link(opened):
    page = checked(opened(link(compare=False, cpus=2)))
    rows = page.locator("#verdicts tbody tr")
    assert rows.count() == len(SCENARIOS)
    page.get_by_label("SWAP").focus()
    page.keyboard.press("Space")
    expect(page.locator("#verdicts thead")).to_contain_text("SWAP off")
    expect(page.get_by_role("checkbox", name="SWAP")).to_be_focused()
    page.get_by_label("add a patch").select_option("q3")
    page.get_by_label("add a patch").select_option("nr1-shortcut")
    page.get_by_role("button", name="nr1-shortcut earlier").press("Enter")
    page.get_by_label("Your patch, in Python").press("Control+End")
    page.keyboard.type("\n# a word <b>")
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="zap-vs-shrinker").first.press("Enter")
    checked(page)
    expect(page.locator(".lanes svg")).to_be_visible()
    build = mm.Build(swap=False, patches=["nr1-shortcut", "q3"])
    again = checked(opened(page.evaluate("location.hash")))
    assert again.locator("#verdicts").inner_text() == page.locator("#verdicts").inner_text()
    expect(again.locator("#editor")).to_contain_text("# a word <b>")
    texts = {name: copied(again, name) for name in ("Python", "command line", "mail")}
    exec(texts["Python"].replace("mm.check", "said = mm.check"), names := {})
    assert (names["said"].build, names["said"].cpus) == (build, 2)
    assert repr(build) in texts["mail"]
    verdict = mm.check(build, "zap-vs-shrinker", cpus=2)
    assert f"{verdict.broken}" in next(line for line in texts["mail"].split("\n") if "zap-vs-shrinker" in line)
    ran = CliRunner().invoke(main, [*texts["command line"].split()[1:], "--format", "json"])
    assert json.loads(ran.stdout)[0]["broken"] == verdict.broken


def copied(page, what):
    page.get_by_role("button", name=f"Copy as {what}").click()
    return page.locator("#copied").input_value()


def test_it_fits(opened):
    page = opened(link(scenario="zap-vs-shrinker"))
    expect(page.locator(".lanes svg")).to_be_visible(**DONE)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width, height in ((1920, 1080), (1280, 800), (1024, 768)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
