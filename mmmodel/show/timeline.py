"""The years from 2012 to today as a chart: a bar for each fault, from its opening to its close, and every event."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..data import rows
from ..study.years import ABOUT, Mark, Span, others, spans
from .html import BAD, INK, Html, table, tag, unbroken

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE, FIRST, LAST = 380, 2012, 2027
SHAPES = {"opens": "o", "closes": "s"}
KEY = "● opens a fault, ■ closes it, ◇ closes it in part or changes it; ○ other events. → open to this day."
Placed = tuple[float, int, Mark]
"""Where in pixels the label of an event begins, in which line above the bar, and the event."""


def placed(marks: Iterable[Mark]) -> Iterator[Placed]:
    """Labels above a bar, in the lowest line where they do not meet another; one for events of the same name."""
    ends, seen = list[float](), set[str]()
    for mark in marks:
        if mark.label in seen:
            continue
        seen.add(mark.label)
        wide = 7.5 * len(mark.label)
        left = (mark.when - FIRST) * WIDE / (LAST - FIRST) - wide / 2
        line = next((i for i, end in enumerate(ends) if left > end + 7), len(ends))
        ends[line:] = [left + wide, *ends[line + 1 :]]
        yield left, line, mark


def timeline() -> Html:
    """The chart, with what it says above it and its key below."""
    from .charts import drawn

    lanes: list[tuple[str, Span | None, list[Placed]]] = [("other events", None, [*placed(others())])]
    lanes += [(span.fault, span, [*placed(span.marks)]) for span in spans()]
    heights = [27 + 17 * max(line + 1 for _, line, _ in labels) for *_, labels in lanes]

    def draw(ax: "Axes") -> None:
        ax.set(xlim=(FIRST, LAST), ylim=(sum(heights) + 4, 0))
        for at in range(FIRST, LAST + 1):
            ax.axvline(at, color=INK, lw=0.25 if at % 2 else 0.6, alpha=0.5)
            ax.text(at, sum(heights) + 20, "" if at % 2 else str(at), size=12.5, ha="center")
        foot = 0
        for lane, height in zip(lanes, heights, strict=True):
            _lane(ax, foot := foot + height, *lane)

    still = [span.fault for span in spans() if span.closed is None]
    says = f"The huge zero page had {len(spans())} faults since {FIRST}; open to this day: {', '.join(still) or 'none'}"
    words = f"{says}. {'; '.join(_told(span) for span in spans())}."
    chart = drawn(draw, words, (WIDE, sum(heights)), (210, 4, 50, 26))
    return tag("div", tag("b", says), chart, tag("small", KEY), id="timeline")


def _told(span: Span) -> str:
    return f"{span.fault}: from {int(span.opened)} {f'to {int(span.closed)}' if span.closed else 'on, open'}"


def _lane(ax: "Axes", foot: float, name: str, span: Span | None, labels: list[Placed]) -> None:
    """The name, the bar, events on it and their labels above it."""
    from .charts import BOLD, shifted

    left, middle = shifted(ax, -12, 0), foot - 14
    ax.text(FIRST, middle - 2, name, ha="right", transform=left, **BOLD)
    ax.text(FIRST, middle + 13, ABOUT.get(name, ""), size=12.5, ha="right", transform=left)
    if span:
        end = LAST if span.closed is None else span.closed
        look: dict[str, Any] = {"fc": (BAD, 0.2), "ec": BAD, "lw": 1.5, "gid": "bar"}
        ax.barh(middle, end - span.opened, 14, span.opened, **look)
        ax.text(LAST, middle + 5, "" if span.closed else "→", size=18, color=BAD, transform=shifted(ax, 4, 0))
    for x, line, mark in labels:
        shape, full = (SHAPES.get(mark.verb, "D") if mark.whole else "D"), INK if mark.whole else "none"
        shape = "o" if span is None else shape
        ax.plot(mark.when, middle, shape, ms=8, mfc=full, mec=INK, mew=1.5, gid=mark.verb)
        ax.text(FIRST + x * (LAST - FIRST) / WIDE, middle - 13 - 17 * line, mark.label, size=13)


def events() -> Html:
    """Every event, folded away: when, in which version, what happened, what it opened or closed."""
    shown = [
        (unbroken(row["date"]), row["version"], row["what"], row["effect"].removeprefix("none: ").replace("none", ""))
        for row in rows("events")
    ]
    found = table(["date", "version", "what happened", "faults"], shown)
    return tag("details", tag("summary", f"All {len(shown)} events, and what each opened or closed"), found)
