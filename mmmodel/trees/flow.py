"""What a function does when some of its conditions are known: the calls and assignments that it can reach, in order."""

from __future__ import annotations

from collections.abc import Callable, Generator

from tree_sitter import Node

from .c import IFS, INSIDE, Definition, code_of, parts
from .unit import Answer, Unit, truth

Steps = Generator[Node, None, bool]
"""What is reached; and at the end, whether control certainly leaves."""

JUMPS = ("return_statement", "continue_statement", "break_statement", "goto_statement")
LOOPS = ("while_statement", "do_statement", "for_statement", "switch_statement")
BLOCKS = ("compound_statement", "else_clause", "labeled_statement", "case_statement", "ERROR", *INSIDE)


class Flow:
    """Runs through the body of a definition. known: what is known of a condition."""

    def __init__(self, unit: Unit, known: Callable[[Node], Answer]) -> None:
        self.unit = unit
        self._known = known

    def known(self, node: Node) -> Answer:
        """What is known of a condition: its configuration, or what was asked for."""
        said = self.unit.enabled(node)
        return self._known(node) if said is None else said

    def run(self, definition: Definition) -> Steps:
        """Calls, assignments and initialised declarations that a definition reaches.

        Raises Unknown if its body cannot be parsed.
        """
        return (yield from self._statement(definition.body)) if definition.body else False

    def _statement(self, node: Node) -> Steps:
        if node.type in BLOCKS:
            return (yield from self._block(node))
        if node.type == "if_statement":
            return (yield from self._if(node))
        if node.type in LOOPS:
            for part in parts(node):
                yield from self._statement(part)
            return False
        yield from self._expression(node)
        return node.type in JUMPS

    def _block(self, node: Node) -> Steps:
        """Statements one after the other; after one that leaves, those that have a label."""
        if node.type in IFS or node.type in ("preproc_elif", "preproc_elifdef"):
            return (yield from self._directive(node))
        left = False
        for part in parts(node):
            if not left or part.type in ("labeled_statement", "case_statement"):
                left = yield from self._statement(part)
        return left

    def _directive(self, node: Node) -> Steps:
        """The branches of a directive that are compiled, or may be."""
        taken, other = self.unit.taken(node), node.child_by_field_name("alternative")
        skipped = (other, node.child_by_field_name("name"), node.child_by_field_name("condition"))
        left = []
        if taken is not False:
            leaves = False
            for part in parts(node):
                if part not in skipped and not leaves:
                    leaves = yield from self._statement(part)
            left.append(leaves)
        if taken is not True:
            left.append((yield from self._statement(other)) if other else False)
        return all(left)

    def _if(self, node: Node) -> Steps:
        condition = node.child_by_field_name("condition")
        value = truth(condition, self.known) if condition else None
        if condition:
            yield from self._expression(condition)
        left = []
        for branch, name in ((True, "consequence"), (False, "alternative")):
            if value in (None, branch):
                part = node.child_by_field_name(name)
                left.append((yield from self._statement(part)) if part else False)
        return all(left)

    def _expression(self, node: Node) -> Steps:
        """An expression, what is in it first; what `&&`, `||` and `?:` leave out is left out."""
        operator = code_of(node.child_by_field_name("operator"))
        kids = parts(node)
        if node.type == "compound_statement":
            yield from self._statement(node)
            return False
        if operator in ("&&", "||") and truth(kids[0], self.known) is (operator == "||"):
            kids = kids[:1]
        elif node.type == "conditional_expression" and len(kids) == 3:
            value = truth(kids[0], self.known)
            kids = [kids[0], *([] if value is False else [kids[1]]), *([] if value is True else [kids[2]])]
        for part in kids:
            yield from self._expression(part)
        if node.type in ("call_expression", "assignment_expression", "init_declarator"):
            yield node
        return False
