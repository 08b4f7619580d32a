"""Verdicts: does a build hold in a scenario, and if not, which invariant breaks first? And tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import product
from typing import TYPE_CHECKING, Any

from .arches import ARCHES
from .build import Build, BuildError, choose
from .explore import explore
from .patches import Patch
from .programs import PROGRAMS
from .scenarios import SEQUENTIAL
from .tracing import Verdict, run
from .versions import VERSIONS

if TYPE_CHECKING:
    import pandas as pd

SCENARIOS = (*SEQUENTIAL, *PROGRAMS)
MOST_CPUS = 8
COLUMNS = ("version", "arch", "swap", "patches", "scenario", "holds", "broken", "op", "what")


def check(build: Build | None = None, scenario: str = "map-read-unmap", cpus: int | None = None, **bounds: Any) -> Verdict:
    """Does an invariant break? A sequential scenario is run, a concurrent one explored in every interleaving.

    cpus: of a concurrent scenario; by default as many as it needs to be interesting. bounds: max_states, max_seconds
    and progress (called with the number of states) of an exploration; Ctrl-C gives the partial verdict.

    Raises BuildError for an unknown scenario, naming those there are, or a number of CPUs it cannot have.
    """
    build = build or Build()
    choose("scenario", scenario, SCENARIOS)
    if scenario in PROGRAMS:
        program = PROGRAMS[scenario]
        number = program.cpus if cpus is None else cpus
        if not isinstance(number, int) or not program.fewest <= number <= MOST_CPUS:
            raise BuildError(f"{scenario} takes {program.fewest} to {MOST_CPUS} CPUs, not {number!r}")
        return explore(build, program, number, **bounds)[0]
    if cpus not in (None, 1):
        raise BuildError(f"{scenario} is sequential: it takes 1 CPU; with several: {', '.join(PROGRAMS)}")
    verdict = run(build, SEQUENTIAL[scenario], journal=False, stop=True).verdict
    return verdict if verdict.holds else run(build, SEQUENTIAL[scenario], journal=True, stop=True).verdict


def behaviour(build: Build) -> tuple[Any, ...]:
    """Two builds with the same key are the same kernel under different names."""
    facts = ARCHES[build.arch]
    idle = set(build.without_effect)
    classes = [c for c in build.kernel_class.__mro__[1:] if not (issubclass(c, Patch) and (c.name or c.__name__) in idle)]
    return (*classes, build.thp, build.debug_vm, *(facts[k] for k in ("huge_page_order", "page_tables", "page_kib", "word_bits")))


def _verdicts(build: Build, scenarios: Sequence[str]) -> list[tuple[str, bool, str, str, str]]:
    """What a table says of one build: a row per scenario. Runs in a worker."""
    found = [check(build, scenario) for scenario in scenarios]
    return [(v.scenario, v.holds, v.broken, v.op, v.what) for v in found]


def builds(
    archs: Iterable[str] | None = None,
    versions: Iterable[str] | None = None,
    swap: Iterable[bool] = (True, False),
    patches: Iterable[Sequence[str | type[Patch]]] = ((),),
) -> Iterator[Build]:
    """Every combination; all arches and versions by default."""
    for version, arch, with_swap, stack in product(versions or VERSIONS, archs or ARCHES, swap, patches):
        yield Build(version, arch, with_swap, patches=tuple(stack))


def matrix(
    archs: Iterable[str] | None = None,
    versions: Iterable[str] | None = None,
    swap: Iterable[bool] = (True, False),
    patches: Iterable[str | type[Patch] | Sequence[str | type[Patch]]] = ((),),
    scenarios: Sequence[str] | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """A table of verdicts: one row per build and scenario, columns COLUMNS.

    An item of `patches` is one patch or a stack of them. Builds that behave the same are checked once. `executor` is
    any concurrent.futures executor; without one everything runs here.

    Raises BuildError for a name that does not exist.
    """
    import pandas as pd
    from tqdm import tqdm

    stacks = [(p,) if isinstance(p, str | type) else tuple(p) for p in patches]
    names = [choose("scenario", s, SCENARIOS) for s in scenarios or SCENARIOS]
    wanted = [(build, behaviour(build)) for build in builds(archs, versions, swap, stacks)]
    distinct = {key: build for build, key in reversed(wanted)}
    if executor is None:
        results = {key: _verdicts(b, names) for key, b in tqdm(distinct.items(), "kernels", disable=not progress)}
    else:
        futures = {key: executor.submit(_verdicts, build, names) for key, build in distinct.items()}
        results = {key: f.result() for key, f in tqdm(futures.items(), "kernels", disable=not progress)}
    rows = [
        (b.version, b.arch, b.swap, "+".join(p.name or p.__name__ for p in b.patch_classes), *row)
        for b, key in wanted
        for row in results[key]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
