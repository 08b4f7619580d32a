"""Decision trees: results remembered by the answers that led to them.

What a deterministic piece of code asks next depends only on the answers it got so far. So a result is found again by
asking what the code asked, one question after the other. A tree is None (empty), a result (no tuple), or a tuple of a
question and the subtree for each answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class NotDeterministic(RuntimeError):
    """The same answers led to another question."""


def find(tree: Any, answers: Any) -> Any:
    """The result for `answers`, a mapping or sequence that has one for each question; None if none is remembered."""
    while type(tree) is tuple:
        tree = tree[1].get(answers[tree[0]])
    return tree


def insert(tree: Any, questions: Sequence[Any], answers: Any, result: Any) -> Any:
    """The tree with a result more: `questions` in the order in which they were asked.

    Raises NotDeterministic, and leaves the tree as it was, if that asked something else after the same answers.
    """
    before: dict[Any, Any] = {} if tree is None else {None: tree}
    branches, answer = before, None
    for question in questions:
        node = branches.setdefault(answer, (question, {}))
        if type(node) is not tuple or node[0] != question:
            raise NotDeterministic(f"asked for {question} and for something else after the same answers")
        branches, answer = node[1], answers[question]
    if type(branches.get(answer)) is tuple:
        raise NotDeterministic(f"asked for nothing and for {branches[answer][0]} after the same answers")
    branches[answer] = result
    return before[None]
