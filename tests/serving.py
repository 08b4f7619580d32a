"""Servers for tests and benchmarks: started on loopback, read for the address they print, always ended."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from email.message import Message
from http.cookiejar import CookieJar
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
CHROMIUM = ["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
AXE = ROOT / "tests/axe/node_modules/axe-core/axe.min.js"
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="install the npm package axe-core: npm ci --prefix tests/axe")
SERIOUS = """() => axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
    .filter(v => ["serious", "critical"].includes(v.impact))
    .flatMap(v => v.nodes.map(n => `${v.id}: ${n.target} ${n.any.map(a => a.message)} ${n.html}`.slice(0, 400))))"""


def free_port():
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cell(kind, name, *lines, tags=()):
    """A cell of a notebook."""
    code = {"outputs": [], "execution_count": None} if kind == "code" else {}
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": kind, "id": name, "metadata": metadata, "source": "\n".join(lines), **code}


def write_notebook(path, *cells):
    """A notebook with the usual parameters, then `cells`."""
    parameters = ['version = "v4.6"', 'arch = "s390"', "swap = True", "patches = []"]
    imports = ["import mmmodel as mm", "from mmmodel.show import figures, lanes"]
    build = "build = mm.Build(version=version, arch=arch, swap=swap, patches=patches)"
    first = [cell("code", "parameters", *parameters, tags=["parameters"]), cell("code", "build", *imports, build)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": [*first, *cells], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


@contextmanager
def served(log, *arguments, environment=None, seconds=60, script=None):
    """Run `mmmodel ...` (or a script like it), settings of its own, until it prints an address: yields both."""
    command = [sys.executable, *([script] if script else ["-m", "mmmodel.cli"]), *map(str, arguments)]
    home = log.with_name("home")
    news = home / "lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    news.parent.mkdir(parents=True, exist_ok=True)
    news.write_text('{"fetchNews": "false"}', encoding="utf-8")
    own = {name: str(home) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "XDG_DATA_HOME")}
    env = {**os.environ, **own, "JUPYTER_PREFER_ENV_PATH": "1", **(environment or {})}
    with log.open("w") as output:
        # Not in the process group of the tests: Ctrl-C there ends the server here, below.
        process = subprocess.Popen(command, stdout=output, stderr=output, env=env, start_new_session=True)
    try:
        deadline = time.monotonic() + seconds
        while not (found := re.search(r"http://\S+token=[\w-]+", log.read_text(encoding="utf-8"))):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        yield found[0], process
    finally:
        end(process)


def end(process):
    """End a server; its kernels end with it, or are ended."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def serious(page):
    """Serious and critical violations that axe-core finds in an open page."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate(SERIOUS)


def in_lab(page, url, path):
    """Open a notebook in JupyterLab at a printed address, and run all cells."""
    server, token = re.match(r"(http://[^/]+)/.*token=([\w-]+)", url).groups()
    page.goto(f"{server}/lab/tree/{path.name}?token={token}&reset")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.locator(".jp-OutputArea :is(.mm-explorer, .widget-interact)").first.wait_for(
        timeout=60_000
    )  # not JupyterLab's own
    return page


def lab_options(folder):
    """What to give `mmmodel lab` here."""
    quiet = ["--no-browser", "--allow-root", f"--port={free_port()}", "--ServerApp.port_retries=0"]
    return ["lab", "--", *quiet, f"--notebook-dir={folder}", "--ServerApp.log_level=WARN"]


class Answer(NamedTuple):
    status: int
    headers: Message
    text: str


class Visitor:
    """A browser that keeps cookies; a redirection is not followed unless asked for."""

    def __init__(self, url):
        self.server, self.path, self.token = re.fullmatch(r"(http://127.0.0.1:\d+)(/.*)\?token=(.*)", url).groups()
        self.cookies = CookieJar()

    def ask(self, path, method="GET", body=None, follow=False, **headers):
        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *args):
                return None

        handlers = [urllib.request.HTTPCookieProcessor(self.cookies), *([] if follow else [Stay])]
        request = urllib.request.Request(self.server + path, body, headers, method=method)
        try:
            answer = urllib.request.build_opener(*handlers).open(request, timeout=120)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return Answer(answer.status, answer.headers, answer.read().decode(errors="replace"))

    def enter(self):
        return self.ask(f"{self.path}?token={self.token}", follow=True)
