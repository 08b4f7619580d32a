"""How far an exploration may go: in states, in time, in memory."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from time import perf_counter

from ..words import BuildError

BOUNDS = ("max_states", "max_seconds", "max_memory")
HURRY = 4.0
"""Seconds in which something broken is still looked for, once code was found that does not return."""
EVERY = 1024
"""So many looks at the states and the clock come to one at the memory, which costs more."""


class Seen(int):
    """A number of states seen. `frontier`: those still to be explored, `depth`: steps from the start."""

    frontier = depth = 0

    @classmethod
    def of(cls, states: int, frontier: int, depth: int) -> Seen:
        """So many."""
        seen = cls(states)
        seen.frontier, seen.depth = frontier, depth
        return seen


class Bounds:
    """max_states; max_seconds; max_memory: MiB of this process, by default what it has and half of what is free when
    that is first looked at: most explorations are over before.

    Raises BuildError for what is no number above 0.
    """

    def __init__(
        self, max_states: float = 5_000_000, max_seconds: float = 600.0, max_memory: float | None = None
    ) -> None:
        bounds = {"max_states": max_states, "max_seconds": max_seconds}
        for name, value in (bounds if max_memory is None else bounds | {"max_memory": max_memory}).items():
            if not isinstance(value, int | float) or not value > 0 or (name == "max_states" and value < 1):
                raise BuildError(f"max_states, max_seconds and max_memory must be numbers above 0; {name} is {value!r}")
        self.max_states, self.max_memory, self.deadline = max_states, max_memory, perf_counter() + max_seconds
        self.looks, self.hurried = 0, False

    def reached(self, states: int, hurry: bool = False) -> str:
        """The bound that was reached, in words; empty if none was. hurry: nothing can hold any more."""
        self.looks += 1
        if hurry and not self.hurried:
            self.hurried, self.deadline = True, min(self.deadline, perf_counter() + HURRY)
        if states > self.max_states:
            return f"{self.max_states} states"
        if self.looks % EVERY == 0 and (used := _mib("self/status", "VmRSS:")):
            if self.max_memory is None:
                free = _mib("meminfo", "MemAvailable:")
                self.max_memory = used + free / 2 if free else inf
            if used > self.max_memory:
                return f"{self.max_memory:,.0f} MiB of memory"
        return "time" if perf_counter() > self.deadline else ""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Meanwhile Python looks for cycles less often: there are many objects that stay, and few cycles to look for."""
    often = gc.get_threshold()
    gc.set_threshold(max(200_000, often[0]), 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*often)


def _mib(file: str, name: str) -> float:
    """What Linux says of memory; 0 where nobody says."""
    try:
        lines = Path("/proc", file).read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), 0)
