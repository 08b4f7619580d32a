"""The kernel that begins before the server of a meeting: launched once, and never left behind."""

import json
import os
import subprocess

import pytest
from jupyter_client import launcher

from mmmodel.report import environment
from mmmodel.report.early import Early


@pytest.fixture
def early(monkeypatch):
    """One that says what it heard, in place of being a kernel."""
    monkeypatch.setattr(launcher, "launch_kernel", lambda command, **options: "another")
    says = "import sys; print(sys.stdin.read(), file=open(sys.argv[2] + '.heard', 'w'))"
    monkeypatch.setattr(environment, "COMMAND", [environment.COMMAND[0], "-c", says])
    one = Early()
    yield one
    one.end()
    assert one.process.poll() is not None
    assert not os.path.exists(one.folder)


def test_it_hears_its_variables_and_its_folder_and_is_launched_once(early):
    options = {"env": {"NAME": "value"}, "cwd": "/"}
    assert early.launch(early.command, **options) is early.process
    assert early.process.wait(60) == 0
    with open(early.command[-1] + ".heard") as heard:
        assert json.load(heard) == [{"NAME": "value"}, "/"]
    assert early.launch(early.command, **options) == "another"


def test_another_kernel_is_not_this_one(early):
    assert early.launch([*early.command[:-1], "kernel-of-another.json"], env={}) == "another"
    assert early.process.poll() is None


def test_one_that_died_is_replaced(early):
    early.process.kill()
    early.process.wait()
    assert early.launch(early.command, env={"A": "B" * 100_000}) == "another"


@pytest.mark.slow
def test_a_kernel_that_nobody_launches_ends():
    waiting = [*environment.COMMAND, "-f", "nowhere"]
    own = {environment.WAITS: "1", "MMMODEL_PATH": environment.search_path()}
    ended = subprocess.run(waiting, env=os.environ | own, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
