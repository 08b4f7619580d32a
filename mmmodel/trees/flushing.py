"""Does a gather of a whole mm leave out the flush that it would make for a part of one?"""

from __future__ import annotations

from tree_sitter import Node

from .c import Definition, callee, text
from .facts import Facts
from .flow import Flow
from .names import NAMES
from .release import Fact
from .unit import Answer, Unit

Calls = dict[str, str]
"""Names of functions that are called, and where."""


def full(value: bool, names: set[str]) -> object:
    """What a condition says if the gather is one of a whole mm, or not."""

    def known(node: Node) -> Answer:
        field = text(node.child_by_field_name("field")) if node.type == "field_expression" else text(node)
        return value if field in names else None

    return known


def flushes(unit: Unit, definition: Definition, value: bool, deep: bool = True) -> Calls:
    """The flushes that a definition ends in when fullmm is `value`: calls named so, of what is defined elsewhere.

    Raises Unknown if a definition cannot be parsed.
    """
    found, todo, seen = Calls(), [definition], set[Definition]()
    while todo:
        if (here := todo.pop()) in seen:
            continue
        seen.add(here)
        for node in Flow(unit, full(value, {"fullmm"})).run(here):  # type: ignore[arg-type]
            called = unit.definitions.get(callee(node), [])
            if not called and "flush" in callee(node):
                found.setdefault(callee(node), here.at(node))
            todo += called
    return found


def left_out(facts: Facts, arch: str, swap: bool) -> Fact:
    """no flush: for a whole mm none is made, where for a part one is; flush: else. With the places.

    A gather that frees at once relies on the flush when the entry is cleared, others on tlb_flush.
    """
    pursuit = facts.pursuit(arch, swap)
    unit = pursuit.unit
    if not pursuit.stored:
        return at_once(facts, arch, facts.release(arch, swap).where[:1])
    ends = [d for name in NAMES["flush"] for d in unit.definitions.get(name, [])]
    ends = ends or in_c(facts, arch) or [unit.need(["tlb_finish_mmu"], f"arch/{arch}/include/asm/tlb.h")]
    for end in ends:
        whole, part = (flushes(unit, end, value) for value in (True, False))
        if part and not whole:
            return Fact("no flush", (f"{end.file}:{end.line} {end.name}", *place(part)))
    whole = flushes(unit, ends[0], True)
    return Fact("flush", place(whole) or (f"{ends[0].file}:{ends[0].line} {ends[0].name}",))


def at_once(facts: Facts, arch: str, freed: tuple[str, ...]) -> Fact:
    """The same of a gather that frees at once: what the arch does when it clears the entry."""
    unit = Unit(facts.files, {"CONFIG_TRANSPARENT_HUGEPAGE": True, "CONFIG_MMU": True}, arch)
    unit.include(f"arch/{arch}/include/asm/pgtable.h")
    clear = unit.find(NAMES["clears"])
    if not clear or not clear.params:
        return Fact("flush", (*freed, f"arch/{arch}/include/asm/pgtable.h no own way to clear for a whole mm"))
    whole, part = (
        {callee(n): clear.at(n) for n in Flow(unit, full(v, {clear.params[-1]})).run(clear) if callee(n)}  # type: ignore[arg-type]
        for v in (True, False)
    )
    here = f"{clear.file}:{clear.line} {clear.name}"
    lost = {name: at for name, at in part.items() if name not in whole}
    return Fact("no flush" if lost else "flush", (*freed, here, *place(lost)))


def in_c(facts: Facts, arch: str) -> list[Definition]:
    """Definitions of tlb_flush in the arch's own mm folder."""
    found = []
    folders = [f"arch/{arch}/mm"]
    folders += [f"{folders[0]}/{name}" for name, is_folder in facts.tree.entries(folders[0]).items() if is_folder]
    for folder in folders:
        for name in facts.tree.entries(folder):
            if "tlb" in name and name.endswith(".c"):
                unit = Unit(facts.files, {"CONFIG_MMU": True}, arch)
                unit.include(f"{folder}/{name}")
                found += [d for flush in NAMES["flush"] for d in unit.definitions.get(flush, [])]
    return found


def place(calls: Calls) -> tuple[str, ...]:
    """Calls as places."""
    return tuple(f"{where} {name}" for name, where in sorted(calls.items()))
