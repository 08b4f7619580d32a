"""Who gets into the meeting: names, the token, how many; and what the chair's terminal shows of it."""

import logging
import re
import sys
import time

import psutil
import pytest
from serving import Visitor, served, write_notebook

pytest.importorskip("voila", reason="pip install 'mmmodel[meeting]'")
from mmmodel.report.gate import in_one_line

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def meeting(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    notebook = write_notebook(folder / "mine.ipynb")
    with served(folder / "log", "meeting", notebook, "--no-browser", "--host-name", "meet.example") as (url, process):
        yield Visitor(url), process, folder / "log"


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:9000", 200), ("localhost", 200), ("meet.example:81", 200), ("evil.example", 403), ("[::1]:80", 403)],
)
def test_a_name_that_was_moved_here_is_refused(meeting, host, status):
    visitor, *_ = meeting
    for path in ("/login", "/voila/static/voila.js"):
        assert visitor.ask(path, Host=host).status == status, path


def test_a_page_may_ask_nobody_but_the_server_it_came_from(meeting):
    visitor, *_ = meeting
    for path in ("/login", "/nowhere", "/voila/static/voila.js"):
        policy = visitor.ask(path, Host="localhost:9000").headers["Content-Security-Policy"]
        assert "*" not in policy
        assert "connect-src 'self' ws://localhost:9000 wss://localhost:9000" in policy
        assert "form-action 'self'" in policy


def test_the_token_leaves_the_address_for_a_cookie(meeting):
    visitor, *_ = meeting
    answer = visitor.ask(f"{visitor.path}?arch=x86&patches=q2+q3&token={visitor.token}")
    assert (answer.status, answer.headers["Location"]) == (302, f"{visitor.path}?arch=x86&patches=q2+q3")
    assert {c.name.partition("-")[0] for c in visitor.cookies} == {"username", "_xsrf"}


def test_a_page_ends_its_kernel(meeting):
    """As Voila's script asks for it when a tab is closed or loaded again."""
    visitor, process, _ = meeting
    kernel = re.search(r'"kernelId": "([\w-]+)"', visitor.enter().text)[1]
    its = next(p for p in psutil.Process(process.pid).children() if kernel in " ".join(p.cmdline()))
    xsrf = next(c.value for c in visitor.cookies if c.name == "_xsrf")
    assert visitor.ask(f"/voila/api/shutdown/{kernel}", "POST", b"").status == 403
    assert visitor.ask(f"/voila/api/shutdown/{kernel}", "POST", f"_xsrf={xsrf}".encode()).status == 204
    assert psutil.wait_procs([its], timeout=30)[1] == []


def test_a_bad_request_is_one_line(meeting):
    visitor, _, log = meeting
    before = len(log.read_text().splitlines())
    assert visitor.ask("/voila/templates/x?token=secret").status == 500
    assert visitor.ask("/nowhere?token=secret").status == 404
    deadline = time.monotonic() + 30
    while len(lines := log.read_text().splitlines()[before:]) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    first, second = lines
    assert "ValueError" in first
    assert second == "refused (404): GET '/nowhere' from 127.0.0.1"
    assert "secret" not in log.read_text()


def test_an_error_is_one_line():
    try:
        raise ValueError("one\ntwo")
    except ValueError:
        record = logging.LogRecord(
            "x", logging.ERROR, "", 0, "failed: %s\nmore", ("GET /a?token=b (x)",), sys.exc_info()
        )
    assert in_one_line(record)
    assert logging.Formatter().format(record) == "failed: GET /a (x): ValueError: one"


@pytest.mark.parametrize("wait", [0, 5], ids=["at once", "when the page was made before"])
def test_there_is_room_for_so_many(tmp_path, wait):
    script = "from mmmodel.report import gate; gate.MOST = 1; from mmmodel.cli import main; main()"
    (tmp_path / "small.py").write_text(script)
    notebook = write_notebook(tmp_path / "mine.ipynb")
    with served(tmp_path / "log", "meeting", notebook, "--no-browser", script=tmp_path / "small.py") as (url, process):
        time.sleep(wait)
        visitor = Visitor(url)
        assert visitor.enter().status == 200
        answer = visitor.enter()
        assert answer.status == 503
        assert "The meeting is full" in answer.text
        assert len(psutil.Process(process.pid).children()) <= 2, "its own, and that of the next page"
