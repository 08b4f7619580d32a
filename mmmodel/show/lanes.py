"""Swim lanes of a witness, one for each CPU, and the sequence of an unmap: drawn from runs of the model."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from textwrap import wrap

from ..build.composed import Build
from ..explore.verdict import Verdict
from ..study.story import REACHED, Event, Reach, called, folded, story
from ..study.unmap import PARTS, Unmap
from .html import BAD, BOLD, GOOD, HZR, MIDDLE, MONO, RED, SOFT, Html, arrow, box, join, line, mark, svg, tag, text
from .tables import label

BLUE = "rgba(59,127,196,.25)"
HIGH = 480
"""What fits on a screen with the title and the toggles or the slider of a drawing."""
LINE, SMALL = 12.5, 11.4
"""Of a drawing as wide as the narrowest window: no text in it is smaller."""
EDGES = {"✗": BAD, "✓": GOOD, "●": GOOD}
LEGEND = "Bar: the TLB of this CPU has the page. STALE: its PMD was cleared or the page freed since."


def _card(row: Event, width: float, now: bool) -> tuple[Html, float]:
    """A row as a box, or as small print if it changed nothing; and its height."""
    most = int((width - 5) / 6.95)
    line_break = rf".{{1,{most}}}$|.{{1,{most - 1}}}_"
    names = [part for name in row.functions for part in re.findall(line_break, name)]
    shapes = [text(4, 12 + LINE * i, name, font_family=MONO) for i, name in enumerate(names)]
    y, edge = LINE * len(names) + 2, "currentColor"
    for words in row.words:
        edge, now = EDGES.get(words[0], edge), now or words[0] in EDGES
        colour = BAD if "still map" in words else EDGES.get(words[0])
        for part in wrap(words, int((width - 5) / 7.3)):
            shapes.append(text(4, y + 11, part, fill=colour, **BOLD))
            y += LINE
    look = {"stroke": edge, "stroke_width": 3 if now else 0.7, "fill": SOFT if row.words else "none"}
    frame = [box(0, 0, width, y + 4, **look)] * (now or bool(row.words))
    return tag("g", *frame, *shapes, opacity=None if row.words else 0.75), y + 4


def _bar(x: float, top: float, bottom: float, stale: bool) -> Html:
    """For as long as a TLB has the page; hatched while that is stale."""
    middle, colour = (top + bottom) / 2, BAD if stale else HZR
    hatched = [y for y in range(int(top), int(bottom) - 8, 7) if stale and abs(y + 4 - middle) > 27]
    turn = f"translate({x + 11:g} {middle:g}) rotate(-90)"
    told = [text(0, 0, "STALE" if stale else "TLB", transform=turn, **MIDDLE, **BOLD)]
    return join(
        box(x, top, 14, bottom - top, rx=0, fill=RED if stale else BLUE, stroke=colour),
        *(line((x, y + 8), (x + 14, y), stroke=BAD, stroke_width=1.6) for y in hatched),
        *told * (bottom - top > 30),
    )


def _chart(
    x: float,
    width: float,
    heads: Sequence[str],
    start: Reach,
    rows: Sequence[Event],
    bars: Mapping[int, int],
    seen: Sequence[Event] | None = None,
    numbered: bool = True,
) -> tuple[Html, float]:
    """Lanes from `x` on, under heads `name: what`, and the height. seen: the rows so far; room is left for all others.

    bars: the CPUs whose TLB is shown, each in which lane.
    """
    now, seen = seen and seen[-1], rows if seen is None else seen
    inset = [26 if lane in bars.values() else 8 for lane, _ in enumerate(heads)]
    all_cards, cards = ([_card(row, width - 8 - inset[row.lane], row is now) for row in r] for r in (rows, seen))
    parts = [head.partition(": ")[::2] for head in heads]
    told = [wrap(what, int(width / 6.4)) for _, what in parts]
    start_at = 22.0 + 15 * max(map(len, told))
    tops = _tops(rows, [height for _, height in all_cards], start_at, 8 if rows and rows[0].held == start else 30)
    shapes = list[Html]()
    for lane, ((name, _), what) in enumerate(zip(parts, told, strict=True)):
        left = x + width * lane
        shapes += [text(left + width / 2, 15, name, font_size=15, fill=EDGES.get(name[0]), **MIDDLE, **BOLD)]
        shapes += [text(left + width / 2, 30 + 15 * i, words, **MIDDLE) for i, words in enumerate(what)]
        shapes += [line((left, start_at), (left, tops[-1]), stroke_width=0.4)]
    for row, (card, _), top in zip(seen, cards, tops[1:], strict=False):
        left = x + width * row.lane + inset[row.lane]
        number = f"{row.first}–{row.last}" if row.first < row.last else row.first
        shapes += [text(x - 4, top + 13, number, text_anchor="end")] * numbered
        shapes += [tag("g", card, transform=f"translate({left:g} {top:g})")]
        if row.caller >= 0 and row.caller != row.lane:
            ends = (
                (width - 8, left) if row.caller < row.lane else (inset[row.caller], left + width - 8 - inset[row.lane])
            )
            shapes += [arrow(x + width * row.caller + ends[0], top + 10, ends[1], top + 10)]
    for cpu, lane in bars.items():
        states = [held.get(cpu) for held in (start, *(row.held for row in seen))]
        for stale, spell in groupby(zip(states, tops, tops[1:], strict=False), lambda state: state[0]):
            edges = list(spell)
            if stale is not None:
                shapes += [_bar(x + width * lane + 6, edges[0][1], edges[-1][2], stale)]
    return join(*shapes), tops[-1]


def _tops(rows: Sequence[Event], heights: Sequence[float], start: float, gap: float) -> list[float]:
    """Where lanes start, each row, and the end: a row is below the one before, beside it if nothing is in the way."""
    tops, ends = [start, start + gap], dict[int, float]()
    for row, height in zip(rows, heights, strict=True):
        step = (row.caller > row.lane) - (0 <= row.caller < row.lane)
        crossed = range(row.lane, row.caller, step) if step else [row.lane]
        tops[-1] = max(tops[-1], *(ends.get(lane, 0) for lane in crossed))
        ends[row.lane] = tops[-1] + height + 4
        tops.append(tops[-1] + 16)
    return [*tops[:-1], max(ends.values(), default=start)]


def swim_lanes(verdict: Verdict) -> Html:
    """The witness, time going down: who did what, and who could still reach the page. Or that it holds."""
    if verdict.broken:
        return _lanes(verdict, *story(verdict), len(verdict.witness))
    if not verdict:
        words = f" {verdict.reason}. So there is no witness yet, and no answer."
        return tag("p", mark(None, f"{verdict.scenario} is undecided on {label(verdict.build)}:"), words)
    idle = "" if verdict.build.thp else " Without transparent huge pages there is no huge zero page to lose."
    words = f"none of the {verdict.states} states breaks an invariant: there is no witness.{idle}"
    return tag("p", mark(True, f"{verdict.scenario} holds on {label(verdict.build)}:"), f" {words}")


def frames(verdict: Verdict) -> tuple[list[Html], list[str]]:
    """For a stepper: the lanes at the start and after each step, and what the steps are."""
    if not verdict.broken:
        return [swim_lanes(verdict)], ["start"]
    steps = [f"CPU {step.cpu}, {called(step.function)}" for step in verdict.witness]
    told = story(verdict)
    return [_lanes(verdict, *told, step) for step in range(len(steps) + 1)], ["start", *steps]


def _lanes(verdict: Verdict, heads: list[str], start: Reach, rows: list[Event], until: int) -> Html:
    """The rows up to a step. Where all would not fit a screen: fewer, and in the end each step behind a fold."""
    seen = [row for row in rows if row.first <= until]
    whole, height = _drawn(verdict, heads, start, rows, seen)
    if height <= HIGH:
        return whole
    short, _ = _drawn(verdict, heads, start, folded(rows), folded(seen))
    every = tag("details", tag("summary", f"Each of the {len(verdict.witness)} steps"), whole)
    return join(short, *[every] * (until == len(verdict.witness)))


def _drawn(
    verdict: Verdict, heads: list[str], start: Reach, rows: list[Event], seen: list[Event]
) -> tuple[Html, float]:
    told = [f"{row.last}, CPU {row.lane}, {row.functions[0]}: {'; '.join(row.words)}" for row in rows if row.words]
    sign = "●" if verdict.broken == REACHED else "✗"
    order = f", memory {verdict.memory}" * (verdict.memory != "sc")
    title = f"{sign} {verdict.scenario} on {label(verdict.build)}{order}: {verdict.broken}"
    wide = min(270, 546 // len(heads))
    drawn, height = _chart(40, wide, heads, start, rows, {cpu: cpu for cpu in range(len(heads))}, seen)
    legend = [LEGEND] if start or any(row.held for row in rows) else []
    foot = [text(4, height + 16, words) for words in legend]
    words = f"{verdict.what}. Step {'. Step '.join(told)}."
    height += 8 + 15 * len(legend)
    return _figure(max(588, 42 + wide * len(heads)), height, title, words, drawn, *foot), height


def _figure(width: float, height: float, title: str, words: str, *shapes: Html) -> Html:
    """Shapes under their title, which begins with a sign."""
    look = {"font_size": 15, "fill": EDGES.get(title[0]), **BOLD}
    head = [text(4, 16 + 18 * i, part, **look) for i, part in enumerate(wrap(title, int(width / 9.2)))]
    below = tag("g", *shapes, transform=f"translate(0 {18 * len(head) + 8})", font_size=SMALL)
    most, high = int(width / (15 if height < HIGH else 16)), height + 18 * len(head) + 12
    return svg(width, high, f"{title}. {words}", tag("title", title), *head, below, most=most)


def gather_sequence(build: Build, cpus: int = 2) -> Html:
    """What one munmap of the huge zero page calls, time going down, and what each call changes.

    CPU 0 unmaps; the bar is the TLB of the last CPU. Huge pages are assumed where the arch has none.
    """
    unmap = Unmap(build, cpus)
    title, rows = _judged(unmap)
    heads = [name if name != "TLBs" else f"TLBs: bar: the TLB of CPU {cpus - 1}" for name in PARTS]
    drawn, height = _chart(24, 140, heads, unmap.start, rows, {cpus - 1: 2})
    return _figure(28 + 140 * 4, height, title, f"In order: {_told(rows)}", drawn)


def gathers_side_by_side(builds: Sequence[Build], width: int = 160) -> Html:
    """The same for several builds next to each other: only the calls that change or free something."""
    columns = []
    for unmap in map(Unmap, builds):
        title, rows = _judged(unmap)
        told = [row for row in rows if row.words]
        column = [row._replace(lane=0, caller=-1, words=[w for w in row.words if "still map" not in w]) for row in told]
        head = f"{title[0]} {label(unmap.kernel.build)}".replace(" v", ": v", 1)
        drawn, height = _chart(0, width, [head], unmap.start, column, {1: 0}, numbered=False)
        words = f"{title} ({_told(told)})"
        columns.append(
            svg(width, height + 4, words, tag("title", title), tag("g", drawn, font_size=SMALL), most=width // 15)
        )
    above = tag("b", "One unmap on several architectures, time going down. Bar: the TLB of another CPU")
    look = "display:flex;flex-wrap:wrap;align-items:flex-start;gap:0 4px"
    return join(above, tag("div", *columns, style=look, **{"class": "mm-wide"}))


def _judged(unmap: Unmap) -> tuple[str, list[Event]]:
    """A title, and the rows: the one that drops a counter says whether that is right, else a row at the end."""
    good, words, number = unmap.outcome
    said = f"{'✓' if good else '✗'} {words}"
    rows = [row._replace(words=[*row.words, said] if row.first == number else row.words) for row in unmap.rows]
    end = [] if number else [rows[-1]._replace(lane=0, functions=[], words=[said], caller=-1)]
    return f"{said[0]} One unmap on {label(unmap.kernel.build)}: {words}", rows + end


def _told(rows: Sequence[Event]) -> str:
    return "; ".join(" ".join([*row.functions, ", ".join(row.words)]).strip() for row in rows)
