"""Lists, dictionaries and sets in memory: as the value of one word, and as kernel code sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence, MutableSet
from typing import Any


class FrozenList(tuple[Any, ...]):
    """The value of a list."""


class FrozenSet(frozenset[Any]):
    """The value of a set."""


class FrozenDict(dict[Any, Any]):
    """The value of a dictionary, in order; `missing` makes what it does not have, as in a Counter."""

    missing: Callable[[], Any] | None = None
    known: int | None = None

    def __hash__(self) -> int:  # type: ignore[override]
        if self.known is None:
            self.known = hash(tuple(self.items()))
        return self.known

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrozenDict) and list(self.items()) == list(other.items())


def freeze(value: Any) -> Any:
    """A value that can be told from others, and that nobody changes."""
    if not isinstance(value, Shared | dict | list | set):
        return value
    if isinstance(value, Shared):
        return value._get()
    if isinstance(value, dict) and not isinstance(value, FrozenDict):
        new = FrozenDict((key, freeze(item)) for key, item in value.items())
        new.missing = int if isinstance(value, Counter) else getattr(value, "default_factory", None)
        return new
    if isinstance(value, list):
        return FrozenList(map(freeze, value))
    return FrozenSet(value) if isinstance(value, set) else value


class Shared:
    """A container in memory: every use reads or writes its word."""

    def __init__(self, get: Callable[[], Any], put: Callable[[Any], None], slot: int = -1) -> None:
        self._get, self._put, self.slot = get, put, slot

    def __len__(self) -> int:
        return len(self._get())

    def __iter__(self) -> Iterator[Any]:
        items = self._get()
        return (self[i] if type(item) in SHARED else item for i, item in enumerate(items))

    def __contains__(self, item: object) -> bool:
        return item in self._get()

    def __repr__(self) -> str:
        return repr(self._get())

    def __getitem__(self, key: Any) -> Any:
        value = self._get()[key]
        if type(value) in SHARED and not isinstance(key, slice):
            return SHARED[type(value)](lambda: self._get()[key], lambda new: self.__setitem__(key, new))
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        raise NotImplementedError


class SharedDict(Shared, MutableMapping[Any, Any]):
    """A dictionary."""

    def __getitem__(self, key: Any) -> Any:
        if (missing := self._get().missing) is not None and key not in self._get():
            self[key] = missing()
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._get())

    def __setitem__(self, key: Any, value: Any) -> None:
        self.change(lambda new: new.__setitem__(key, freeze(value)))

    def __delitem__(self, key: Any) -> None:
        self.change(lambda new: new.__delitem__(key))

    def change(self, how: Callable[[Any], None]) -> None:
        """Put a changed copy in its place."""
        new = FrozenDict(old := self._get())
        new.missing = old.missing
        how(new)
        self._put(new)

    def pop(self, key: Any, *default: Any) -> Any:
        """As of a dictionary; what comes out is no part of memory any more."""
        if key not in self._get() and default:
            return default[0]
        value = self._get()[key]
        del self[key]
        return OUT[type(value)](value) if type(value) in OUT else value

    def copy(self) -> dict[Any, Any]:
        """A dictionary of one's own."""
        return dict(self._get())


class SharedList(Shared, MutableSequence[Any]):
    """A list."""

    def __setitem__(self, key: Any, value: Any) -> None:
        self.change(lambda new: new.__setitem__(key, freeze(value)))

    def __delitem__(self, key: Any) -> None:
        self.change(lambda new: new.__delitem__(key))

    def insert(self, index: int, value: Any) -> None:
        """As of a list."""
        self.change(lambda new: new.insert(index, freeze(value)))

    def pop(self, index: int = -1) -> Any:
        """As of a list; what comes out is no part of memory any more."""
        value = self._get()[index]
        del self[index]
        return OUT[type(value)](value) if type(value) in OUT else value

    def change(self, how: Callable[[list[Any]], None]) -> None:
        """Put a changed copy in its place."""
        how(new := list(self._get()))
        self._put(FrozenList(new))

    def __eq__(self, other: object) -> bool:
        return list(self) == other

    __hash__ = None  # type: ignore[assignment]


class SharedSet(Shared, MutableSet[Any]):
    """A set."""

    def add(self, value: Any) -> None:
        """As of a set."""
        self._put(FrozenSet(self._get() | {value}))

    def discard(self, value: Any) -> None:
        """As of a set."""
        self._put(FrozenSet(self._get() - {value}))


SHARED: dict[type, Any] = {FrozenDict: SharedDict, FrozenList: SharedList, FrozenSet: SharedSet}
OUT: dict[type, Any] = {FrozenDict: dict, FrozenList: list, FrozenSet: set}


def container(value: Any) -> bool:
    """Is it a list, a dictionary, a set?"""
    return isinstance(value, list | dict | set | Shared)
