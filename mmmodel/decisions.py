"""Decision trees: results remembered by the answers that led to them.

What a deterministic piece of code asks next depends only on the answers it got so far. So a result is found again by
asking what the code asked, one question after the other. A tree is None (empty), a result (no tuple), or a tuple of a
question and the subtree for each answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def find(tree: Any, answers: Any) -> Any:
    """The result for `answers`, a mapping or sequence that has one for each question; None if none is remembered."""
    while type(tree) is tuple:
        tree = tree[1].get(answers[tree[0]])
    return tree


def insert(tree: Any, questions: Sequence[Any], answers: Any, result: Any) -> Any:
    """The tree with a result more: `questions` in the order in which they were asked."""
    if not questions:
        return result
    node = root = tree or (questions[0], {})
    for question, following in zip(questions, (*questions[1:], None), strict=True):
        asked, branches = node
        if question != asked:
            raise RuntimeError(f"asked for {question} and for {asked} after the same answers: not deterministic")
        if following is None:
            branches[answers[question]] = result
        else:
            node = branches.setdefault(answers[question], (following, {}))
    return root
