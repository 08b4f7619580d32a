"""Tables of verdicts: many builds in many scenarios, those that behave the same checked once."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from contextlib import suppress
from functools import partial
from itertools import product

import pandas as pd
from tqdm import tqdm

from ..build.composed import Build
from ..explore.checking import SCENARIOS, check
from ..explore.scenarios import known, lacking
from ..kernel.arches import ARCHES
from ..kernel.overlay import Patch
from ..kernel.versions import VERSIONS
from ..words import BuildError, choose
from .kept import kept
from .measurements import patch_names
from .sharing import shared

Found = tuple[str, bool | None, str, str, str, int]
INTERRUPTED: Found = ("undecided", None, "", "", "interrupted before it was finished", 0)
COLUMNS = ("version", "arch", "swap", "patches", "scenario", "status", "holds", "broken", "op", "what", "states")


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

    An item of `patches` is one patch or a stack of them. Builds that behave the same are checked once (see `sharing`).
    A scenario that a build cannot have is left out (`.attrs["left_out"]` says why), if not both were named. `executor`
    is any concurrent.futures executor; without one everything runs here. After Ctrl-C what was not finished is
    undecided. `holds` is None where `status` is undecided.

    Raises BuildError for a name that does not exist, or a named scenario that a named version cannot have.
    """
    stacks = [(p,) if isinstance(p, str | type) else tuple(p) for p in patches]
    names = list(dict.fromkeys(choose("scenario", s, known()) for s in scenarios or SCENARIOS))
    every = product(versions or VERSIONS, archs or ARCHES, swap, (None,), (False,), stacks)
    wanted = list(dict.fromkeys(Build(*toggles) for toggles in every))
    left = {(build, name): reason for build in wanted for name in names if (reason := lacking(name, build))}
    if left and scenarios and versions:
        raise BuildError(next(iter(left.values())))
    found: dict[tuple[Build, str], Found] = {}
    with (
        tqdm(total=len(wanted) * len(names) - len(left), desc="verdicts", unit="", disable=not progress) as bar,
        suppress(KeyboardInterrupt),
    ):
        for group, scenario, rows in _work(wanted, names, executor):
            found |= {(build, scenario): row for build, row in zip(group, rows, strict=True)}
            bar.update(len(group))
            if INTERRUPTED in rows:
                break
    tasks = [(b, name) for b in wanted for name in names if (b, name) not in left]
    told = [(b.version, b.arch, b.swap, patch_names(b), n, *found.get((b, n), INTERRUPTED)) for b, n in tasks]
    frame = pd.DataFrame(told, columns=list(COLUMNS))
    frame.attrs["left_out"] = list(dict.fromkeys(left.values()))
    return frame


def _work(
    wanted: list[Build], names: list[str], executor: Executor | None
) -> Iterator[tuple[list[Build], str, list[Found]]]:
    """The verdicts of some builds in one scenario, as they are finished. Long scenarios are begun first.

    Builds with huge pages of different sizes have no run in common.
    """
    sizes: dict[str, list[Build]] = {}
    for build in wanted:
        sizes.setdefault(ARCHES[build.arch]["huge_page_order"], []).append(build)
    tasks = [([b for b in group if not lacking(name, b)], name) for name in reversed(names) for group in sizes.values()]
    if executor is None:
        for group, name in tasks:
            ours, work = name in SCENARIOS, partial(verdicts, scenario=name)
            yield group, name, kept(work, group, name) if ours else work(group)
        return
    futures: dict[Future[list[Found]], tuple[list[Build], str]] = {}
    try:
        for task in tasks:
            futures[executor.submit(verdicts, *task)] = task
        for future in as_completed(futures):
            yield (*futures[future], future.result())
    except (KeyboardInterrupt, BrokenExecutor):
        for future in futures:
            future.cancel()


def verdicts(group: Sequence[Build], scenario: str) -> list[Found]:
    """For each build: status, holds, broken, op, what, states."""

    def row(build: Build, kernel_class: type) -> Found:
        v = check(build, scenario, kernel_class=kernel_class)
        if v.bound == "interrupted":
            raise KeyboardInterrupt
        return v.status, v.holds, v.broken, v.op, v.reason if v.bound else v.what, v.states

    rows: list[Found] = []
    with suppress(KeyboardInterrupt):
        rows.extend(found for found, _ in shared(group, row))
    return rows + [INTERRUPTED] * (len(group) - len(rows))
