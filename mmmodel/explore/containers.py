"""Lists, dictionaries, sets and their like in memory: as the value of one word, and as kernel code sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, MutableSequence, MutableSet
from copy import copy
from functools import cache, partial
from typing import Any

CONTAINERS = (MutableMapping, MutableSequence, MutableSet)
EMPTY: dict[type, Any] = {dict: {}, list: [], set: set()}
READING = {"__len__", "__contains__", "get", "keys", "index", "count"}
"""What changes no container, and may be asked of its frozen value."""
OPERATORS = """len contains reversed eq ne lt le gt ge add radd mul or ror and rand sub rsub xor rxor
               iadd imul ior iand isub ixor setitem delitem"""


class FrozenDict(dict[Any, Any]):
    """The value of a dictionary, in order. `empty`: what to fill for a copy of it."""

    empty: Any = None
    known: int | None = None

    def __hash__(self) -> int:  # type: ignore[override]
        if self.known is None:
            self.known = hash(tuple(self.items()))
        return self.known

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrozenDict) and list(self.items()) == list(other.items())


class FrozenList(tuple[Any, ...]):
    """The value of a list, a deque."""

    empty: Any = None


class FrozenSet(frozenset[Any]):
    """The value of a set."""

    empty: Any = None


FROZEN = (FrozenDict, FrozenList, FrozenSet)


@cache
def of_their_kind(cls: type) -> bool:
    """Is it a class of lists, dictionaries, sets or their like?"""
    return cls is Shared or (issubclass(cls, CONTAINERS) and not issubclass(cls, FROZEN))


def container(value: Any) -> bool:
    """Is it a list, a dictionary, a set or of their kind?"""
    return of_their_kind(value.__class__)  # of a watched object its own class: those of an exploration are not kept


def freeze(value: Any) -> Any:
    """A value that can be told from others, and that nobody changes."""
    if not container(value):
        return value
    if (cls := type(value)) is Shared:
        return value._get()
    new: Any
    if issubclass(cls, MutableMapping):
        new = FrozenDict((key, freeze(item)) for key, item in value.items())
    else:
        new = FrozenSet(value) if issubclass(cls, MutableSet) else FrozenList(map(freeze, value))
    new.empty = EMPTY.get(cls)
    if new.empty is None:
        new.empty = copy(value)
        new.empty.clear()
    return new


def thaw(value: Any) -> Any:
    """A container of one's own, of the kind that was frozen."""
    if type(value) is Shared:
        value = value._get()
    if not isinstance(value, FROZEN):
        return value
    new = copy(value.empty)
    if isinstance(value, FrozenDict):
        for key, item in value.items():
            new[key] = thaw(item)
    elif isinstance(value, FrozenList):
        new.extend(map(thaw, value))
    else:
        new |= value
    return new


class Shared:
    """A container in memory: every use reads its word; one that changes it writes the whole of it."""

    def __init__(self, get: Callable[[], Any], put: Callable[[Any], None], slot: int = -1) -> None:
        self._get, self._put, self.slot = get, put, slot

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._get().empty)

    def __getitem__(self, key: Any) -> Any:
        try:
            item = self._get()[key]
        except KeyError:  # a defaultdict, a Counter
            return self._do("__getitem__", key)
        return thaw(item) if isinstance(key, slice) else self._out(key, item)

    def __iter__(self) -> Iterator[Any]:
        value = self._get()
        if isinstance(value, FrozenList):
            return (self._out(place, item) for place, item in enumerate(value))
        return iter(value)

    def __repr__(self) -> str:
        return repr(thaw(self))

    def __copy__(self, *_: Any) -> Any:
        return thaw(self)

    __deepcopy__ = __copy__

    def __getattr__(self, name: str) -> Any:
        value = self._get()
        if name in ("items", "values") and isinstance(value, FrozenDict):
            pairs = [(key, self._out(key, item)) for key, item in value.items()]
            return lambda: pairs if name == "items" else [item for _, item in pairs]
        attribute = getattr(value.empty, name)
        return partial(self._do, name) if callable(attribute) else attribute

    def _out(self, key: Any, item: Any) -> Any:
        """A container in this one: what changes it changes this one."""
        if not isinstance(item, FROZEN):
            return item
        return Shared(lambda: self._get()[key], lambda new: self._do("__setitem__", key, new))

    def _do(self, name: str, *args: Any, **options: Any) -> Any:
        before = self._get()
        if name in READING and not isinstance(result := getattr(before, name)(*args, **options), FROZEN):
            return result
        new = thaw(before)
        try:
            result = getattr(new, name)(*map(thaw, args), **options)
        finally:
            if (after := freeze(new)) != before:
                self._put(after)
        if result is new:
            return self
        pairs = new.items() if isinstance(after, FrozenDict) else enumerate(new)
        inside = [key for key, item in pairs if item is result] if container(result) else []
        return self._out(inside[0], freeze(result)) if inside else result


for operator in OPERATORS.split():
    setattr(Shared, f"__{operator}__", lambda self, *args, name=f"__{operator}__": self._do(name, *args))
Shared.__hash__ = None  # type: ignore[assignment]
