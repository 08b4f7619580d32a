"""Where a CPU stands in an exploration, and how it gets from there to its next step."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, NamedTuple


class Preempted(BaseException):
    """Kernel code has come to its next step: the exploration decides who runs."""


class Place:
    """Where a CPU stands: before a step of one of its operations, having observed `path` since that began."""

    __slots__ = ("cpu", "function", "index", "outside", "path", "pieces", "waits", "word")

    def __init__(self, cpu: int, index: int, path: tuple[Any, ...], request: tuple[str, str, Any] | None) -> None:
        self.cpu, self.index, self.path = cpu, index, path
        self.waits: tuple[int, int | None] | None
        self.function, self.word, self.waits = request or ("", "", None)
        self.outside = False
        self.pieces: Any = None


class Piece(NamedTuple):
    """A step and the code up to the next one, for one combination of values read."""

    reads: tuple[int, ...]
    writes: tuple[tuple[int, int], ...]
    place: Place
    events: tuple[tuple[str, str], ...]


def alike(value: Any, things: Container[int]) -> Any:
    """What a local variable has in common with itself when the code is run again; things: ids that stay."""
    if isinstance(value, tuple | list):
        return tuple(alike(item, things) for item in value)
    if id(value) in things:
        return id(value)
    return value if isinstance(value, int | str) else type(value)
