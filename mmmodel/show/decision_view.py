"""The decision as a table whose cells open to their evidence, and as one picture to argue over."""

from __future__ import annotations

from ..build.composed import Build
from ..explore.checking import check
from ..kernel.versions import VERSIONS
from ..study.decision import FIXES, MUST, QUESTIONS, VERSION, Answer, answers, lines, price, right
from .html import BOLD, COLOURS, GREEN, MIDDLE, RED, SIGNS, SOFT, Html, box, join, svg, table, tag, text


def cell(answer: Answer) -> Html:
    """An answer: sign and words, which open to the evidence. A matter of degree has no sign."""
    plain = answer.good is None and not answer.words.startswith("?")
    sign = f"{SIGNS[answer.good]} " * (answer.good is not None)
    words = tag("b", f"{sign}{answer.words}", style=f"color:{'inherit' if plain else COLOURS[answer.good]}")
    if not answer.evidence:
        return words
    items = tag("ul", *(tag("li", said) for said in answer.evidence), style="margin:.2em 0;padding-left:1.2em")
    return tag("details", tag("summary", words), tag("small", items))


def decision_table() -> Html:
    """Each fix by each question; every cell opens to what it rests on."""
    shown = [(tag("b", fix), *(cell(answers(fix)[question]) for question in QUESTIONS)) for fix in FIXES]
    return table(["merge", *QUESTIONS], shown, "Open a cell to see what it rests on.")


def picture() -> Html:
    """Each fix: a sign for each question that has a plain answer, and what it costs more than nothing."""
    columns = [question for question in QUESTIONS if answers("nothing")[question].good is not None][:5]
    top, left, wide = 84, 196, 96
    bars = left + wide * len(columns) + 24
    shapes = [_heading(left + wide * (i + 0.5), question) for i, question in enumerate(columns)]
    shapes.append(_heading(bars + 85, "instructions more, per freed page (s390)"))
    for i, fix in enumerate(FIXES):
        y = top + 34 * i
        shapes.append(text(left - 10, y + 19, fix, text_anchor="end", **(BOLD if right(fix) else {})))
        shapes += [_sign(left + wide * j, y, answers(fix)[q].good) for j, q in enumerate(columns)]
        shapes += _bar(price(fix), bars, y, max(price(f) or 0 for f in FIXES))
    told = [f"{fix}: {', '.join(f'{q} {SIGNS[answers(fix)[q].good]}' for q in columns)}" for fix in FIXES]
    winners = [fix for fix in FIXES if right(fix)]
    title = f"{len(winners)} of {len(FIXES)} do all they must: {', '.join(winners)}"
    frame = box(left - 2, top - 8, wide * len(MUST) + 4, 34 * len(FIXES) + 10, fill="none", stroke="currentColor")
    shapes.append(text(left, top + 34 * len(FIXES) + 20, "framed: what a fix has to do", font_size=13))
    height = top + 34 * len(FIXES) + 28
    return svg(bars + 250, height, f"{title}. {'. '.join(told)}.", _title(title), frame, *shapes, most=58)


def _title(words: str) -> Html:
    return text(8, 20, words, font_size=18, **BOLD)


def _heading(x: float, words: str) -> Html:
    """Two lines at most, broken at the first comma."""
    first, _, second = words.partition(", ")
    return join(text(x, 50, f"{first}{',' * (len(first) < 3)}", **MIDDLE), text(x, 67, second, **MIDDLE))


def _sign(x: float, y: float, good: bool | None) -> Html:
    fill = {True: GREEN, False: RED, None: SOFT}[good]
    look = {"fill": fill, "stroke": COLOURS[good], "stroke_width": 1 if good else 2.5}
    sign = text(x + 48, y + 20, SIGNS[good], font_size=19, fill=look["stroke"], **MIDDLE, **BOLD)
    return join(box(x + 4, y, 88, 26, **look), sign)


def _bar(value: float | None, x: float, y: float, most: float) -> list[Html]:
    if value is None:
        return [text(x, y + 19, "not measured", font_style="italic")]
    length = 170 * max(value, 0) / most
    shape = box(x, y + 4, max(length, 1.5), 19, rx=0, stroke="currentColor")
    return [shape, text(x + length + 8, y + 19, f"{round(value):+}" if round(value) else "0")]


def summary() -> Html:
    """The answer in a paragraph, out of this run."""
    good = [fix for fix in FIXES if right(fix)]
    whole = [fix for fix in good if answers(fix)["sh, um, ia64"].good]
    later = list(VERSIONS)[list(VERSIONS).index(VERSION) + 1 :]
    ended = next(v for v in later if check(Build(v, swap=False), "map-read-unmap"))
    reopened = [fix for fix in FIXES if not answers(fix)["race closed"].good]
    rest = (
        f" Of {len(FIXES)} things that could have been done, {len(good)} are right on s390 with and without swap, "
        f"leave the other archs right and the race closed: {_listed(good)}. What was merged is the quick hack; without "
        f"swap it is not compiled, and s390 stayed broken there until {ended}. The race for which the commit was made "
        f"would come back with: {_listed(reopened)}. Our vote, the smallest change of those that would also be right "
        "for sh, um and ia64: "
    )
    return tag("p", CAUSE, rest, tag("b", min(whole, key=lines)), ".")


CAUSE = (
    "An unmap has to give back its reference to the huge zero page by dropping huge_zero_refcount. Commit aa88b68c "
    "moved that drop into release_pages(). On s390 an unmapped page never gets there: it is freed at once by "
    "free_page_and_swap_cache(), which drops the page's own count instead. So the first unmap frees a page that "
    "everybody still maps."
)


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
