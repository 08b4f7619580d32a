"""The blast radius of a patch: which builds behave differently with it, whose calls it changes."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

from ..build.composed import Build
from ..data import rows
from ..explore.scenarios import Ops
from ..explore.sequential import ALONE, SEQUENTIAL, munmap
from ..explore.tracing import run
from ..kernel.arches import ARCHES
from ..kernel.patches import PATCHES
from ..kernel.versions import VERSIONS
from ..words import choose, kernel_name
from .calls import count
from .costs import FUNCTIONS, touch
from .kept import kept
from .sharing import shared

Stack = tuple[str, ...]


class Effect(NamedTuple):
    """What a stack of patches changes in one scenario on one arch: `before` and `after` say whether it holds without
    and with them; do the `counters` after some operation differ, or the `calls`, locks and atomics of the whole run?"""

    patches: Stack
    version: str
    arch: str
    swap: bool
    scenario: str
    before: bool | None
    after: bool | None
    counters: bool
    calls: bool

    @property
    def what(self) -> str:
        """In a word: mended, broken, counters, calls, same or undecided; the strongest that applies."""
        if None in (self.before, self.after):
            return "undecided"
        if self.before != self.after:
            return "mended" if self.after else "broken"
        return "counters" if self.counters else "calls" if self.calls else "same"


Seen = tuple[bool | None, list[list[Any]], list[dict[str, int]]]
FEW: dict[str, dict[str, int]] = {"unmap-until-panic": {"cycles": 24, "ring": 8}, "fork-pressure": {"rounds": 2}}
"""Of scenarios that do the same over and over so much is run."""


def _seen(scenario: str, build: Build, kernel_class: type) -> Seen:
    """One run, up to the first broken invariant: does it hold, the counters after each operation, the calls."""
    counts, program = [], SEQUENTIAL[scenario]

    def counted(k: Any) -> Ops:
        counts.append(count(k, FUNCTIONS.values()))
        yield from program.run(k, **FEW.get(scenario, {}))

    trace = run(build, program._replace(run=counted), False, True, kernel_class)
    return trace.verdict.holds, [[*row] for row in trace.rows], [dict(counts[0]), dict(trace.costs)]


def _seen_by(scenario: str, builds: Sequence[Build]) -> list[Seen]:
    """The runs of some builds; those that are the same are made once."""
    return [found for found, _ in shared(builds, partial(_seen, scenario))]


def _differ(rows: Sequence[Sequence[Any]], others: Sequence[Sequence[Any]]) -> bool:
    """Do counters that exist in both differ? (The page's own count as the only one is no difference by itself.)"""
    pairs = [pair for row, other in zip(rows, others, strict=False) for pair in zip(row, other, strict=True)]
    return len(rows) != len(others) or any(a != b for a, b in pairs if a is not None and b is not None)


@cache
def behaviour(
    stacks: tuple[Stack, ...], version: str = "v4.6", thp: bool | None = None, scenarios: Stack = ALONE
) -> tuple[Effect, ...]:
    """Every sequential scenario on every arch, with and without SWAP, with and without each stack of patches.

    thp: None is what the arch supports; True gives huge pages to all. Runs that are the same are made once.

    Raises BuildError for a name that does not exist.
    """
    archs = [(arch, swap) for arch in ARCHES for swap in (True, False)]
    builds = [Build(version, arch, swap, thp, patches=stack) for stack in ((), *stacks) for arch, swap in archs]
    effects = []
    for scenario in scenarios:
        choose("sequential scenario", scenario, SEQUENTIAL)
        work = partial(_seen_by, scenario)
        seen = kept(work, builds, f"effects-{scenario}") if scenario in ALONE else work(builds)
        without, patched = seen[: len(archs)], zip(builds[len(archs) :], seen[len(archs) :], strict=True)
        for at, (build, (after, counters, calls)) in enumerate(patched):
            before, usual, cost = without[at % len(archs)]
            key = stacks[at // len(archs)], version, build.arch, build.swap, scenario
            effects.append(Effect(*key, before, after, _differ(counters, usual), calls != cost))
    return tuple(effects)


def breaks(effects: Iterable[Effect], stack: Stack, swap: bool = True) -> list[str]:
    """The archs on which some scenario does not hold with a stack of patches."""
    wrong = {e.arch for e in effects if (e.patches, e.swap) == (stack, swap) and e.after is False}
    return [arch for arch in ARCHES if arch in wrong]


SEAMS = {
    "release_huge_zero_page": "release_pages",
    "zap_huge_zero_page": "zap_huge_pmd",
    "alloc_huge_zero_page": "get_huge_zero_page",
    "publish": "get_huge_zero_page",
    "test_huge_zero": "mm_get_huge_zero_page",
}
"""Methods of the model that stand for lines of a kernel function."""


class Caller(NamedTuple):
    """A place that calls a changed function: `level` 1 directly, 2 through the function that does."""

    level: int
    callee: str
    function: str
    file: str
    line: str
    note: str


def changed(patch: str, version: str = "v4.6") -> list[str]:
    """Kernel functions a patch changes in a version; what it writes as it was before is no change."""
    cls, base = PATCHES[choose("patch", patch, PATCHES)], VERSIONS[choose("version", version, VERSIONS)]
    names = [
        n
        for n in cls.functions()
        if not n.startswith("boot_") and _body(getattr(cls, n)) != _body(getattr(base, n, None))
    ]
    return list(dict.fromkeys(kernel_name(SEAMS.get(n, n)) for n in names))


def _body(function: Callable[..., Any] | None) -> list[str]:
    """The statements of a function without its docstring."""
    if function is None:
        return []
    definition: Any = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    return ast.unparse(definition.body[1:]).splitlines()


def callers(patch: str, version: str = "v4.6") -> list[Caller]:
    """Who calls the functions a patch changes, directly and one level up, in v4.6.2 (read: data/callers.csv)."""
    file = PATCHES[choose("patch", patch, PATCHES)].file
    direct = [r for name in changed(patch, version) for r in _calls_of(name, file)]
    up = [r for d in direct for r in _calls_of(d["enclosing_function"], d["file_v4.6.2"])]
    found = [(level, r) for level, some in ((1, direct), (2, up)) for r in some]
    columns = ("callee", "enclosing_function", "file_v4.6.2", "line_v4.6.2", "note")
    return list(dict.fromkeys(Caller(level, *(r[c] for c in columns)) for level, r in found))


def _calls_of(function: str, file: str) -> Iterator[dict[str, str]]:
    """Calls of a function that is defined in a file: code of an arch is called from mm/ and from that arch only."""
    near = ("mm", "/".join(file.split("/")[:2])) if file.startswith("arch/") else ("",)
    for row in rows("callers"):
        if (row["callee"], row["kind"]) == (function, "call") and row["file_v4.6.2"].startswith(near):
            yield row


def in_softirq(build: Build) -> list[str]:
    """The counted functions that run inside an RCU callback when one of two threads unmaps a page table."""
    k = build.boot()
    k.init.mm_users = 2
    touch(k, 1)
    counts, found = count(k, FUNCTIONS.values()), dict[str, None]()

    def callback(function: Callable[..., Any], *args: Any) -> None:
        before = counts.copy()
        function(*args)
        found.update((name, None) for name in counts - before if name in FUNCTIONS.values())

    k.call_rcu_sched = callback
    munmap(k, k.init)
    return list(found)
