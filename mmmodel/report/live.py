"""The page that travels: one file that runs the model itself, in WebAssembly, without a network or a Python."""

import base64
import gzip
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from .. import __version__
from ..data import data_files, web_dir
from .environment import ROOT, write
from .inside import choices
from .notebooks import UsageError, digest
from .page import policy_hash, render

MODEL = "mmmodel.kernel mmmodel.build mmmodel.explore"
"""The rooms that go into the page whole; of others, what the answers need."""
NEEDED = f"""import pkgutil, sys; from importlib import import_module as load; load("mmmodel.report.inside")
for room in map(load, {MODEL.split()}):
    [load(module.name) for module in pkgutil.iter_modules(room.__path__, room.__name__ + ".")]
print(*(module.__file__ for name, module in sys.modules.items() if name.startswith("mmmodel")), sep="\\n")"""


def build_page(output: Path) -> None:
    """Write the page, in one step.

    Raises UsageError, which says what to install, if npm or what it should fetch is missing.
    """
    from markupsafe import Markup

    modules = node_modules()
    said = made() + beside(output.parent)
    main, pyodide = bundled(modules, "main.js"), modules / "pyodide"
    parts = {"worker": bundled(modules, "worker.js"), "wasm": (pyodide / "pyodide.asm.wasm").read_bytes()}
    parts |= prepared(pyodide)
    page = render(
        "live.html",
        choices=Markup(json.dumps(choices() | {"made": said}).replace("<", "\\u003c")),
        hash=policy_hash(main.decode()),
        main=Markup(main.decode()),
        made=said,
        parts={name: packed(content) for name, content in parts.items()},
    )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write(output, page)
        link(output)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from None


def packed(content: bytes) -> str:
    """Bytes as text that the browser can unpack by itself."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def prepared(pyodide: Path) -> dict[str, bytes]:
    """Two archives: Python's standard library, and the model as it is, with what a page imports at its start compiled.

    Raises UsageError if node cannot do that.
    """
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copy(pyodide / "python_stdlib.zip", folder / "stdlib.zip")
        with zipfile.ZipFile(folder / "model.zip", "w") as archive:
            for name, file in model().items():
                archive.write(file, name)
        output_of(["node", str(web_dir() / "src/prepare.mjs"), str(pyodide), temporary])
        return {name: (folder / f"{name}.zip").read_bytes() for name in ("stdlib", "model")}


def model() -> dict[str, Path]:
    """The files of the model, by where the page has them: modules, and the tables they read."""
    found = subprocess.run([sys.executable, "-c", NEEDED], cwd=ROOT, capture_output=True, text=True, check=True)
    files = {str(Path(name).relative_to(ROOT)): Path(name) for name in found.stdout.split("\n") if name}
    return files | {f"mmmodel/_data/{file.name}": file for file in data_files()}


def made() -> str:
    """What made the page: the version, the commit if this is a clone, the day."""
    command = ["git", "-C", ROOT, "describe", "--always", "--dirty=, changed", "--abbrev=12", "--exclude=*"]
    commit = ""
    if (Path(ROOT) / ".git").exists() and shutil.which("git"):
        commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return f"mmmodel {__version__}{f', commit {commit}' if commit else ''}, {datetime.now(UTC):%Y-%m-%d}"


def beside(folder: Path) -> str:
    """The run whose report is in a folder, in words; nothing if there is none."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        failed = "" if run["ok"] else ", which has failures"
        return f"; made beside the report of run {run['id']}, {run['start'][:10]}{failed}"
    return ""


def link(output: Path) -> None:
    """Let the report beside the page, if there is one, lead to it."""
    with suppress(FileNotFoundError):
        index = output.with_name("index.html")
        text = index.read_text(encoding="utf-8")
        write(index, text.replace("<!-- live -->", f'<a href="{quote(output.name)}">Try a fix of your own</a>'))


def node_modules() -> Path:
    """The packages of npm that the page is made of: those of the clone, else fetched once, as the lock file says.

    Raises UsageError if they cannot be had.
    """
    import platformdirs

    web = web_dir()
    if (there := web / "node_modules").is_dir():
        return there
    folder = platformdirs.user_cache_path("mmmodel") / f"live-{digest((web / 'package-lock.json').read_text())[:12]}"
    if not folder.is_dir():
        if not (npm := shutil.which("npm")):
            raise UsageError("mmmodel live needs npm: install the Debian package npm (or Node.js 18 or newer)")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as temporary:
            for file in ("package.json", "package-lock.json"):
                shutil.copy(web / file, temporary)
            output_of([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], temporary)
            with suppress(OSError):  # another one was faster
                Path(temporary).rename(folder)
    return folder / "node_modules"


def bundled(modules: Path, source: str) -> bytes:
    """A script of ours with all it imports, as one."""
    options = ["--bundle", "--minify", "--format=iife", "--external:node:*", "--log-level=error", "--charset=utf8"]
    return output_of([str(modules / ".bin/esbuild"), *options, str(web_dir() / "src" / source)], modules=modules)


def output_of(command: Sequence[str], folder: str = os.curdir, modules: Path | None = None) -> bytes:
    """What a program prints.

    Raises UsageError if it fails.
    """
    environment = os.environ | {"NODE_PATH": str(modules or "")}
    try:
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"") or str(error).encode()
        raise UsageError(f"{Path(command[0]).name} fails: {said.decode(errors='replace').strip()[:300]}") from None
