"""Weak memory as messages and views: which writes a CPU may still miss.

A word that CPUs race for is a list of messages, oldest first. A CPU may read any message that is not older than its
*view* of the word; reading and writing move the view on. A release puts the writer's view into its message, an acquire
takes it over, a full barrier exchanges views with one global view. Nothing is promised: a write is never seen before it
is made, so load buffering is left out (see `study.litmus`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

View = tuple[int, ...]
"""For each word, the number of the oldest message that may be read."""


class Message(NamedTuple):
    """What was written (the character of a value), what an acquire learns of it, and: did it follow the message before
    it in one operation, so that nothing comes between them?"""

    code: str
    view: View
    follows: bool = False


class Views(NamedTuple):
    """Of one CPU: what it knows (`now`), what a read barrier would add (`read`), what its writes carry (`fenced`), and
    what they will carry once it takes a lock (`unlocked`: all it knew when it released one)."""

    now: View
    read: View
    fenced: View
    unlocked: View


class Order(NamedTuple):
    """The messages of all words, the views of all CPUs, of locks (by slot), and the one of full barriers."""

    words: tuple[tuple[Message, ...], ...]
    cpus: tuple[Views, ...]
    locks: tuple[tuple[int, View], ...]
    everybody: View

    @classmethod
    def of(cls, codes: Sequence[str], cpus: int) -> Order:
        """One message for each word, known to everybody."""
        nothing = (0,) * len(codes)
        return cls(tuple((Message(c, nothing),) for c in codes), (Views(*[nothing] * 4),) * cpus, (), nothing)

    def readable(self, cpu: int, word: int) -> Iterator[tuple[int, str]]:
        """The messages a CPU may read, newest first: their numbers and values."""
        messages = self.words[word]
        return ((at, messages[at].code) for at in range(len(messages) - 1, self.cpus[cpu].now[word] - 1, -1))

    def gaps(self, cpu: int, word: int) -> Iterator[int]:
        """Where a CPU may write: last, or before messages that it has not seen."""
        messages = self.words[word]
        yield len(messages)
        yield from (at for at in range(len(messages) - 1, self.cpus[cpu].now[word], -1) if not messages[at].follows)

    def after_read(self, cpu: int, word: int, at: int, acquire: bool) -> Order:
        """A CPU has read a message."""
        views, learnt = self.cpus[cpu], raised(self.words[word][at].view, word, at)
        now = joined(views.now, learnt) if acquire else raised(views.now, word, at)
        read = joined(joined(views.read, learnt), now)
        return self.with_views(cpu, Views(now, read, views.fenced, views.unlocked))

    def after_write(self, cpu: int, word: int, at: int, code: str, release: bool, follows: bool = False) -> Order:
        """A CPU has written a message after `at` others; one that `follows` goes on with what that one released."""
        order = self.mapped(lambda view: moved_up(view, word, at)) if at < len(self.words[word]) else self
        views = order.cpus[cpu]
        now = raised(views.now, word, at)
        carried = joined(raised(views.fenced, word, at), now if release else views.fenced)
        if follows:
            carried = joined(carried, order.words[word][at - 1].view)
        messages = (*order.words[word][:at], Message(code, carried, follows), *order.words[word][at:])
        words = (*order.words[:word], messages, *order.words[word + 1 :])
        views = Views(now, raised(views.read, word, at), views.fenced, views.unlocked)
        return Order(words, order.cpus, order.locks, order.everybody).with_views(cpu, views)

    def after_barrier(self, cpu: int, kind: str) -> Order:
        """mb: a CPU and all full barriers know the same; rmb: what it read counts; wmb: its writes carry that."""
        views = self.cpus[cpu]
        if kind == "rmb":
            return self.with_views(cpu, views._replace(now=views.read))
        if kind == "wmb":
            return self.with_views(cpu, views._replace(fenced=views.now))
        known = joined(views.read, self.everybody)
        return self._replace(everybody=known).with_views(cpu, Views(known, known, known, views.unlocked))

    def after_lock(self, cpu: int, slot: int, released: View | None = None) -> Order:
        """A lock was taken: what its last owner knew. An unlock and then a lock keep writes in order for all CPUs."""
        views = self.cpus[cpu]
        released = joined(dict(self.locks).get(slot, views.unlocked) if released is None else released, views.unlocked)
        now = joined(views.now, released)
        return self.with_views(cpu, Views(now, joined(views.read, now), joined(views.fenced, released), views.unlocked))

    def after_unlock(self, cpu: int, slot: int) -> Order:
        """A lock was released."""
        views, locks = self.cpus[cpu], dict(self.locks)
        locks[slot] = joined(locks.get(slot, views.now), views.now)
        return self._replace(locks=tuple(sorted(locks.items()))).with_views(cpu, views._replace(unlocked=views.now))

    def forgotten(self, finished: Sequence[bool]) -> Order:
        """Without the messages that nobody can read any more, and without what CPUs know that have finished."""
        last = tuple([len(messages) - 1 for messages in self.words])
        cpus = tuple([Views(*[last] * 4) if done else of for of, done in zip(self.cpus, finished, strict=True)])
        oldest = tuple(map(min, *(views.now for views in cpus), last))
        words = tuple([_from(messages, first) for messages, first in zip(self.words, oldest, strict=True)])
        order = Order(words, cpus, self.locks, self.everybody)
        if any(oldest):
            order = order.mapped(lambda view: tuple([max(0, n - first) for n, first in zip(view, oldest, strict=True)]))
        return order._replace(locks=tuple([each for each in order.locks if any(each[1])]))

    def mapped(self, moved: Callable[[View], View]) -> Order:
        """The same with every view changed."""
        moved = cache(moved)  # few views are unlike each other
        return Order(
            tuple([tuple([Message(m.code, moved(m.view), m.follows) for m in each]) for each in self.words]),
            tuple([Views(*map(moved, views)) for views in self.cpus]),
            tuple([(slot, moved(view)) for slot, view in self.locks]),
            moved(self.everybody),
        )

    def with_views(self, cpu: int, views: Views) -> Order:
        """The same, with what one CPU knows replaced."""
        cpus = (*self.cpus[:cpu], views, *self.cpus[cpu + 1 :])
        return Order(self.words, cpus, self.locks, self.everybody)


def _from(messages: tuple[Message, ...], first: int) -> tuple[Message, ...]:
    """The messages from one on, which follows none now."""
    oldest = messages[first]
    return messages if not (first or oldest.follows) else (oldest._replace(follows=False), *messages[first + 1 :])


def joined(one: View, other: View) -> View:
    """What both know together."""
    return one if one == other else tuple(map(max, one, other))


def raised(view: View, word: int, at: int) -> View:
    """A view that knows message `at` of a word."""
    return view if view[word] >= at else (*view[:word], at, *view[word + 1 :])


def moved_up(view: View, word: int, at: int) -> View:
    """A view when a message has come in before number `at`."""
    return view if view[word] < at else (*view[:word], view[word] + 1, *view[word + 1 :])
