"""Which builds are the same kernel under different names?

A run depends on a build through the names of the kernel it uses: functions, constants, facts of the arch. Which name it
uses next depends only on what those before it meant. So runs are kept in a tree of decisions, and a build in which
every name used by an earlier run means the same shares the result of that run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cache
from types import CodeType
from typing import Any, TypeVar

from .build import Build
from .decisions import find, insert

R = TypeVar("R")


class Meaning(dict[str, Any]):
    """What each name of a kernel means; one that there is not means None."""

    def __missing__(self, name: str) -> None:
        return None


class Noting:
    """A name of the kernel that writes down its first use, then gets out of the way."""

    def __init__(self, name: str, note: Callable[[str], None]) -> None:
        self.name, self.note = name, note

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner = owner

    def __get__(self, kernel: Any, cls: type) -> Any:
        self.note(self.name)
        delattr(self.owner, self.name)
        return getattr(cls if kernel is None else kernel, self.name)

    def __set__(self, kernel: Any, value: Any) -> None:
        vars(kernel)[self.name] = value


def noting(cls: type, names: Iterable[str], used: list[str]) -> type:
    """The kernel class, noting which of the names are used, also those it does not have."""
    return type("Kernel", (cls,), {name: Noting(name, used.append) for name in names})


@cache
def mentioned(code: CodeType) -> set[str]:
    """The names in the code of a function and of those inside it."""
    return set(code.co_names).union(*(mentioned(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


@cache
def definitions(cls: Any) -> Meaning:
    """What the names of a class mean: the definition in force, and those that its code can reach by super()."""
    found: dict[str, list[Any]] = {}
    for layer in cls.__mro__[:-1]:
        for name in [name for name in vars(layer) if name[:2] != "__"]:
            found.setdefault(name, []).append(vars(layer)[name])
    return Meaning({name: tuple(reached(name, found)) for name in found})


def reached(name: str, found: dict[str, list[Any]]) -> Iterator[Hashable]:
    """The definitions of a name as far as each calls super(), with all of the others it may call by super()."""
    for value in found[name]:
        yield value if isinstance(value, Hashable) else id(value)
        names = mentioned(value.__code__) if hasattr(value, "__code__") else {"super"}
        if "super" not in names:
            return
        yield from (tuple(found[other]) for other in sorted(names & found.keys() - {name}))


def meaning(build: Build) -> Meaning:
    """What the names of a build's kernel mean."""
    cls: Any = build.kernel_class
    return Meaning(definitions(cls) | build.settings)


def shared(builds: Sequence[Build], result: Callable[[Build, type], R]) -> Iterator[tuple[R, bool]]:
    """For each build what `result` (of the build and a kernel class to boot) gives, and: was it made for this build?"""
    known, classes = None, set[Any](build.kernel_class for build in builds)
    names = set[str]().union(*(definitions(cls) for cls in classes), *(build.settings for build in builds[:1]))
    for build in builds:
        means = meaning(build)
        if made := (found := find(known, means)) is None:
            used: list[str] = []
            found = [result(build, noting(build.kernel_class, names, used))]
            known = insert(known, used, means, found)
        yield found[0], made
