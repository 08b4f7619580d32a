"""Which builds are the same kernel under different names?

A run depends on a build through the facts about its arch and through the kernel functions it calls. So a build for
which all of those are the same as in a run already made has the same verdict: `verdicts` makes each run only once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

from .arches import ARCHES
from .build import Build
from .patches import Patch

R = TypeVar("R")
Row = tuple[str, bool, str, str, str, int]
BATCH_LIMITS = ("page_kib", "word_bits")
"""Facts that matter only to a run that fills a batch of the gather, and so calls tlb_next_batch."""


def constants(build: Build) -> tuple[Any, ...]:
    """What every run depends on besides functions: the configuration, facts of the arch, constants of the classes."""
    facts, cls = ARCHES[build.arch], build.kernel_class
    plain = {n: getattr(cls, n) for n in dir(cls) if n[:2] != "__" and not hasattr(Patch, n)}
    values = sorted((n, str(v)) for n, v in plain.items() if not callable(v))
    return build.thp, build.debug_vm, facts["huge_page_order"], facts["page_tables"], *values


@cache
def functions(cls: type) -> dict[str, tuple[Any, ...]]:
    """Every kernel function: all its definitions, the one in force first, then what super() reaches."""
    found: dict[str, list[Any]] = {}
    for layer in cls.__mro__[:-1]:
        for name, value in vars(layer).items():
            if hasattr(value, "__code__") and name[:2] != "__":
                found.setdefault(name, []).append(value)
    return {name: tuple(definitions) for name, definitions in found.items()}


def recording(cls: type, called: set[str]) -> type:
    """The class, noting the name of each function when it is first called."""

    def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if name not in called:
                called.add(name)
                delattr(noted, name)
            return function(*args, **kwargs)

        return call

    noted = type(cls.__name__, (cls,), {n: noting(n, getattr(cls, n)) for n in functions(cls) if n != "step"})
    return noted


def shared(builds: Iterable[Build], result: Callable[[Build, type], R]) -> Iterator[tuple[R, bool]]:
    """For each build what `result` (of the build and a kernel class to boot) gives, and: was it made for this build?"""
    known: list[tuple[dict[str, Any], R]] = []
    for build in builds:
        cls: Any = build.kernel_class
        mine: dict[str, Any] = functions(cls) | {"constants": constants(build)}
        mine |= {fact: ARCHES[build.arch][fact] for fact in BATCH_LIMITS}
        found = next(([r] for theirs, r in known if all(mine.get(n) == d for n, d in theirs.items())), None)
        if found is not None:
            yield found[0], False
            continue
        called: set[str] = set()
        made = result(build, recording(build.kernel_class, called))
        called |= {"constants", *(BATCH_LIMITS if "tlb_next_batch" in called else ())}
        known.append(({name: mine[name] for name in called}, made))
        yield made, True


def verdicts(builds: Sequence[Build], scenarios: Sequence[str]) -> list[list[Row]]:
    """For each build (all have the same `constants`) a row per scenario: scenario, holds, broken, op, what, states."""
    from .checking import check

    known: dict[str, list[tuple[dict[str, Any], Row]]] = {name: [] for name in scenarios}
    table = []
    for build in builds:
        cls: Any = build.kernel_class
        mine: dict[str, Any] = functions(cls) | {fact: ARCHES[build.arch][fact] for fact in BATCH_LIMITS}
        rows = []
        for scenario in scenarios:
            row = next((r for theirs, r in known[scenario] if all(mine.get(n) == d for n, d in theirs.items())), None)
            if row is None:
                called: set[str] = set()
                v = check(build, scenario, kernel_class=recording(build.kernel_class, called))
                row = v.scenario, v.holds, v.broken, v.op, v.what, v.states
                called |= set(BATCH_LIMITS) if "tlb_next_batch" in called else set()
                known[scenario].append(({name: mine[name] for name in called}, row))
            rows.append(row)
        table.append(rows)
    return table
