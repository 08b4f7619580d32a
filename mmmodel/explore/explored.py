"""The kernel of an exploration: its objects live in a SharedMemory, and its steps ask before they are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..kernel.machine import Machine
from ..kernel.mm_types import PageTable
from ..kernel.overlay import Patch
from .containers import container
from .shared_memory import ABSENT, SharedMemory
from .snapshot import IGNORED

OUTSIDE = IGNORED | {"cpus", "memory", "pieces", "quiet"}
"""Of a kernel: what is no word of its memory."""


def watch(kernel: Any, pieces: Any, memory: SharedMemory) -> set[str]:
    """Make every mutable field of a booted kernel a word, and its steps those of `pieces`; the names of primitives."""
    for block in kernel.mem_map:
        kernel.page(block << kernel.hpage_order)
    things = [(f"page[{page.pfn:#x}]", page) for block in kernel.mem_map.values() for page in block.values()]
    things += [(mm.name, mm) for mm in kernel.mms] + [(f"cpu{cpu.id}", cpu) for cpu in kernel.cpus]
    for name, thing in things:
        memory.watch(name, thing)
    memory.things[id(kernel)] = kernel
    for name in sorted(vars(kernel).keys() - OUTSIDE):
        memory.watch_in(vars(kernel)[name], name)
    marks = steps(type(kernel))
    cls = explored_class(type(kernel), marks)
    memory.classes[cls] = cls
    kernel.memory, kernel.pieces, kernel.__class__ = memory, pieces, cls
    for name, value in sorted(vars(kernel).items()):
        if name not in OUTSIDE and (container(value) or name == "pins"):
            memory.word(kernel, name, name, value)
    return {name for name, mark in marks.items() if mark == "primitive"}


def steps(cls: Any) -> dict[str, str]:
    """The names of a kernel that are steps, or not explored, as the decorators of `kernel.machine` say."""
    layers = cls.__mro__[::-1]
    marks = {n: v.step for layer in layers for n, v in vars(layer).items() if callable(v) and hasattr(v, "step")}
    patched = {
        n for layer in layers if issubclass(layer, Patch) and not issubclass(layer, Machine) for n in vars(layer)
    }
    return {n: mark for n, mark in marks.items() if mark != "one step" or n not in patched}


def explored_class(cls: type, marks: dict[str, str]) -> type:
    """The kernel class whose steps ask first."""

    def asking(name: str) -> Callable[..., Any]:
        def step(self: Any, *args: Any, **kwargs: Any) -> Any:
            return self.pieces.step(getattr(cls, name), name, self, args, kwargs)

        return step

    body: dict[str, Any] = {n: nothing if mark == "set-up only" else asking(n) for n, mark in marks.items()}
    body["pte_alloc_one"] = lambda self, mm: self.struct(PageTable, self.page(0))
    body["__setattr__"] = assign
    body["struct"] = lambda self, kind, *args: self.pieces.struct(kind, args)
    body["retry"] = lambda self: self.pieces.retry()
    body["violate"] = lambda self, invariant, what: self.pieces.events.append((invariant, what))
    return type("Explored", (cls,), body)


def nothing(kernel: Any, *_: Any) -> None:
    """What is not explored."""


def assign(kernel: Any, name: str, value: Any) -> None:
    """Set an attribute of a kernel: a word of its memory, from the first time on."""
    memory = kernel.memory
    if name in OUTSIDE or isinstance(getattr(type(kernel), name, None), property):
        object.__setattr__(kernel, name, value)
        return
    if (id(kernel), name) not in memory.slots:
        memory.word(kernel, name, name, getattr(kernel, name, ABSENT))
    memory.assign(kernel, name, value)
