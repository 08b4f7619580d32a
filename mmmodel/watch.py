"""Watching memory: a booted kernel whose every access to shared state goes through one Memory.

Nothing of the model changes: its objects get a class with properties in place of their fields. A state is then a string
of bytes, one per word, and a piece of kernel code is known by what it read, what it wrote and what it did next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .kernel.machine import Var

ABSENT = "absent"
CONSTANT = {"gather", "id", "kind", "name", "pfn", "pgd", "pmd", "stack"}


class Memory:
    """The words of a kernel: `names`, for each the values seen so far, and the state under execution."""

    def __init__(self) -> None:
        self.slots: dict[Any, int] = {}
        self.names: list[str] = []
        self.values: list[list[Any]] = []
        self.codes: list[dict[Any, int]] = []
        self.initial = bytearray()
        self.state = self.initial
        self.on_read: Callable[[int], Any] = self.value
        self.on_write: Callable[[int, Any], None] = self.put

    def add(self, key: Any, name: str, value: Any) -> None:
        """A new word."""
        self.slots[key] = len(self.names)
        self.names.append(name)
        self.values.append([value])
        self.codes.append({value: 0})
        self.initial.append(0)

    def value(self, slot: int) -> Any:
        """What a word holds in the present state."""
        return self.values[slot][self.state[slot]]

    def code(self, slot: int, value: Any) -> int:
        """The byte that stands for a value of a word."""
        codes = self.codes[slot]
        if value not in codes:
            codes[value] = len(codes)
            self.values[slot].append(value)
        return codes[value]

    def put(self, slot: int, value: Any) -> None:
        """Store into the present state."""
        self.state[slot] = self.code(slot, value)


class WatchedDict:
    """A dictionary (or list) whose items are words of a Memory."""

    def __init__(self, memory: Memory, key: Any, name: str, items: dict[Any, Any]) -> None:
        self.memory, self.key, self.name, self.items = memory, key, name, tuple(items)
        for item, value in items.items():
            memory.add((key, "item", item), f"{name}[{item}]", value)

    def _slot(self, item: Any) -> int:
        key = (self.key, "item", item)
        if key not in self.memory.slots:
            raise RuntimeError(f"{self.name}[{item}] came into being during an exploration")
        return self.memory.slots[key]

    def __getitem__(self, item: Any) -> Any:
        return self.memory.on_read(self._slot(item))

    def __setitem__(self, item: Any, value: Any) -> None:
        self.memory.on_write(self._slot(item), value)

    def __iter__(self) -> Iterator[Any]:
        return (item for item in self.items if self[item] is not ABSENT)

    def get(self, item: Any, default: Any = None) -> Any:
        """As of a dictionary; an item taken out is absent."""
        value = self[item]
        return default if value is ABSENT else value

    def setdefault(self, item: Any, value: Any) -> None:
        """As of a dictionary."""
        if self[item] is ABSENT:
            self[item] = value

    def __contains__(self, item: Any) -> bool:
        return (self.key, "item", item) in self.memory.slots and self[item] is not ABSENT

    def pop(self, item: Any) -> Any:
        """Take an item out."""
        value = self[item]
        self[item] = ABSENT
        return value


def _property(memory: Memory, name: str, raw: Any) -> property:
    """A field of a watched class: a word of the Memory, or (constant fields) the field itself."""

    def read(self: Any) -> Any:
        slot = memory.slots.get((id(self), name))
        return raw.__get__(self) if slot is None else memory.on_read(slot)

    def write(self: Any, value: Any) -> None:
        memory.on_write(memory.slots[id(self), name], value)

    return property(read, write)


def watch(memory: Memory, name: str, obj: Any) -> None:
    """Move the mutable fields of a __slots__ object into the Memory and give it a class that looks there."""
    cls = type(obj)
    for field in cls.__slots__:
        value, key = getattr(obj, field), (id(obj), field)
        if field in CONSTANT or isinstance(value, Var):
            continue
        if isinstance(value, dict):
            setattr(obj, field, WatchedDict(memory, key, f"{name}.{field}", value))
        else:
            memory.add(key, name if field == "value" else f"{name}.{field}", value)
    obj.__class__ = watched_class(memory, cls)


def watched_class(memory: Memory, cls: type) -> type:
    """The class with properties, one per Memory and class."""
    key = ("class", cls)
    if key not in memory.slots:
        names: Any = vars(cls)["__slots__"]
        fields = {field: _property(memory, field, getattr(cls, field)) for field in names}
        memory.slots[key] = type(cls.__name__, (cls,), {"__slots__": (), **fields})  # type: ignore[assignment]
    return memory.slots[key]  # type: ignore[return-value]
