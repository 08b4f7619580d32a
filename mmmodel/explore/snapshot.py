"""The whole state of a kernel as one value: two equal snapshots have the same future."""

from __future__ import annotations

from collections.abc import MutableMapping, MutableSequence, MutableSet
from functools import cache
from typing import Any, cast

from ..kernel.machine import Var
from ..kernel.mm_types import Page

IGNORED = {"build", "costs", "cpu", "dmesg", "locks", "mem_map", "observer", "violations"}
"""What of a kernel no kernel function looks at, or what only grows; and the pages, which come first."""
SIMPLE = {int, str, bool, type(None), Page}


def snapshot(kernel: Any) -> Any:
    """Everything that hangs on a kernel between two operations; what is the same thing twice is told from a copy."""
    pages = [page for block in kernel.mem_map.values() for page in block.values()]
    known = [
        (p.pfn, p.count.value, p.mapcount.value, p.flags, p.order, p.owner, p.holder, p.life, plain(p.content, {}))
        for p in pages
    ]
    added = [(p.pfn, plain(vars(p), {})) for p in pages if vars(p)]
    rest = {name: value for name, value in vars(kernel).items() if name not in IGNORED}
    return tuple(known), tuple(added), plain(rest, {})


def plain(value: Any, seen: dict[int, int]) -> Any:
    """A value that is equal for equal contents, however deep; what was seen before is the number it had then."""
    kind = type(value)
    if kind in SIMPLE or callable(value):
        return value
    if issubclass(kind, tuple):
        return tuple([item if type(item) in SIMPLE else plain(item, seen) for item in value])
    if issubclass(kind, frozenset | MutableSet):
        return frozenset([plain(item, seen) for item in value])
    if id(value) in seen:
        return seen[id(value)]
    seen[id(value)] = len(seen)
    if kind is Var:
        return plain(value.value, seen)
    if issubclass(kind, MutableMapping):
        return plain((*value, *value.values()), seen)
    if issubclass(kind, MutableSequence):
        return plain(tuple(value), seen)
    more = getattr(value, "__dict__", ())
    held = [getattr(value, name, None) for name in (*slots(cast(Any, kind)), *more)]
    return kind, plain((*more, *held), seen)


@cache
def slots(cls: Any) -> list[str]:
    """The names of the slots of a class."""
    return [name for layer in cls.__mro__ for name in vars(layer).get("__slots__", ()) if name[:2] != "__"]
