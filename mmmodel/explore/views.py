"""Weak memory as messages and views: which writes a CPU may still miss.

A word that several CPUs race for is a list of messages, oldest first. A CPU may read any message that is not older than
its *view* of the word; reading and writing move the view on. A release puts the writer's view into its message, an
acquire takes it over, a full barrier exchanges views with one global view. Nothing is promised: a write is never seen
before it is made, so load buffering is left out (see `study.litmus`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

View = tuple[int, ...]
"""For each word, the number of the oldest message that may be read."""


class Message(NamedTuple):
    """What was written (the character of a value), what its reader learns by an acquire, and: did it follow the message
    before it in one operation, so that nothing comes between them?"""

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


def join(one: View, other: View) -> View:
    """What both know together."""
    return one if one is other else tuple(map(max, one, other))


def start(codes: list[str], cpus: int) -> Order:
    """One message for each word, known to everybody."""
    nothing = (0,) * len(codes)
    views = Views(nothing, nothing, nothing, nothing)
    return Order(tuple((Message(code, nothing),) for code in codes), (views,) * cpus, (), nothing)


def readable(order: Order, cpu: int, word: int) -> list[tuple[int, str]]:
    """The messages a CPU may read, newest first: their numbers and values."""
    messages = order.words[word]
    return [(at, messages[at].code) for at in range(len(messages) - 1, order.cpus[cpu].now[word] - 1, -1)]


def places(order: Order, cpu: int, word: int) -> Iterator[int]:
    """Where a CPU may write: last, or before messages that it has not seen. The newest first."""
    messages = order.words[word]
    yield len(messages)
    for at in range(len(messages) - 1, order.cpus[cpu].now[word], -1):
        if not messages[at].follows:
            yield at


def read(order: Order, cpu: int, word: int, at: int, acquire: bool) -> Order:
    """A CPU reads a message."""
    views, message = order.cpus[cpu], order.words[word][at]
    now = raised(views.now, word, at)
    learnt = join(views.read, raised(message.view, word, at))
    if acquire:
        now = join(now, message.view)
    return with_views(order, cpu, views._replace(now=now, read=join(learnt, now)))


def write(order: Order, cpu: int, word: int, at: int, code: str, release: bool, follows: bool = False) -> Order:
    """A CPU writes a message, after `at` others; one that `follows` continues what the message before it releases."""
    order = shifted(order, word, at)
    views = order.cpus[cpu]
    now = raised(views.now, word, at)
    carried = now if release else raised(views.fenced, word, at)
    if follows:
        carried = join(carried, order.words[word][at - 1].view)
    messages = (*order.words[word][:at], Message(code, carried, follows), *order.words[word][at:])
    words = (*order.words[:word], messages, *order.words[word + 1 :])
    return with_views(order._replace(words=words), cpu, views._replace(now=now, read=raised(views.read, word, at)))


def shifted(order: Order, word: int, at: int) -> Order:
    """The same, with room for a message before number `at`."""

    def moved(view: View) -> View:
        return view if view[word] < at else (*view[:word], view[word] + 1, *view[word + 1 :])

    return mapped(order, moved) if at < len(order.words[word]) else order


def fence(order: Order, cpu: int, kind: str) -> Order:
    """mb: what a CPU and all full barriers know becomes one; rmb: what it read counts; wmb: its writes carry it."""
    views = order.cpus[cpu]
    if kind == "rmb":
        return with_views(order, cpu, views._replace(now=views.read))
    if kind == "wmb":
        return with_views(order, cpu, views._replace(fenced=views.now))
    known = join(views.read, order.everybody)
    return with_views(order._replace(everybody=known), cpu, views._replace(now=known, read=known, fenced=known))


def lock(order: Order, cpu: int, slot: int) -> Order:
    """Acquire: what who released the lock knew. An unlock and a lock after it keep writes in order for all CPUs."""
    views = order.cpus[cpu]
    released = dict(order.locks).get(slot, views.unlocked)
    now, fenced = join(views.now, released), join(views.fenced, join(released, views.unlocked))
    return with_views(order, cpu, Views(now, join(views.read, now), fenced, views.unlocked))


def unlock(order: Order, cpu: int, slot: int) -> Order:
    """Release."""
    locks = dict(order.locks)
    views = order.cpus[cpu]
    locks[slot] = join(locks.get(slot, views.now), views.now)
    return with_views(order._replace(locks=tuple(sorted(locks.items()))), cpu, views._replace(unlocked=views.now))


def forgotten(order: Order, finished: list[bool]) -> Order:
    """Without the messages that nobody can read any more, and without what CPUs that have finished know."""
    last = tuple(len(messages) - 1 for messages in order.words)
    gone = Views(last, last, last, last)
    cpus = tuple(gone if done else views for views, done in zip(order.cpus, finished, strict=True))
    oldest = tuple(map(min, *(views.now for views in cpus), last))

    def moved(view: View) -> View:
        return tuple(max(0, number - first) for number, first in zip(view, oldest, strict=True))

    words = tuple(messages[first:] for messages, first in zip(order.words, oldest, strict=True))
    words = tuple((messages[0]._replace(follows=False), *messages[1:]) for messages in words)
    order = mapped(order._replace(words=words, cpus=cpus), moved)
    return order._replace(locks=tuple((slot, view) for slot, view in order.locks if any(view)))


def mapped(order: Order, moved: Callable[[View], View]) -> Order:
    """The same with every view changed."""
    return Order(
        tuple(tuple(m._replace(view=moved(m.view)) for m in messages) for messages in order.words),
        tuple(Views(*map(moved, views)) for views in order.cpus),
        tuple((slot, moved(view)) for slot, view in order.locks),
        moved(order.everybody),
    )


def raised(view: View, word: int, at: int) -> View:
    """A view that knows message `at` of a word."""
    return view if view[word] >= at else (*view[:word], at, *view[word + 1 :])


def with_views(order: Order, cpu: int, views: Views) -> Order:
    """The same, with what one CPU knows replaced."""
    return order._replace(cpus=(*order.cpus[:cpu], views, *order.cpus[cpu + 1 :]))
