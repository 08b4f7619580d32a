"""A walk over pieces of kernel code, breadth first, so that the first broken invariant comes with a shortest witness.

A state is the whole shared memory and the place of every CPU: where its code stands, and all it has observed since its
operation began. States seen before are not walked again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..words import kernel_name
from .bounds import Bounds, Seen, seldom_collected
from .patience import DoesNotReturn
from .pieces import Pieces
from .place import Place
from .tracing import counters
from .verdict import Step


class Walk:
    """A breadth-first walk and what it `found`: what is wrong, in which state, after a step of which CPU (-1: none)."""

    def __init__(self, pieces: Pieces) -> None:
        self.pieces = pieces
        self.transitions = self.depth = 0
        self.bound = ""
        self.parents: dict[Any, Any] = {}
        self.found: tuple[tuple[str, str], Any, int] | None = None
        self.outcomes: set[Any] = set()

    def run(self, bounds: Bounds, progress: Callable[[Seen], None] | None = None) -> None:
        """Walk level by level until an invariant breaks, everything was seen, or something else comes first."""
        try:
            with seldom_collected():
                level = [start := self.start()]
                self.parents[start] = None
                if wrong := self.wrong(start):
                    self.found = wrong, start, -1
                self.one_by_one(*self.opened(start))
                while level and not self.found and not self.bound:
                    level = self.next_level(level, bounds)
                    self.depth += bool(level)
                    if progress:
                        progress(Seen.of(len(self.parents), len(level), self.depth))
            self.bound = self.pieces.endless or self.bound or self.pieces.stopped
        except KeyboardInterrupt:
            self.bound = "interrupted"
        except DoesNotReturn as error:
            self.bound = str(error)

    def start(self) -> Any:
        """The state after set-up."""
        raise NotImplementedError

    def opened(self, key: Any) -> tuple[str, tuple[Place, ...]]:
        """The words of a state, and where the CPUs stand."""
        return key[0], key[1]

    def wrong(self, key: Any) -> Any:
        """The first invariant broken in a state."""
        state, places = self.opened(key)
        return self.pieces.asked("always", all(place.outside for place in places), state)

    def successors(self, key: Any) -> list[tuple[Any, Any, Any]]:
        """What can happen next, one step of each CPU that is not finished or waiting: state, whose, what is wrong."""
        raise NotImplementedError

    def describe(self, key: Any, who: Any) -> Step:
        """One step in words: CPU, kernel function, what changed, the counters after it."""
        raise NotImplementedError

    def one_by_one(self, state: str, places: tuple[Place, ...]) -> None:
        """Code that never returns is soon found when nobody gets in between: let each CPU go first, to its end."""
        for first in range(len(places)) if self.pieces.watched else ():
            now, order, seen = state, (*places[first:], *places[:first]), set[tuple[str, Place]]()
            for place in order:
                while self.ready(place, now) and (now, place) not in seen:  # one may wait for another
                    seen.add((now, place))
                    piece = self.pieces.successor(place, now)
                    now, place = self.pieces.memory.after(now, piece.writes), piece.place

    def ready(self, place: Place, state: str) -> bool:
        """Is there a next step, and what it waits for: a lock that is free, a word below its limit?"""
        if not place.function or not place.waits:
            return bool(place.function)
        slot, limit = place.waits
        value = self.pieces.memory.values[slot][self.pieces.memory.view(state)[slot]]
        return value is None if limit is None else bool(value < limit)

    def next_level(self, level: list[Any], bounds: Bounds) -> list[Any]:
        """The new states one step further; stops at the first that is wrong."""
        further, parents = [], self.parents
        for key in level:
            for new, cpu, wrong in self.successors(key):
                self.transitions += 1
                if not wrong and new not in parents:
                    parents[new] = key, cpu
                    further.append(new)
                    wrong = self.wrong(new)
                if wrong:
                    self.found = wrong, key, cpu
                    return []
            self.bound = bounds.reached(len(parents), hurry=bool(self.pieces.endless))
            if self.found or self.bound:
                return []
        return further

    def finished(self, key: Any) -> None:
        """Nobody can go on: is it the end, or a deadlock?"""
        state, places = self.opened(key)
        if any(not place.function and not place.outside for place in places):
            return  # one of them is still at work, and will be: that says nothing of the others
        stuck = [f"CPU {p.cpu} waits for {p.word} in {kernel_name(p.function)}" for p in places if p.function]
        if stuck:
            wrong: Any = ("no-deadlock", "; ".join(stuck))
        else:
            self.outcomes.add(self.outcome(state))
            wrong = self.pieces.leaked(state)
        if wrong:
            self.found = wrong, key, -1

    def outcome(self, state: str) -> tuple[Any, ...]:
        """What a finished run leaves: the counters, and who owns which block."""
        kernel, memory = self.pieces.kernel, self.pieces.memory
        memory.state = memory.view(state)
        owners = tuple(kernel.page(b << kernel.hpage_order).owner for b in kernel.mem_map)
        return (*counters(kernel), owners)

    def schedule(self) -> list[Any]:
        """Whose the steps are that lead to the violation; none without one."""
        return [who for _, who in self.steps()]

    def steps(self) -> list[tuple[Any, Any]]:
        """The steps that lead to the violation: from which state, and whose."""
        if not self.found:
            return []
        _, key, who = self.found
        steps = [(key, who)] * (who != -1)
        while self.parents[key] is not None:
            steps.append(self.parents[key])
            key = steps[-1][0]
        return steps[::-1]

    def step(self, place: Place, state: str, new: str) -> Step:
        """A step from one state to another."""
        memory, kernel = self.pieces.memory, self.pieces.kernel
        values, names, was, now = memory.values, memory.names, memory.view(state), memory.view(new)
        changed = [slot for slot, code in enumerate(now) if code != was[slot]]
        changes = tuple((names[s], values[s][was[s]], values[s][now[s]]) for s in changed)
        memory.state = now
        before, after = next(((b, a) for w, b, a in changes if w == place.word), (None, None))
        return Step(place.cpu, place.function, place.word, before, after, *counters(kernel), more=changes)


class Plain(Walk):
    """The walk in which steps are seen as they come (memory sc); `symmetry` has the one for CPUs that are alike."""

    def start(self) -> Any:
        """The state after set-up."""
        return self.pieces.start()

    def successors(self, key: Any) -> list[tuple[Any, int, Any]]:
        """What can happen next, one step of each CPU that is not finished or waiting: state, CPU, what is wrong."""
        pieces, found, (state, places) = self.pieces, list[tuple[Any, int, Any]](), key
        state = pieces.memory.view(state)
        for cpu, place in enumerate(places):
            if self.ready(place, state):
                piece = pieces.successor(place, state)
                new = pieces.memory.after(state, piece.writes), (*places[:cpu], piece.place, *places[cpu + 1 :])
                found.append((new, cpu, piece.events[0] if piece.events else None))
        if not found:
            self.finished(key)
        return found

    def describe(self, key: Any, who: Any) -> Step:
        """One step in words."""
        state, places = key
        piece = self.pieces.successor(places[who], state)
        return self.step(places[who], state, self.pieces.memory.after(state, piece.writes))
