"""Compile what the page imports when it starts, by the Python that it has: so it is ready in half the time.

The archives are not compressed in themselves: packed as a whole they are smaller.
"""

import sys
from pathlib import Path
from py_compile import PycInvalidationMode, compile
from zipfile import ZipFile, ZipInfo

TMP, PACKAGES = Path("/tmp"), Path("/lib/python3.14/site-packages")
with ZipFile(TMP / "model.zip") as archive:
    archive.extractall(PACKAGES)
import mmmodel.report.inside  # noqa: E402, F401

LEFT_OUT = {
    "_pyrepl", "cProfile", "doctest", "email", "ftplib", "http", "idlelib", "imaplib", "mailbox", "multiprocessing",
    "pdb", "poplib", "profile", "pstats", "pydoc", "pydoc_data", "smtplib", "socketserver", "turtle", "unittest",
    "webbrowser", "wsgiref", "xml", "xmlrpc",
}  # fmt: skip
"""Of the standard library: what is for a network, processes, a terminal or documents."""
used = {Path(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)}


def compiled(source: bytes, shown: Path) -> bytes:
    """What Python keeps of a module, never asking whether the source is newer."""
    (TMP / "source.py").write_bytes(source)
    never = PycInvalidationMode.UNCHECKED_HASH
    return Path(compile(TMP / "source.py", dfile=str(shown), doraise=True, invalidation_mode=never)).read_bytes()


def prepare(name: str, home: Path, shown: Path, beside: bool) -> None:
    """Copy an archive with the modules in use compiled; their sources stay if the compiled are `beside` them."""
    with ZipFile(TMP / f"{name}.zip") as old, ZipFile(TMP / "new" / f"{name}.zip", "w") as new:
        for item in old.infolist():
            path, content = Path(item.filename), old.read(item)
            if item.is_dir() or path.parts[0].removesuffix(".py") in LEFT_OUT:
                continue
            if home / path in used and path.suffix == ".py":
                kept = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"
                new.writestr(
                    ZipInfo(str(kept if beside else path.with_suffix(".pyc"))), compiled(content, shown / path)
                )
                if not beside:
                    continue
            new.writestr(ZipInfo(item.filename), content)


(TMP / "new").mkdir()
prepare("stdlib", Path("/lib/python314.zip"), Path("/lib/python3.14"), beside=False)
prepare("model", PACKAGES, PACKAGES, beside=True)
