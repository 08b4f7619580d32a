"""The table of verdicts: each run made once, on any executor, complete even when a worker dies."""

import csv
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import proposals as given
import pytest
from refusals import assert_one_line

import mmmodel as mm
from mmmodel.cli import main

SAMPLE = {
    "archs": ["s390", "x86", "arm64", "m68k"],
    "versions": ["v4.5", "v4.6", "v4.9", "v5.13"],
    "patches": [(), "q3", "q4", "nr1-shortcut", ("q2", "nr1-shortcut")],
    "scenarios": ["map-read-unmap", "two-mappings", "madv-dontneed", "zap-vs-shrinker", "fault-vs-shrinker"],
}


@pytest.fixture(scope="module")
def table():
    return mm.matrix(**SAMPLE)


@pytest.mark.slow
def test_builds_said_to_be_the_same_are(table):
    """Row by row what checking each build by itself says."""
    assert len(table) == 4 * 4 * 2 * 5 * 5
    for row in table.sample(120, random_state=1).itertuples():
        patches = [name for name in row.patches.split("+") if name]
        verdict = mm.check(mm.Build(row.version, row.arch, row.swap, patches=patches), row.scenario)
        assert (row.holds, row.broken, row.op, row.what) == (verdict.holds, verdict.broken, verdict.op, verdict.what)


def test_what_is_asked_for_twice_is_in_the_table_once():
    once = mm.matrix(["s390"], ["v4.6"], [True], ["q2"], ["fork"])
    assert mm.matrix(["s390", "s390"], ["v4.6"], [True, True], ["q2", ("q2",)], ["fork", "fork"]).equals(once)


@pytest.mark.slow
@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor(pool):
    small = SAMPLE | {"versions": ["v4.6"]}
    with pool(2) as executor:
        assert mm.matrix(**small, executor=executor).equals(mm.matrix(**small))


@pytest.fixture
def cluster():
    """A Dask scheduler on loopback and two workers: its address, and the workers to kill."""
    pytest.importorskip("distributed", reason="install the extra: pip install 'mmmodel[cluster]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    worker = ["dask_worker", address, "--nthreads", "1", "--no-nanny"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *options, "--no-dashboard"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for module, *options in (scheduler, worker, worker)
    ]
    yield address, processes[1:]
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_dies_half_way(cluster, table):
    from distributed import Client

    address, workers = cluster
    with Client(address, timeout=60) as client:
        client.wait_for_workers(2, timeout=60)
    expected = table[~table.patches.str.contains("+", regex=False)]
    command = [sys.executable, "-m", "mmmodel.cli", "matrix", "--scheduler", address, "--format", "csv"]
    options = [f"--{name[:-2] if name == 'patches' else name[:-1]}={value}" for name, values in SAMPLE.items()
               for value in values if isinstance(value, str)]  # fmt: skip
    run = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    progress = b""
    while not (done := re.findall(rb"([1-9]\d*)/%d" % len(expected), progress)):
        progress += os.read(run.stderr.fileno(), 4096) or pytest.fail(progress.decode())
    assert int(done[-1]) < len(expected)
    assert workers[0].poll() is None
    workers[0].kill()
    out, errors = run.communicate(timeout=240)
    assert run.returncode == 1, errors.decode()
    assert [[str(value) for value in row] for row in expected.values] == list(csv.reader(out.decode().splitlines()))[1:]


def test_no_scheduler_is_bad_usage():
    from click.testing import CliRunner

    pytest.importorskip("distributed", reason="install the extra: pip install 'mmmodel[cluster]'")
    result = CliRunner().invoke(main, ["matrix", "--arch", "s390", "--scheduler", "nonsense"])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_table_has_the_three_answers():
    class Slow(given.SpinsOnAWord):
        """Does not return where it is called."""

    table = mm.matrix(["s390"], ["v4.6"], [True], [[], ["quick-hack"], [Slow]], ["fork", "fault-vs-fault"])
    assert list(table.status) == ["broken", "holds", "holds", "holds", "undecided", "undecided"]
    assert list(table.holds) == [False, True, True, True, None, None]
    assert "does not return" in table.what[4]


@pytest.mark.parametrize(
    "toggles",
    [
        {"archs": ["nope"]},
        {"versions": ["nope"]},
        {"patches": ["nope"]},
        {"patches": [["q2", "nope"]]},
        {"scenarios": ["nope"]},
        {"swap": ["nope"]},
    ],
    ids=repr,
)
def test_a_matrix_of_what_is_not_there(toggles):
    with pytest.raises(mm.BuildError) as error:
        mm.matrix(**toggles)
    assert_one_line(error, ["nope"])


def test_what_waits_is_cancelled_when_the_work_is_interrupted_while_it_is_given_out():
    given = []

    class Interrupted(Executor):
        def submit(self, function, *args):
            if len(given) == 2:
                raise KeyboardInterrupt
            given.append(Future())
            return given[-1]

    table = mm.matrix(["s390"], ["v4.6"], scenarios=["fork", "split", "mremap", "write-fault"], executor=Interrupted())
    assert set(table.status) == {"undecided"}
    assert [future.cancelled() for future in given] == [True, True]
