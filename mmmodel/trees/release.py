"""Following a page through the gather: who frees it at the end, and does that look for the huge zero page first?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tree_sitter import Node

from .c import Definition, arguments, callee, code_of, parts, within
from .flow import Flow
from .names import NAMES
from .tree import Unknown
from .unit import Answer, Unit, truth

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
        self._answers: dict[tuple[str, tuple[int, ...]], Answer] = {}
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

        told: dict[str, Answer] = {}
        known = self._conditions(definition, holders, told, trail)
        before = len(self.tested)
        called = []
        for node in Flow(self.unit, known).run(definition):
            if node.type != "call_expression":
                left, right = sides(node)
                told[code_of(left)] = truth(right, known) if right else None
                self._keep(node, holders, (*trail, definition.at(node)))
                continue
            name = callee(node)
            called.append(name)
            given = arguments(node)
            positions = [i for i, argument in enumerate(given) if self._holds(argument, holders)]
            here = (*trail, definition.at(node))
            alone = node.parent is None or node.parent.type != "argument_list"
            if (name in NAMES["puts mapping"] and self.tested) or (name in NAMES["tests page"] and positions and alone):
                self.tested.append(here)
            if positions:
                holders |= {code_of(a)[1:] for a in given if code_of(a)[:1] == "&" and code_of(a)[1:].isidentifier()}
                puts, tests = len(self.by_count), len(self.tested)
                if name in NAMES["puts by count"] and not self._tests(name):
                    self.by_count.append(here)
                else:
                    self.call(name, positions, here)
                if len(self.by_count) > puts and tests > before:
                    raise Unknown(f"{here[-1]}: puts the page by its count after a test that was not understood")
        return called

    def _tests(self, name: str) -> bool:
        """Does a function that puts by the count look for the huge zero page itself?"""
        return any(names_used(d.node) & NAMES["tests page"] for d in self.unit.definitions.get(name, []))

    def _holds(self, node: Node, holders: set[str]) -> bool:
        """Does an expression hold it?"""
        return any(
            (part.type == "identifier" and code_of(part) in holders)
            or (part.type == "field_identifier" and code_of(part) in self.stored)
            for part in within(node)
        )

    def _conditions(
        self, definition: Definition, holders: set[str], told: dict[str, Answer], trail: Trail
    ) -> Callable[[Node], Answer]:
        """What conditions in a definition say of the huge zero page. told: what variables there say."""

        def known(node: Node) -> Answer:
            operator, name = code_of(node.child_by_field_name("operator")), callee(node)
            positions = [i for i, argument in enumerate(arguments(node)) if self._holds(argument, holders)]
            compared = operator in ("==", "!=") and names_used(node) & NAMES["pointer"] and self._holds(node, holders)
            if not compared and name not in NAMES["tests page"]:
                return (
                    self._predicate(definition.at(node), name, positions, trail)
                    if positions
                    else told.get(code_of(node))
                )
            if not compared and not positions:
                return None
            self.tested.append((*trail, definition.at(node, name or "compared")))
            return operator != "!="

        return known

    def _predicate(self, place: str, name: str, positions: Sequence[int], trail: Trail) -> Answer:
        """What a function says of the huge zero page, if all it does is to return something.

        Raises Unknown if it is defined elsewhere, and its name speaks of zero.
        """
        if (key := (name, tuple(positions))) not in self._answers:
            self._answers[key] = None  # for one that calls itself
            found = self.unit.definitions.get(name, [])
            if not found and "zero" in name.split("_"):
                raise Unknown(f"{place} was not understood")
            said = [part for d in found if d.body for part in parts(d.body) if parts(part)]
            if len(found) == len(said) == 1 and said[0].type in ("return_statement", "expression_statement"):
                params = {found[0].params[i] for i in positions if i < len(found[0].params)}
                here = self._conditions(found[0], params, {}, (*trail, place))
                self._answers[key] = truth(parts(said[0])[0], here)
        return self._answers[key]

    def _keep(self, node: Node, holders: set[str], trail: Trail) -> None:
        """What an assignment makes hold the page: a variable, or a field."""
        left, right = sides(node)
        if left is None or right is None or not self._holds(right, holders):
            return
        while left.type in ("subscript_expression", "pointer_declarator", "array_declarator", "pointer_expression"):
            left = left.child_by_field_name("argument") or left.child_by_field_name("declarator") or left.children[-1]
        if left.type == "field_expression":
            self.stored.setdefault(code_of(left.child_by_field_name("field")), trail)
        elif left.type == "identifier":
            holders.add(code_of(left))


def sides(node: Node) -> tuple[Node | None, Node | None]:
    """What an assignment or initialised declaration writes, and its value."""
    left, right = ("left", "right") if node.type == "assignment_expression" else ("declarator", "value")
    return node.child_by_field_name(left), node.child_by_field_name(right)


def names_used(node: Node) -> set[str]:
    """The names in a node."""
    return {code_of(part) for part in within(node) if part.type in ("identifier", "field_identifier")}
