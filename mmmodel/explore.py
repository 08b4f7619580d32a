"""Every interleaving: the same kernel functions, with another CPU allowed in before each step.

A walk over the pieces of kernel code (see `pieces`), breadth first, so that the first broken invariant comes with a
shortest witness. A state is the whole shared memory and the place of every CPU: where its code stands, and all it has
observed since its operation began. States seen before are not walked again; no other reduction is used, because none
that was tried paid for itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .build import Build, BuildError
from .pieces import Explorer
from .programs import Program
from .tracing import Step, Verdict, counters


class Walk:
    """A breadth-first walk and what it found."""

    def __init__(self, explorer: Explorer) -> None:
        self.explorer = explorer
        self.parents: dict[Any, Any] = {}
        self.transitions = self.depth = 0
        self.found: tuple[tuple[str, str], Any, int] | None = None
        self.bound = ""
        self.outcomes: set[Any] = set()

    def run(self, max_states: int, deadline: float, progress: Callable[[int], None] | None) -> None:
        """Walk until an invariant breaks, everything was seen, or a bound is reached."""
        start = self.explorer.start()
        self.parents[start] = None
        if wrong := self.explorer.wrong(*start):
            self.found = wrong, start, -1
            return
        level = [start]
        try:
            while level and self.found is None and not self.bound:
                level = self.next_level(level, max_states)
                self.depth += bool(level)
                if time.perf_counter() > deadline:
                    self.bound = "time"
                if progress:
                    progress(len(self.parents))
        except KeyboardInterrupt:
            self.bound = "interrupted"

    def next_level(self, level: list[Any], max_states: int) -> list[Any]:
        """The new states one step further; stops at the first that is wrong."""
        further, parents, wrong = [], self.parents, self.explorer.wrong
        for key in level:
            for new, cpu, events in self.successors(key):
                self.transitions += 1
                if events:
                    self.found = events[0], key, cpu
                    return []
                if new not in parents:
                    parents[new] = key, cpu
                    further.append(new)
                    if broke := wrong(*new):
                        self.found = broke, key, cpu
                        return []
            if len(parents) > max_states:
                self.bound = f"{max_states} states"
                return []
        return further

    def successors(self, key: Any) -> list[tuple[Any, int, Any]]:
        """What can happen next: one step of each CPU that is not finished or waiting."""
        state, places = key
        explorer, found = self.explorer, []
        for cpu, place in enumerate(places):
            if place.function and not (place.waits and explorer.waiting(place.waits, state)):
                piece = explorer.successor(place, state)
                new = bytearray(state)
                for slot, code in piece.writes:
                    new[slot] = code
                found.append(((bytes(new), (*places[:cpu], piece.place, *places[cpu + 1 :])), cpu, piece.events))
        if not found:
            if stuck := [(place.cpu, place.function, place.word) for place in places if place.function]:
                raise RuntimeError(f"deadlock: {stuck}")
            self.outcomes.add(self.outcome(state))
        return found

    def outcome(self, state: bytes) -> tuple[Any, ...]:
        """What a finished run leaves: the counters, and who owns which block."""
        kernel, memory = self.explorer.kernel, self.explorer.memory
        memory.state = bytearray(state)
        owners = tuple(kernel.page(b << kernel.hpage_order).owner for b in kernel.mem_map)
        return (*counters(kernel), owners)

    def witness(self) -> list[Step]:
        """The steps from the start to the violation."""
        assert self.found is not None
        _, key, cpu = self.found
        path = [(key, cpu)] if cpu >= 0 else []
        while self.parents[key] is not None:
            key, cpu = self.parents[key]
            path.insert(0, (key, cpu))
        return [self.describe(key, cpu) for key, cpu in path]

    def describe(self, key: Any, cpu: int) -> Step:
        """One step in words: CPU, kernel function, what changed, the counters after it."""
        (state, places), explorer = key, self.explorer
        place, memory = places[cpu], explorer.memory
        piece = explorer.successor(place, state)
        values, names = memory.values, memory.names
        changes = tuple((names[s], values[s][state[s]], values[s][c]) for s, c in piece.writes if state[s] != c)
        memory.state = bytearray(state)
        for slot, code in piece.writes:
            memory.state[slot] = code
        before, after = next(((b, a) for w, b, a in changes if w == place.word), (None, None))
        return Step(cpu, place.function, place.word, before, after, *counters(explorer.kernel), more=changes)


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
    """Explore a concurrent program; the verdict, and the outcomes a finished run can have (complete if it holds)."""
    if not (max_states >= 1 and max_seconds > 0):
        raise BuildError(f"max_states and max_seconds must be above 0, not {max_states} and {max_seconds}")
    started = time.perf_counter()
    walk = Walk(Explorer(build, program, cpus, **options))
    walk.run(max_states, started + max_seconds, progress)
    verdict = Verdict(build, program.name, walk.found is None, cpus=cpus)
    if walk.found is not None:
        (verdict.broken, verdict.what), verdict.witness = walk.found[0], walk.witness()
        verdict.op = verdict.witness[-1].function if verdict.witness else "start"
    verdict.states, verdict.transitions = len(walk.parents), walk.transitions
    verdict.depth, verdict.bound = len(verdict.witness) or walk.depth, walk.bound
    verdict.complete = not walk.bound
    verdict.seconds = time.perf_counter() - started
    return verdict, walk.outcomes
