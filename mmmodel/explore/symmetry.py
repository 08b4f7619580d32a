"""CPUs that cannot be told apart: they run the same operations on the same things, and are explored up to their names.

A state falls into what all share (with where the other CPUs stand) and, for each of these CPUs, where it stands and the
words of its own (TLB, gather). Of all states that differ in which CPU has which of these only, one is walked: that in
which they are sorted. Nothing else in our kernels knows a CPU by its name but locks, which are only asked whether they
are held: the first of these CPUs stands for the one that holds it. A reader's code might ask for more: beside it, every
state is walked.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from types import FunctionType
from typing import Any

from ..kernel.mm_types import Page
from .pieces import Pieces
from .place import Piece, Place
from .shared_memory import FIRST
from .walk import Walk

Key = tuple[int, tuple[int, ...]]
"""The numbers of texts: of what is shared, and of what is each CPU's own. A text has marks of places, then words."""


class Unlike(BaseException):
    """CPUs that were alike are so no more: there is something of one that the others do not have."""


class UpToNames(Walk):
    """A walk over one state of each kind."""

    def __init__(self, pieces: Pieces, cpus: range) -> None:
        super().__init__(pieces)
        self.alike, self.owner, memory = cpus, own_words(pieces, cpus), pieces.memory
        self.others = [cpu for cpu in range(len(pieces.operations)) if cpu not in cpus]
        self.first, self.end = min(self.owner), max(self.owner) + 1
        self.width = (self.end - self.first) // len(cpus)
        for slot in range(self.first + self.width, self.end):  # from now on the same code means the same
            twin = self.first + (slot - self.first) % self.width
            memory.values[slot], memory.codes[slot] = memory.values[twin], memory.codes[twin]
        self.marks = {cpu: (0, at) for at, cpu in enumerate(self.others, 1)}
        self.marks |= {cpu: (text, 0) for text, cpu in enumerate(cpus, 1)}
        self.not_of = {cpu: {slot for slot, of in self.owner.items() if of != cpu} for cpu in self.marks}
        self.numbers, self.texts, self.quiet = dict[str, int](), list[str](), list[bool]()
        self.size, self.locks = (0, 0), set[int]()
        self.learnt, self.judged = dict[tuple[int, int], Any](), dict[tuple[int, bool], Any]()

    def grown(self) -> None:
        """Are there more words, or locks, than before?

        Raises Unlike if there is something of one of the CPUs that the others do not have.
        """
        memory, kernel, structs = self.pieces.memory, self.pieces.kernel, self.pieces.structs
        if self.size != (size := (len(memory.names), len(kernel.locks))):
            self.size, self.locks = size, {memory.slots[id(lock), "value"] for lock in kernel.locks}
            made = any(key[0] is not Page and key[2] in self.alike for key in structs)
            if made or own_words(self.pieces, self.alike) != self.owner:
                raise Unlike

    # -- a state, and the numbers that stand for it

    def numbered(self, texts: list[str]) -> Key:
        """The numbers of texts: of what is shared, of each CPU."""
        texts[0] = texts[0].rstrip(FIRST)
        for which, text in enumerate(texts):
            if text not in self.numbers:
                self.numbers[text] = len(self.texts)
                self.texts.append(text)
                marks = text[0] if which else text[1 : len(self.others) + 1]
                self.quiet.append(self.pieces.outside.issuperset(marks))
        shared, *own = [self.numbers[text] for text in texts]
        return shared, tuple(own)

    def start(self) -> Key:
        """The state after set-up."""
        state, places = self.pieces.start()
        view, marks = self.pieces.memory.view(state), [place.mark for place in places]
        own = [
            marks[cpu] + view[(at := self.first + i * self.width) : at + self.width] for i, cpu in enumerate(self.alike)
        ]
        shared = FIRST + "".join(marks[cpu] for cpu in self.others) + view[: self.first] + view[self.end :]
        number, numbers = self.numbered([shared, *own])
        return number, tuple(sorted(numbers))

    def view(self, key: Key) -> str:
        """The words of a state, in their places."""
        shared, own = (
            self.texts[key[0]][len(self.others) + 1 :].ljust(self.first, FIRST),
            [self.texts[n] for n in key[1]],
        )
        state = f"{shared[: self.first]}{''.join([text[1:] for text in own])}{shared[self.first :]}"
        return self.pieces.memory.view(state)

    def place(self, key: Key, cpu: int) -> Place:
        """Where a CPU stands."""
        text, at = self.marks[cpu]
        return self.pieces.stands(cpu, self.texts[key[1][text - 1] if text else key[0]][at])

    def after(self, key: Key, cpu: int, piece: Piece) -> Key:
        """The numbers after a piece of a CPU's; those of the CPUs that are alike by their names, not sorted."""
        memory = self.pieces.memory
        texts = [
            self.texts[key[0]].ljust(len(self.others) + len(memory.names) + 1, FIRST),
            *[self.texts[number] for number in key[1]],
        ]
        changes = [(*self.marks[cpu], piece.place.mark)]
        for slot, code in piece.writes:
            if slot in self.locks and memory.values[slot][code] in self.alike:
                code = memory.code(slot, self.alike[0])
            text, at = divmod(slot - self.first, self.width) if self.first <= slot < self.end else (-1, slot)
            at += 1 if text >= 0 else len(self.others) + 1 - (self.end - self.first) * (slot >= self.end)
            changes.append((text + 1, at, code))
        for text, at, code in changes:
            texts[text] = f"{texts[text][:at]}{code}{texts[text][at + 1 :]}"
        return self.numbered(texts)

    # -- walking

    def wrong(self, key: Any) -> Any:
        """The first invariant broken in a state."""
        quiet = self.quiet[key[0]] and all(map(self.quiet.__getitem__, key[1]))
        if (key[0], quiet) in self.judged:
            return self.judged[key[0], quiet]
        piece = self.pieces.asking("always", quiet, self.view(key))
        self.grown()
        wrong = piece.events[0] if piece.events else None
        if self.owner.keys().isdisjoint(piece.reads):
            self.judged[key[0], quiet] = wrong
        return wrong

    def finished(self, key: Any) -> None:
        """Nobody can go on."""
        super().finished((self.view(key), tuple(self.place(key, cpu) for cpu in sorted(self.marks))))
        self.found = self.found and (self.found[0], key, -1)

    def successors(self, key: Any) -> list[tuple[Any, int, Any]]:
        """What can happen next; of CPUs that stand alike, one takes the step."""
        (shared, own), found = key, list[tuple[Any, int, Any]]()
        for cpu, (text, _) in self.marks.items():
            mine = own[text - 1] if text else -1 - cpu
            if text > 1 and mine == own[text - 2]:
                continue
            if (step := self.learnt.get((shared, mine))) is None:
                step = self.learn(key, cpu, mine)
            if step:
                new, after, event = step
                if type(after) is int:
                    after = [*own[: text - 1], after, *own[text:]] if text else own
                found.append(((new, tuple(sorted(after))), cpu, event))
        if not found:
            self.finished(key)
        return found

    def learn(self, key: Key, cpu: int, mine: int) -> Any:
        """A step of a CPU: the number of what is shared then, that of this CPU or those of all, and what is wrong.

        Empty if it waits. Remembered for what is shared and `mine`, unless it has to do with others that are alike.
        """
        place, view = self.place(key, cpu), self.view(key)
        if not self.ready(place, view):
            self.learnt[key[0], mine] = ()
            return ()
        piece = self.pieces.successor(place, view)
        self.grown()
        (shared, own), event = self.after(key, cpu, piece), piece.events[0] if piece.events else None
        others = self.not_of[cpu]
        if not (others.isdisjoint(piece.reads) and others.isdisjoint(dict(piece.writes))):
            return shared, own, event
        self.learnt[key[0], mine] = step = shared, own[self.marks[cpu][0] - 1] if cpu in self.alike else 0, event
        return step

    def schedule(self) -> list[Any]:
        """Whose the steps are, by the names that the CPUs had at the start."""
        names, schedule, first, end = [*self.marks], list[Any](), self.alike[0], self.alike[-1] + 1
        names.sort()
        for key, who in self.steps():
            schedule.append(names[who])
            own = self.after(key, who, self.pieces.successor(self.place(key, who), self.view(key)))[1]
            names[first:end] = [names[cpu] for _, cpu in sorted(zip(own, self.alike, strict=True))]
        return schedule


def interchangeable(pieces: Pieces) -> range:
    """The CPUs of the largest group, one after the other, that run the same on the same, and hold the same now."""
    does = [[(name, what(function)) for name, function in each] for each in pieces.operations]
    most = max((list(same) for _, same in groupby(range(len(does)), does.__getitem__)), key=len)
    holds = [[pieces.memory.values[slot] for slot in own_words(pieces, [cpu])] for cpu in most]
    return range(most[0], most[-1] + 1) if not pieces.watched and holds.count(holds[0]) == len(most) > 1 else range(0)


def own_words(pieces: Pieces, cpus: Collection[int]) -> dict[int, int]:
    """The words that belong to one of these CPUs, and to which."""
    own = {id(thing): cpu for cpu in cpus for thing in (pieces.kernel.cpus[cpu], pieces.kernel.cpus[cpu].gather)}
    return {slot: own[thing] for (thing, _), slot in pieces.memory.slots.items() if thing in own}


def what(function: Any) -> Any:
    """What an operation does, as far as two can be seen to be the same."""
    if type(function) is not FunctionType:
        return id(function)
    cells = tuple(id(cell.cell_contents) for cell in function.__closure__ or ())
    return function.__code__, cells, id(function.__globals__), id(function.__defaults__), id(function.__kwdefaults__)
