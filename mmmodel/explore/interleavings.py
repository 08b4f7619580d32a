"""Every interleaving: the same kernel functions, with another CPU allowed in before each step.

A walk over the pieces of kernel code (see `pieces`), breadth first, so that the first broken invariant comes with a
shortest witness. A state is the whole shared memory and the place of every CPU: where its code stands, and all it has
observed since its operation began. States seen before are not walked again; no other reduction is used, because none
that was tried paid for itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from typing import Any

from ..build.composed import Build
from ..words import BuildError, kernel_name
from .invariants import judges
from .outside import unchanged
from .patience import DoesNotReturn, judged, readers
from .pieces import Pieces
from .scenarios import Program
from .tracing import counters
from .verdict import Step, Verdict


class Walk:
    """A breadth-first walk and what it `found`: what is wrong, in which state, after a step of which CPU (-1: none)."""

    def __init__(self, pieces: Pieces) -> None:
        self.pieces = pieces
        self.transitions = self.depth = 0
        self.bound = ""
        self.parents: dict[Any, Any] = {}
        self.found: tuple[tuple[str, str], Any, int] | None = None
        self.outcomes: set[Any] = set()

    def run(self, max_states: float, deadline: float, progress: Callable[[int], None] | None) -> None:
        """Walk level by level until an invariant breaks, everything was seen, or something else comes first."""
        try:
            level = [start := self.pieces.start()]
            self.parents[start] = None
            if wrong := self.pieces.wrong(*start):
                self.found = wrong, start, -1
            while level and not self.found and not self.bound:
                level = self.next_level(level, max_states, deadline)
                self.depth += bool(level)
                if progress:
                    progress(len(self.parents))
            self.bound = self.bound or self.pieces.stopped
        except KeyboardInterrupt:
            self.bound = "interrupted"
        except DoesNotReturn as error:
            self.bound = str(error)

    def next_level(self, level: list[Any], max_states: float, deadline: float) -> list[Any]:
        """The new states one step further; stops at the first that is wrong."""
        further, parents = [], self.parents
        for key in level:
            for new, cpu, wrong in self.successors(key):
                self.transitions += 1
                if not wrong and new not in parents:
                    parents[new] = key, cpu
                    further.append(new)
                    wrong = self.pieces.wrong(*new)
                if wrong:
                    self.found = wrong, key, cpu
                    return []
            if self.found:
                return []
            if len(parents) > max_states or time.perf_counter() > deadline:
                self.bound = f"{max_states} states" if len(parents) > max_states else "time"
                return []
        return further

    def successors(self, key: Any) -> list[tuple[Any, int, Any]]:
        """What can happen next, one step of each CPU that is not finished or waiting: new state, CPU, what is wrong."""
        pieces, found, (state, places) = self.pieces, [], key
        state = pieces.memory.view(state)
        for cpu, place in enumerate(places):
            if place.function and not (place.waits and pieces.waiting(place.waits, state)):
                piece = pieces.successor(place, state)
                new = pieces.memory.after(state, piece.writes), (*places[:cpu], piece.place, *places[cpu + 1 :])
                found.append((new, cpu, piece.events[0] if piece.events else None))
        if not found:
            self.finished(*key)
        return found

    def finished(self, state: str, places: tuple[Any, ...]) -> None:
        """Nobody can go on: is it the end, or a deadlock?"""
        stuck = [f"CPU {p.cpu} waits for {p.word} in {kernel_name(p.function)}" for p in places if p.function]
        if stuck:
            wrong: Any = ("no-deadlock", "; ".join(stuck))
        else:
            self.outcomes.add(self.outcome(state))
            wrong = self.pieces.leaked(state)
        if wrong:
            self.found = wrong, (state, places), -1

    def outcome(self, state: str) -> tuple[Any, ...]:
        """What a finished run leaves: the counters, and who owns which block."""
        kernel, memory = self.pieces.kernel, self.pieces.memory
        memory.state = memory.view(state)
        owners = tuple(kernel.page(b << kernel.hpage_order).owner for b in kernel.mem_map)
        return (*counters(kernel), owners)

    def schedule(self) -> list[int]:
        """Whose the steps are that lead to the violation."""
        assert self.found is not None
        _, key, cpu = self.found
        schedule = [cpu] * (cpu >= 0)
        while self.parents[key] is not None:
            key, cpu = self.parents[key]
            schedule.append(cpu)
        return schedule[::-1]


def describe(pieces: Pieces, key: Any, cpu: int) -> Step:
    """One step in words: CPU, kernel function, what changed, the counters after it."""
    state, places = key
    place, memory = places[cpu], pieces.memory
    piece = pieces.successor(place, state)
    values, names, view = memory.values, memory.names, memory.view(state)
    changes = tuple((names[s], values[s][view[s]], values[s][c]) for s, c in piece.writes if view[s] != c)
    memory.state = memory.view(memory.after(state, piece.writes))
    before, after = next(((b, a) for w, b, a in changes if w == place.word), (None, None))
    return Step(cpu, place.function, place.word, before, after, *counters(pieces.kernel), more=changes)


def explore(
    build: Build,
    program: Program,
    cpus: int,
    *,
    max_states: int = 5_000_000,
    max_seconds: float = 600.0,
    progress: Callable[[int], None] | None = None,
    **options: Any,
) -> tuple[Verdict, set[Any]]:
    """Explore a concurrent program; the verdict, and the outcomes a finished run can have (complete if it holds).

    Raises PatchError for a Python error in code of the reader's.
    """
    numbers = isinstance(max_states, int | float) and isinstance(max_seconds, int | float)
    if not (numbers and max_states >= 1 and max_seconds > 0):
        raise BuildError(f"max_states and max_seconds must be numbers above 0, not {max_states!r} and {max_seconds!r}")
    deadline, outcomes = time.perf_counter() + max_seconds, set[Any]()
    verdict = Verdict(build, program.name, cpus=cpus, invariants=judges(build))
    with judged(verdict, program.set_up, "set-up") as clock:
        walk = Walk(pieces := Pieces(build, program, cpus, **options))
        pieces.clock = clock
        with unchanged(build, pieces) if readers(build, program.set_up) else nullcontext():
            walk.run(max_states, deadline, progress)
        _read(verdict, walk)
        outcomes = walk.outcomes
    if verdict.broken:
        schedule = [step.cpu for step in verdict.witness]
        verdict.again = partial(replay, build, program, cpus, schedule, **options)
    return verdict, outcomes


def _read(verdict: Verdict, walk: Walk) -> None:
    """Read a verdict off a walk."""
    if walk.found:
        _replay(verdict, walk.pieces, walk.schedule())
    verdict.states, verdict.transitions = len(walk.parents), walk.transitions
    verdict.depth = len(verdict.witness) or walk.depth
    if walk.bound and not walk.found:
        reached = f"none of the {verdict.states:,} states seen is wrong, {verdict.depth} steps from the start"
        verdict.stopped(walk.bound, reached)


def replay(build: Build, program: Program, cpus: int, schedule: Iterable[int], **options: Any) -> Verdict:
    """Run the steps of the CPUs in the given order, on a kernel booted for it: the verdict of that one run."""
    verdict = Verdict(build, program.name, cpus=cpus, invariants=judges(build))
    with judged(verdict, program.set_up, "set-up"):
        _replay(verdict, Pieces(build, program, cpus, **options), list(schedule))
    verdict.depth = len(verdict.witness)
    return verdict


def _replay(verdict: Verdict, pieces: Pieces, schedule: list[int]) -> None:
    walk, key = Walk(pieces), pieces.start()
    wrong = pieces.wrong(*key)
    for cpu in schedule:
        verdict.witness.append(describe(pieces, key, cpu))
        key, _, event = next(found for found in walk.successors(key) if found[1] == cpu)
        wrong = event or pieces.wrong(*key)
    if not wrong and not walk.successors(key) and walk.found:
        wrong = walk.found[0]
    if wrong:
        verdict.broken, verdict.what = wrong
        verdict.op = verdict.witness[-1].function if schedule else "start"
