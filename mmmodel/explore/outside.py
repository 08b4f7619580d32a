"""Python variables outside of the kernel that code of a reader's changes: an exploration cannot follow them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from ..build.composed import Build
from ..kernel.mentions import functions_in, mentioned
from ..words import BuildError
from .explored import OUTSIDE
from .pieces import Pieces
from .scenarios import official
from .snapshot import plain


def variables(build: Build, operations: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Those that a reader's patches and the operations of a program can reach, with their names."""
    layers = [layer for patch in build.patches if isinstance(patch, type) for layer in patch.layers()]
    own = [(f"{layer.__name__}.{name}", value) for layer in layers for name, value in vars(layer).items()]
    yield from ((name, value) for name, value in own if name.split(".")[1][:2] != "__")
    for definition in [*(value for _, value in own), *operations]:
        yield from ((type(part).__name__, part) for part in getattr(definition, "args", ()))
        yield type(definition).__name__, getattr(definition, "__self__", None)
        for function in [f for f in functions_in(definition, called=True) if not official(f)]:
            cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            yield from ((name, cell.cell_contents) for name, cell in cells if cell != type(cell)())
            yield from (("a default argument", value) for value in function.__defaults__ or ())
            names = mentioned(function.__code__) & function.__globals__.keys()
            yield from ((name, function.__globals__[name]) for name in sorted(names))


@contextmanager
def unchanged(build: Build, pieces: Pieces) -> Iterator[None]:
    """Raise BuildError if what is not in memory is changed meanwhile."""
    kernel, things = pieces.kernel, pieces.memory.things
    operations = [operation for each in pieces.operations for _, operation in each]

    def look() -> dict[tuple[str, int], Any]:
        new = [(f"self.{name}", None) for name in vars(kernel) if name not in OUTSIDE]
        found = enumerate([*variables(build, operations), *new])
        outside = [(n, *f) for n, f in found if id(f[1]) not in things and not isinstance(f[1], ModuleType | type)]
        return {(name, n): plain(value, {}) for n, name, value in outside}

    before = look()
    yield
    for (name, n), value in look().items():
        if value != before.get((name, n), ...):
            raise BuildError(
                f"{name} is changed by code that CPUs run, and lies outside of the kernel, where no CPU finds it: "
                "keep it there (self.x, made in boot_huge_memory; k.x, made in the set-up of the scenario)"
            )
