"""Pieces of kernel code: what one CPU does from one of its steps to the next, learnt by running the kernel functions.

A piece is run once for each combination of values it reads, and remembered: what it read, what it wrote, where it
stopped. To run it again from the middle of a function, the function is called anew and what it observed so far is
handed to it again, without touching memory.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..build.composed import Build
from ..kernel.arches import ARCHES
from ..kernel.machine import KernelBug, Var
from ..kernel.mm_types import HUGE_ZERO_PAGE, Page
from ..words import BuildError
from .answer_tree import find, insert
from .containers import freeze
from .explored import watch
from .handed_out import Front
from .invariants import broken
from .patience import Clock, does_not_return, readers
from .place import FINISHED, NONE, Piece, Place, Request
from .scenarios import Program
from .shared_memory import Again, SharedMemory

SPINS = 20
"""So often code may come back to the same place with the same local variables within one operation of many steps."""


class Preempted(BaseException):
    """Kernel code has come to its next step: the exploration decides who runs."""


class Endless(BaseException):
    """Code comes back to the same place again and again."""


class Pieces:
    """The pieces of one build and program, found as they are needed.

    Raises KernelBug if the set-up runs into one.
    """

    def __init__(
        self,
        build: Build,
        program: Program,
        cpus: int,
        kernel_class: type | None = None,
        use_zero_page: bool = True,
        **options: Any,
    ) -> None:
        order = int(ARCHES[build.arch]["huge_page_order"])
        self.kernel: Any = build.boot(cpus, (cpus + 2) << order >> 8, kernel_class)
        self.kernel.use_zero_page = use_zero_page
        self.front = Front(self.kernel)
        self.operations = program.operations(self.front, cpus, **options)
        self.memory, self.structs, self.clock = SharedMemory(), dict[Any, Any](), Clock()
        self.stopped, self.inside, self.live, self.request = "", False, False, FINISHED
        self.access, self.relaxed, self.endless = NONE, False, ""
        self.watched = bool(readers(build, program.set_up))
        self.events: list[tuple[str, str]] = []
        moments = [(when, quiet) for when in ("always", "end") for quiet in (True, False)]
        self.places: dict[Any, Place] = {moment: Place(-1, 0, (), True, FINISHED) for moment in moments}
        self.primitives = watch(self.kernel, self, self.memory)
        self.memory.grown, self.locks = False, len(self.kernel.locks)
        self.marks, self.outside, self.kinds = dict[Any, str](), set[str](), [*range(cpus)]

    def struct(self, kind: type[Any], args: tuple[Any, ...]) -> Any:
        """A structure that kernel code makes: the same one whenever the same CPU comes to this point."""
        self.made += kind is not Page  # one that is known already is not asked for
        key = (kind, args) if kind is Page else (kind, args, *self.maker, self.made)
        if key not in self.structs:
            self.structs[key] = new = kind(*args)
            name = f"page[{new.pfn:#x}]" if isinstance(new, Page) else getattr(new, "name", "page table")
            self.memory.watch(name, new)
        return self.structs[key]

    # -- running one piece of kernel code

    def piece(self, place: Place, state: str) -> Piece:
        """Run the code of a CPU from `place` (the start, if no function waits there) to its next step, on `state`.

        Raises Again for words that there were not, DoesNotReturn if it waits for nothing.
        """
        kernel, cpu, index, operations = self.kernel, place.cpu, place.index, self.operations[place.cpu]
        self.path, self.live, outside = list(place.path), not place.function, not place.function
        self.at, self.heads, self.visits = 0, dict[Any, tuple[int, dict[str, Any]]](), Counter[Any]()
        kernel.cpu = kernel.cpus[cpu]
        self.begin(state, cpu, index)
        try:
            while index < len(operations):
                operations[index][1](self.front)
                if self.request is not FINISHED:
                    break
                index, outside = index + 1, True
                self.path, self.at, self.heads = [], 0, {}
                self.maker, self.made = (cpu, index), 0
        except Preempted:
            pass
        except KernelBug as bug:
            self.events.append((bug.invariant, str(bug)))
            index, outside = len(operations), True
        except Endless:
            index, outside = len(operations), False
        except MemoryError as error:
            self.stopped = f"out of memory: {error}"
            index, outside = len(operations), True
        reads, writes = self.end()
        path = tuple(self.path) if self.request is not FINISHED else ()
        place = self.place(cpu, index, path, outside, self.request)
        return Piece(reads, writes, place, tuple(self.events), self.access)

    def place(self, cpu: int, index: int, path: tuple[Any, ...], outside: bool, request: Request) -> Place:
        """Where a CPU stands: always the same object. CPUs of one kind have the same marks."""
        mark = self.marks.setdefault((self.kinds[cpu], index, path, outside, request), chr(len(self.marks) + 1))
        if (cpu, mark) not in self.places:
            self.places[cpu, mark] = Place(cpu, index, path, outside, request, mark)
            self.outside.update(mark * outside)
        return self.places[cpu, mark]

    def stands(self, cpu: int, mark: str) -> Place:
        """The place of a mark, for a CPU that need not have been there."""
        if found := self.places.get((cpu, mark)):
            return found
        of = next(place for place in self.places.values() if place.mark == mark)
        return self.place(cpu, of.index, of.path, of.outside, (of.function, of.word, of.waits))

    def ask(self, when: str, quiet: bool, state: str) -> Piece:
        """What the invariants of a moment read, and the first of them that is broken: a piece that changes nothing."""
        self.kernel.quiet, self.kernel.cpu = quiet, self.kernel.cpus[0]
        self.begin(state)
        self.inside = self.live = True
        found = broken(self.kernel, when) or next(iter(self.events), None)
        self.writes.clear()  # what the end of everything does is no step
        return Piece(*self.end(), self.places[when, quiet], (found,) if found else ())

    def begin(self, state: str, cpu: int = -1, index: int = 0) -> None:
        """From here on, what is read and written is noted."""
        self.clock.start()
        self.request = FINISHED
        memory, self.reads, self.writes = self.memory, dict[int, None](), dict[int, Any]()
        memory.state, memory.on_read, memory.on_write = memory.view(state), self._read, self._write
        self.events, self.inside, self.maker, self.made, self.access = [], False, (cpu, index), 0, NONE

    def end(self) -> tuple[tuple[int, ...], tuple[tuple[int, str], ...]]:
        """What was read, and what was written in the end."""
        memory, self.inside, self.clock.began = self.memory, False, None
        memory.on_read = memory.value
        writes = tuple((slot, memory.code(slot, freeze(value))) for slot, value in self.writes.items())
        if memory.grown or len(self.kernel.locks) > self.locks:  # a lock is known by its first use
            memory.grown, self.locks = False, len(self.kernel.locks)
            for place in self.places.values():
                place.pieces = None
            raise Again
        return tuple(self.reads), writes

    def step(self, original: Callable[..., Any], name: str, kernel: Any, args: Any, kwargs: Any) -> Any:
        """A step of kernel code: repeat what it gave before, take it if it is this CPU's turn, else stop here."""
        if self.inside:
            if self.access is NONE:
                self._accessed(original, name, args)
            return original(kernel, *args, **kwargs)
        if self.watched and len(self.path) > SPINS:
            self._visit(sys._getframe(2))
        if self.at < len(self.path):
            self.at += 1
            return self.path[self.at - 1]
        if self.live:
            self._stop(name, sys._getframe(2), args, kwargs)
        self.live = self.inside = True
        self._accessed(original, name, args)
        result = original(kernel, *args, **kwargs)
        self.inside = False
        if self.relaxed and name == "is_huge_zero_pmd" and result != (args[0].expects == HUGE_ZERO_PAGE):
            self.events.append(("recognised", f"{args[0].page}, mapped as {args[0].expects}: the kernel says {result}"))
        return self._observed(result)

    def _accessed(self, original: Callable[..., Any], name: str, args: Any) -> None:
        """Note the first word that a step accesses, and how."""
        if kind := getattr(original, "order", ""):
            word = next((arg for arg in args if isinstance(arg, Var)), self.kernel.zone_lock)
            self.access = name, kind, self.memory.slots.get((id(word), "value"), -1)

    def _observed(self, value: Any) -> Any:
        self.path.append(value)
        self.at = len(self.path)
        return value

    def _stop(self, name: str, frame: Any, args: Any, kwargs: Any) -> None:
        """Before the next step: who asks for which word, and what does it wait for?"""
        if self.request is not FINISHED:  # code that runs on the way out (finally)
            raise Preempted
        waits = None
        if name in ("spin_lock", "wait_below"):
            waits = self.memory.slots[id(args[0]), "value"], args[1] if name == "wait_below" else None
        elif name == "tlb_invalidate" and len(args) < 3 and not kwargs.get("cpus"):
            waits = self.memory.slots[id(args[0].irqs_off), "value"], 1
        word = getattr(args[0], "name", "") if args else ""
        self.request = (frame.f_code.co_name if name in self.primitives else name, word, waits)
        raise Preempted

    def _visit(self, frame: Any) -> None:
        """Count how often an operation comes to this very place."""
        place, outer = list[Any](), frame
        while outer is not None and outer.f_code is not Pieces.piece.__code__:
            place.append((outer.f_code, outer.f_lasti, self._alike(tuple(outer.f_locals.values()))))
            outer = outer.f_back
        self.visits[tuple(place)] += 1
        if self.visits[tuple(place)] > SPINS:
            self.endless = str(does_not_return(frame)())
            raise Endless

    def _alike(self, value: Any) -> Any:
        """What a local variable has in common with itself when the code is run again."""
        if isinstance(value, tuple | list):
            return tuple(map(self._alike, value))
        if id(value) in self.memory.things:
            return id(value)
        return value if isinstance(value, int | str) else type(value)

    def retry(self) -> bool:
        """Back at the head of a retry loop: forget what was observed since the CPU first came there."""
        frame = sys._getframe(2)
        head, before = self.heads.setdefault(frame, (self.at, dict(frame.f_locals)))
        if self.at >= len(self.path) and self.live:
            if carried := [name for name, value in before.items() if frame.f_locals[name] != value]:
                raise BuildError(f"a retry loop carries {', '.join(carried)} into its next round: use while True")
            del self.path[head:]
            self.at = head
        return True

    def _read(self, slot: int) -> Any:
        if not self.inside and self.at < len(self.path):
            self.at += 1
            return self.path[self.at - 1]
        if self.request is not FINISHED:
            raise Preempted
        if slot in self.writes:
            value = freeze(self.writes[slot])
        else:
            self.reads[slot] = None
            value = self.memory.value(slot)
        return value if self.inside else self._observed(value)

    def _write(self, slot: int, value: Any) -> None:
        if self.live and self.request is FINISHED:
            self.writes[slot] = value

    # -- walking

    def remembered(self, place: Place, state: str, run: Callable[..., Piece], *args: Any) -> Piece:
        """The piece known for what `place` reads in `state`, or a new one, run until all that it reads is a word."""
        piece: Piece | None = find(place.pieces, self.memory.view(state))
        while piece is None:
            with suppress(Again):
                piece = run(*args, state)
                place.pieces = insert(place.pieces, piece.reads, self.memory.view(state), piece)
        return piece

    def successor(self, place: Place, state: str) -> Piece:
        """The next piece of the CPU at a place."""
        return self.remembered(place, state, self.piece, place)

    def leaked(self, state: str) -> tuple[str, str] | None:
        """What the end of everything breaks. The official builds lose nothing while their bookkeeping is right."""
        return None if self.kernel.official else self.asked("end", True, state)

    def asked(self, when: str, quiet: bool, state: str) -> tuple[str, str] | None:
        """The first invariant of a moment that is broken. `quiet`: is every CPU outside the kernel?"""
        events = self.asking(when, quiet, state).events
        return events[0] if events else None

    def asking(self, when: str, quiet: bool, state: str) -> Piece:
        """What the invariants of a moment read, and what they say."""
        return self.remembered(self.places[when, quiet], state, self.ask, when, quiet)

    def start(self) -> tuple[str, tuple[Place, ...]]:
        """The state after set-up, every CPU before its first step."""
        state, places = "", []
        for cpu in range(len(self.operations)):
            piece = self.successor(Place(cpu, 0, (), True, FINISHED), state)
            places.append(piece.place)
            state = self.memory.after(state, piece.writes)
        return state, tuple(places)
