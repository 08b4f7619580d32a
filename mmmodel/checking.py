"""Verdicts: does a build hold in a scenario, and if not, which invariant breaks first? And tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import product
from typing import TYPE_CHECKING, Any

from .arches import ARCHES
from .build import Build, choose
from .patches import Patch
from .scenarios import SEQUENTIAL
from .tracing import Verdict, run
from .versions import VERSIONS

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("version", "arch", "swap", "patches", "scenario", "holds", "broken", "op", "what")


def check(build: Build | None = None, scenario: str = "map-read-unmap") -> Verdict:
    """Run a scenario until an invariant breaks.

    Raises BuildError for an unknown scenario, naming those there are.
    """
    build = build or Build()
    program = SEQUENTIAL[choose("scenario", scenario, SEQUENTIAL)]
    verdict = run(build, program, journal=False, stop=True).verdict
    return verdict if verdict.holds else run(build, program, journal=True, stop=True).verdict


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
    names = [choose("scenario", s, SEQUENTIAL) for s in scenarios or SEQUENTIAL]
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
