"""The walk over states up to the names of CPUs that are alike (memory sc).

A state falls into what all CPUs share and, for each of them, where it stands and the words of its own (TLB, gather).
Each of these parts has a number, so that the next step of a CPU is known once it was taken for what is shared and for
what is its own, whatever the others have.

CPUs that run the same operations on the same things cannot be told apart: of all states that differ in which of them
has which part, one is walked, that in which the parts are sorted. Nothing else in our kernels knows a CPU by its name
but locks, which are only asked whether they are held: the first of these CPUs stands for the one that holds it. A
reader's code might ask for more: beside it, every state is walked.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby, pairwise
from types import FunctionType
from typing import Any

from ..kernel.mm_types import Page
from .pieces import Pieces
from .place import Piece, Place
from .shared_memory import FIRST
from .walk import Walk

Key = tuple[int, ...]
"""The numbers of texts: the shared words; then, for each CPU, the mark of its place and its own words."""
Changes = list[tuple[int, tuple[tuple[int, str], ...]]]
"""For some parts of a state, the characters that come to which places of their texts."""


class Unlike(BaseException):
    """CPUs that were alike are so no more: one of them made something that the others do not have."""


class UpToNames(Walk):
    """`alike`: the CPUs whose names make no difference, two at least."""

    def __init__(self, pieces: Pieces, alike: range) -> None:
        super().__init__(pieces)
        self.alike, self.own = alike, own_words(pieces)
        self.span = slice(alike.start + 1, alike.stop + 1)
        pieces.kinds = [alike[0] if cpu in alike else cpu for cpu in range(len(self.own))]
        memory, self.first, self.end = pieces.memory, self.own[0].start, self.own[-1].stop
        for cpu in alike[1:]:  # from now on the same code means the same
            for slot, twin in zip(self.own[cpu], self.own[alike[0]], strict=True):
                memory.values[slot], memory.codes[slot] = memory.values[twin], memory.codes[twin]
        self.home = {slot: (cpu + 1, at) for cpu, words in enumerate(self.own) for at, slot in enumerate(words, 1)}
        self.elsewhere = [self.home.keys() - set(words) for words in self.own]
        self.numbers, self.texts, self.outside = dict[str, int](), list[str](), list[bool]()
        self.size, self.locks = (0, 0), set[int]()
        self.known, self.changed = dict[int, tuple[Piece, Changes]](), dict[Any, int]()
        self.learnt, self.judged = dict[tuple[int, int], Any](), dict[tuple[int, bool], Any]()

    # -- a state, and the numbers that stand for it

    def number(self, part: int | str, changes: tuple[tuple[int, str], ...] = (), shared: bool = False) -> int:
        """The number of a text, or of one that has a number with some characters changed."""
        text = self.texts[part] if isinstance(part, int) else part
        for at, code in changes:
            text = f"{text[:at].ljust(at, FIRST)}{code}{text[at + 1 :]}"
        text = text.rstrip(FIRST) if shared else text
        if text not in self.numbers:
            self.numbers[text] = len(self.texts)
            self.texts.append(text)
            self.outside.append(text[:1] in self.pieces.outside)
        return self.numbers[text]

    def start(self) -> Key:
        """The state after set-up."""
        state, places = self.pieces.start()
        view = self.pieces.memory.view(state)
        own = [p.mark + view[words.start : words.stop] for p, words in zip(places, self.own, strict=True)]
        shared = self.number(view[: self.first] + view[self.end :], shared=True)
        return self.arranged([shared, *map(self.number, own)])

    def arranged(self, parts: list[int]) -> Key:
        """A state with the parts of CPUs sorted where it makes no difference who has which."""
        parts[self.span] = sorted(parts[self.span])
        return tuple(parts)

    def view(self, key: Key) -> str:
        """The words of a state, in their places."""
        shared, *own = [self.texts[number] for number in key]
        shared = shared.ljust(self.first, FIRST)
        state = f"{shared[: self.first]}{''.join([text[1:] for text in own])}{shared[self.first :]}"
        return self.pieces.memory.view(state)

    def place(self, key: Key, cpu: int) -> Place:
        """Where a CPU stands."""
        return self.pieces.stands(cpu, self.texts[key[cpu + 1]][0])

    def opened(self, key: Key) -> tuple[str, tuple[Place, ...]]:
        """The words of a state, and where the CPUs stand."""
        return self.view(key), tuple(self.place(key, cpu) for cpu in range(len(self.own)))

    def after(self, key: Key, cpu: int, piece: Piece) -> list[int]:
        """A state after a piece of a CPU's, not sorted."""
        parts = [*key]
        for part, changes in self.changes(cpu, piece):
            change = parts[part], changes
            if change not in self.changed:
                self.changed[change] = self.number(parts[part], changes, part == 0)
            parts[part] = self.changed[change]
        return parts

    def changes(self, cpu: int, piece: Piece) -> Changes:
        """What a piece does to which part of a state: characters at places of a text."""
        if (known := self.known.get(id(piece))) is not None:
            return known[1]
        memory, found = self.pieces.memory, defaultdict[int, list[tuple[int, str]]](list)
        found[cpu + 1].append((0, piece.place.mark))
        for slot, code in piece.writes:
            if cpu in self.alike and slot in self.locks and memory.values[slot][code] == cpu:
                code = memory.code(slot, self.alike[0])
            part, at = self.home.get(slot) or (0, slot if slot < self.first else slot - self.end + self.first)
            found[part].append((at, code))
        self.known[id(piece)] = piece, [(part, tuple(changes)) for part, changes in found.items()]
        return self.known[id(piece)][1]

    # -- walking

    def wrong(self, key: Any) -> Any:
        """The first invariant broken in a state."""
        quiet = all(map(self.outside.__getitem__, key[1:]))
        if (key[0], quiet) in self.judged:
            return self.judged[key[0], quiet]
        piece = self.pieces.asking("always", quiet, self.view(key))
        wrong = piece.events[0] if piece.events else None
        if self.home.keys().isdisjoint(piece.reads):
            self.judged[key[0], quiet] = wrong
        return wrong

    def successors(self, key: Any) -> list[tuple[Any, int, Any]]:
        """What can happen next, one step of each CPU: state, CPU, what is wrong. Of CPUs that stand alike, one goes."""
        (shared, *own), found, before = key, list[tuple[Any, int, Any]](), -1
        learnt, alike = self.learnt, self.alike
        for cpu, mine in enumerate(own):
            if mine == before and cpu in alike:
                continue
            before = mine
            if (step := learnt.get((shared, mine))) is None:
                step = self.learn(key, cpu, mine)
            if step:
                new, after, event = step
                if type(after) is int:
                    parts = [new, *own]
                    parts[cpu + 1] = after
                    state = self.arranged(parts) if cpu in alike else tuple(parts)
                else:
                    state = self.arranged([*after])
                found.append((state, cpu, event))
        if not found:
            self.finished(key)
        return found

    def learn(self, key: Key, cpu: int, mine: int) -> Any:
        """The step of a CPU: what is shared then and its own part, or all parts; what is wrong. Empty if it waits.

        It is remembered unless it has to do with words of another CPU.
        """
        place, view = self.place(key, cpu), self.view(key)
        if not self.ready(place, view):
            self.learnt[key[0], mine] = ()
            return ()
        piece = self.pieces.successor(place, view)
        self.check()
        parts, event = self.after(key, cpu, piece), piece.events[0] if piece.events else None
        others = self.elsewhere[cpu]
        if not (others.isdisjoint(piece.reads) and others.isdisjoint(dict(piece.writes))):
            return 0, parts, event
        self.learnt[key[0], mine] = step = parts[0], parts[cpu + 1], event
        return step

    def check(self) -> None:
        """Raise Unlike if one of the CPUs that are alike has something that the others do not have."""
        kernel, memory = self.pieces.kernel, self.pieces.memory
        if self.size != (size := (len(memory.names), len(kernel.locks))):
            self.size, self.locks = size, {memory.slots[id(lock), "value"] for lock in kernel.locks}
            made = any(key[0] is not Page and key[2] in self.alike for key in self.pieces.structs)
            if made or own_words(self.pieces) != self.own:
                raise Unlike

    def schedule(self) -> list[Any]:
        """Whose the steps are, by the names that the CPUs had at the start."""
        names, schedule = [*range(len(self.own))], list[Any]()
        for key, who in self.steps():
            schedule.append(names[who])
            own = self.after(key, who, self.pieces.successor(self.place(key, who), self.view(key)))[1:]
            order = sorted((own[cpu], cpu) for cpu in self.alike)
            names[self.alike.start : self.alike.stop] = [names[cpu] for _, cpu in order]
        return schedule


def own_words(pieces: Pieces) -> list[range]:
    """The words of each CPU, from its first to where the next one's begin; of none if those do not come in order."""
    kernel, cpus = pieces.kernel, range(len(pieces.operations))
    of = {id(thing): cpu for cpu in cpus for thing in (kernel.cpus[cpu], kernel.cpus[cpu].gather)}
    found = [(slot, of[thing]) for (thing, _), slot in pieces.memory.slots.items() if thing in of]
    begins = [min(slot for slot, owner in found if owner == cpu) for cpu in cpus]
    if begins != sorted(begins):
        return [range(0)] * len(cpus)
    return [range(*ends) for ends in pairwise([*begins, max(found)[0] + 1])]


def interchangeable(pieces: Pieces) -> range:
    """The CPUs of the largest group, one after the other, that run the same on the same, and hold the same now."""
    if pieces.watched:
        return range(0)
    does = [[(name, what(function)) for name, function in each] for each in pieces.operations]
    most = max((list(same) for _, same in groupby(range(len(does)), does.__getitem__)), key=len)
    own = own_words(pieces)
    holds = [[pieces.memory.values[slot] for slot in own[cpu]] for cpu in most]
    return range(most[0], most[-1] + 1) if holds.count(holds[0]) == len(most) > 1 else range(0)


def what(function: Any) -> Any:
    """What an operation does, as far as two can be seen to be the same."""
    if type(function) is not FunctionType:
        return id(function)
    cells = tuple(id(cell.cell_contents) for cell in function.__closure__ or ())
    return function.__code__, cells, id(function.__globals__), id(function.__defaults__), id(function.__kwdefaults__)
