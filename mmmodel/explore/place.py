"""Where a CPU stands in kernel code, and the piece of code that comes next."""

from __future__ import annotations

from typing import Any, NamedTuple

Request = tuple[str, str, tuple[int, int | None] | None]
"""Who asks for the next step, for which word, and for what it has to wait: a word that is free, or below a limit."""
FINISHED: Request = ("", "", None)
Access = tuple[str, str, int]
"""What a step does: the primitive, what that does and orders (see `kernel.atomics.orders`), and to which word."""
NONE: Access = ("", "", -1)


class Place:
    """Where a CPU stands: before a step of one of its operations, having observed `path` since that began.

    `mark` is a character for all that is not the CPU.
    """

    __slots__ = ("cpu", "function", "index", "mark", "outside", "path", "pieces", "waits", "word")

    def __init__(
        self, cpu: int, index: int, path: tuple[Any, ...], outside: bool, request: Request, mark: str = ""
    ) -> None:
        self.cpu, self.index, self.path, self.outside, self.mark = cpu, index, path, outside, mark
        self.function, self.word, self.waits = request
        self.pieces: Any = None


class Piece(NamedTuple):
    """A step and the code up to the next one, for one combination of values read."""

    reads: tuple[int, ...]
    writes: tuple[tuple[int, str], ...]
    place: Place
    events: tuple[tuple[str, str], ...]
    access: Access = NONE
