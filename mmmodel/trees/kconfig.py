"""Kconfig, as far as the audit needs it: which symbols an arch selects, and does that depend on something?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .tree import LIMIT, Tree, Unknown

THP = "HAVE_ARCH_TRANSPARENT_HUGEPAGE"
"""What an arch says when it supports transparent huge pages."""

FILES = 400
"""Kconfig files of an arch that are read at most (arm has 80)."""


class Entry(NamedTuple):
    """One line of a symbol's entry: where it stands, the symbol, and the statement."""

    where: str
    symbol: str
    words: list[str]


def entries(tree: Tree, arch: str) -> Iterator[Entry]:
    """What the Kconfig files of an arch say, those that they source included.

    Raises Unknown if it has none.
    """
    folder = f"arch/{arch}"
    todo = [f"{folder}/{name}" for name, is_folder in tree.entries(folder).items() if name.startswith("Kconfig")]
    if not todo:
        raise Unknown(f"{folder}: no Kconfig")
    seen: set[str] = set()
    while todo and len(seen) < FILES:
        if (path := todo.pop()) in seen:
            continue
        seen.add(path)
        symbol = ""
        for number, line in enumerate(lines(tree, path), 1):
            match line.split("#")[0].split():
                case ["config" | "menuconfig", name]:
                    symbol = name
                    yield Entry(f"{path}:{number}", symbol, ["config"])
                case ["source" | "orsource" | "rsource", *rest]:
                    sourced = "".join(rest).strip("\"'").replace("$(SRCARCH)", arch).replace("$SRCARCH", arch)
                    if sourced.startswith("arch/"):
                        todo.append(sourced)
                case [_, *_] as words if line[:1] in " \t":
                    yield Entry(f"{path}:{number}", symbol, words)


def lines(tree: Tree, path: str) -> list[str]:
    """The lines of a file, those that go on joined to one; none if it cannot be read."""
    try:
        source = tree.read(path)
    except Unknown:
        return []
    return source.decode(errors="replace").splitlines() if len(source) <= LIMIT else []


class Selected(NamedTuple):
    """Does an arch have a symbol? always: without a condition. where: file:line, and the condition."""

    there: bool
    always: bool
    where: str


def selected(tree: Tree, arch: str) -> dict[str, Selected]:
    """The symbols that an arch selects, or defines to be y by itself.

    A select in the entry of another symbol than the arch's own (its name, or one that is `def_bool y`) is conditional.

    Raises Unknown if the arch has no Kconfig.
    """
    said = list(entries(tree, arch))
    mine = {entry.symbol for entry in said if entry.words == ["def_bool", "y"]} | {arch.upper()}
    found: dict[str, Selected] = {}
    for where, symbol, words in said:
        match words:
            case ["select", name, *rest]:
                conditions = " ".join(rest[1:]) or ("" if symbol in mine else symbol)
            case ["def_bool" | "default", "y", *rest]:
                name = symbol
                depends = [" ".join(e.words[2:]) for e in said if e.symbol == name and e.words[:2] == ["depends", "on"]]
                conditions = " ".join(rest[1:]) or " && ".join(depends)
            case _:
                continue
        note = f"{where} {name}" + f" if {conditions}" * bool(conditions)
        if name not in found or (found[name].always is False and not conditions):
            found[name] = Selected(True, not conditions, note)
    return found
