"""What the pages of a meeting tell each other by way of the server: presenter, minutes, signs of life."""

import json
import os
import signal
from contextlib import contextmanager

import psutil
import pytest
from serving import Visitor, served, write_notebook

pytest.importorskip("voila", reason="pip install 'mmmodel[meeting]'")
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

pytestmark = pytest.mark.slow


@contextmanager
def meeting(folder):
    notebook = write_notebook(folder / "mine.ipynb")
    arguments = ["meeting", notebook, "--no-browser", "--minutes", folder / "minutes.json"]
    with served(folder / "log", *arguments) as (url, process):
        visitor = Visitor(url)
        visitor.ask(f"{visitor.path}?token={visitor.token}")
        yield visitor, process


def join(visitor, name, origin=None, cookies=True):
    """A page's connection; its kernel does not exist."""
    server = visitor.server.removeprefix("http")
    known = "; ".join(f"{c.name}={c.value}" for c in visitor.cookies) if cookies else ""
    origin = origin or visitor.server
    return connect(f"ws{server}/mmmodel/visit/none?name={name}", additional_headers={"Cookie": known}, origin=origin)


def hear(line, *wanted, **values):
    """The next message in which these are, with these values."""
    for message in line:
        news = json.loads(message)
        if all(name in news for name in wanted) and values.items() <= news.items():
            return news
    raise AssertionError("the line is closed")


def say(line, **words):
    line.send(json.dumps(words))


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with meeting(tmp_path_factory.mktemp("visitors")) as (visitor, _):
        yield visitor


def test_only_pages_of_this_server_may_connect(host):
    for options in ({"cookies": False}, {"origin": "http://evil.example"}, {"origin": "http://127.0.0.1:1"}):
        with pytest.raises(InvalidStatus) as refused, join(host, "x", **options):
            pass
        assert refused.value.response.status_code == 403
    assert host.ask("/mmmodel/minutes.md").status == 200
    assert Visitor(f"{host.server}{host.path}?token=x").ask("/mmmodel/minutes.md").status == 302, "to the login"


def test_the_first_visitor_presents_until_another_takes_over(host):
    with join(host, "first") as first, join(host, "second") as second:
        hear(first, presenting=True)
        hear(second, presenting=False, visitors=2)
        say(second, state="arch=arm")
        say(first, state="arch=x86")
        assert hear(second, "shown", shown="arch=x86")
        say(second, present=True, state="arch=sh")
        hear(first, presenting=False, shown="arch=sh")
        hear(second, presenting=True)
        first.close()
        hear(second, visitors=1, presenting=True)


def test_a_kernel_that_is_not_there_is_not_alive(host):
    with join(host, "third") as line:
        assert hear(line, "alive") == {"alive": False}


def test_nonsense_is_answered_with_the_reason(host):
    with join(host, "fourth") as line:
        for nonsense in ("{", "[]", "3", '{"add": "votes", "words": {"name": "x"}}', '{"add": "notes", "words": 3}'):
            line.send(nonsense)
            assert hear(line, "refused")["refused"], nonsense
        say(line, add="notes")
        hear(line, "refused")


def test_minutes_survive_the_server(tmp_path):
    with meeting(tmp_path) as (visitor, process):
        with join(visitor, "chair") as line:
            assert "question 4" in hear(line, "fixes")["fixes"]
            say(line, add="notes", words={"said": "who has <b>SWAP=n</b>?"})
            hear(line, "minutes")
        kernels = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        assert psutil.wait_procs(kernels, timeout=60)[1] == [], "kernels end with it"
    with meeting(tmp_path) as (visitor, _), join(visitor, "chair") as line:
        (note,) = hear(line, "minutes")["minutes"]["notes"]
        assert note["said"] == "who has <b>SWAP=n</b>?"
        say(line, add="decision", words={"said": "none"})
        hear(line, "minutes")
        markdown, mail = (visitor.ask(f"/mmmodel/minutes.{kind}") for kind in ("md", "txt"))
        assert r"\<b\>SWAP\=n\<\/b\>" in markdown.text
        assert "who has <b>SWAP=n</b>?" in mail.text
        assert markdown.headers["Content-Disposition"] == 'attachment; filename="minutes.md"'
        assert mail.headers["X-Content-Type-Options"] == "nosniff"
