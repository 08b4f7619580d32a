"""Verdicts that this very model gave before: in earlier meetings, or to another notebook of the same run."""

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
        new = Path(folder, f"{scenario}.{sha256(repr(rest).encode()).hexdigest()}.{os.getpid()}")
        with suppress(OSError):
            new.write_text(json.dumps(decided), encoding="utf-8")
            new.replace(new.with_suffix(".json"))
    known |= found
    return [tuple(known[repr(build)]) for build in group]
