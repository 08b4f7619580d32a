"""Following a page through the gather: who frees it at the end, and does that look for the huge zero page first?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tree_sitter import Node

from .c import Definition, arguments, callee, code_of, within
from .flow import Flow
from .names import NAMES
from .tree import Unknown
from .unit import Answer, Unit

Trail = tuple[str, ...]
"""Places that lead to a place: `file:line name`."""


class Fact(NamedTuple):
    """What something is, and where that is read."""

    value: str
    where: Trail


class Pursuit:
    """A page that was handed to the gather, followed by the names of what holds it.

    by_count: trails to where its page count is put. tested: where it is recognised as the huge zero page and kept out
    of that. stored: the fields it waits in for the flush.
    """

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.by_count: list[Trail] = []
        self.tested: list[Trail] = []
        self.stored: dict[str, Trail] = {}
        self._seen: set[tuple[str, tuple[int, ...]]] = set()

    def call(self, name: str, positions: Sequence[int], trail: Trail = ()) -> None:
        """Follow it into a function, whose arguments at `positions` are the page or hold it.

        Raises Unknown if a definition cannot be parsed.
        """
        if (name, tuple(positions)) in self._seen:
            return
        self._seen.add((name, tuple(positions)))
        for definition in self.unit.definitions.get(name, []):
            if definition.stands_for:
                self.call(definition.stands_for, positions, trail)
            else:
                params = definition.params
                self.body(definition, {params[i] for i in positions if i < len(params)}, trail)

    def outcome(self, where: str) -> Fact:
        """How it is freed: `count`, by its page count, or `tested` before that.

        Raises Unknown if neither was found.
        """
        if self.by_count or self.tested:
            return Fact("count", self.by_count[0]) if self.by_count else Fact("tested", self.tested[0])
        raise Unknown(f"{where}: what frees a page was not found")

    def flush(self, files: Sequence[str]) -> None:
        """Follow it out of the fields it waits in: the functions of `files` that a flush reaches.

        Raises Unknown if a definition cannot be parsed.
        """
        todo, seen = [*NAMES["flushes"]], set[str]()
        while todo:
            if (name := todo.pop()) not in seen:
                seen.add(name)
                for definition in self.unit.definitions.get(name, []):
                    if definition.file in files:
                        todo += [definition.stands_for] * bool(definition.stands_for)
                        todo += self.body(definition, set(), next(iter(self.stored.values())))

    def body(self, definition: Definition, holders: set[str], trail: Trail) -> list[str]:
        """Follow it through a definition where `holders` hold it; the names that are called there."""

        def holds(node: Node) -> bool:
            return any(
                (part.type == "identifier" and code_of(part) in holders)
                or (part.type == "field_identifier" and code_of(part) in self.stored)
                for part in within(node)
            )

        def known(node: Node) -> Answer:
            name = callee(node)
            if name in NAMES["tests page"]:
                recognised = any(holds(argument) for argument in arguments(node))
            else:
                sides = code_of(node.child_by_field_name("operator")) == "==" and names_used(node) & NAMES["pointer"]
                recognised = bool(sides) and holds(node)
            if recognised:
                self.tested.append((*trail, definition.at(node, name or "compared")))
            return True if recognised else None

        called = []
        for node in Flow(self.unit, known).run(definition):
            if node.type != "call_expression":
                self._keep(node, holders, holds, (*trail, definition.at(node)))
                continue
            name = callee(node)
            called.append(name)
            given = arguments(node)
            positions = [i for i, argument in enumerate(given) if holds(argument)]
            here = (*trail, definition.at(node))
            if name in NAMES["puts mapping"] and self.tested:
                self.tested.append(here)
            if positions:
                holders |= {code_of(a)[1:] for a in given if code_of(a)[:1] == "&" and code_of(a)[1:].isidentifier()}
                if name in NAMES["puts by count"]:
                    self.by_count.append(here)
                else:
                    self.call(name, positions, here)
        return called

    def _keep(self, node: Node, holders: set[str], holds: Callable[[Node], bool], trail: Trail) -> None:
        """What an assignment makes hold the page: a variable, or a field."""
        left = node.child_by_field_name("left") or node.child_by_field_name("declarator")
        right = node.child_by_field_name("right") or node.child_by_field_name("value")
        if left is None or right is None or not holds(right):
            return
        while left.type in ("subscript_expression", "pointer_declarator", "array_declarator", "pointer_expression"):
            left = left.child_by_field_name("argument") or left.child_by_field_name("declarator") or left.children[-1]
        if left.type == "field_expression":
            self.stored.setdefault(code_of(left.child_by_field_name("field")), trail)
        elif left.type == "identifier":
            holders.add(code_of(left))


def names_used(node: Node) -> set[str]:
    """The names in a node."""
    return {code_of(part) for part in within(node) if part.type in ("identifier", "field_identifier")}
