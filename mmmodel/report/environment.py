"""Where notebooks run: in this very interpreter, with this very package, whatever the user configured for other work.

This file is also what a kernel starts from, as a script: it must import nothing of the package, and of others only
after it has put the search path right.
"""

import gc
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = str(Path(__file__).resolve().parents[2])
FACTS = "kernel-facts.json"
IN_KERNEL = ["greenlet", "ipykernel", "ipython", "ipywidgets", "matplotlib", "numpy", "pandas"]
COMMAND = [sys.executable, "-E", "-P", "-Xfrozen_modules=off", str(Path(__file__).resolve())]  # of a kernel
WAITS = "MMMODEL_WAITS"  # the variable of a kernel that begins early (see `early`)
IMPORTED = (
    "ipykernel.debugger", "ipykernel.ipkernel", "ipykernel.kernelapp", "ipykernel.zmqshell", "pandas",
    "mmmodel.show.decision_view",
)  # fmt: skip


def prepare(folder: Path) -> None:
    """From now on Jupyter, in this process and those it starts, takes `folder`'s kernel for `python3`.

    Neither PYTHONPATH nor a folder of packages comes before the standard library; what only this process finds comes
    last.
    """
    spec = folder / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True, exist_ok=True)
    (folder / "matplotlibrc").touch()
    own = {"IPYTHONDIR": folder / "ipython", "MATPLOTLIBRC": folder / "matplotlibrc", "MMMODEL_KERNEL": folder}
    variables = {**own, "MMMODEL_PATH": search_path()}
    kernel = {
        "argv": [*COMMAND, "-f", "{connection_file}"],
        "env": {name: str(value).replace("$", "$$") for name, value in variables.items()},
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "metadata": {"debugger": True},
    }
    write(spec, json.dumps(kernel, indent=1))
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("JUPYTER_PATH")]))


def search_path() -> str:
    """Where this process finds packages."""
    return os.pathsep.join(filter(None, sys.path))


def isolate(folder: Path) -> None:
    """The same, and this process has no other Jupyter settings: no user's configuration, templates or kernels."""
    _take("JUPYTER", "IPYTHON", "PYTHON")
    for name in ("CONFIG", "DATA", "RUNTIME"):
        os.environ[f"JUPYTER_{name}_DIR"] = str(folder / name.lower())
    prepare(folder)


def _take(*prefixes: str) -> dict[str, str]:
    """Take the variables with one of these prefixes out of the environment."""
    return {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(prefixes)}


@contextmanager
def clean() -> Iterator[None]:
    """What is started meanwhile knows nothing of the user's settings for Python and Jupyter."""
    taken = _take("JUPYTER", "IPYTHON", "PYTHON")
    os.environ["PYTHONSAFEPATH"] = "1"  # nor of what lies in the current directory
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        os.environ.update(taken)


def without_grammars() -> None:
    """jsonschema compiles grammars for seconds when it is imported, for a format that nothing in a notebook has."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def write(path: Path, text: str) -> None:
    """Write a file in one step: a reader sees the old one or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of packages as this process finds them."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def facts(folder: Path) -> dict[str, Any]:
    """What the kernels that ran from `folder` said of themselves; nothing if none did."""
    with suppress(FileNotFoundError):
        return dict(json.loads((folder / FACTS).read_text(encoding="utf-8")))
    return {}


def preload(*more: str) -> None:
    """Import what kernels need, as a kernel does: with no user's settings. ipywidgets has to see the kernel itself."""
    own = {
        "MATPLOTLIBRC": os.devnull,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # of ipykernel's debugger
    }
    os.environ.update(own)
    for name in (*IMPORTED, *more):
        import_module(name)
    for name in own:
        del os.environ[name]


def _wait() -> None:
    """Import meanwhile, until somebody says with which variables and where to go on; or nobody will."""
    preload()
    if not (orders := sys.stdin.read()):
        sys.exit()
    variables, folder = json.loads(orders)
    os.environ.clear()
    os.environ.update(variables)
    del os.environ["MMMODEL_PATH"]  # is known
    os.chdir(folder)


def start() -> None:
    """Become a kernel: no PYTHON* variable, no system-wide or user's IPython configuration, packages in order."""
    import platform

    gc.set_threshold(max(100_000, gc.get_threshold()[0]), 20, 100)  # explorations make many objects and few cycles
    if ROOT not in sys.path:
        sys.path.insert(next((i for i, p in enumerate(sys.path) if p.endswith("-packages")), len(sys.path)), ROOT)
    sys.path += [p for p in os.environ.pop("MMMODEL_PATH").split(os.pathsep) if p not in sys.path]
    if os.environ.pop(WAITS, ""):
        _wait()
    _take("IPYTHON_", "MPLBACKEND", "PYTHON")
    from ipykernel.kernelapp import launch_new_instance
    from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS

    import mmmodel

    ENV_CONFIG_DIRS.clear()
    SYSTEM_CONFIG_DIRS.clear()
    found = {"python": platform.python_version(), "platform": platform.platform(), "mmmodel": mmmodel.__version__}
    known = {"interpreter": sys.executable, "versions": found | versions(IN_KERNEL)}
    write(Path(os.environ.pop("MMMODEL_KERNEL")) / FACTS, json.dumps(known))
    launch_new_instance()


if __name__ == "__main__":
    start()
