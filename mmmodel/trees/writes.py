"""Which steps of a function write a variable, and which locks are held there."""

from __future__ import annotations

from collections.abc import Sequence

from tree_sitter import Node

from .c import arguments, callee, code_of, parts
from .flow import JUMPS, LOOPS
from .names import NAMES
from .tree import Unknown

BRANCHED = ("if_statement", "else_clause", *LOOPS)


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
    """The locks that are held at a write. A branch that unlocks and leaves is not on the way to it.

    Raises Unknown for a lock that is not one of the names, is taken in some cases only, or is no variable of the file.
    """
    held = set[str]()
    for node in steps[: steps.index(write)]:
        name, given = callee(node), [code_of(argument) for argument in arguments(node)] or [""]
        guard, _, kind = name.partition("(")
        kind = kind.rstrip(")") or given[0]
        if name in NAMES["unlocks"]:
            if on_the_way(node, write) or not leaves(enclosing(node)):
                held.discard(given[0])
        elif name in NAMES["locks"] or (guard in NAMES["guards"] and kind in NAMES["guard kinds"]):
            lock = given[0] if name in NAMES["locks"] else given[-1]
            conditional = not on_the_way(node, write) and name in NAMES["locks"] and not leaves(enclosing(node))
            if conditional or lock[:1] != "&" or not lock[1:].isidentifier():
                raise Unknown(f"{name}({lock}) was not understood")
            held |= {lock} if on_the_way(node, write) else set()
        elif locks_so_named(name if guard not in NAMES["guards"] else kind):
            raise Unknown(f"{name}({given[0]}) was not understood")
    return held


def locks_so_named(name: str) -> bool:
    """Does a name say that it locks?"""
    words = name.lower().split("_")
    return any(word.endswith("lock") and not word.endswith(("block", "clock")) for word in words)


def on_the_way(node: Node, later: Node) -> bool:
    """Is a step passed on every way to a later one, as far as blocks tell?"""
    around = enclosing(node)
    return around.start_byte <= later.start_byte < around.end_byte


def passed(steps: Sequence[Node], later: Node) -> set[str]:
    """What the steps that are passed on every way to a later one call."""
    return {callee(step) for step in steps if on_the_way(step, later)}


def enclosing(node: Node) -> Node:
    """The block or branch that a node is in; of what guards a block of its own (scoped_guard), that block."""
    statement = node.parent
    if callee(node) in NAMES["guards"] and statement and (own := statement.next_named_sibling):
        return own
    while node.parent and node.type != "compound_statement":
        if node.parent.type in BRANCHED and node != node.parent.child_by_field_name("condition"):
            break
        node = node.parent
    return node


def leaves(node: Node) -> bool:
    """Does a block end in a jump?"""
    return bool(parts(node)) and parts(node)[-1].type in JUMPS
