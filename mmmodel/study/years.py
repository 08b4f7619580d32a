"""The years from 2012 to today: when each fault was opened, changed and closed, read off data/events.csv."""

from itertools import takewhile
from typing import NamedTuple

from ..data import rows
from ..words import numbers

ABOUT = {
    "zap-race": "the race before the commit",
    "singular-put": "the report",
    "reaper-fullmm": "the OOM reaper",
    "pfn-race": "CVE-2026-74632",
    "pfn-order": "its release",
    "mm-flag-order": "the flag of the mm",
}
"""The faults of the huge zero page, in the order in which they came."""


class Mark(NamedTuple):
    """An event of the history of a fault. verb: opens, closes, makes or none; rest: what limits it."""

    when: float
    label: str
    verb: str
    rest: str

    @property
    def whole(self) -> bool:
        """Does it open or close a fault, and not in part?"""
        return self.verb == "opens" or (self.verb == "closes" and not self.rest)


class Span(NamedTuple):
    """A fault from its opening to its close, None if it is open still; and what changed it."""

    fault: str
    opened: float
    closed: float | None
    marks: list[Mark]

    def covers(self, version: str) -> bool:
        """Is it open in a version of mainline?"""
        opened, closed = (
            next((numbers(mark.label) for mark in self.marks if mark.verb == verb and mark.whole), None)
            for verb in ("opens", "closes")
        )
        return (opened or ()) <= numbers(version) and (closed is None or numbers(version) < closed)


def year(date: str) -> float:
    """A date as a number; without a day (or a month) the middle of it."""
    parts = [int(part) for part in date.split("-")]
    if len(parts) == 1:
        return parts[0] + 0.5
    day = parts[2] if len(parts) == 3 else 15
    return parts[0] + (parts[1] - 1 + (day - 1) / 31) / 12


def clauses(effect: str) -> list[tuple[str, str, str]]:
    """What an event does: verb, fault, and what limits it. `closes a and b in c; opens d` has three."""
    found = []
    for clause in effect.split("; "):
        verb, *words = clause.replace(":", "").split(" ")
        names = [*takewhile(lambda word: word.strip(",") in (*ABOUT, "and"), words)]
        rest = " ".join(words[len(names) :])
        found += [(verb, name.strip(","), rest) for name in names if name != "and"]
    return found


def spans() -> list[Span]:
    """Each fault of ABOUT: the first opening, the last whole close, all events that name it as opened or closed."""
    marks: dict[str, list[Mark]] = {fault: [] for fault in ABOUT}
    for row in rows("events"):
        for verb, fault, rest in clauses(row["effect"]):
            marks[fault].append(Mark(year(row["date"]), row["label"], verb, rest))
    found = []
    for fault, events in marks.items():
        opened = next(mark.when for mark in events if mark.verb == "opens")
        closed = [mark.when for mark in events if mark.verb == "closes" and mark.whole]
        found.append(Span(fault, opened, max(closed, default=None), events))
    return found


def others() -> list[Mark]:
    """The events that open and close nothing."""
    return [
        Mark(year(row["date"]), row["label"], "none", row["what"])
        for row in rows("events")
        if not clauses(row["effect"])
    ]
