"""What this very model found before: in earlier runs and meetings, or for another notebook of the same run.

A run begins with none, and leaves its own to the meetings to come.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any

from ..build.composed import Build
from ..data import data_files

FOLDER = "MMMODEL_KEPT"
"""The variable that names the folder they are kept in; without it nothing is kept."""
PACKAGE = Path(__file__).parents[1]
MODELS = 5
"""So many models, those used last, have what they found in the user's cache: some 5 MB each."""


def this_model() -> str:
    """Which model this is: everything that it is made of, its data, and Python."""
    found = sha256(sys.version.encode())
    rooms = [path for room in ("kernel", "build", "explore", "study", "show") for path in PACKAGE.glob(f"{room}/*.py")]
    for path in sorted([*rooms, *PACKAGE.glob("*.py"), *data_files()]):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def cache() -> Path:
    """The user's folder for the verdicts of this model: a meeting begins with what is in it."""
    import platformdirs

    return platformdirs.user_cache_path("mmmodel", appauthor=False) / "verdicts" / this_model()


def leave(folder: Path) -> None:
    """What a run worked out is there for the meetings to come; what models before the last MODELS found is not."""
    there = cache()
    for file in folder.glob("*.json"):
        _write(there / file.name, file.read_text(encoding="utf-8"))
    with suppress(OSError):
        for model in sorted(there.parent.iterdir(), key=lambda path: -path.stat().st_mtime)[MODELS:]:
            rmtree(model, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    """In one step; where it cannot be written, not at all."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}")
        new.write_text(text, encoding="utf-8")
        new.replace(path)


def kept(work: Callable[[Sequence[Build]], list[Any]], group: Sequence[Build], what: str) -> list[Any]:
    """`work(group)`, something for each build that can be a JSON text; or what it gave before, under the name `what`.

    With a patch of the reader's it is always worked out; what is undecided (None is in it) is not kept.
    """
    if not (folder := os.environ.get(FOLDER)):
        return work(group)
    before: dict[str, Any] = {}
    for file in Path(folder).glob(f"{what}.*.json"):
        with suppress(OSError, TypeError, ValueError):  # one that is damaged is none
            before |= json.loads(file.read_text(encoding="utf-8"))
    known = {build: before[repr(build)] for build in group if _ours(build) and repr(build) in before}
    rest = [build for build in group if build not in known]
    found = dict(zip(rest, work(rest) if rest else (), strict=True))
    if new := {repr(build): of for build, of in found.items() if _ours(build) and None not in of}:
        _write(Path(folder, f"{what}.{sha256(repr([*new]).encode()).hexdigest()}.json"), json.dumps(new))
    known |= found
    return [known[build] for build in group]


def kept_one(work: Callable[[], Any], build: Build, what: str) -> Any:
    """The same for one build."""
    return kept(lambda _: [work()], [build], what)[0]


def _ours(build: Build) -> bool:
    """Has it no patch of the reader's?"""
    return all(isinstance(patch, str) for patch in build.patches)
