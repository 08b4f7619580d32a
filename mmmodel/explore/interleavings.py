"""Every interleaving: the same kernel functions, with another CPU allowed in before each step.

`walk` goes through the pieces of kernel code, `memory_models` does so when CPUs do not see each other's accesses in
order. States seen before are not walked again, nor, with memory sc, those that differ from one in names of CPUs only
(`symmetry`). Partial order reduction was tried and did not pay for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

from ..build.composed import Build
from .bounds import BOUNDS, Bounds, Seen
from .invariants import judges
from .memory_models import MODELS
from .outside import unchanged
from .patience import judged
from .pieces import Pieces
from .scenarios import Program
from .symmetry import Unlike, UpToNames, interchangeable
from .verdict import Verdict
from .walk import Walk


def explore(
    build: Build,
    program: Program,
    cpus: int,
    *,
    progress: Callable[[Seen], None] | None = None,
    memory: str = "sc",
    symmetry: bool = True,
    **options: Any,
) -> tuple[Verdict, set[Any]]:
    """Explore a concurrent program; the verdict, and the outcomes a finished run can have (complete if it holds).

    symmetry: with False also states that differ from others in the names of CPUs only. options: those of `Bounds`, of
    `Pieces` and of the program.

    Raises BuildError for a bound that is no number above 0, PatchError for a Python error in code of the reader's.
    """
    bounds = Bounds(**{name: options.pop(name) for name in BOUNDS if name in options})
    outcomes, schedule = set[Any](), list[Any]()
    verdict = Verdict(build, program.name, cpus=cpus, invariants=judges(build), memory=memory)
    with judged(verdict, program.set_up, "set-up") as clock:
        for reduced in (symmetry and memory == "sc", False):
            pieces = Pieces(build, program, cpus, **options)
            same = interchangeable(pieces) if reduced else range(0)
            walk = UpToNames(pieces, same) if same else MODELS[memory](pieces)
            pieces.clock = clock
            with suppress(Unlike), unchanged(build, pieces) if pieces.watched else nullcontext():
                walk.run(bounds, progress)
                break
        schedule, outcomes, verdict.alike = walk.schedule(), walk.outcomes, tuple(getattr(walk, "alike", ()))
        _read(verdict, walk, schedule)
    if verdict.broken:
        verdict.again = partial(replay, build, program, cpus, schedule, memory=memory, **options)
    return verdict, outcomes


def _read(verdict: Verdict, walk: Walk, schedule: list[Any]) -> None:
    """Read a verdict off a walk."""
    if walk.found:
        _replay(verdict, MODELS[verdict.memory](walk.pieces), schedule)
    verdict.states, verdict.transitions = len(walk.parents), walk.transitions
    verdict.depth = len(verdict.witness) or walk.depth
    if walk.bound and not walk.found:
        reached = f"none of the {verdict.states:,} states seen is wrong, {verdict.depth} steps from the start"
        verdict.stopped(walk.bound, reached)


def replay(
    build: Build, program: Program, cpus: int, schedule: Iterable[Any], memory: str = "sc", **options: Any
) -> Verdict:
    """Run the steps of the CPUs in the given order, on a kernel booted for it: the verdict of that one run."""
    verdict = Verdict(build, program.name, cpus=cpus, invariants=judges(build), memory=memory)
    with judged(verdict, program.set_up, "set-up"):
        _replay(verdict, MODELS[memory](Pieces(build, program, cpus, **options)), list(schedule))
    verdict.depth = len(verdict.witness)
    return verdict


def _replay(verdict: Verdict, walk: Walk, schedule: list[Any]) -> None:
    key = walk.start()
    wrong = walk.wrong(key)
    for who in schedule:
        verdict.witness.append(walk.describe(key, who))
        key, _, event = next(found for found in walk.successors(key) if found[1] == who)
        wrong = event or walk.wrong(key)
    if not wrong and not walk.successors(key) and walk.found:
        wrong = walk.found[0]
    if wrong:
        verdict.broken, verdict.what = wrong
        verdict.op = verdict.witness[-1].function if schedule else "start"
