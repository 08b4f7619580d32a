"""What every room shares: words for verdicts and kernel functions, what to say of a name that does not exist."""

import difflib
import re
import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from .data import rows

VERDICT = {True: "✓ holds", False: "✗ does not hold", None: "? undecided"}


def kernel_name(function: str) -> str:
    """The kernel's name of a function of the model, where one underscore stands for two."""
    return f"_{function}" if function.startswith("_") else function


def arrowed(before: object, after: object) -> str:
    """A value that changed or did not; one that does not exist is `none`."""
    was, now = ("none" if v is None else str(v) for v in (before, after))
    return was if was == now else f"{was} → {now}"


def modules_of(room: str) -> Callable[[str], ModuleType]:
    """The `__getattr__` of a room: its modules, each loaded when it is first asked for."""

    def module(name: str) -> ModuleType:
        if name.startswith("_") or not find_spec(f"{room}.{name}"):
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return import_module(f"{room}.{name}")

    return module


def meaning(word: str) -> str | None:
    """The explanation of a word of data/glossary.csv, None if it is not there."""
    return next((row["explanation"] for row in rows("glossary") if row["term"] == word), None)


class BuildError(ValueError):
    """A toggle that does not exist; the message names those that do."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the line, and none of our frames."""
        return [f"{type(self).__name__}: {self}"]


def failure(error: BaseException, file: str) -> str:
    """What went wrong in a file of the reader's, and in which of its lines, as one line."""
    inside = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    at_fault = error.lineno if isinstance(error, SyntaxError) and error.filename == file else [1, *inside][-1]
    return f"line {at_fault}: {type(error).__name__}: {getattr(error, 'msg', error)}".splitlines()[0]


def choose(what: str, value: object, allowed: Iterable[str], hint: str | None = None) -> str:
    """`value` if it is one of `allowed`. hint: to be said in place of what is near.

    Raises BuildError, one line, naming the allowed values.
    """
    names = list(allowed)
    if isinstance(value, str) and value in names:
        return value
    hint = HINTS.get(what, near)(str(value), names) if hint is None else hint
    raise BuildError(f"unknown {what} {value!r}{hint}; allowed: {', '.join(names)}")


def near(word: str, words: Iterable[str], cutoff: float = 0.6) -> str:
    """The word that is close, if there is one."""
    found = difflib.get_close_matches(word, words, 1, cutoff)
    return f" (did you mean {found[0]}?)" if found else ""


LAST = {4: 20, 5: 19}
"""The last release of a series of mainline."""


def numbers(version: str) -> tuple[int, ...]:
    """The numbers in a version."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def version_hint(word: str, known: Sequence[str]) -> str:
    """Which version has the code of one that is not modelled, or why none has."""
    match = re.fullmatch(r"\D{0,6}?(\d+\.\d+(?:\.[1-9]\d*|\.y)?)(?:\.0)?(-rc\d+)?(?:-rt\d*)?", word)
    if not match:
        return ""
    name, number = f"v{match[1]}", numbers(match[1].replace("y", "999"))
    if name in known and not match[2]:
        return f" (did you mean {name}?)"
    if name in known[1:]:
        return f": between {known[known.index(name) - 1]} and {name}"
    if number[:2] < numbers(known[0]) or name in known:
        return f": before {known[0]}, the first version modelled"
    differs = "".join(f" ({r['what']})" for r in rows("differs") if numbers(r["from"]) <= number < numbers(r["until"]))
    if number[:2] > numbers(known[-1])[:2]:
        return f": after {known[-1]}, the last version modelled{differs}"
    if number[1] > LAST.get(number[0], number[1]):
        return ""
    base = max((v for v in known if numbers(v) <= number), key=numbers)
    return f": {name} has the code of {base} here: --version {base}{differs}"


ALIASES = {row["arch"]: row["aliases"] for row in rows("arch_names") if row["aliases"]}
LATER = {row["arch"]: row["came_with"] for row in rows("arch_names") if row["came_with"]}


def arch_hint(word: str, known: Sequence[str]) -> str:
    """The name of an arch here, or that it came later."""
    word = word.lower()
    stem = word.removesuffix("32").removesuffix("64")
    if later := {"loong": "loongarch", "nds": "nds32", "rv": "riscv"}.get(stem, stem if stem in LATER else ""):
        return f": {later} came with {LATER[later]}, and the archs here are those of v4.6 and v4.7"
    same = [arch for arch, aliases in ALIASES.items() if word in aliases.split() and arch in known]
    return f": it is {same[0]} here" if same else near(word, known, 0.85)


HINTS = {"version": version_hint, "arch": arch_hint}
