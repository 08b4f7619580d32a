"""Meeting mode without a browser: what is served, to whom, and that nothing is left behind."""

import json
import os
import re
import signal
import socket
import sys
import urllib.error
import urllib.request
from html import unescape
from http.cookiejar import CookieJar

import psutil
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from serving import cell, served, write_notebook

import mmmodel as mm
from mmmodel.cli import main
from mmmodel.data import notebooks_dir
from mmmodel.report.notebooks import find
from mmmodel.study.kept import FOLDER

pytest.importorskip("voila", reason="pip install 'mmmodel[meeting]'")
from mmmodel.report import meeting


@pytest.fixture
def notebook(tmp_path):
    """One with an explorer, beside another one."""
    write_notebook(tmp_path / "other.ipynb", cell("code", "build-there", "build"))
    shown = "mm.explorer(lambda build: f'<i>{build}</i>', build, verdict=True, arch=True, patches=True)"
    return write_notebook(tmp_path / "mine.ipynb", cell("code", "explore", shown), cell("code", "last", "build"))


def get(url, opener=None):
    """Status, headers and body; a redirection is not followed."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args):
            return None

    opener = opener or urllib.request.build_opener(Stay)
    try:
        with opener.open(url, timeout=60) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, ""


def visitor():
    """A browser that keeps cookies."""
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))


def one_line(result):
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    return result.stderr


# -- what is asked for


@pytest.mark.parametrize("name", ["03", "3", "03-two-ways-to-gather", "03-two-ways-to-gather.ipynb"])
def test_a_notebook_by_its_number_or_name(name):
    assert find(name) == notebooks_dir() / "03-two-ways-to-gather.ipynb"


def test_a_notebook_by_its_path(notebook, monkeypatch):
    assert find(str(notebook)) == notebook
    monkeypatch.chdir(notebook.parent)
    assert find("other.ipynb") == notebook.with_name("other.ipynb")


@pytest.mark.parametrize("name", ["99", "10-the-decisions", "nowhere/03.ipynb", "", __file__])
def test_a_notebook_that_is_not_there(name):
    said = one_line(CliRunner().invoke(main, ["meeting", name]))
    assert "no notebook" in said
    assert "03-two-ways-to-gather" in said


def test_a_port_that_is_taken(notebook):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        said = one_line(CliRunner().invoke(main, ["meeting", str(notebook), "--port", str(taken)]))
    assert f"port {taken} cannot be used" in said
    assert FOLDER not in os.environ, "a meeting that was not held leaves nothing to whoever works here next"


def test_a_toggle_the_notebook_does_not_have(tmp_path):
    path = write_notebook(tmp_path / "bare.ipynb")
    path.write_text(path.read_text().replace("swap = True", "swop = True"))
    said = one_line(CliRunner().invoke(main, ["meeting", str(path), "--no-swap"]))
    assert "bare has no parameter swap; known: version, arch, swop, patches" in said
    assert "--debug-vm" in one_line(CliRunner().invoke(main, ["meeting", str(path), "--debug-vm"]))


@pytest.mark.parametrize("broken", ["{", '{"nbformat": 99, "cells": []}', '{"cells": []}'])
def test_a_notebook_that_is_broken(notebook, tmp_path, broken, capsys):
    notebook.with_name("other.ipynb").write_text(broken, encoding="utf-8")
    (tmp_path / "copies").mkdir()
    assert meeting.with_parameters(notebook, {"arch": "x86"}, tmp_path / "copies").exists(), "the other one is left out"
    assert "other is left out: " in capsys.readouterr().err
    notebook.write_text("{", encoding="utf-8")
    said = one_line(CliRunner().invoke(main, ["meeting", str(notebook), "--arch", "x86"]))
    assert "cannot be read as a notebook" in said


def test_without_voila(monkeypatch, notebook):
    monkeypatch.setitem(sys.modules, "voila", None)
    monkeypatch.delitem(sys.modules, "voila.app")
    monkeypatch.delitem(sys.modules, "mmmodel.report.meeting")
    assert "pip install 'mmmodel[meeting]'" in one_line(CliRunner().invoke(main, ["meeting", str(notebook)]))


def test_toggles_are_parameters_of_all_copies(notebook, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    copy = meeting.with_parameters(notebook, {"arch": "x86", "patches": ["q4"]}, folder)
    assert copy == folder / "mine.ipynb"
    for path in (copy, folder / "other.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert "".join(cells[1]["source"]).splitlines()[1:] == ['arch = "x86"', 'patches = ["q4"]']
    assert "x86" not in notebook.read_text(encoding="utf-8")


# -- what is served


@pytest.mark.slow
def test_the_page_shows_results_and_no_code(notebook, tmp_path):
    with served(tmp_path / "log", "meeting", notebook, "--no-browser", "--arch", "x86") as (url, _):
        friend = visitor()
        status, headers, page = get(url, friend)
        assert status == 200
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        document = BeautifulSoup(page, "html.parser")
        outputs = [
            json.loads(tag.string)["data"] for tag in document.find_all("script", type=re.compile("cell-output"))
        ]
        static, last = unescape(outputs[0]["text/html"]), outputs[-1]["text/plain"]
        assert "✓ holds in all of 12 scenarios" in static
        assert repr(mm.Build(arch="x86")) in static
        assert repr(mm.Build(arch="x86")) == last
        assert "mm.explorer(" not in page
        links = document.find_all(["link", "script", "img"])
        assert not [
            tag for tag in links if str(tag.get("href") or tag.get("src")).startswith(("http:", "https:", "//"))
        ]
        beside = re.sub(r"mine\.ipynb.*", "other.ipynb", url)
        assert get(beside, friend)[0] == 200, "a link to another notebook works, without the token"


@pytest.mark.slow
def test_nothing_is_shown_without_the_token(notebook, tmp_path):
    with served(tmp_path / "log", "meeting", notebook, "--no-browser") as (url, process):
        server, path, token = re.fullmatch(r"(http://127.0.0.1:\d+)(/.*)\?token=(.*)", url).groups()
        assert len(token) >= 24
        assert token not in " ".join(psutil.Process(process.pid).cmdline())
        kernel = "/api/kernels/01234567-89ab-cdef-0123-456789abcdef"
        pages = (path, f"{path}?token=", f"{path}?token={token[:-1]}", "/", "/voila/tree/")
        for page in (*pages, kernel, f"{kernel}/channels", "/voila/api/contents", "/voila/files/mine.ipynb"):
            status, headers, _ = get(server + page)
            assert status == 403 or (status == 302 and headers["Location"].startswith("/login?")), page
        assert len(psutil.Process(process.pid).children()) <= 1, (
            "nor does a kernel start, beside that of the first page"
        )
        addresses = {c.laddr.ip for c in psutil.Process(process.pid).net_connections() if c.status == "LISTEN"}
        assert addresses == {"127.0.0.1"}


@pytest.mark.slow
def test_ctrl_c_ends_the_server_and_its_kernels(notebook, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    where = {"TMPDIR": str(temporary)}
    with served(tmp_path / "log", "meeting", notebook, "--swap", environment=where) as (url, process):
        friend = visitor()
        assert get(url, friend)[0] == get(url, friend)[0] == 200
        kernels = psutil.Process(process.pid).children(recursive=True)
        assert len(kernels) >= 2
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0  # kernels that are still starting are waited for
        assert psutil.wait_procs(kernels, timeout=30)[1] == []
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_browser_is_opened_and_the_token_is_in_no_list_of_processes(notebook, tmp_path):
    script, told = tmp_path / "browser", tmp_path / "told"
    script.write_text(f'#!/bin/sh\ncat "${{1#file://}}" > {told}.new\necho "$1" >> {told}.new\nmv {told}.new {told}\n')
    script.chmod(0o755)
    environment = {"BROWSER": f"{script} %s"}
    with served(tmp_path / "log", "meeting", notebook, environment=environment) as (url, _):
        get(url.split("?")[0])
        deadline = 600
        while not told.exists() and (deadline := deadline - 1):
            get(url.split("?")[0])
        page, address = told.read_text().rsplit(">", 1)
        assert url in page
        assert address.startswith("file://")
        assert os.path.basename(address.strip()) == "open.html"
