"""What does not exist is refused in one line that names what does."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from mmmodel.cli import main
from mmmodel.kernel.arches import ARCHES

COMMANDS = {
    "trace nope": ["unknown", "two-mappings"],
    "trace zap-vs-shrinker": ["unknown", "two-mappings"],
    "trace --arch nope": ["s390"],
    "trace --version 4.6": ["did you mean v4.6"],
    "trace --patch nope": ["quick-hack"],
    "trace --patch q2 --patch q2": ["twice"],
    "verdict nope": ["zap-vs-shrinker", "fork"],
    "verdict zap-vs-shrinker --cpus 99": ["2 to 8"],
    "verdict fork --cpus 3": ["sequential"],
    "verdict zap-vs-zap --sequential": ["zap-vs-zap is concurrent"],
    "matrix --arch nope": ["s390"],
    "matrix --version nope": ["v4.6"],
    "matrix --patch q2+nope": ["q3"],
    "matrix --scenario nope": ["fork"],
    "run nope.ipynb": ["nope.ipynb"],
    "run --arch nope": ["s390"],
    "run -p nope 1": ["nope"],
    "run -p arch nope": ["unknown arch", "s390"],
    'run -p patches ["nope"]': ["unknown patch", "quick-hack"],
    "run -o /dev/null/x": ["/dev/null/x", "not a folder"],
    "verdict fault-vs-fault --max-seconds nan": ["max_seconds"],
    "trace --format xml": ["csv"],
    "trace --nope": ["--nope"],
    "trace fork fork": ["fork"],
    "verdict --cpus many": ["many"],
    "verdict fault-vs-fault --max-states 0": ["max-states"],
    "verdict fault-vs-fault --max-seconds -1": ["max-seconds"],
    "run --jobs 0": ["jobs"],
    "nope": ["nope"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_line_that_cannot_be(command):
    """Exit status 2, one line on standard error, nothing on standard output."""
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert [word for word in COMMANDS[command] if word not in line] == []


def test_the_same_as_a_process():
    command = [sys.executable, "-m", "mmmodel.cli", "trace", "--arch", "nope"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: unknown arch 'nope'; allowed: ")
    assert ", ".join(ARCHES) in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", ["verdict fork --version v4.7", "trace fork --format csv", "verdict --help"])
def test_output_that_cannot_be_written_is_no_verdict(words):
    """A full disk: one line and status 2; a pipe that nobody reads: the status of SIGPIPE, without a word."""
    command = [sys.executable, "-m", "mmmodel.cli", *words.split()]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "Error: standard output: No space left on device\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("command", ["trace", "verdict", "matrix", "run", "lab"])
def test_every_command_has_help_with_an_example(command):
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: mmmodel {command}" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("trace map-read-unmap", 0),
        ("verdict fork", 1),
        ("verdict fork --version v4.7", 0),
        ("verdict fork --version v4.7 --no-swap", 1),
        ("verdict fork --version v4.7 --no-swap --patch swapn-macro", 0),
    ],
)
def test_exit_status(command, status):
    assert CliRunner().invoke(main, command.split()).exit_code == status


def test_trace_as_csv_has_the_columns_of_the_measured_counters():
    command = "trace write-fault --version v4.7 --patch page-refcount --format csv"
    lines = CliRunner().invoke(main, command.split()).stdout.splitlines()
    assert lines[:3] == [
        "step,op,huge_zero_refcount,page_count,present",
        "0,start,,,0",
        "1,map_read_1,,2,1",
    ]


def test_trace_as_a_table_says_where_the_counters_leave_what_is_due():
    lines = CliRunner().invoke(main, ["trace", "two-mappings"]).stdout.splitlines()
    assert [line.endswith("HZR is 3, due 2; PC is 0, due 1") for line in lines[1:8]] == [False] * 5 + [True, False]
