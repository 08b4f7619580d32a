"""Figures of question 1: every kind of page through every freeing function, and the ways in which two differ."""

from collections.abc import Iterator

from ..build.composed import Build
from ..study.guards import GUARDS, PROGRAMS, goes_wrong_at, guarded, stops_at
from ..study.page_kinds import FUNCTIONS, KINDS, PLURAL, SINGULAR, WAYS, Record, State, compare, drop, records, way
from ..words import arrowed, kernel_name
from .html import BAD, BOLD, GOOD, GREEN, MONO, RED, SOFT, Html, arrow, box, join, mark, svg, table, tag, text, unbroken
from .tables import label

SHOWN_ON = dict(zip(WAYS, ("hzp-mapping", "pagevec", "zone-device", "active"), strict=True))
"""The kind of page on which each way to differ is shown."""
CALLS = {SINGULAR: "one page", PLURAL: "many pages, nr = 1", "release_pages": "nr = 1"}
CELL = "text-align:left;vertical-align:top;padding:1px 4px;border-top:1px solid rgba(128,128,128,.35)"


def counters(record: Record) -> Iterator[tuple[str, int | None, int | None]]:
    """The counters a page has: name, before, after."""
    found = zip(("PC", "HZR", "device"), record.before[:3], record.after[:3], strict=True)
    return ((name, before, after) for name, before, after in found if before is not None)


def deferred(record: Record) -> bool:
    """Will the page be free only when somebody drains the pagevec it waits in?"""
    return record.after.queued and record.after.place != record.later.place


def outcome(record: Record) -> str:
    """What a function did to a page, in a few words."""
    words = [f"{name} {arrowed(a, b)}" for name, a, b in counters(record) if a != b]
    if record.after.place != "in use":
        words.append({"free": "freed"}.get(record.after.place, record.after.place))
    return ", ".join(words + ["freed later"] * deferred(record)) or "drops nothing"


def matrix(build: Build) -> Html:
    """Every kind of page through the four functions; each cell opens to what was recorded."""
    heads = [join(_name(f"{name}()"), Html("<br>"), tag("small", CALLS.get(name, ""))) for name in FUNCTIONS]
    head = f"{CELL};font-size:11px"
    top = tag("tr", *(tag("th", h, style=head, scope="col") for h in ("kind of page", *heads, "the first two")))
    body = tag("tbody", *(_row(name, *found.values()) for name, found in records(build).items()))
    says = "one reference of a page dropped. ✓ right, ◷ right but later, ✗ wrong. Open a cell for the record."
    title = tag("caption", f"{label(build)}: {says}", style="caption-side:top;text-align:left;padding:2px 5px")
    look = "border-collapse:collapse;table-layout:fixed;width:100%;overflow-wrap:anywhere;"
    look += "font:12px/1.25 system-ui"
    first = Html('<col style="width:25%">')
    return tag("table", title, first, tag("thead", top), body, style=look, **{"class": "mm-wide"})


def _name(function: str) -> Html:
    """A long name that may be broken where it has an underscore."""
    return tag("code", Html(join(function).replace("_", "_<wbr>")))


def _row(name: str, *found: Record | None) -> Html:
    there = [record for record in found if record]
    if there:
        differ = RED if way(*there[:2]) else "none"
        cells = [tag("td", _cell(record), style=CELL) for record in there]
        cells.append(tag("td", _verdict(*there[:2]), style=f"{CELL};background:{differ}"))
    else:
        why = f"no such page: {KINDS[name].needs.upper()} is off in this build"
        cells = [tag("td", tag("i", why), style=CELL, colspan=len(FUNCTIONS) + 1)]
    return tag("tr", tag("th", KINDS[name].says, style=f"{CELL};font-weight:normal", scope="row"), *cells)


def _verdict(one: Record, other: Record) -> Html:
    if how := way(one, other):
        return tag("b", f"≠ {how}")
    return join("= but for a drain" if one.costs["lru_add_drain"] != other.costs["lru_add_drain"] else "= the same")


def _cell(record: Record) -> Html:
    late = deferred(record) and not record.wrong
    sign = f"◷ {outcome(record)}" if late else mark(not record.wrong, outcome(record), "span")
    return tag("details", tag("summary", sign), tag("small", *_recorded(record)))


def _recorded(record: Record) -> Iterator[Html]:
    """Everything that was recorded, line by line."""
    before, after, later = record.before, record.after, record.later
    yield from (join(f"{name} {arrowed(a, b)}", Html("<br>")) for name, a, b in counters(record))
    flags = sorted(before.flags - after.flags - {"head", "anon"})
    takers = {name.split()[1]: n for name, n in record.costs.items() if name.startswith("lru_lock ")}
    lines = {
        "page": after.place,
        "flags gone": ", ".join(f"PG_{flag}" for flag in flags),
        "LRU lock": ", ".join(f"{kernel_name(f)}() {n} ×" for f, n in takers.items()) or "not taken",
        "lru_add_drain()": f"{record.costs['lru_add_drain']} ×",
        "after the next drain": f"{later.place}, PC {later.pc}" if later != after else "",
        "wrong": "; ".join(record.wrong),
    }
    yield from (join(f"{name}: {words}", Html("<br>")) for name, words in lines.items() if words)


def strip(build: Build) -> Html:
    """The ways to differ at a glance: what one function does, what the other does, and whether that is the same."""
    lines = []
    for how, name in SHOWN_ON.items():
        one, other = drop(build, name, SINGULAR), drop(build, name, PLURAL)
        none = f"no such page: {KINDS[name].needs.upper()} is off"
        cells = (_cell(one), _cell(other), _verdict(one, other)) if one and other else (none, "", "= no difference")
        lines.append((tag("b", how), KINDS[name].says, *cells))
    return table(["", "on", *(_name(f"{name}()") for name in (SINGULAR, PLURAL)), ""], lines, label(build))


def difference(build: Build, how: str) -> Html:
    """One page through both functions: before, after the call, and when every pagevec has been drained."""
    name = SHOWN_ON[how]
    both = [r for function in (SINGULAR, PLURAL) if (r := drop(build, name, function))]
    if not both:
        words = f"{how}: {label(build)} has no such page"
        return svg(620, 34, words, text(4, 22, words, font_size=16, **BOLD), most=41)
    found = way(*both)
    title = f"{'≠' if found else '='} {how}: {'they differ' if found else 'no difference'}"
    told = [f"{r.function}: {outcome(r)}{''.join(f'; {w}' for w in r.wrong)}" for r in both]
    shapes = [text(4, 18, title, font_size=16, **BOLD), text(4, 38, f"the page: {KINDS[name].says}")]
    moments = zip((4, 214, 424), ("before", "after the call", "after the next drain"), strict=True)
    shapes += [text(x, 60, words, opacity=0.8) for x, words in moments]
    shapes += [_lane(record, 66 + 84 * i) for i, record in enumerate(both)]
    words = f"{label(build)}. {title}. {KINDS[name].says}. {'. '.join(told)}."
    return svg(620, 238, words, tag("g", *shapes, font_size=12.5), most=41)


def _lane(record: Record, y: float) -> Html:
    states = (record.before, record.after, record.later)
    shapes = [text(4, y + 16, f"{record.function}()", font_family=MONO)]
    for i, state in enumerate(states):
        wrong = bool(i and record.wrong)
        done = i and not wrong and state.place != "in use"
        fill, edge = (RED, BAD) if wrong else (GREEN, GOOD) if done else (SOFT, "currentColor")
        x = 4 + 210 * i
        shapes.append(box(x, y + 22, 182, 26, fill=fill, stroke=edge))
        shapes.append(text(x + 91, y + 39, _told(state), text_anchor="middle"))
        if i:
            shapes.append(arrow(x - 26, y + 35, x - 3, y + 35))
    verdict = f"✗ {'; '.join(record.wrong)}" if record.wrong else "✓ nothing wrong" + ", only later" * deferred(record)
    look = {"fill": BAD if record.wrong else GOOD, "text_anchor": "end", **BOLD}
    return join(*shapes, text(606, y + 64, verdict if len(verdict) < 78 else f"{verdict[:76]}…", **look))


def _told(state: State) -> str:
    values = zip(("HZR", "PC", "device"), (state.hzr, state.pc, state.pgmap), strict=True)
    numbers = " · ".join(f"{name} {value}" for name, value in values if value is not None)
    return f"{numbers} · {'in a pagevec' if state.queued else state.place}"


def agreement(build: Build) -> Html:
    """Each cell of data/page_kinds.csv beside the run: the words of the table are in the opened cell."""
    cells = compare(build)
    columns = dict.fromkeys(c.column.replace("_nr1", ", nr=1").replace("_SWAP", ", SWAP=") for c in cells)
    lines = []
    for name in KINDS:
        shown = [name]
        for cell in (c for c in cells if c.kind == name):
            sign = mark(cell.agrees) if cell.said else "–"
            said = "" if cell.agrees else tag("b", f" The table: {cell.said}")
            words = [join(" ", unbroken(effect)) for effect in cell.found.split()]
            summary = tag("summary", sign, *words, said)
            shown.append(tag("details", summary, tag("small", cell.words)))
        lines.append(shown)
    return table(
        ["kind", *map(_name, columns)],
        lines,
        "found by running. ✓ as the table says, ✗ not so, – the table says nothing.",
    )


def guards(build: Build) -> Html:
    """What each assertion of question 1 says to legal programs on this kernel, with DEBUG_VM."""
    if not build.thp:
        return tag("p", f"{label(build)} has no transparent huge pages: there is nothing to guard.")
    lines = []
    for words, program in PROGRAMS.items():
        wrong = goes_wrong_at(build, program)
        stops = [stops_at(guarded(build, guard), program) for guard in GUARDS]
        lines.append([words, f"from {wrong} on" if wrong else "no", *(_alarm(wrong, stop) for stop in stops)])
    return table(["program", "do the counters go wrong?", *(guard or "DEBUG_VM alone" for guard in GUARDS)], lines)


def _alarm(wrong: str, stop: str) -> Html:
    """✓ for an alarm with a reason and for silence without one."""
    if wrong:
        return mark(bool(stop), f"found at {stop}" if stop else "missed")
    return mark(not stop, f"false alarm at {stop}" if stop else "silent")
