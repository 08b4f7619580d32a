"""Pieces of kernel code: what one CPU does from one of its steps to the next, learnt by running the kernel functions.

A piece is run once for each combination of values it reads, and remembered: what it read, what it wrote, where it
stopped. To run it again from the middle of a function, the function is called anew and what it observed so far is
handed to it again, without touching memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from .build import Build
from .decisions import find, insert
from .invariants import broken
from .kernel.arches import ARCHES
from .kernel.machine import KernelBug, Machine, Var
from .kernel.mm_types import PageTable
from .kernel.patches import Patch
from .programs import Program
from .watch import ABSENT, Memory, WatchedDict, watch

PRIMITIVES = (
    "atomic_read", "READ_ONCE", "atomic_set", "WRITE_ONCE", "atomic_add", "atomic_add_return", "atomic_inc",
    "atomic_dec_and_test", "atomic_inc_not_zero", "cmpxchg", "atomic_cmpxchg", "xchg", "spin_lock", "spin_unlock",
    "spin_trylock", "wait_below", "step",
)  # fmt: skip
FUNCTIONS = (
    "tlb_invalidate", "pmdp_idte", "instruction", "alloc_pages", "_free_pages_ok", "put_page_testzero", "get_page",
    "get_page_unless_zero", "page_freeze_refs", "is_huge_zero_page", "is_huge_zero_pmd",
)  # fmt: skip
"""Kernel functions that are one step as a whole: each accesses one shared word, or holds a lock of its own. A patch
that overrides one may do more: then its steps are those inside it."""

ALONE = ("fork", "new_mm", "mmput", "_split_huge_pmd_locked")
"""Kernel functions that change what is no word of the memory: allowed in a set-up only."""


class Preempted(BaseException):
    """Kernel code has come to its next step: the exploration decides who runs."""


class Place:
    """Where a CPU stands: before a step of one of its operations, having observed `path` since that began."""

    __slots__ = ("cpu", "function", "index", "outside", "path", "pieces", "waits", "word")

    def __init__(self, cpu: int, index: int, path: tuple[Any, ...], request: tuple[str, str, Any] | None) -> None:
        self.cpu, self.index, self.path = cpu, index, path
        self.waits: tuple[int, int | None] | None
        self.function, self.word, self.waits = request or ("", "", None)
        self.outside = False
        self.pieces: Any = None


class Piece(NamedTuple):
    """A step and the code up to the next one, for one combination of values read."""

    reads: tuple[int, ...]
    writes: tuple[tuple[int, int], ...]
    place: Place
    events: tuple[tuple[str, str], ...]


def assign(kernel: Any, name: str, value: Any) -> None:
    """Set an attribute of a kernel; what the code of one CPU may change has to be a word."""
    if not isinstance(getattr(type(kernel), name, None), property) and name not in ("cpu", "observer", "quiet"):
        raise RuntimeError(f"{name} came into being during an exploration: set it in boot_huge_memory")
    object.__setattr__(kernel, name, value)


def explored_class(cls: type) -> type:
    """The kernel class whose steps ask the explorer first."""

    def asking(name: str) -> Callable[..., Any]:
        def step(self: Any, *args: Any, **kwargs: Any) -> Any:
            return self.explorer.step(getattr(cls, name), name, self, args, kwargs)

        return step

    def refusing(name: str) -> Callable[..., Any]:
        def refuse(self: Any, *args: Any) -> Any:
            raise RuntimeError(f"{name} cannot be explored: it changes more than the words of the memory")

        return refuse

    body: dict[str, Any] = {name: refusing(name) for name in ALONE}
    patches = [vars(layer) for layer in cls.__mro__ if issubclass(layer, Patch) and not issubclass(layer, Machine)]
    whole = [name for name in FUNCTIONS if not any(name in patch for patch in patches)]
    body |= {name: asking(name) for name in (*PRIMITIVES, *whole)}
    body["pte_alloc_one"] = lambda self, mm: self.explorer.page_tables[mm]
    body["pte_free"] = body["pte_free_tlb"] = lambda self, mm, table: None
    body["__setattr__"] = assign
    body["retry"] = lambda self: self.explorer.retry()
    body["violate"] = lambda self, invariant, what: self.explorer.events.append((invariant, what))
    return type("Explored", (cls,), body)


class Explorer:
    """The pieces of one build and program, found as they are needed."""

    def __init__(
        self, build: Build, program: Program, cpus: int, kernel_class: type | None = None, **options: Any
    ) -> None:
        order = int(ARCHES[build.arch]["huge_page_order"])
        self.kernel: Any = build.boot(cpus, (cpus + 2) << order >> 8, kernel_class)
        self.operations = program.set_up(self.kernel, cpus, **options)
        self.memory = Memory()
        self.inside = self.live = False
        self.events: list[tuple[str, str]] = []
        self.places: dict[Any, Place] = {}
        self.verdicts: dict[bool, Any] = {True: None, False: None}
        self.request: tuple[str, str, Any] | None = None
        self._watch(build)

    def _watch(self, build: Build) -> None:
        """Every mutable field of the booted kernel becomes a word."""
        kernel, memory = self.kernel, self.memory
        for block in kernel.mem_map:
            kernel.page(block << kernel.hpage_order)
        things = [(name, v) for name, v in vars(kernel).items() if type(v).__name__ == "Var"]
        things += [(f"cpu{cpu.id}", cpu) for cpu in kernel.cpus]
        things += [(f"cpu{cpu.id}.gather", cpu.gather) for cpu in kernel.cpus]
        self.page_tables = {mm: PageTable(kernel.page(0)) for mm in kernel.mms}
        for mm, spare in self.page_tables.items():
            for table in {v.value.table for v in mm.pmd.values() if v.value is not None and v.value.table} | {spare}:
                ptes: Any = {0: ABSENT, **table.ptes}
                table.ptes = WatchedDict(memory, id(table), f"{mm.name}.ptes", ptes)
            mm.deposit = {slot: mm.deposit.get(slot, ABSENT) for slot in mm.pmd}
            mm.rss = dict.fromkeys(("MM_ANONPAGES", "MM_FILEPAGES"), 0) | dict(mm.rss)
            words = [mm.ptl, mm.huge_zero, mm.tlb_word, mm.attach_count, mm.flush_mm, *mm.pmd.values()]
            things += [(mm.name, mm), *((word.name, word) for word in words)]
        for page in [p for block in kernel.mem_map.values() for p in block.values()]:
            things += [(f"page[{page.pfn:#x}]", page), *((w.name, w) for w in (page.count, page.mapcount))]
        for name, thing in things:
            watch(memory, name, thing)
        kernel.free_area = [
            WatchedDict(memory, ("free", kind), f"free_area[{kind}]", dict(enumerate(area)))
            for kind, area in enumerate(kernel.free_area)
        ]
        kernel.mem_map = {block: MappingProxyType(pages) for block, pages in kernel.mem_map.items()}
        kernel.pageblock = WatchedDict(memory, "pageblock", "pageblock", kernel.pageblock)
        cls, known = explored_class(type(kernel)), vars(replace(build, patches=()).boot())
        for name in ("pins", *(n for n, v in vars(kernel).items() if n not in known and not isinstance(v, Var))):
            memory.add(name, name, getattr(kernel, name))
            setattr(cls, name, self._word(memory.slots[name]))
        kernel.explorer, kernel.__class__ = self, cls

    def _word(self, slot: int) -> property:
        """An attribute of the kernel, kept in a word."""
        return property(lambda k: self.memory.on_read(slot), lambda k, v: self.memory.on_write(slot, v))

    # -- running one piece of kernel code

    def piece(self, place: Place | None, cpu: int, state: bytes) -> Piece:
        """Run the code of a CPU from `place` (None: from the start) to its next step, on `state`."""
        memory, kernel = self.memory, self.kernel
        memory.state = bytearray(state)
        memory.on_read, memory.on_write = self._read, self._write
        self.path = list(place.path) if place else []
        self.replay, self.live, self.inside = (len(self.path), place is None, False)
        self.at, self.heads = 0, dict[Any, tuple[int, dict[str, Any]]]()
        self.reads: dict[int, int] = {}
        self.writes: dict[int, int] = {}
        self.events, self.request, self.passed = [], None, place is None
        kernel.cpu, index = kernel.cpus[cpu], place.index if place else 0
        operations = self.operations[cpu]
        outside = place is None
        try:
            while index < len(operations):
                operations[index][1](kernel)
                index, outside = index + 1, True
                self.path, self.at, self.replay, self.heads = [], 0, 0, {}
        except Preempted:
            pass
        except KernelBug as bug:
            self.events.append(("no-bug", str(bug)))
            index, outside = len(operations), True
        self.inside = False
        memory.on_read, memory.on_write = memory.value, memory.put
        request = self.request if index < len(operations) else None
        new = self._place(cpu, index, tuple(self.path) if request else (), request, outside)
        return Piece(tuple(self.reads), tuple(self.writes.items()), new, tuple(self.events))

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
            blocked = args[0] if name in ("spin_lock", "wait_below") else None
            limit = args[1] if name == "wait_below" else None
            function = name if name in FUNCTIONS else sys._getframe(2).f_code.co_name
            word = getattr(args[0], "name", "") if args else ""
            slot = None if blocked is None else self.memory.slots[id(blocked), "value"]
            self.request = (function, word, None if slot is None else (slot, limit))
            raise Preempted
        self.passed = self.live = self.inside = True
        result = original(kernel, *args, **kwargs)
        self.inside = False
        self.path.append(result)
        self.at = self.replay = len(self.path)
        return result

    def retry(self) -> bool:
        """Back at the head of a retry loop: forget what was observed since the CPU first came there."""
        frame = sys._getframe(2)
        head, before = self.heads.setdefault(frame, (self.at, dict(frame.f_locals)))
        if self.at >= self.replay and self.live:
            if carried := [name for name, value in before.items() if frame.f_locals[name] != value]:
                raise RuntimeError(f"a retry loop carries {', '.join(carried)} into its next round: use while True")
            del self.path[head:]
            self.at = self.replay = len(self.path)
        return True

    def _read(self, slot: int) -> Any:
        if not self.inside and self.at < self.replay:
            self.at += 1
            return self.path[self.at - 1]
        code = self.memory.state[slot]
        if slot not in self.writes:
            self.reads.setdefault(slot, code)
        value = self.memory.values[slot][code]
        if not self.inside:
            self.path.append(value)
            self.at = self.replay = len(self.path)
        return value

    def _write(self, slot: int, value: Any) -> None:
        if self.live:
            self.memory.put(slot, value)
            self.writes[slot] = self.memory.state[slot]

    # -- walking

    def successor(self, place: Place, state: bytes) -> Piece:
        """The remembered piece for what `place` reads in `state`, or a new one."""
        piece = find(place.pieces, state)
        if piece is None:
            piece = self.piece(place, place.cpu, state)
            place.pieces = insert(place.pieces, piece.reads, state, piece)
        return piece

    def waiting(self, waits: tuple[int, int | None], state: bytes) -> bool:
        """Is a lock still held, or a word not yet below its limit?"""
        slot, limit = waits
        value = self.memory.values[slot][state[slot]]
        return value is not None if limit is None else bool(value >= limit)

    def wrong(self, state: bytes, places: tuple[Place, ...]) -> tuple[str, str] | None:
        """The first invariant broken in a state."""
        quiet = all(place.outside for place in places)
        verdict = find(self.verdicts[quiet], state)
        if verdict is None:
            memory = self.memory
            memory.state, reads = bytearray(state), dict[int, int]()
            memory.on_read = lambda slot: (reads.setdefault(slot, 0), memory.value(slot))[1]
            self.kernel.quiet, self.inside = quiet, True
            verdict = [broken(self.kernel, "always")]
            self.inside, memory.on_read = False, memory.value
            self.verdicts[quiet] = insert(self.verdicts[quiet], list(reads), state, verdict)
        return verdict[0]

    def start(self) -> tuple[bytes, tuple[Place, ...]]:
        """The state after set-up, every CPU before its first step."""
        state, places = bytearray(self.memory.initial), []
        for cpu in range(len(self.operations)):
            piece = self.piece(None, cpu, bytes(state))
            places.append(piece.place)
            for slot, code in piece.writes:
                state[slot] = code
        return bytes(state), tuple(places)
