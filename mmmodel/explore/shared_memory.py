"""Shared memory: a booted kernel whose every access to what CPUs can both see goes through one place.

Nothing of the model changes: its objects get a class that looks into the SharedMemory in place of their fields. A state
is then a string with a character for each word, and a piece of kernel code is known by what it read, what it wrote and
what it did next. A list, dictionary or set is one word, whose value is the whole of it. What comes into being during an
exploration was there from its start, with the value that it has then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, cast

from ..build.composed import Build
from ..kernel.machine import Var
from ..words import BuildError
from .containers import FROZEN, Shared, container, freeze
from .snapshot import slots

ABSENT = "absent"
FIRST = "\0"
"""Stands for the value that a word had first; at the end of a state it is left out."""
CONSTANT = {"gather", "id", "kind", "name", "pfn"}
"""Fields that are set once, when an object is made."""
PLAIN = (str, int, float, complex, bytes, range, tuple, frozenset, type, FunctionType, MethodType, BuiltinFunctionType,
         ModuleType, Build, Enum, type(None), BaseException)  # fmt: skip


class Again(BaseException):
    """A word came into being: run this piece of code once more, and read it."""


class SharedMemory:
    """The words of a kernel: `names`, for each the values seen so far, and the state under execution."""

    def __init__(self) -> None:
        self.slots: dict[Any, int] = {}
        self.names: list[str] = []
        self.values: list[dict[str, Any]] = []
        self.codes: list[dict[Any, str]] = []
        self.classes: dict[type, type] = {}
        self.things: dict[int, Any] = {}
        self.state = ""
        self.grown = False
        self.on_read: Callable[[int], Any] = self.value
        self.on_write: Callable[[int, Any], None] = lambda slot, value: None

    # -- states

    def view(self, state: str) -> str:
        """A state with a character for each word there is by now."""
        return state if len(state) == len(self.names) else state.ljust(len(self.names), FIRST)

    def after(self, state: str, writes: Iterable[tuple[int, str]]) -> str:
        """A state with some words written."""
        state = self.view(state)
        for slot, code in writes:
            state = f"{state[:slot]}{code}{state[slot + 1 :]}"
        return state.rstrip(FIRST)

    def value(self, slot: int) -> Any:
        """What a word holds in the state under execution."""
        return self.values[slot][self.state[slot]]

    def code(self, slot: int, value: Any) -> str:
        """The character that stands for a value of a word.

        Raises BuildError for what cannot be told from others.
        """
        codes = self.codes[slot]
        if value not in codes:
            if mutable(value) and id(value) not in self.things:
                raise BuildError(
                    f"{self.names[slot]} is set to a {type(value).__name__} that was made during an exploration: make "
                    "it in boot_huge_memory, or in the set-up of the scenario"
                )
            codes[value] = code = chr(len(codes))
            self.values[slot][code] = value
        return codes[value]

    # -- things in memory

    def watch(self, name: str, thing: Any) -> None:
        """Move the mutable fields of an object, and of what they hold, into this memory."""
        if id(thing) in self.things or not mutable(thing):
            return
        cls, self.things[id(thing)] = type(thing), thing
        slotted = slots(cast(Any, cls))
        for field in [*slotted, *getattr(thing, "__dict__", ())]:
            value = getattr(thing, field, ABSENT)
            self.watch_in(value, f"{name}.{field}")
            if (field in slotted or container(value)) and field not in CONSTANT and not isinstance(value, Var):
                self.word(thing, field, name if field == "value" else f"{name}.{field}", value)
        try:
            thing.__class__ = self.watched(cls)
        except TypeError:
            raise BuildError(f"{name}, a {cls.__name__}, cannot be explored: use mm.Var, lists and dicts") from None

    def watch_in(self, value: Any, name: str) -> None:
        """Watch a value, and what is in it if it is a container."""
        if isinstance(value, dict):
            for key, item in value.items():
                self.watch_in(key, name)
                self.watch_in(item, f"{name}[{key}]")
        elif isinstance(value, tuple | frozenset) or container(value):
            if isinstance(value, tuple) and any(map(container, value)):
                raise BuildError(f"{name} is a tuple that holds a container: what changes in it could not be followed")
            for number, item in enumerate(value):
                self.watch_in(item, f"{name}[{number}]")
        elif mutable(value):
            self.watch(getattr(value, "name", "") or name, value)

    def word(self, thing: Any, field: str, name: str, value: Any) -> int:
        """Make a field a word from now on."""
        slot = self.slots[id(thing), field] = len(self.names)
        self.names.append(name)
        self.values.append({FIRST: (value := freeze(value))})
        self.codes.append({value: FIRST})
        self.state, self.grown = self.state + FIRST, True
        cls = self.watched(type(thing))
        if not isinstance(vars(cls).get(field), Word):
            setattr(cls, field, Word(self, field, getattr(cls, field, ABSENT)))
        return slot

    def watched(self, cls: type) -> type:
        """The class whose objects know of this memory."""
        if cls not in self.classes:
            same = {"__class__": property(lambda thing: cls), "__eq__": cls.__eq__, "__hash__": object.__hash__}
            body = {"__slots__": (), "__setattr__": lambda thing, *to: self.assign(thing, *to), **same}
            self.classes[cls] = new = type(cls.__name__, (cls,), body)
            self.classes[new] = new
        return self.classes[cls]

    def assign(self, thing: Any, field: str, value: Any) -> None:
        """Set a field of a watched object; the first time, it becomes a word that held what it holds now.

        Raises BuildError for a container that is also in another place: which is a copy could not be told.
        """
        slot = self.slots.get((id(thing), field))
        if slot is None:
            was = getattr(thing, field, ABSENT)
            self.watch_in(was, field)
            slot = self.word(thing, field, f"{getattr(thing, 'name', type(thing).__name__)}.{field}", was)
        if type(value) is Shared:
            if value.slot == slot:
                return  # as in self.notes += [...]
            where = self.names[slot]
            raise BuildError(f"{where} is set to what another field holds too: give it a copy, as in list(...)")
        self.on_write(slot, value)


class Word:
    """A field of a watched class: a word of memory or, for objects in which nobody changes it, the field itself."""

    def __init__(self, memory: SharedMemory, field: str, raw: Any) -> None:
        self.memory, self.field, self.raw = memory, field, raw

    def __get__(self, thing: Any, cls: type) -> Any:
        memory = self.memory
        slot = memory.slots.get((id(thing), self.field))
        value = self.constant(thing) if slot is None else memory.on_read(slot)
        if type(value) in FROZEN and slot is not None:
            return Shared(lambda: memory.on_read(slot), lambda new: memory.on_write(slot, new), slot)
        if value is ABSENT:
            raise AttributeError(f"{type(thing).__name__!r} object has no attribute {self.field!r}")
        return value

    def constant(self, thing: Any) -> Any:
        """What the object had before it was watched."""
        if thing is None:
            return self.raw
        value = self.raw.__get__(thing) if hasattr(self.raw, "__get__") else self.raw
        return getattr(thing, "__dict__", {}).get(self.field, value)

    def __set__(self, thing: Any, value: Any) -> None:
        self.memory.assign(thing, self.field, value)


def mutable(value: Any) -> bool:
    """Is it an object with fields that somebody could change?"""
    if isinstance(value, PLAIN) or container(value) or type(value) in FROZEN:
        return False
    return not getattr(getattr(value, "__dataclass_params__", None), "frozen", False)
