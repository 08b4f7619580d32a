"""The whole state of a kernel as one value: two equal snapshots have the same future."""

from __future__ import annotations

from typing import Any

OUTSIDE = {"build", "costs", "cpu", "dmesg", "observer", "violations"}
"""What of a kernel no kernel function looks at, or what only grows."""


def snapshot(kernel: Any) -> Any:
    """Everything that hangs on a kernel between two operations; what is the same thing twice is told from a copy."""
    return plain({name: value for name, value in vars(kernel).items() if name not in OUTSIDE}, {})


def plain(value: Any, seen: dict[int, int]) -> Any:
    """A value that is equal for equal contents, however deep; what was seen before is the number it had then."""
    if value is None or isinstance(value, int | str) or callable(value):
        return value
    if isinstance(value, tuple):
        return tuple(plain(item, seen) for item in value)
    if isinstance(value, set | frozenset):
        return frozenset(plain(item, seen) for item in value)
    if id(value) in seen:
        return seen[id(value)]
    seen[id(value)] = len(seen)
    if isinstance(value, dict):
        return tuple((plain(key, seen), plain(item, seen)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(plain(item, seen) for item in value)
    slots = [name for layer in type(value).__mro__ for name in vars(layer).get("__slots__", ()) if name[:2] != "__"]
    held = [getattr(value, name, None) for name in (*slots, *getattr(value, "__dict__", ()))]
    return type(value), plain(tuple(held), seen)
