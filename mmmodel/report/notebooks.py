"""Notebooks: found by path, name or number, read with a word on what is wrong, and the reader's working copy."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ..data import notebooks_dir, rows
from ..show.glossary import link_words
from .environment import write


class UsageError(ValueError):
    """What was asked for cannot be; the message says why, in one line."""


def one_line(error: BaseException) -> str:
    """What an error says, without its kind where the system's own words are enough."""
    text = next(iter(str(error).splitlines()), "")
    kind = type(error).__name__
    return getattr(error, "strerror", None) or (text if isinstance(error, KeyboardInterrupt) else f"{kind}: {text}")


def ours() -> list[Path]:
    """The notebooks of the project, in order."""
    return sorted(notebooks_dir().glob("*.ipynb"))


def find(name: str | Path) -> Path:
    """A notebook by its path, its name or its number.

    Raises UsageError, naming those there are.
    """
    if (path := Path(name)).is_file() and path.suffix == ".ipynb":
        return path.resolve()
    stem = str(name).removesuffix(".ipynb")
    for path in ours():
        if path.stem == stem or (stem.isdigit() and path.stem.startswith(f"{stem:0>2}-")):
            return path
    raise UsageError(f"no notebook {name}; there are: {', '.join(path.stem for path in ours()) or 'none'}")


def load(path: Path) -> dict[str, Any]:
    """A notebook of format 4.

    Raises UsageError with the cause if it is not one.
    """
    from nbformat.validator import iter_validate

    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(notebook, dict) or "nbformat" not in notebook:
            raise ValueError("it has no nbformat")
        if repr(notebook["nbformat"]) != "4":
            raise ValueError(f"its nbformat is {notebook['nbformat']!r}, not 4 (jupyter nbconvert converts older ones)")
        for error in iter_validate(notebook):
            if "'id'" not in error.message:  # missing or doubtful ids of cells are mended when it is run
                raise ValueError(f"{'/'.join(map(str, error.absolute_path)) or 'it'}: {error.message[:200]}")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as a notebook: {getattr(error, 'strerror', None) or error}") from None
    return notebook


def promised(path: Path) -> list[str]:
    """The claims that data/claims.csv says this notebook checks; nothing is promised for one that is not ours."""
    here = path.resolve().parent == notebooks_dir().resolve()
    return [row["id"] for row in rows("claims") if here and path.stem in row["notebooks"].split(";")]


def data_dir() -> Path:
    """The folder for what belongs to the reader, where the platform has such things."""
    import platformdirs

    return platformdirs.user_data_path("mmmodel", appauthor=False)


def working_copy() -> tuple[Path, list[str]]:
    """The reader's own copy of our notebooks, brought up to date, and the names of those that were left as they are.

    A notebook that the reader changed is never written over; `.originals.json` says what it was copied from.
    """
    folder = data_dir() / "notebooks"
    record, kept = folder / ".originals.json", []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        copied = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
        for path in ours():
            mine, new = folder / path.name, with_words(path)
            old = mine.read_text(encoding="utf-8") if mine.exists() else None
            if old is None or copied.get(path.name) == digest(old):
                write(mine, new)
            elif old != new and copied.get(path.name) != digest(new):
                kept.append(path.stem)
                continue
            copied[path.name] = digest(new)
        write(record, json.dumps(copied, indent=1) + "\n")
    except (OSError, ValueError) as error:
        raise UsageError(f"no working copy in {folder}: {error}; --in-place opens the notebooks themselves") from None
    return folder, kept


def with_words(path: Path) -> str:
    """A notebook of ours as a reader gets it: each word is a link to its explanation where it is first used."""
    text = path.read_text(encoding="utf-8")
    try:
        link_words((notebook := json.loads(text))["cells"])
    except ValueError:
        return text
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def digest(text: str) -> str:
    """A short name for a text."""
    return hashlib.sha256(text.encode()).hexdigest()
