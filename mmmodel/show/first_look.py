"""The first picture: two programs, their page tables, a CPU, one page and its two counters. No kernel function yet."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ..build.composed import Build
from ..explore.sequential import map_read, munmap
from ..kernel.mm_types import HUGE_ZERO_PAGE
from ..study.references import counts, due
from .html import BAD, BOLD, GOOD, MIDDLE, Html, arrow, box, svg, text

PANEL, LOW = 208, 226
RIGHT, REPORTED = Build("v4.6", "x86"), Build("v4.6", "s390")


class Look(NamedTuple):
    """A panel: what happened, who has an entry, whose the page is, the counters, and what they should be."""

    title: str
    entries: tuple[bool, bool]
    remembered: str
    owner: str | None
    now: tuple[int | None, int | None]
    due: tuple[int | None, int | None]


def first_look(after: bool = False) -> Html:
    """Two programs read, or what becomes of the page when A unmaps it: on x86, on the reported kernel, and then."""
    acts: list[tuple[str, Callable[[Any, Any], object]]] = [
        ("Nobody has read yet", lambda k, b: None),
        ("A reads", lambda k, b: map_read(k, k.init)),
        ("B reads", lambda k, b: map_read(k, b)),
        ("A unmaps", lambda k, b: munmap(k, k.init)),
        ("Somebody else gets it", lambda k, b: k.alloc_pages(k.hpage_order, "somebody else")),
    ]
    right, wrong = (_looks(build, acts) for build in (RIGHT, REPORTED))
    shown = [right[3]._replace(title="A unmaps: right"), wrong[3]._replace(title="A unmaps: the bug"), wrong[4]]
    panels = shown if after else right[:3]
    words = " ".join(f"{look.title}. {_told(look)}" for look in panels)
    drawn = (part for i, look in enumerate(panels) for part in _drawn(look, i * PANEL))
    return svg(3 * PANEL, LOW, words, *drawn, most=46)


def _looks(build: Build, acts: list[tuple[str, Callable[[Any, Any], object]]]) -> list[Look]:
    k = build.boot()
    other, page, found = k.new_mm("B"), None, []
    k.mmap(other, 0, k.hpage_nr)
    for title, act in acts:
        act(k, other)
        page = page or k.huge_zero_page.value
        entries = bool(k.init.huge_mappings()), bool(other.huge_mappings())
        owner = page and ("zeroes" if page.owner == HUGE_ZERO_PAGE else page.owner or "free")
        tlb = {entry.mm for entry in k.cpu.tlb}
        remembered = ", ".join(name for name, mm in (("A", k.init), ("B", other)) if mm in tlb)
        found.append(Look(title, entries, remembered or "nothing", owner, counts(k), due(k)))
    return found


def _told(look: Look) -> str:
    who = " and ".join(name for name, entry in zip("AB", look.entries, strict=True) if entry) or "Nobody"
    page = f"{who} mapped, the page: {look.owner}" if look.owner else "There is no page"
    return f"{page}; {', '.join(f'{n} {v}' for n, v in zip(('HZR', 'PC'), look.now, strict=True) if v is not None)}."


def _drawn(look: Look, x: float) -> list[Html]:
    good = look.owner in (None, "zeroes")
    colour = GOOD if good else BAD
    parts = [text(x + PANEL / 2, 20, look.title, font_size=16, **MIDDLE, **BOLD)]
    for i, (name, entry) in enumerate(zip("AB", look.entries, strict=True)):
        y = 46 + 66 * i
        parts += [text(x + 4, y + 27, name, font_size=18, **BOLD), box(x + 22, y, 58, 42, stroke="currentColor")]
        parts += [text(x + 51, y + 26, "entry" if entry else "empty", **MIDDLE)]
        if entry:
            parts.append(arrow(x + 80, y + 21, x + 112, 95, "currentColor" if good else BAD, 2.5))
    if look.owner:
        parts += [box(x + 112, 54, 88, 84, stroke=colour, stroke_width=3)]
        parts += [text(x + 156, y, words, **MIDDLE) for y, words in _page(look.owner)]
    parts.append(text(x + 4, 178, f"TLB: {look.remembered}", font_size=14))
    for i, (name, value, should) in enumerate(zip(("HZR", "PC"), look.now, look.due, strict=True)):
        if look.owner and value is not None:
            wrong = value != should
            sign = f" ✗ not {should}" if wrong else ""
            parts.append(text(x + 80, 164 + 24 * i, f"{name} {value}{sign}", fill=BAD if wrong else "currentColor",
                              font_size=15, **BOLD))  # fmt: skip
    end = "" if good else "✗ B still reads it" if look.owner == "free" else "✗ B reads their data"
    return [*parts, text(x + PANEL / 2, 214, end, font_size=16, fill=BAD, **MIDDLE, **BOLD)]


def _page(owner: str) -> list[tuple[float, str]]:
    """The words in the page, on one line or on two."""
    lines = [owner] if owner in ("zeroes", "free") else owner.split(" ", 1)
    return [(102 + 20 * i - 10 * (len(lines) - 1), line) for i, line in enumerate(lines)]
