"""Verdicts: does a build hold in a scenario, and if not, which invariant breaks first? And tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from itertools import product
from typing import TYPE_CHECKING, Any

from .arches import ARCHES
from .build import Build, BuildError, choose, given
from .explore import explore
from .patches import Patch
from .programs import PROGRAMS
from .same import Row, constants, verdicts
from .scenarios import SEQUENTIAL
from .tracing import Verdict, run
from .versions import VERSIONS

if TYPE_CHECKING:
    import pandas as pd

SCENARIOS = (*SEQUENTIAL, *PROGRAMS)
MOST_CPUS = 8
COLUMNS = ("version", "arch", "swap", "patches", "scenario", "holds", "broken", "op", "what", "states")


def check(
    build: Build | None = None, scenario: str = "map-read-unmap", cpus: int | None = None, **options: Any
) -> Verdict:
    """Does an invariant break? A sequential scenario is run, a concurrent one explored in every interleaving.

    cpus: of a concurrent scenario; by default as many as it needs to be interesting. options: max_states, max_seconds
    and progress (called with the number of states) of an exploration; Ctrl-C gives the partial verdict. `release` of
    pin-vs-zap is put_page or release_pages.

    Raises BuildError for an unknown scenario, naming those there are, or a number of CPUs it cannot have.
    """
    build = given(build)
    choose("scenario", scenario, SCENARIOS)
    if scenario in PROGRAMS:
        program = PROGRAMS[scenario]
        number = program.cpus if cpus is None else cpus
        if not isinstance(number, int) or not program.fewest <= number <= MOST_CPUS:
            raise BuildError(f"{scenario} takes {program.fewest} to {MOST_CPUS} CPUs, not {number!r}")
        return explore(build, program, number, **options)[0]
    if cpus not in (None, 1):
        raise BuildError(f"{scenario} is sequential: it takes 1 CPU; with several: {', '.join(PROGRAMS)}")
    kernel_class = options.get("kernel_class")
    verdict = run(build, SEQUENTIAL[scenario], False, True, kernel_class).verdict
    return verdict if verdict.holds else run(build, SEQUENTIAL[scenario], True, True, kernel_class).verdict


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

    An item of `patches` is one patch or a stack of them. Builds that behave the same are checked once (see `same`).
    `executor` is any concurrent.futures executor; without one everything runs here.

    Raises BuildError for a name that does not exist.
    """
    import pandas as pd
    from tqdm import tqdm

    stacks = [(p,) if isinstance(p, str | type) else tuple(p) for p in patches]
    names = [choose("scenario", s, SCENARIOS) for s in scenarios or SCENARIOS]
    wanted = list(builds(archs, versions, swap, stacks))
    alike: dict[Any, list[Build]] = {}
    for build in wanted:
        alike.setdefault((constants(build), build.swap), []).append(build)
    found: dict[Build, list[Row]] = {}
    with tqdm(total=len(wanted), desc="builds", disable=not progress) as bar:
        for group, table in _work(sorted(alike.values(), key=len, reverse=True), names, executor):
            found |= zip(group, table, strict=True)
            bar.update(len(group))
    rows = [
        (b.version, b.arch, b.swap, "+".join(p.name or p.__name__ for p in b.patch_classes), *row)
        for b in wanted
        for row in found[b]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _work(groups: list[list[Build]], names: list[str], executor: Executor | None) -> Iterator[tuple[list[Build], Any]]:
    """Each group with its verdicts, as they are finished."""
    if executor is None:
        yield from ((group, verdicts(group, names)) for group in groups)
        return
    futures = {executor.submit(verdicts, group, names): group for group in groups}
    for future in as_completed(futures):
        yield futures[future], future.result()
