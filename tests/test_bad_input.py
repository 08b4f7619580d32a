"""What does not exist is refused in one line that names what does."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

import mmmodel as mm
from mmmodel.cli.verdicts import main
from mmmodel.explore.sequential import SEQUENTIAL
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS


class Typo(mm.Patch):
    """Overrides a function that is spelled otherwise."""

    def free_page_and_swap_cash(self, page):
        pass


class NotAPatch:
    """Forgot the base class."""

    def put_page(self, page):
        pass


class Fine(mm.Patch):
    """Overrides what there is."""

    def put_page(self, page):
        super().put_page(page)


class Unreleased(Fine):
    """For a version that is not modelled."""

    since = "v4.8"


class Finer(PATCHES["q2"]):
    """Derives from question 2."""


class Both(PATCHES["q2"], PATCHES["q4"]):
    """Two patches in one."""


class Named(Fine):
    """Has the name of another patch."""

    name = "q2"


class InTheHeader(PATCHES["q4"]):
    """Derives from a patch of an arch, and lies below it."""

    file = "mm/swap_state.c"


BUILDS = {
    "arch": ({"arch": "s309"}, ["s390", "x86"]),
    "arch of another type": ({"arch": 390}, ["s390"]),
    "arch None": ({"arch": None}, ["s390"]),
    "arch list": ({"arch": ["s390"]}, ["s390"]),
    "upper case": ({"arch": "S390"}, ["s390"]),
    "empty arch": ({"arch": ""}, ["s390"]),
    "version": ({"version": "4.6"}, list(VERSIONS)),
    "version as a number": ({"version": 4.6}, list(VERSIONS)),
    "patch": ({"patches": ["quick-hak"]}, ["did you mean quick-hack", *PATCHES]),
    "patch of another type": ({"patches": [2]}, list(PATCHES)),
    "patches as text": ({"patches": "q2"}, ["list"]),
    "patches as one class": ({"patches": Fine}, ["list"]),
    "patches not a list": ({"patches": 2}, ["list"]),
    "patches None": ({"patches": None}, ["list"]),
    "a patch twice": ({"patches": ["q2", "q3", "q2"]}, ["twice", "q2"]),
    "a patch by name and as a class": ({"patches": ["q2", PATCHES["q2"]]}, ["twice", "q2"]),
    "a patch that overrides no function": ({"patches": [Typo]}, ["did you mean free_page_and_swap_cache", "Typo"]),
    "a patch for an unknown version": ({"patches": [Unreleased]}, ["v4.8", *VERSIONS]),
    "a patch before one it derives from": ({"patches": [Finer, "q2"]}, ["Finer", "q2", "has to come later"]),
    "a patch of patches before one of them": ({"patches": [Both, "q4"]}, ["Both", "q4", "has to come later"]),
    "a patch below one it derives from": ({"patches": ["q4", InTheHeader]}, ["InTheHeader", "over it"]),
    "a patch with the name of another": ({"patches": [Named]}, ["Named", "q2"]),
    "two patches of one name": ({"patches": [Fine, type("Fine", (Fine,), {})]}, ["twice", "Fine"]),
    "the base of all patches": ({"patches": [mm.Patch]}, ["mm.Patch"]),
    "a class that is no patch": ({"patches": [NotAPatch]}, ["NotAPatch", "mm.Patch"]),
    "an instance of a patch": ({"patches": [Fine()]}, ["Fine"]),
    "swap as text": ({"swap": "yes"}, ["True or False"]),
    "swap as a number": ({"swap": 1}, ["True or False"]),
    "swap None": ({"swap": None}, ["True or False"]),
    "thp as text": ({"thp": "y"}, ["True or False"]),
    "debug_vm as a number": ({"debug_vm": 0}, ["True or False"]),
}


@pytest.mark.parametrize(
    ("patches", "names"),
    [
        (["q2", Finer], ["q2", "Finer"]),
        ([Finer], ["Finer"]),
        ([Both], ["Both"]),
        (["q2", Both], ["q2", "Both"]),
        ([Finer, "q4"], ["Finer", "q4"]),
        ([InTheHeader], ["InTheHeader"]),
    ],
    ids=str,
)
def test_patches_of_patches_that_can_be(patches, names):
    """They repair what the ones they derive from repair, and have a name of their own."""
    build = mm.Build(patches=patches)
    assert [patch.name for patch in build.patch_classes] == names
    assert mm.check(build, "two-mappings") or patches == [InTheHeader]
    assert build.without_effect.keys() <= ({"Finer"} if "q4" in patches else {"InTheHeader"})


class Nothing(mm.Patch):
    """An idea without code."""


def test_a_patch_that_changes_nothing_says_so():
    build = mm.Build(patches=[Nothing, "quick-hack"])
    assert build.without_effect == {"Nothing": "it overrides no kernel function"}
    assert mm.trace(build, "fork").rows == mm.trace(mm.Build(patches=["quick-hack"]), "fork").rows
    assert "Nothing" in repr(build)


class Underscores(mm.Patch):
    """Uses the name of the kernel, which Python hides in a class."""

    def __put_page(self, page):
        self.BUG_ON(True, "__put_page")


def test_two_underscores_are_those_of_the_kernel():
    assert Underscores.functions() == ["_put_page"]
    assert mm.check(mm.Build(patches=[Underscores]), "fork").what == "__put_page"


def assert_one_line(error, named):
    text = str(error.value)
    assert "\n" not in text
    assert [word for word in named if word not in text] == []


@pytest.mark.parametrize("case", BUILDS)
def test_a_build_that_cannot_be(case):
    toggles, named = BUILDS[case]
    with pytest.raises(mm.BuildError) as error:
        mm.Build(**toggles).boot(memory_mib=16)
    assert_one_line(error, named)


@pytest.mark.parametrize("function", [mm.trace, mm.check], ids=["trace", "check"])
@pytest.mark.parametrize("scenario", ["map_read_unmap", "", None, 3, ["map-read-unmap"]], ids=repr)
def test_a_scenario_that_is_none(function, scenario):
    with pytest.raises(mm.BuildError) as error:
        function(mm.Build(), scenario)
    assert_one_line(error, SEQUENTIAL)


@pytest.mark.parametrize("function", [mm.trace, mm.check], ids=["trace", "check"])
@pytest.mark.parametrize("build", ["quick-hack", mm.Build, 4.6], ids=repr)
def test_a_build_that_is_none(function, build):
    with pytest.raises(mm.BuildError) as error:
        function(build, "fork")
    assert_one_line(error, ["mm.Build"])


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


@pytest.mark.parametrize("cpus", [0, 1, -1, 99, "3", 2.5, True], ids=repr)
def test_a_number_of_cpus_a_concurrent_scenario_cannot_have(cpus):
    with pytest.raises(mm.BuildError) as error:
        mm.check(mm.Build(), "zap-vs-shrinker", cpus=cpus)
    assert_one_line(error, ["zap-vs-shrinker", repr(cpus)])


def test_several_cpus_for_a_sequential_scenario():
    with pytest.raises(mm.BuildError) as error:
        mm.check(mm.Build(), "fork", cpus=2)
    assert_one_line(error, ["fork", "zap-vs-shrinker"])


def test_a_table_and_a_name_that_are_none():
    with pytest.raises(ValueError, match="counters"):
        mm.data.rows("nope")
    with pytest.raises(AttributeError, match="nope"):
        _ = mm.nope


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
