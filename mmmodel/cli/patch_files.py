"""Patches from a file of the reader's: file.py:Class."""

import hashlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..kernel.overlay import Patch
from ..words import BuildError, failure


def named(text: str) -> Any:
    """What a --patch means: a class in a file, or (the text itself) the name of a patch.

    Raises BuildError for a file that cannot be run, and for a class that is not in it.
    """
    match = re.fullmatch(r"(.*\.py)(?::(.*))?", text, re.DOTALL)
    if not match:
        return text
    file, name = match[1], match[2] or ""
    module = loaded(Path(file))
    if name in vars(module):
        return vars(module)[name]
    defined = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, Patch) and v is not Patch]
    has = f"{file} has no {name}" if name else f"{file}: which class? {file}:NAME"
    raise BuildError(f"{has}; its patches: {', '.join(defined) or 'none, derive one from mm.Patch'}")


def stack(text: str) -> list[Any]:
    """What a --patch of several means: joined by +."""
    whole = Path(text.rpartition(":")[0]).is_file()
    return [named(part) for part in ([text] if whole else text.split("+")) if part]


def load(texts: Iterable[str]) -> None:
    """Make the classes in files known to this process, so that they can come to it by name."""
    for text in texts:
        stack(text)


def loaded(file: Path) -> ModuleType:
    """A file as a module, run once, under a name that is the same in every process.

    Raises BuildError, one line with file, line and error.
    """
    try:
        source = file.read_bytes()
    except OSError as error:
        raise BuildError(f"cannot read {file}: {error.strerror}") from None
    path = str(file.resolve())
    name = f"{file.stem}_{hashlib.sha256(path.encode() + source).hexdigest()[:12]}"
    if name not in sys.modules:
        module = sys.modules[name] = ModuleType(name)
        module.__file__ = path
        try:
            exec(compile(source, path, "exec"), vars(module))
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise BuildError(f"{file}, {failure(error, path)}") from None
    return sys.modules[name]
