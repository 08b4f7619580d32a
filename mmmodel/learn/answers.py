"""Answer cells: `mm.answer("02.1", ...)`, with hints and solutions for whoever asks."""

from collections import Counter
from typing import Any

from ..show.html import Html, code, join, tag
from ..words import BuildError, choose
from .asked import HELPED, NotUnderstoodError, explained, feedback, points, prose, still_open, texts, unanswered
from .progress import record
from .values import VALUES

GIVEN = Counter[str]()
"""Hints, by exercise."""


def answer(id: str, *given: Any) -> Html:
    """Judge an answer by running the model: numbers or names, packed and written in any way.

    Raises BuildError for an exercise that does not exist, or that asks for a patch.
    """
    if choose("exercise", id, texts()) not in VALUES:
        raise BuildError(f'{id} asks for a patch: mm.try_patch("{id}", YourPatch)')
    kind, work = VALUES[id]
    if unanswered(given):
        return still_open(id, "your answer")
    try:
        said = kind.read(given)
    except NotUnderstoodError as error:
        return feedback(None, id, "not understood", error)
    right = work()
    good = said == right.value
    note = record(id, good)
    if good:
        return feedback(True, id, "✓ right", explained(id), note)
    return feedback(False, id, "✗ not what the model finds", prose(kind.differ(said, right)), note)


def hint(id: str) -> Html:
    """The next hint of an exercise, below those that were given.

    Raises BuildError for an exercise that does not exist.
    """
    hints = points(texts(HELPED)[choose("exercise", id, texts(HELPED))][0])
    GIVEN[id] = min(GIVEN[id] + 1, len(hints))
    more = (
        [] if GIVEN[id] < len(hints) else [tag("p", "There are no more. Still stuck? ", code(f'mm.solution("{id}")'))]
    )
    return join(tag("ol", *(tag("li", prose(words)) for words in hints[: GIVEN[id]])), *more)


def solution(id: str) -> Html:
    """The answer, worked out now, and why; or a patch that does it.

    Raises BuildError for an exercise that does not exist.
    """
    why = [tag("div", prose(text)) for text in texts(HELPED)[choose("exercise", id, texts(HELPED))][1:]]
    if id not in VALUES:
        return join(*why)
    value = VALUES[id][1]().value
    shown = sorted(value) if isinstance(value, frozenset) else value
    return join(tag("p", tag("b", ", ".join(map(str, shown)))), *why)
