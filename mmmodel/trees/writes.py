"""Which steps of a function write a variable, and which locks are held there."""

from __future__ import annotations

from collections.abc import Sequence

from tree_sitter import Node

from .c import arguments, callee, code_of, parts
from .flow import JUMPS
from .names import NAMES


def written(steps: Sequence[Node], names: frozenset[str]) -> list[Node]:
    """The steps that write one of the variables: an assignment, or a macro or atomic that takes it first."""
    found = []
    for node in steps:
        target = code_of(node.child_by_field_name("left")) if node.type == "assignment_expression" else ""
        if callee(node) in NAMES["writes"] and arguments(node):
            target = code_of(arguments(node)[0]).lstrip("&")
        if target in names:
            found.append(node)
    return found


def held_at(steps: Sequence[Node], write: Node) -> set[str]:
    """The locks that are held at a write. A branch that unlocks and leaves is not on the way to it."""
    held = set[str]()
    for node in steps[: steps.index(write)]:
        name, given = callee(node), [code_of(argument) for argument in arguments(node)] or [""]
        around = enclosing(node)
        on_the_way = around.start_byte <= write.start_byte < around.end_byte
        if name in NAMES["locks"]:
            held.add(given[0])
        elif name.partition("(")[0] in NAMES["guards"] and on_the_way:
            held.add(given[-1])
        elif name in NAMES["unlocks"] and (on_the_way or not leaves(around)):
            held.discard(given[0])
    return held


def enclosing(node: Node) -> Node:
    """The block that a node is in; of what guards a block of its own (scoped_guard), that block."""
    statement = node.parent
    if callee(node) in NAMES["guards"] and statement and (own := statement.next_named_sibling):
        return own
    while node.parent and node.type != "compound_statement":
        node = node.parent
    return node


def leaves(node: Node) -> bool:
    """Does a block end in a jump?"""
    return bool(parts(node)) and parts(node)[-1].type in JUMPS
