"""What an explorer is set to, as the query of an address; and what it was set to before."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote

from ..build.composed import Build
from ..words import BuildError, choose

USUAL = {"thp": None, "debug_vm": False}
OF_THE_PAGE = ("theme", "template", "token")
Offers = Mapping[str, Sequence[Any]]


def name_of(patch: Any) -> str:
    """What a patch is called, one of a reader's too."""
    return patch if isinstance(patch, str) else str(patch.__name__)


def query(build: Build) -> str:
    """`version=v4.7&arch=s390&swap=n&patches=q2+q3`; thp and debug_vm where they are not as usual."""
    usual = Build(arch=build.arch)
    unusual = [name for name in ("thp", "debug_vm") if getattr(build, name) != getattr(usual, name)]
    words = {name: getattr(build, name) for name in ("version", "arch", "swap", *unusual)}
    patches = "+".join(quote(name_of(patch)) for patch in build.patches)
    said = [f"{name}={'ny'[value] if isinstance(value, bool) else value}" for name, value in words.items()]
    return "&".join([*said, f"patches={patches}"])


def build_asked(text: str, now: Build, offers: Offers) -> tuple[Build, list[str]]:
    """The build that a query asks for, and what it asks in vain: what is allowed.

    What it does not name is as now; with an arch, thp and debug_vm are as usual.
    """
    pairs, vain = dict(parse_qsl(text.removeprefix("?"), keep_blank_values=True)), list[str]()

    def read(name: str, word: str) -> list[Any]:
        try:
            return [_value(choose("toggle", name, offers), word, offers[name])]
        except BuildError as error:
            vain.append(str(error))
            return []

    values = {n: read(n, word) for n, word in pairs.items() if n not in (*OF_THE_PAGE, "patches")}
    found = {name: value for name, values in values.items() for value in values}
    if "patches" in pairs:
        found["patches"] = tuple(
            p for word in re.split("[ +]", pairs["patches"]) if word for p in read("patches", word)
        )
    if "arch" in found:
        found = {name: value for name, value in USUAL.items() if name in offers} | found
    try:
        return replace(now, **found), vain
    except BuildError as error:
        return now, [*vain, str(error)]


def _value(name: str, word: str, offered: Sequence[Any]) -> Any:
    """What a word of a query stands for among what is offered."""
    kind = {"patches": "patch"}.get(name, name)
    if isinstance(offered[0], bool):
        return choose(kind, word, "yn") == "y"
    known = {name_of(value): value for value in offered}
    return known[choose(kind, word, known)]


class History:
    """What was shown, one after the other, and where in it we are."""

    def __init__(self, first: Build) -> None:
        self.shown, self.at = [first], 0

    def add(self, build: Build) -> None:
        """What is new comes after where we are; what came after that is forgotten."""
        if build != self.shown[self.at]:
            self.at += 1
            self.shown[self.at :] = [build]

    def has(self, steps: int) -> bool:
        """Can one go so many steps, back (below 0) or on?"""
        return 0 <= self.at + steps < len(self.shown)

    def go(self, steps: int) -> Build:
        """Go there."""
        self.at += steps
        return self.shown[self.at]
