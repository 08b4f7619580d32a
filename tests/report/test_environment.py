"""Runs and meetings depend on the project, not on what the user configured for other work."""

import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pandas
import pytest
from serving import cell, served, write_notebook

import mmmodel as mm

pytestmark = pytest.mark.slow

SHOWN = """
import json, sys, matplotlib, pandas
facts = {"optimize": sys.flags.optimize, "startup": "started" in globals(), "dpi": matplotlib.rcParams["figure.dpi"]}
facts |= {"python": sys.executable, "pandas": pandas.__file__, "mmmodel": mm.__file__}
facts |= {"custom": "custom" in sys.modules, "first": sys.path[0][-4:]}
print(json.dumps(facts), matplotlib.get_backend())
"""
HOME = Path(mm.__file__).parents[1]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def configured(tmp_path_factory):
    """The environment of a user who configured everything, for other work."""
    home = tmp_path_factory.mktemp("home")
    profile = home / "ipython/profile_default"
    for name in ("ipython_config.py", "ipython_kernel_config.py"):
        write(
            profile / name, "c.InteractiveShell.ast_node_interactivity = 'none'\nc.IPKernelApp.exec_lines = ['1 / 0']"
        )
    write(profile / "startup/first.py", "started = True")
    broken = json.dumps({"argv": ["false"], "display_name": "Python 3", "language": "python"})
    for folder in ("path", "data"):
        write(home / folder / "kernels/python3/kernel.json", broken)
        write(home / folder / "nbconvert/templates/lab/conf.json", "{")
        write(home / folder / "voila/templates/lab/index.html.j2", "not ours")
    for name in ("voila", "jupyter_config", "jupyter_server_config", "jupyter_nbconvert_config"):
        write(home / f"config/{name}.json", json.dumps({"Voila": {"base_url": "/elsewhere/"}}))
    write(home / "cwd/voila.json", json.dumps({"Voila": {"base_url": "/elsewhere/"}}))
    write(home / "python/pandas.py", "1 / 0")
    write(home / "python/sitecustomize.py", "import sys; sys.modules['custom'] = sys")
    own = {"IPYTHONDIR": "ipython", "JUPYTER_PATH": "path", "JUPYTER_DATA_DIR": "data", "JUPYTER_CONFIG_DIR": "config"}
    own |= {"PYTHONPATH": "python"}
    own |= {
        "MATPLOTLIBRC": write(home / "matplotlibrc", "figure.dpi: 7"),
        "PYTHONSTARTUP": profile / "startup/first.py",
    }
    more = {
        "MPLBACKEND": "pdf",
        "PYTHONOPTIMIZE": "1",
        "JUPYTER_PREFER_ENV_PATH": "0",
    }
    return home / "cwd", {name: str(home / value) for name, value in own.items()} | more


def facts_in(text):
    return json.loads(re.search(r'\{"optimize.*?\}', unescape(text))[0])


def check(facts):
    assert (facts["optimize"], facts["startup"], facts["dpi"], facts["custom"]) == (0, False, 100.0, False)
    assert facts["python"] == sys.executable
    assert facts["first"] == ".zip", "nothing comes before the standard library"
    assert facts["pandas"] == pandas.__file__
    assert facts["mmmodel"] == mm.__file__


@pytest.mark.parametrize("optimize", ["", "1"], ids=["forked", "new"])
def test_a_run_takes_nothing_from_the_user(configured, tmp_path, optimize):
    """Kernels are forked where everything is imported, or, of an interpreter with options of its own, new ones."""
    cwd, environment = configured
    environment = environment | {"PYTHONOPTIMIZE": optimize}
    path = write_notebook(tmp_path / "n.ipynb", cell("code", "shown", SHOWN), cell("code", "value", "6 * 7"))
    command = [sys.executable, "-m", "mmmodel.cli", "run", path, "-o", tmp_path / "out"]
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "out/n.ipynb").read_text())["cells"]
    text = "".join(cells[2]["outputs"][0]["text"])
    check(facts_in(text))
    assert "inline" in text
    assert cells[3]["outputs"][0]["data"]["text/plain"] == "42"
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert record["interpreter"] == sys.executable
    assert record["versions"]["pandas"] == pandas.__version__
    assert record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))


def test_a_meeting_takes_nothing_from_the_user(configured, tmp_path, monkeypatch):
    pytest.importorskip("voila")
    cwd, environment = configured
    monkeypatch.chdir(cwd)
    path = write_notebook(tmp_path / "n.ipynb", cell("code", "shown", SHOWN), cell("code", "value", "6 * 7"))
    with served(tmp_path / "log", "meeting", path, "--no-browser", environment=environment) as (url, _):
        from test_meeting import get, visitor

        status, _, page = get(url, visitor())
    assert status == 200
    check(facts_in(page))
    assert '"text/plain": "42"' in unescape(page)


def test_packages_beside_this_one_do_not_hide_the_standard_library(tmp_path):
    """As of an installed wheel beside the backport `pathlib` 1.0.1."""
    site = tmp_path / "lib/site-packages"
    shutil.copytree(Path(mm.__file__).parent, site / "mmmodel", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("data", "notebooks"):
        (site / "mmmodel" / f"_{name}").symlink_to(HOME / name)
    write(site / "pathlib.py", "raise ImportError('from collections import Sequence')")
    path = write_notebook(tmp_path / "n.ipynb", cell("code", "shown", SHOWN))
    after = "next(i for i, path in enumerate(sys.path) if path.endswith('-packages'))"
    code = f"import sys; sys.path.insert({after}, {str(site)!r}); from mmmodel.cli import main; main()"
    command = [sys.executable, "-P", "-c", code, "run", path, "-o", tmp_path / "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = json.loads((tmp_path / "out/n.ipynb").read_text())["cells"][2]["outputs"][0]["text"]
    assert facts_in("".join(shown))["mmmodel"] == str(site / "mmmodel/__init__.py")
