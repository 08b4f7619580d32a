"""mmmodel verdict: a witness in words, the same in every run; undecided as exit status 3; Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from time import monotonic, sleep

import pytest


def shown(*words, **environment):
    command = [sys.executable, "-m", "mmmodel.cli", "verdict", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("words", [
    ("zap-vs-shrinker", "--version", "v4.5", "--arch", "x86", "--witness"), ("two-mappings", "--witness"),
    ("fault-vs-shrinker", "--version", "v5.13", "--arch", "x86", "--witness"),
])  # fmt: skip
def test_a_witness_is_in_words_the_same_in_every_run(words):
    runs = [shown(*words, "--format", "json", PYTHONHASHSEED=seed).stdout for seed in ("1", "2", "77")]
    plain = [[line for line in run.splitlines() if "seconds" not in line] for run in runs]
    assert plain[0] == plain[1] == plain[2]
    assert len(plain[0]) > 30
    assert not any(bad in runs[0] for bad in ("frozenset", " at 0x7", "Var(", "TlbEntry", "Pmd("))


@pytest.mark.parametrize(("words", "status", "bound"), [
    (("zap-vs-shrinker", "--arch", "x86", "--version", "v4.5", "--max-states", "50"), 3, "50 states"),
    (("zap-vs-shrinker", "--arch", "x86", "--version", "v4.5", "--max-seconds", "0.000001"), 3, "time"),
    (("unmap-until-panic", "--version", "v4.7", "--max-seconds", "0.000001"), 3, "time"),
    (("zap-vs-shrinker", "--arch", "x86", "--version", "v4.5"), 1, ""),
    (("zap-vs-shrinker", "--arch", "x86", "--version", "v4.7"), 0, ""),
])  # fmt: skip
def test_an_undecided_verdict_exits_with_3(words, status, bound):
    run = shown(*words, "--format", "json")
    (row,) = json.loads(run.stdout)
    assert (run.returncode, row["bound"]) == (status, bound)
    assert row["status"] == {0: "holds", 1: "broken", 3: "undecided"}[status]
    assert row["holds"] is {0: True, 1: False, 3: None}[status]


@pytest.mark.slow
@pytest.mark.parametrize("words", [
    ("verdict", "zap-vs-shrinker", "--version", "v4.7", "--cpus", "7", "--no-symmetry"),
    ("verdict", "--version", "v4.7", "--cpus", "7"), ("matrix", "--format", "csv"),
])  # fmt: skip
def test_ctrl_c_keeps_what_there_is_and_is_undecided(words):
    command = [sys.executable, "-m", "mmmodel.cli", *words]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    if words[0] == "matrix":
        assert "".join(iter(lambda: run.stderr.read(1), ":")).endswith("verdicts"), "its bar: it has begun"
    sleep(2 if words[0] == "matrix" else 6)
    began = monotonic()
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=120)
    if "--cpus" in words and "zap-vs-shrinker" not in words:  # a sequential scenario takes one CPU
        assert (run.returncode, "Traceback" in err) == (2, False)
        return
    assert monotonic() - began < (20 if words[0] == "matrix" else 5)  # a table of everything takes its time to print
    assert "undecided" in out
    assert "interrupted" in out
    assert "Traceback" not in err
    assert run.returncode in (1, 3)  # 1: what was finished by then has broken ones


SLOW = """from time import sleep
import mmmodel as mm
class Slow(mm.Patch):
    def munmap(self, *args):
        if self.build.arch == "s390":
            sleep(2.5)
        super().munmap(*args)
"""


@pytest.mark.slow
def test_ctrl_c_while_one_process_has_nothing_to_do(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    command = [sys.executable, "-m", "mmmodel.cli", "matrix", "--arch", "s390", "--arch", "x86", "--version", "v4.6",
               "--scenario", "map-read-unmap", "--patch", f"{tmp_path}/slow.py:Slow", "--format", "csv"]  # fmt: skip
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert "verdicts" in run.stderr.read(9)
    sleep(1.2)
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert "Traceback" not in err
    assert "interrupted" in out


@pytest.mark.slow
def test_a_second_ctrl_c_takes_nothing_away():
    command = [sys.executable, "-m", "mmmodel.cli", "verdict", "zap-vs-shrinker", "--version", "v4.7", "--cpus", "7",
               "--no-symmetry"]  # fmt: skip
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    sleep(6)
    for _ in range(5):
        run.send_signal(signal.SIGINT)
        sleep(0.05)
    out, err = run.communicate(timeout=120)
    assert "states seen is wrong" in out, err
    assert (run.returncode, err) == (3, "")
