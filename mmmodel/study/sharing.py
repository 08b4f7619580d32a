"""Which builds are the same kernel under different names?

A run depends on a build through the names of the kernel it uses (functions, constants, facts of the arch) and through
what super() finds below a layer. What it asks for next depends only on the answers it got so far. So runs are kept in a
tree of decisions, and a build that answers every question of an earlier run as that run's build did shares its result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from itertools import chain, dropwhile, islice
from typing import Any, TypeVar, cast

from ..build.composed import Build
from ..explore.answer_tree import NotDeterministic, find, insert
from ..explore.bounds import seldom_collected
from ..kernel.atomics import Atomics
from ..kernel.mentions import names_in
from ..kernel.overlay import Patch

R = TypeVar("R")
MISSING = object()
UNASKED = ""
"""The first question of every run: what acts without being asked for by its name?"""
LOOKS_AROUND = {"__class__", "__dict__", "__mro__", "dir", "eval", "exec", "gc", "inspect", "isinstance", "issubclass",
                "mro", "sys", "type", "vars"}  # fmt: skip
"""Names in code that may see more of a kernel than the attributes it asks for."""


class Meaning(dict[Any, Any]):
    """The answers of a build. A question is a name, or a name and the layer below which super() looks for it."""

    def __init__(self, build: Build) -> None:
        self.cls = cls = cast(Any, build.kernel_class)
        super().__init__(definitions(cls) | build.settings)

    def __missing__(self, question: Any) -> Any:
        if isinstance(question, str):
            return None
        self[question] = answer = id(below(self.cls, *question)[0])
        return answer


@cache
def in_force(cls: Any) -> dict[str, Any]:
    """The first definition of each name of a class."""
    return {name: value for layer in reversed(cls.__mro__[:-1]) for name, value in vars(layer).items()}


def below(cls: Any, name: str, layer: type) -> tuple[Any, type]:
    """The definition that super() finds below a layer of a class, and where; MISSING if there is none."""
    layers = dropwhile(lambda c: c is not layer, cls.__mro__)
    return next(((vars(c)[name], c) for c in islice(layers, 1, None) if name in vars(c)), (MISSING, object))


@cache
def looks_around(cls: Any) -> bool:
    """Is there a layer whose code may see more of a kernel than the attributes it asks for?"""
    layers = [layer for layer in cls.__mro__[:-1] if not issubclass(layer, Atomics) and layer is not Patch]
    return any(names_in(value) & LOOKS_AROUND for layer in layers for value in vars(layer).values())


@cache
def definitions(cls: Any) -> dict[str, Any]:
    """What the names of a class mean."""
    found: dict[str, Any] = {}
    unasked: list[Any] = []
    for layer in cls.__mro__[:-1]:
        for name, value in vars(layer).items():
            special, means, own = name[:2] == "__", id(value), not issubclass(layer, Atomics)
            if own and hasattr(value, "__code__" if special else "__set__"):
                unasked.append(means)
            if own and name in found and hasattr(value, "__get__"):
                unasked.append(name)
            if not special:
                found.setdefault(name, means)
    return found | {UNASKED: tuple(unasked)}


class Noted:
    """The questions that a run asks of its kernel class, in order, each once."""

    def __init__(self, cls: Any, used: list[Any]) -> None:
        self.cls, self.used, self.found = cls, used, dict[Any, Any]()
        self.first: Any = None

    def ask(self, name: str, layer: type | None = None) -> Any:
        """The definition in force of a name, or the one below a layer; MISSING if there is none."""
        question = (name, layer) if layer else name
        if question not in self.found:
            self.used.append(question)
            self.found[question] = below(self.cls, name, layer)[0] if layer else in_force(self.cls).get(name, MISSING)
        return self.found[question]


class Noting:
    """A name of the kernel: its first use is noted, then it makes way for what it means."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, kernel: Any, cls: Any) -> Any:
        value = cls.__noted__.ask(self.name)
        if value is not MISSING:
            setattr(cls.__noted__.first, self.name, value)
        elif kernel is not None and self.name in vars(kernel):
            delattr(cls.__noted__.first, self.name)
        else:
            raise AttributeError(f"the kernel has no {self.name}", name=self.name, obj=kernel)
        return getattr(cls if kernel is None else kernel, self.name)

    def __set__(self, kernel: Any, value: Any) -> None:
        definition = in_force(kernel.__noted__.cls).get(self.name, MISSING)
        if hasattr(definition, "__set__"):
            definition.__set__(kernel, value)
        else:
            vars(kernel)[self.name] = value

    def __delete__(self, kernel: Any) -> None:
        del vars(kernel)[self.name]


class Below:
    """A name as super() finds it below a layer: each use is noted."""

    def __init__(self, name: str, layer: type) -> None:
        self.name, self.layer = name, layer

    def __get__(self, kernel: Any, cls: Any) -> Any:
        value = cls.__noted__.ask(self.name, self.layer)
        if value is MISSING:
            raise AttributeError(f"there is no {self.name} below {self.layer.__name__}", name=self.name, obj=kernel)
        return value.__get__(kernel, cls) if hasattr(value, "__get__") else value


@lru_cache(1024)
def spies(names: frozenset[str], layer: type | None = None) -> Any:
    """What lies over a kernel class while uses of names are noted; or, as a class, between a layer and the next one."""
    return type("Below", (), {n: Below(n, layer) for n in names}) if layer else {n: Noting(n) for n in names}


@cache
def asks(layer: type) -> set[str]:
    """Does code of a layer call super(), and perhaps (__mro__) that of another layer?"""
    values = () if layer is Patch else vars(layer).values()
    return set[str]().union(*map(names_in, values)) & {"super", "__mro__"}


def noting(cls: Any, names: Iterable[str], used: list[Any]) -> type:
    """The kernel class, noting the use of names, also of those it does not have."""
    names, noted = frozenset(names), Noted(cls, used)
    noted.first = type("Noting", (), spies(names) | {"__noted__": noted})
    layers = cls.__mro__[1:-1]
    wide = any("__mro__" in asks(layer) for layer in layers)
    between = [(layer, spies(names, layer)) if wide or asks(layer) else (layer,) for layer in layers]
    return type("Kernel", (noted.first, cls, *chain(*between)), {})


def shared(builds: Sequence[Build], result: Callable[[Build, type], R]) -> Iterator[tuple[R, bool]]:
    """For each build what `result` (of the build and a kernel class to boot) gives, and: was it made for this build?"""
    known, classes = None, set[Any](build.kernel_class for build in builds)
    names = frozenset[str]().union(*(definitions(cls) for cls in classes), *(build.settings for build in builds[:1]))
    with seldom_collected():
        for build in builds:
            if looks_around(cast(Any, build.kernel_class)):
                yield result(build, build.kernel_class), True
                continue
            means = Meaning(build)
            if made := (found := find(known, means)) is None:
                used: list[Any] = [UNASKED]
                found = [result(build, noting(build.kernel_class, names - {UNASKED}, used))]
                with suppress(NotDeterministic):
                    known = insert(known, used, means, found)
            yield found[0], made
