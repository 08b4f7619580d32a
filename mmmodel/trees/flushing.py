"""Does a gather of a whole mm leave out the flush that it would make for a part of one?"""

from __future__ import annotations

from collections.abc import Callable

from tree_sitter import Node

from .c import Definition, callee, code_of
from .flow import Flow
from .names import NAMES
from .per_arch import Arch
from .release import Fact
from .unit import Answer, Unit

Calls = dict[str, str]
"""Names of functions that are called, and where."""


def whole(value: bool, name: str) -> Callable[[Node], Answer]:
    """What a condition says if the gather is one of a whole mm, or not: the field or variable `name`."""

    def known(node: Node) -> Answer:
        field = node.child_by_field_name("field") if node.type == "field_expression" else node
        return value if code_of(field) == name else None

    return known


def flushes(unit: Unit, definition: Definition, value: bool) -> Calls:
    """The flushes that a definition ends in when fullmm is `value`: calls named so, of what is defined elsewhere.

    Raises Unknown if a definition cannot be parsed.
    """
    found, todo, seen = Calls(), [definition], set[Definition]()
    while todo:
        if (here := todo.pop()) not in seen:
            seen.add(here)
            for node in Flow(unit, whole(value, "fullmm")).run(here):
                called = unit.definitions.get(callee(node), [])
                todo += called
                if not called and "flush" in callee(node):
                    found.setdefault(callee(node), here.at(node))
    return found


def flush_of_whole_mm(arch: Arch, swap: bool) -> Fact:
    """left out: for a whole mm there is no flush, where for a part there is one; made: else.

    A gather that frees at once relies on the flush when the entry is cleared, others on tlb_flush.
    """
    pursuit = arch.pursuit(swap)
    if not pursuit.stored:
        return at_once(arch, arch.release(swap).where[:1])
    ends = [d for name in NAMES["flush"] for d in pursuit.unit.definitions.get(name, [])] or in_c(arch)
    ends = ends or [pursuit.unit.need(["tlb_finish_mmu"], arch.tlb)]
    for end in ends:
        for_whole, for_part = (flushes(pursuit.unit, end, value) for value in (True, False))
        if for_part and not for_whole:
            return Fact("left out", (end.place, *for_part.values()))
    return Fact("made", tuple(flushes(pursuit.unit, ends[0], True).values()) or (ends[0].place,))


def at_once(arch: Arch, freed: tuple[str, ...]) -> Fact:
    """The same of a gather that frees at once: what the arch does when it clears the entry."""
    path = f"arch/{arch.name}/include/asm/pgtable.h"
    unit = Unit(arch.files, {"CONFIG_TRANSPARENT_HUGEPAGE": True, "CONFIG_MMU": True}, arch.name)
    unit.include(path)
    clear = unit.find(NAMES["clears"])
    if not clear or not clear.params:
        return Fact("made", (*freed, f"{path} no own way to clear for a whole mm"))
    for_whole, for_part = (
        {callee(n): clear.at(n) for n in Flow(unit, whole(value, clear.params[-1])).run(clear) if callee(n)}
        for value in (True, False)
    )
    lost = [where for name, where in for_part.items() if name not in for_whole]
    return Fact("left out" if lost else "made", (*freed, clear.place, *lost))


def in_c(arch: Arch) -> list[Definition]:
    """Definitions of tlb_flush in the arch's own mm folder."""
    top, entries = f"arch/{arch.name}/mm", arch.facts.tree.entries
    folders = [top, *(f"{top}/{name}" for name, is_folder in entries(top).items() if is_folder)]
    found = list[Definition]()
    for path in [f"{folder}/{name}" for folder in folders for name in entries(folder)]:
        if "tlb" in path.rpartition("/")[2] and path.endswith(".c"):
            definitions = arch.facts.unit(path).definitions
            found += [d for flush in NAMES["flush"] for d in definitions.get(flush, [])]
    return found
