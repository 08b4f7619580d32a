"""What a reader has answered: a small file of the user's. A line for each new thing, appended in one write.

So two notebooks cannot lose each other's lines, and a line that is no good costs nothing but itself.
"""

import json
from pathlib import Path

from platformdirs import user_data_dir

from ..show.html import Html, join, mark, table, tag
from .asked import texts


def where() -> Path:
    """The file."""
    return Path(user_data_dir("mmmodel", appauthor=False)) / "progress.jsonl"


def at_home() -> str:
    """The file, as its owner writes it."""
    return str(where()).replace(str(Path.home()), "~", 1)


def answered() -> dict[str, bool]:
    """Exercises that were tried, and whether the answer was right once."""
    found = dict[str, bool]()
    try:
        lines = where().read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        try:
            id, right = json.loads(line)
        except (ValueError, TypeError):
            continue
        if isinstance(id, str) and isinstance(right, bool):
            found[id] = found.get(id, False) or right
    return found


def record(id: str, right: bool) -> str:
    """Remember an answer; why it could not be remembered, empty if it was."""
    known = answered()
    if known.get(id, False) or known.get(id) == right:
        return ""
    try:
        where().parent.mkdir(parents=True, exist_ok=True)
        with where().open("ab", buffering=0) as file:
            file.write(f"\n{json.dumps([id, right])}\n".encode())
    except OSError as error:
        return f"(This is not remembered: {at_home()}: {error.strerror}.)"
    return ""


def progress(reset: bool = False) -> Html:
    """Which exercises have been answered. reset: forget them all first."""
    said = ""
    if reset:
        try:
            where().unlink(missing_ok=True)
        except OSError as error:
            said = f" It cannot be forgotten: {error.strerror}."
    known, rows = answered(), dict[str, list[Html]]()
    for id in texts():
        words = f"{id} not yet right" if known.get(id) is False else id
        sign = mark(known[id] or None, words) if id in known else words
        rows.setdefault(id[:2], []).append(join(sign, " "))
    right = sum(known.get(id, False) for id in texts())
    told = tag("p", f"{right} of {len(texts())} exercises answered. Kept in {at_home()}.{said}")
    return join(told, table(["notebook", "exercises"], [(number, join(*found)) for number, found in rows.items()]))
