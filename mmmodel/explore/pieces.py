"""Pieces of kernel code: what one CPU does from one of its steps to the next, learnt by running the kernel functions.

A piece is run once for each combination of values it reads, and remembered: what it read, what it wrote, where it
stopped. To run it again from the middle of a function, the function is called anew and what it observed so far is
handed to it again, without touching memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..build.composed import Build
from ..kernel.arches import ARCHES
from ..kernel.machine import KernelBug, T
from ..kernel.mm_types import Page
from ..words import BuildError
from .answer_tree import find, insert
from .concurrent import Program
from .containers import container, freeze
from .handed_out import Front
from .invariants import broken
from .patience import Clock, DoesNotReturn, innermost
from .places import Piece, Place, Preempted, alike
from .shared_memory import Again, Memory, Restart
from .steps import FUNCTIONS, OUTSIDE, explored_class

SPINS = 100
"""So often kernel code may come back to the same place with the same local variables within one operation."""


class Explorer:
    """The pieces of one build and program, found as they are needed.

    Raises KernelBug if the set-up runs into one.
    """

    def __init__(
        self, build: Build, program: Program, cpus: int, kernel_class: type | None = None, **options: Any
    ) -> None:
        order = int(ARCHES[build.arch]["huge_page_order"])
        self.kernel: Any = build.boot(cpus, (cpus + 2) << order >> 8, kernel_class)
        self.front = Front(self.kernel)
        self.operations = program.operations(self.front, cpus, **options)
        self.memory = Memory()
        self.structs: dict[Any, Any] = {}
        self.stopped, self.clock = "", Clock()
        self._watch()
        self.forget()

    def forget(self) -> None:
        """Begin anew, with room for more words."""
        self.memory.grow()
        self.inside = self.live = self.memory.grown = False
        self.events: list[tuple[str, str]] = []
        self.places: dict[Any, Place] = {}
        self.returns: dict[Any, set[int]] = {}
        self.verdicts: dict[Any, Any] = {}
        self.request: tuple[str, str, Any] | None = None
        self.memory.on_read, self.memory.on_write = self.memory.value, self.memory.put

    def _watch(self) -> None:
        """Every mutable field of the booted kernel becomes a word."""
        kernel, memory = self.kernel, self.memory
        for block in kernel.mem_map:
            kernel.page(block << kernel.hpage_order)
        for page in [page for block in kernel.mem_map.values() for page in block.values()]:
            memory.watch(f"page[{page.pfn:#x}]", page)
        for mm in kernel.mms:
            memory.watch(mm.name, mm)
        for cpu in kernel.cpus:
            memory.watch(f"cpu{cpu.id}", cpu)
        memory.things[id(kernel)] = kernel
        for name in sorted(vars(kernel).keys() - OUTSIDE):
            memory.watch_in(vars(kernel)[name], name)
        cls = explored_class(type(kernel))
        memory.classes[cls] = cls
        kernel.explorer, kernel.__class__ = self, cls
        for name, value in sorted(vars(kernel).items()):
            if name not in OUTSIDE and (container(value) or name == "pins"):
                memory.word(kernel, name, name, value)

    def struct(self, kind: type[T], args: tuple[Any, ...]) -> T:
        """A structure that kernel code makes: the same one whenever the same CPU comes to this point."""
        self.made += kind is not Page  # one that is known already is not asked for
        key = (kind, args) if kind is Page else (kind, args, *self.maker, self.made)
        if key not in self.structs:
            self.structs[key] = new = kind(*args)
            name = f"page[{new.pfn:#x}]" if isinstance(new, Page) else getattr(new, "name", "page table")
            self.memory.watch(name, new)
        return self.structs[key]

    # -- running one piece of kernel code

    def piece(self, place: Place | None, cpu: int, state: bytes) -> Piece:
        """Run the code of a CPU from `place` (None: from the start) to its next step, on `state`.

        Raises Again or Restart for words that there were not, DoesNotReturn if it waits for nothing.
        """
        kernel, index = self.kernel, place.index if place else 0
        self.path = list(place.path) if place else []
        self.replay, self.live = len(self.path), place is None
        self.at, self.heads = 0, dict[Any, tuple[int, dict[str, Any]]]()
        self.request, self.passed = None, place is None
        kernel.cpu, operations, outside = kernel.cpus[cpu], self.operations[cpu], place is None
        self.begin(state, cpu, index)
        try:
            while index < len(operations):
                operations[index][1](self.front)
                index, outside = index + 1, True
                self.path, self.at, self.replay, self.heads = [], 0, 0, {}
                self.maker, self.made = (cpu, index), 0
        except Preempted:
            pass
        except KernelBug as bug:
            self.events.append((bug.invariant, str(bug)))
            index, outside = len(operations), True
        except MemoryError as error:
            self.stopped = f"out of memory: {error}"
            index, outside = len(operations), True
        reads, writes = self.end()
        request = self.request if index < len(operations) else None
        new = self._place(cpu, index, tuple(self.path) if request else (), request, outside)
        return Piece(reads, writes, new, tuple(self.events))

    def learn(self, place: Place | None, cpu: int, state: bytes) -> Piece:
        """Run a piece until all that it reads was a word before."""
        while True:
            with suppress(Again):
                return self.piece(place, cpu, state)

    def begin(self, state: bytes, cpu: int = -1, index: int = 0) -> None:
        """From here on, what is read and written is noted."""
        self.clock.start()
        self.memory.load(state)
        self.memory.on_read, self.memory.on_write = self._read, self._write
        self.reads: dict[int, None] = {}
        self.writes: dict[int, Any] = {}
        self.events, self.inside, self.maker, self.made = [], False, (cpu, index), 0

    def end(self) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
        """What was read, and what was written in the end."""
        memory, self.inside, self.clock.began = self.memory, False, None
        memory.on_read, memory.on_write = memory.value, memory.put
        writes = tuple((slot, memory.code(slot, freeze(value))) for slot, value in self.writes.items())
        if len(memory.names) > memory.room:
            raise Restart
        if memory.grown:
            memory.grown, self.verdicts = False, {}
            for place in self.places.values():
                place.pieces = None
            raise Again
        return tuple(self.reads), writes

    def _place(self, cpu: int, index: int, path: tuple[Any, ...], request: Any, outside: bool) -> Place:
        """The one object for a place."""
        key = (cpu, index, path, outside)
        if key not in self.places:
            self.places[key] = place = Place(cpu, index, path, request)
            place.outside = outside
        return self.places[key]

    def step(self, original: Callable[..., Any], name: str, kernel: Any, args: Any, kwargs: Any) -> Any:
        """A step of kernel code: repeat what it gave before, take it if it is this CPU's turn, else stop here."""
        if self.inside:
            return original(kernel, *args, **kwargs)
        if self.at < self.replay:
            self.at += 1
            return self.path[self.at - 1]
        if self.passed:
            self._stop(name, sys._getframe(2), args)
        self.passed = self.live = self.inside = True
        result = original(kernel, *args, **kwargs)
        self.inside = False
        self.path.append(result)
        self.at = self.replay = len(self.path)
        return result

    def _stop(self, name: str, frame: Any, args: Any) -> None:
        """Before the next step: who asks for which word, and what does it wait for?"""
        blocked = args[0] if name in ("spin_lock", "wait_below") else None
        limit = args[1] if name == "wait_below" else None
        slot = None if blocked is None else self.memory.slots[id(blocked), "value"]
        word = getattr(args[0], "name", "") if args else ""
        waits = None if slot is None else (slot, limit)
        self.request = (name if name in FUNCTIONS else frame.f_code.co_name, word, waits)
        if len(self.path) > SPINS:
            self._returned(frame)
        raise Preempted

    def _returned(self, frame: Any) -> None:
        """Count how often this very place was come to, each time after more steps."""
        place, outer = list[Any](), frame
        while outer is not None and outer.f_code is not Explorer.piece.__code__:
            place.append((outer.f_code, outer.f_lasti, alike(tuple(outer.f_locals.values()), self.memory.things)))
            outer = outer.f_back
        key = (self.maker, tuple(place))
        lengths = self.returns.setdefault(key, set())
        lengths.add(len(self.path))
        if len(lengths) > SPINS:
            raise DoesNotReturn(innermost(frame))

    def retry(self) -> bool:
        """Back at the head of a retry loop: forget what was observed since the CPU first came there."""
        frame = sys._getframe(2)
        head, before = self.heads.setdefault(frame, (self.at, dict(frame.f_locals)))
        if self.at >= self.replay and self.live:
            if carried := [name for name, value in before.items() if frame.f_locals[name] != value]:
                raise BuildError(f"a retry loop carries {', '.join(carried)} into its next round: use while True")
            del self.path[head:]
            self.at = self.replay = len(self.path)
        return True

    def _read(self, slot: int) -> Any:
        if not self.inside and self.at < self.replay:
            self.at += 1
            return self.path[self.at - 1]
        if slot in self.writes:
            value = freeze(self.writes[slot])
        else:
            self.reads[slot] = None
            value = self.memory.value(slot)
        if not self.inside:
            self.path.append(value)
            self.at = self.replay = len(self.path)
        return value

    def _write(self, slot: int, value: Any) -> None:
        if self.live:
            self.writes[slot] = value

    # -- walking

    def successor(self, place: Place, state: bytes) -> Piece:
        """The remembered piece for what `place` reads in `state`, or a new one."""
        view = self.memory.view(state) if self.memory.wide else state
        piece = find(place.pieces, view)
        if piece is None:
            piece = self.learn(place, place.cpu, state)
            place.pieces = insert(place.pieces, piece.reads, view, piece)
        return piece

    def waiting(self, waits: tuple[int, int | None], state: bytes) -> bool:
        """Is a lock still held, or a word not yet below its limit?"""
        slot, limit = waits
        value = self.memory.values[slot][self.memory.view(state)[slot]]
        return value is not None if limit is None else bool(value >= limit)

    def wrong(self, state: bytes, places: tuple[Place, ...]) -> tuple[str, str] | None:
        """The first invariant broken in a state."""
        return self._asked("always", state, all(place.outside for place in places))

    def leaked(self, state: bytes) -> tuple[str, str] | None:
        """The first invariant that the end of everything breaks after a finished run.

        Not asked where the bookkeeping is: while it is right nothing is leaked.
        """
        return None if self.kernel.keeps_the_rule else self._asked("end", state, True)

    def _asked(self, when: str, state: bytes, quiet: bool) -> tuple[str, str] | None:
        view = self.memory.view(state) if self.memory.wide else state
        verdict = find(self.verdicts.get((when, quiet)), view)
        if verdict is None:
            reads, verdict = self._ask(when, state, quiet)
            self.verdicts[when, quiet] = insert(self.verdicts.get((when, quiet)), reads, view, verdict)
        return verdict[0]

    def _ask(self, when: str, state: bytes, quiet: bool) -> tuple[tuple[int, ...], list[Any]]:
        """What an invariant reads, and what it finds."""
        self.kernel.quiet, self.kernel.cpu = quiet, self.kernel.cpus[0]
        while True:
            self.begin(state)
            self.inside = self.live = True
            found = broken(self.kernel, when) or next(iter(self.events), None)
            self.writes.clear()  # what the end of everything does is no step
            with suppress(Again):
                return self.end()[0], [found]

    def after(self, state: bytes, writes: tuple[tuple[int, int], ...]) -> bytes:
        """A state with some words written."""
        if not self.memory.wide:
            new = bytearray(state)
            for slot, code in writes:
                new[slot] = code
            return bytes(new)
        self.memory.load(state)
        for slot, code in writes:
            self.memory.state[slot] = code
        return bytes(self.memory.state)

    def start(self) -> tuple[bytes, tuple[Place, ...]]:
        """The state after set-up, every CPU before its first step."""
        state, places = self.memory.initial, []
        for cpu in range(len(self.operations)):
            piece = self.learn(None, cpu, state)
            places.append(piece.place)
            state = self.after(state, piece.writes)
        return state, tuple(places)
