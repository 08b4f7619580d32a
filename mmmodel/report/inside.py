"""What the page that travels asks of the model, and what it is told. Questions and answers are JSON.

This runs in the page too, in WebAssembly: there is the standard library and no more, no thread and no /proc.
"""

from __future__ import annotations

import json
import linecache
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import mmmodel as mm

from ..build.composed import Build
from ..data import rows
from ..explore.checking import MEMORY, SCENARIOS, check
from ..explore.scenarios import PROGRAMS, SEQUENTIAL, known, lacking
from ..explore.tracing import run
from ..explore.verdict import Verdict
from ..kernel.arches import ARCHES
from ..kernel.overlay import Patch
from ..kernel.patches import PATCHES
from ..kernel.versions import VERSIONS
from ..show.lanes import swim_lanes
from ..show.tables import label
from ..study.at_a_glance import command
from ..words import BuildError, choose, failure

OWN = "your_patch"
"""The module that a reader's source becomes."""
TOGGLES = ("version", "arch", "swap", "thp", "debug_vm", "patches")
HOW = ("scenario", "cpus", "memory")
Question = Mapping[str, Any]
Sign = Callable[[int], object]


def own_patches(source: str) -> list[type[Patch]]:
    """The patches that a source defines, in order; what an earlier one registered is forgotten.

    Raises BuildError, one line that says where the source fails.
    """
    for name in set(known()).difference(SCENARIOS):
        SEQUENTIAL.pop(name, None)
        PROGRAMS.pop(name, None)
    file = f"<{OWN}>"
    module = sys.modules[OWN] = ModuleType(OWN)
    vars(module)["mm"] = mm
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    try:
        exec(compile(source, file, "exec", dont_inherit=True), vars(module))
    except BaseException as error:
        there = ": not in this page" * isinstance(error, ModuleNotFoundError)
        raise BuildError(f"{failure(error, file)}{there}") from None
    found = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Patch)]
    return [patch for patch in dict.fromkeys(found) if patch.__module__ == OWN]


def build_asked_for(source: str, question: Question) -> tuple[Build, dict[str, Any]]:
    """The build that a question is about, with the patches of a source over those it names; and how to check it.

    Raises BuildError.
    """
    given = {choose("option", name, (*TOGGLES, *HOW)): value for name, value in question.items() if value is not None}
    toggles = {name: given.pop(name) for name in TOGGLES if name in given}
    named = Build(**toggles)
    return Build(**toggles | {"patches": (*named.patches, *own_patches(source))}), given


def decided(source: str, question: Question, sign: Sign) -> dict[str, Any]:
    """What a check says."""
    build, how = build_asked_for(source, question)
    return as_answer(check(build, progress=sign, **how))


def as_answer(found: Verdict, **more: object) -> dict[str, Any]:
    """A verdict, as an answer."""
    answer = {name: getattr(found, name) for name in ("status", "broken", "what", "states", "seconds")}
    return answer | {"error": "", "reason": found.bound and found.reason} | more


def pictured(source: str, question: Question, sign: Sign) -> dict[str, Any]:
    """The same, with the witness as lanes and the counters: after each operation, or along a concurrent witness."""
    build, how = build_asked_for(source, question)
    found = check(build, progress=sign, **how)
    if found.scenario in SEQUENTIAL:
        ran = run(build, SEQUENTIAL[found.scenario], journal=False).rows
        counters = [(row.op, row.huge_zero_refcount, row.page_count) for row in ran]
    else:
        counters = [(f"CPU {s.cpu} {s.function}", s.huge_zero_refcount, s.page_count) for s in found.witness]
    return as_answer(found, lanes=swim_lanes(found), counters=counters, notes=build.notes)


def described(source: str, question: Question, _: Sign) -> dict[str, Any]:
    """A build in words, as Python, as a command line; and the scenarios there are, each with why it cannot have it."""
    build, _how = build_asked_for(source, question)
    said = {"label": label(build), "python": repr(build), "command": command(build, "fix.py")}
    return said | {"scenarios": {name: lacking(name, build) for name in known()}, "sequential": list(SEQUENTIAL)}


ANSWERS = {"verdict": decided, "picture": pictured, "described": described}


def reply(kind: str, source: str, question: str, sign: Sign) -> str:
    """Answer a question; an error of the reader's is an answer too, in one line. sign: hears how many states."""
    try:
        found = ANSWERS[kind](source, json.loads(question), sign)
    except Exception as error:
        words = str(error) if isinstance(error, BuildError) else f"{type(error).__name__}: {error}"
        found = {"status": "error", "broken": "", "what": "", "states": 0, "seconds": 0.0}
        found["error"] = " ".join(words.split())
    return json.dumps(found)


def choices() -> dict[str, Any]:
    """What a page lets choose, with a word on each: it has this before the model is ready."""
    return {
        "version": list(VERSIONS),
        "arch": {arch: facts["thp"] == "y" for arch, facts in ARCHES.items()},
        "patches": {name: f"{patch.__doc__}".splitlines()[0] for name, patch in PATCHES.items()},
        "memory": MEMORY,
        "scenarios": {s: (SEQUENTIAL.get(s) or PROGRAMS[s]).says.splitlines()[0] for s in SCENARIOS},
        "concurrent": list(PROGRAMS),
        "presets": rows("presets"),
        "glossary": [(row["term"], row["explanation"]) for row in rows("glossary")],
    }
