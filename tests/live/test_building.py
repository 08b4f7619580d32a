"""How the page is made, and what is said when it cannot be."""

import base64
import re
import shutil
from hashlib import sha256

import pytest
from click.testing import CliRunner

from mmmodel.cli import main
from mmmodel.data import web_dir
from mmmodel.report import live
from mmmodel.report.results import Results


@pytest.fixture
def no_modules(monkeypatch, tmp_path):
    """A place without the packages of npm, and a folder for programs; nothing else is on PATH."""
    shutil.copytree(web_dir(), tmp_path / "web", ignore=shutil.ignore_patterns("node_modules"))
    monkeypatch.setattr(live, "web_dir", lambda: tmp_path / "web")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def said(*arguments):
    result = CliRunner().invoke(main, ["live", *map(str, arguments)])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    return result.stderr


def test_without_npm_it_says_what_to_install(no_modules):
    assert "install the Debian package npm" in said("-o", no_modules / "live.html")


def test_what_npm_says_is_passed_on_and_nothing_is_left(no_modules):
    npm = no_modules / "npm"
    npm.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    npm.chmod(0o755)
    assert "npm fails: no network" in said("-o", no_modules / "live.html")
    assert list((no_modules / "cache/mmmodel").iterdir()) == []
    assert not (no_modules / "live.html").exists()


@pytest.fixture
def nothing_to_build(monkeypatch, tmp_path):
    (tmp_path / "pyodide").mkdir()
    (tmp_path / "pyodide/pyodide.asm.wasm").touch()
    monkeypatch.setattr(live, "node_modules", lambda: tmp_path)
    monkeypatch.setattr(live, "bundled", lambda *_: b"")
    monkeypatch.setattr(live, "prepared", lambda _: {})


@pytest.mark.usefixtures("nothing_to_build")
def test_a_page_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("the old one")
    assert "cannot write" in said("-o", tmp_path / "file/live.html")
    assert (tmp_path / "file").read_text() == "the old one"
    assert said("-o", tmp_path)


@pytest.mark.usefixtures("nothing_to_build")
def test_it_says_beside_which_report_it_was_made_and_the_report_leads_to_it(tmp_path):
    live.build_page(tmp_path / "alone.html")
    found = Results(tmp_path, {}, None, None).write([], ended=True, interrupted="")
    live.build_page(tmp_path / "a live.html")
    alone, beside = ((tmp_path / name).read_text(encoding="utf-8") for name in ("alone.html", "a live.html"))
    words = f"made beside the report of run {found['id']}, {found['start'][:10]}"
    assert (words in alone, words in beside) == (False, True)
    assert '<a href="a%20live.html">' in (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_allows_itself_its_own_script_and_nothing_else(live_html):
    html = live_html.read_text(encoding="utf-8")
    (policy,) = re.findall(r'Content-Security-Policy"\s+content="([^"]*)"', html)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert f"'sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"\*|https?:|'unsafe-eval'|script-src[^;]*'unsafe-inline'", policy)
    assert not re.search(r"<link|\ssrc=|@import", html[: html.index("<script")])
    assert re.search(r"mmmodel \d[\d.]+.*, \d{4}-\d\d-\d\d", html)


def test_the_model_in_the_page_is_what_the_answers_need():
    names = live.model()
    assert {"mmmodel/explore/walk.py", "mmmodel/kernel/versions.py", "mmmodel/_data/arches.csv"} <= names.keys()
    assert not any(name.startswith(("mmmodel/cli", "mmmodel/report/run")) for name in names)
