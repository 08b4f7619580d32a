"""Verdicts that this very model gave before: in earlier runs and meetings, or to another notebook of the same run.

A run begins with none, and leaves its own to the meetings to come.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..build.composed import Build
from ..data import data_files
from ..explore.checking import SCENARIOS

FOLDER = "MMMODEL_KEPT"
"""The variable that names the folder they are kept in; without it nothing is kept."""
PACKAGE = Path(__file__).parents[1]


def this_model() -> str:
    """Which model this is: everything that it is made of, its data, and Python."""
    found = sha256(sys.version.encode())
    rooms = [path for room in ("kernel", "build", "explore", "study") for path in PACKAGE.glob(f"{room}/*.py")]
    for path in sorted([*rooms, *PACKAGE.glob("*.py"), *data_files()]):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def cache() -> Path:
    """The user's folder for the verdicts of this model: a meeting begins with what is in it."""
    import platformdirs

    return platformdirs.user_cache_path("mmmodel", appauthor=False) / "verdicts" / this_model()


def leave(folder: Path) -> None:
    """What a run worked out is there for the meetings to come."""
    there = cache()
    for file in folder.glob("*.json"):
        _write(there / file.name, file.read_text(encoding="utf-8"))


def _write(path: Path, text: str) -> None:
    """In one step; where it cannot be written, not at all."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}")
        new.write_text(text, encoding="utf-8")
        new.replace(path)


def kept(work: Callable[[Sequence[Build], str], list[Any]], group: Sequence[Build], scenario: str) -> list[Any]:
    """`work(group, scenario)`, or what it gave before; a reader's own patches and scenarios are always worked out."""
    ours = scenario in SCENARIOS and all(isinstance(p, str) for build in group for p in build.patches)
    if not ours or not (folder := os.environ.get(FOLDER)):
        return work(group, scenario)
    known: dict[str, Any] = {}
    for file in Path(folder).glob(f"{scenario}.*.json"):
        known |= json.loads(file.read_text(encoding="utf-8"))
    rest = [build for build in group if repr(build) not in known]
    found = dict(zip(map(repr, rest), work(rest, scenario) if rest else (), strict=True))
    if decided := {build: row for build, row in found.items() if row[0] != "undecided"}:
        name = f"{scenario}.{sha256(repr(rest).encode()).hexdigest()}.json"
        _write(Path(folder, name), json.dumps(decided))
    known |= found
    return [tuple(known[repr(build)]) for build in group]
