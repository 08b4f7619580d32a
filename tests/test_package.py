"""The package as a whole: what importing it costs, what is documented, and that the project files agree."""

import ast
import csv
import inspect
import re
import subprocess
import sys
import tomllib
from difflib import SequenceMatcher
from importlib import import_module
from importlib.metadata import packages_distributions
from itertools import combinations
from pathlib import Path

import pytest
import yaml

import mmmodel as mm

ROOT = Path(__file__).parents[1]
MODULES = sorted(ROOT.glob("mmmodel/**/*.py"))
TABLES = sorted(ROOT.glob("data/*.csv"))
SET_UP = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && "
CONDA_NAMES = {"matplotlib": "matplotlib-base", "playwright": "playwright-python"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
ALIKE = {("verdict", "verdicts")}  # explore's and the command line's
TWICE = {
    "a command has the name of what it calls": "audit load matrix named run trace",
    "a figure has the name of what it shows": "agreement beside broken counters differences frames latent ledger "
                                              "matrix said table verdicts why",
    "the kernel's word": "munmap read",
    "the same question, asked of something else": "compare find known measured plain shared",
}  # fmt: skip
"""Why two modules have a public name in common."""


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


# -- importing


@pytest.mark.parametrize("use", ["pass", "mm.trace(); mm.check(); mm.Build(patches=['q2']).boot()"])
def test_neither_importing_nor_running_the_model_needs_the_notebook_stack(use):
    heavy = {"pandas", "numpy", "matplotlib", "IPython", "ipywidgets", "papermill", "nbconvert", "jupyterlab"}
    code = f"import sys, mmmodel as mm; {use}; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(found.stdout.split())


def test_every_public_name_can_be_had():
    for name in mm.__all__:
        assert getattr(mm, name) is not None
    assert dir(mm) == mm.__all__


def test_version():
    assert mm.__version__ == PROJECT["version"]
    assert f"version: {mm.__version__}" in text("CITATION.cff")
    assert f"## {mm.__version__}" in text("CHANGELOG.md")


# -- the code


def public(tree):
    """Public classes and functions of a module, methods included, nested functions not."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (f for f in node.body if isinstance(f, ast.FunctionDef) and f.name[0] != "_")


def test_every_module_and_everything_public_in_it_has_a_docstring():
    nodes = [(path.stem, node) for path, tree in TREES.items() for node in (tree, *public(tree))]
    assert [(module, getattr(node, "name", "")) for module, node in nodes if not ast.get_docstring(node)] == []


def bare(function):
    """Is something in the signature of a function or method without a type?"""
    a = function.args
    arguments = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    return not function.returns or any(x.annotation is None and x.arg not in ("self", "cls") for x in arguments)


def test_everything_public_is_annotated():
    functions = [(path.stem, f) for path, tree in TREES.items() for f in public(tree) if isinstance(f, ast.FunctionDef)]
    assert [(module, function.name) for module, function in functions if bare(function)] == []


def test_a_module_fits_on_a_few_screens():
    lengths = {path.stem: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines >= 300} == {}


# -- the rooms


def test_a_room_imports_what_is_below_it():
    """The contracts of pyproject.toml."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


ONLY_PYTHON = """
import sys, pkgutil
class Refused:
    def find_spec(name, *_):
        if name.split(".")[0] not in {"mmmodel", *sys.stdlib_module_names} and "_sysconfigdata" not in name:
            raise ImportError(name + " is not in the standard library")
sys.meta_path.insert(0, Refused)
import mmmodel as mm, mmmodel.build, mmmodel.explore, mmmodel.kernel
for room in mmmodel.build, mmmodel.explore, mmmodel.kernel:
    for module in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
        __import__(module.name)
assert mm.check(mm.Build("v4.7"), "zap-vs-shrinker") and not mm.check(mm.Build(), "fork")
"""


def test_the_model_and_its_exploration_need_nothing_but_python():
    found = subprocess.run([sys.executable, "-c", ONLY_PYTHON], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_at_the_top_there_is_little():
    assert len(list((ROOT / "mmmodel").glob("*.py"))) <= 8


def alike(one, other):
    """Are two names nearly the same: but for an ending, or for a letter or two?"""
    short, long = sorted((one, other), key=len)
    endings = {short + ending for ending in ("", "s", "es", "r", "er", "ing", "_figures", "_table")}
    return long in endings or SequenceMatcher(None, one, other).ratio() > 0.85


@pytest.mark.parametrize("pattern", ["mmmodel/**/[!_]*.py", "tests/**/test_*.py"])
def test_no_two_modules_have_nearly_the_same_name(pattern):
    names = sorted(path.stem.removeprefix("test_") for path in ROOT.glob(pattern))
    assert {pair for pair in combinations(names, 2) if alike(*pair)} <= ALIKE


def test_a_public_name_is_defined_once_or_it_is_said_why():
    homes = {}
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, set()).add(path.stem)
    twice = {name for name, modules in homes.items() if len(modules) > 1}
    assert twice == set(" ".join(TWICE.values()).split())


def test_kernel_functions_are_documented_where_they_are_defined():
    """Also those of patches: the first line of each docstring is the idea."""
    for patch in import_module("mmmodel.kernel.patches").PATCHES.values():
        assert inspect.getdoc(patch)
        for name in patch.functions():
            assert inspect.getattr_static(patch, name).__doc__, (patch, name)


# -- the data


FACTS = [path for path in TABLES if path.stem != "glossary"]
"""The explanation of a word is ours."""


@pytest.mark.parametrize("table", FACTS, ids=lambda path: path.stem)
def test_every_row_says_how_it_is_known_and_where_from(table):
    with table.open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    columns = list(found[0])
    how = [name for name in columns if name in ("how", "kind")]
    source = [name for name in columns if re.search("source|tree|citations|where_seen", name)]
    assert how
    assert source
    for number, row in enumerate(found, start=2):
        assert None not in (*row, *row.values()), f"line {number} has too many or too few columns"
        assert any(row[name] for name in how), f"line {number} does not say how"
        assert any(row[name] for name in source), f"line {number} has no source"


# -- the project files


def requirements():
    """Every requirement that the tests' environment needs: name -> lower bound."""
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
    return dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", item).groups() for item in wanted)


def test_conda_environment_agrees_with_pyproject():
    listed = yaml.safe_load(text("environment.yml"))["dependencies"]
    packages = [item for item in [*listed[:-1], *listed[-1]["pip"]] if ">=" in item]
    conda = dict(item.split(">=") for item in packages)
    assert f">={conda.pop('python')}" == PROJECT["requires-python"]
    assert conda == {CONDA_NAMES.get(name, name): bound for name, bound in requirements().items()}


def imported(folder):
    """What its files import that is neither Python's nor ours."""
    trees = [ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for path in (ROOT / folder).glob("**/*.py")]
    nodes = [node for tree in trees for node in tree]
    names = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    ours = {"mmmodel", *(path.stem for path in (ROOT / "tests").rglob("*.py"))}
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - ours


@pytest.mark.parametrize("folder", ["mmmodel", "tests", "benchmarks"])
def test_what_is_imported_is_declared(folder):
    """As a dependency; the package may use what only an extra brings, and tests and benchmarks what `test` brings."""
    allowed = {**PROJECT["optional-dependencies"], "dev": [], "": PROJECT["dependencies"]}
    if folder == "mmmodel":
        del allowed["test"]
    declared = {re.match(r"[\w-]+", item)[0] for items in allowed.values() for item in items}
    brings = packages_distributions()
    found = {name: {distribution.lower() for distribution in brings.get(name, [name])} for name in imported(folder)}
    missing = [name for name, distributions in found.items() if declared.isdisjoint(distributions)]
    assert missing == []


@pytest.mark.parametrize("command", ["mmmodel run", "pytest"])
def test_readme_has_each_command_on_a_line_of_its_own(command):
    lines = [line for line in text("README.md").splitlines() if line.endswith(f"{command}`")]
    assert lines == [f"`{SET_UP}.venv/bin/{command}`"]


def test_ci_runs_the_readmes_test_command():
    script = re.search(r"test_command=\$\(sed -n '([^']*)' README.md\)", text(".ci/run")).group(1)
    found = subprocess.run(["sed", "-n", script, "README.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == f"{SET_UP}.venv/bin/pytest\n"
    assert 'eval "$test_command"' in text(".ci/run")
    assert "export MMMODEL_REQUIRE_ALL=1" in text(".ci/run")
    assert ".ci/run" in text(".github/workflows/ci.yml")
    assert (ROOT / ".ci/run").stat().st_mode & 0o100


def test_ci_runs_every_supported_python():
    job = yaml.safe_load(text(".github/workflows/ci.yml"))["jobs"]["test"]
    assert f">={job['strategy']['matrix']['python'][0]}" == PROJECT["requires-python"]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_files_and_patches_that_are_named_exist(name):
    named = re.findall(r"`((?:mmmodel|data|tests|benchmarks|notebooks|web|\.ci)/[\w.-]*)`", text(name))
    linked = re.findall(r"\]\(([\w./-]+)\)", text(name))
    missing = [path for path in named + linked if "NN-" not in path and not (ROOT / path).exists()]
    assert missing == []


def test_the_commands_in_the_readme_are_understood():
    from click.testing import CliRunner

    from mmmodel.cli import main

    commands = re.findall(r"^    mmmodel (.*?)(?:  +#.*)?$", text("README.md"), re.MULTILINE)
    assert len(commands) >= 6
    for command in commands:
        if command.split()[0] not in ("audit", "lab", "live", "run", "matrix", "meeting"):
            assert CliRunner().invoke(main, command.split()).exit_code in (0, 1), command


@pytest.mark.parametrize("skip", ["def test(): pytest.skip('no chromium')", "pytest.importorskip('nothing_like_it')"])
def test_a_skip_is_a_failure_where_everything_has_to_run(skip, pytester, monkeypatch):
    pytester.makeconftest(text("tests/conftest.py"))
    pytester.makepyfile(f"import pytest\n{skip}")
    monkeypatch.delenv("MMMODEL_REQUIRE_ALL", raising=False)
    assert pytester.runpytest_inprocess().parseoutcomes() == {"skipped": 1}
    monkeypatch.setenv("MMMODEL_REQUIRE_ALL", "1")
    (outcome,) = pytester.runpytest_inprocess().parseoutcomes()
    assert outcome in {"failed", "errors"}
