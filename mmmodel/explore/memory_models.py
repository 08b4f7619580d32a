"""Walks in which CPUs do not see each other's accesses in the order in which they are made.

`tso` (x86, s390, sparc64): a store waits in a buffer of its CPU. `weak` (arm64, powerpc and others, as the kernel's own
memory model allows it): a CPU may read older values, see `views`. The state holds the newest value of each word, so
that invariants and waits for locks do not change; the key of a state gets a third part, which says who may still see
what. Racy words are those of the huge zero page (HZR, PTR, PFN, the mm's flag), and what a patch or a program adds
to the kernel; all others are seen at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..kernel.machine import Var
from .pieces import Pieces
from .place import Piece, Place
from .verdict import Step
from .views import Order
from .walk import Plain, Walk

Successor = tuple[Any, Any, Any]
Choice = tuple[str, Any, Piece | None]
"""The new state, what everybody may see then, and the piece that ran (None: a store became visible)."""


class Relaxed(Walk):
    """A walk whose keys have a third part; `who` is a CPU and the number of its choice."""

    def __init__(self, pieces: Pieces) -> None:
        super().__init__(pieces)
        pieces.relaxed = True
        self.racy: dict[int, int] = {}

    def start(self) -> Any:
        """The state after set-up: everybody has seen everything."""
        state, places = self.pieces.start()
        kernel, memory = self.pieces.kernel, self.pieces.memory
        own = [kernel.huge_zero_page, kernel.huge_zero_refcount, *(mm.huge_zero for mm in kernel.mms)]
        added = [
            value for thing in vars(kernel).values() for value in (thing.values() if type(thing) is dict else [thing])
        ]
        found = [word for word in (*own, *added) if isinstance(word, Var) and "lock" not in word.name]
        slots = [memory.slots[id(word), "value"] for word in dict.fromkeys(found)]
        self.racy = {slot: number for number, slot in enumerate(slots)}
        view = memory.view(state)
        return state, places, self.first([view[slot] for slot in slots], len(places))

    def first(self, codes: list[str], cpus: int) -> Any:
        """The third part of the key when everybody has seen everything. `codes`: the values of the racy words."""
        raise NotImplementedError

    def known(self, order: Any, places: tuple[Place, ...]) -> Any:
        """The third part of a key, without what can make no difference any more."""
        raise NotImplementedError

    def choices(self, state: str, places: tuple[Place, ...], cpu: int, order: Any, ready: bool) -> Iterator[Choice]:
        """What a CPU can do next. `ready`: its next step does not wait."""
        raise NotImplementedError

    def successors(self, key: Any) -> list[Successor]:
        """One step of each CPU, with each value that it may find."""
        state, places, order = key
        state, found = self.pieces.memory.view(state), list[Successor]()
        for cpu, place in enumerate(places):
            ready = self.ready(place, state)
            for number, (new, then, piece) in enumerate(self.choices(state, places, cpu, order, ready)):
                after = places if piece is None else (*places[:cpu], piece.place, *places[cpu + 1 :])
                event = piece.events[0] if piece is not None and piece.events else None
                found.append(((new, after, self.known(then, after)), (cpu, number), event))
        if not found:
            self.finished(key)
        return found

    def describe(self, key: Any, who: Any) -> Step:
        """One step in words, with what it found."""
        state, places, order = key
        cpu, number = who
        place, state = places[cpu], self.pieces.memory.view(state)
        ready = self.ready(place, state)
        new, then, piece = [*self.choices(state, places, cpu, order, ready)][number]
        step = self.step(place, state, new)
        if piece is None:
            return step._replace(function="store buffer", word=step.more[0][0] if step.more else "")
        return step._replace(missed=self.missed(then, piece))

    def missed(self, order: Any, piece: Piece) -> tuple[str, str, Any, Any] | None:
        """What a step did not see (see Step.missed)."""
        return None


class Weak(Relaxed):
    """A CPU may read values that are not older than its view. What everybody may see is a number that stands for it."""

    def __init__(self, pieces: Pieces) -> None:
        super().__init__(pieces)
        self.numbers: dict[Order, int] = {}
        self.orders: list[Order] = []
        self.seen: dict[Any, int] = {}

    def first(self, codes: list[str], cpus: int) -> Any:
        """One message for each word."""
        return self.number(Order.of(codes, cpus))

    def number(self, order: Order) -> int:
        """A number that stands for what everybody may see."""
        if order not in self.numbers:
            self.numbers[order] = len(self.orders)
            self.orders.append(order)
        return self.numbers[order]

    def known(self, order: Any, places: tuple[Place, ...]) -> Any:
        """The number after what a CPU did. `order`: the number before, the CPU, what it did and wrote besides."""
        finished = tuple([not place.function for place in places])
        if (order, finished) not in self.seen:
            before, cpu, (act, *args), besides = order
            then: Order = act(self.orders[before], cpu, *args)
            for word, code in besides:
                then = then.after_write(cpu, word, len(then.words[word]), code, False)
            self.seen[order, finished] = self.number(then.forgotten(finished))
        return self.seen[order, finished]

    def choices(self, state: str, places: tuple[Place, ...], cpu: int, order: Any, ready: bool) -> Iterator[Choice]:
        """The values a step can find, and the places its store can take."""
        if not ready:
            return
        views, memory, place = self.orders[order], self.pieces.memory, places[cpu]
        piece = self.pieces.successor(place, state)
        name, kind, slot = piece.access
        word, written = self.racy.get(slot, -1), dict(piece.writes).get(slot)
        newest = len(views.words[word]) - 1 if word >= 0 else 0

        def done(found: Piece, *act: Any, hidden: bool = False) -> Choice:
            """The state after a piece. `hidden`: its store is older than the newest value already."""
            besides = tuple([(self.racy[s], code) for s, code in found.writes if s in self.racy and s != slot])
            writes = [(s, code) for s, code in found.writes if s != slot] if hidden else found.writes
            return memory.after(state, writes), (order, cpu, act, besides), found

        if word < 0:
            yield done(piece, ordered_by, kind, slot, written is not None)
        elif kind.startswith("write"):
            for at in views.gaps(cpu, word):
                yield done(piece, stored, word, at, name, kind, written, hidden=at <= newest)
        elif written is not None:
            yield done(piece, exchanged, word, name, kind, written)
        else:
            for at, code in views.readable(cpu, word):
                found = piece if at == newest else self.pieces.successor(place, memory.after(state, [(slot, code)]))
                if at == newest or slot not in dict(found.writes):
                    yield done(found, Order.after_read, word, at, kind == "read acquire")

    def missed(self, order: Any, piece: Piece) -> tuple[str, str, Any, Any] | None:
        """An older value that was read, or a store that comes before one which others have made."""
        before, _, (act, *args), _ = order
        if act is ordered_by or act is exchanged:
            return None
        (word, at), slot = args[:2], piece.access[2]
        codes = [message.code for message in self.orders[before].words[word]]
        verb, code = ("writes", args[-1]) if act is stored else ("reads", codes[at])
        if at >= len(codes) - (act is not stored):
            return None
        values = self.pieces.memory.values[slot]
        return verb, self.pieces.memory.names[slot], values[code], values[codes[-1]]


def stored(order: Order, cpu: int, word: int, at: int, name: str, kind: str, code: str) -> Order:
    """A store to a racy word."""
    order = order.after_write(cpu, word, at, code, "release" in kind)
    views = order.cpus[cpu]
    return order.with_views(cpu, views._replace(unlocked=views.now)) if name == "spin_unlock" else order


def exchanged(order: Order, cpu: int, word: int, name: str, kind: str, code: str) -> Order:
    """A read-modify-write of a racy word: of its newest value."""
    at, full = len(order.words[word]) - 1, "full" in kind
    released = order.words[word][at].view
    order = order.after_barrier(cpu, "mb") if full else order
    order = order.after_read(cpu, word, at, full or "acquire" in kind)
    order = order.after_write(cpu, word, at + 1, code, full or "release" in kind, follows=True)
    if name == "spin_lock":
        order = order.after_lock(cpu, -1, released)
    return order.after_barrier(cpu, "mb") if full else order


def ordered_by(order: Order, cpu: int, kind: str, slot: int, wrote: bool) -> Order:
    """What an access to a word that is not racy orders. A read-modify-write that fails orders nothing."""
    if kind.startswith("rmw") and not wrote:
        return order
    if "full" in kind or kind in ("mb", "rmb", "wmb"):
        return order.after_barrier(cpu, kind if kind in ("rmb", "wmb") else "mb")
    if "acquire" in kind or kind == "lock":
        order = order.after_lock(cpu, slot)
    return order.after_unlock(cpu, slot) if "release" in kind or kind == "lock" else order


class Tso(Relaxed):
    """A store to a racy word waits in its CPU's buffer; every other write, and what orders, waits until it is empty."""

    def first(self, codes: list[str], cpus: int) -> Any:
        """Empty buffers."""
        return ((),) * cpus

    def known(self, order: Any, places: tuple[Place, ...]) -> Any:
        """The buffers say it all."""
        return order

    def wrong(self, key: Any) -> Any:
        """While a store waits, some CPU is still at work."""
        quiet = all(place.outside for place in key[1]) and not any(key[2])
        return self.pieces.asked("always", quiet, key[0])

    def choices(self, state: str, places: tuple[Place, ...], cpu: int, order: Any, ready: bool) -> Iterator[Choice]:
        """The next step, which sees the CPU's own stores; and the oldest store of the buffer becomes visible."""
        memory, buffers, own = self.pieces.memory, order, order[cpu]
        if ready:
            piece = self.pieces.successor(places[cpu], memory.after(state, own) if own else state)
            kind, slot = piece.access[1:]
            if not own or kind.startswith("read") or not kind or (kind.startswith("write") and slot in self.racy):
                waits = kind.startswith("write")
                later = tuple((s, code) for s, code in piece.writes if waits and s == slot and s in self.racy)
                now = [(s, code) for s, code in piece.writes if (s, code) not in later]
                yield memory.after(state, now), (*buffers[:cpu], own + later, *buffers[cpu + 1 :]), piece
        if own:
            yield memory.after(state, own[:1]), (*buffers[:cpu], own[1:], *buffers[cpu + 1 :]), None


MODELS = {"sc": Plain, "tso": Tso, "weak": Weak}
