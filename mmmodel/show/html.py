"""What figures are made of: HTML elements and tables, and inline SVG in the colour of the text around it."""

import base64
import io
import re
import sys
from collections.abc import Iterable, Sequence
from html import escape, unescape
from math import hypot
from typing import Any

GOOD, BAD, OPEN, HZR, PC = "#2e8b57", "#d6453d", "#8a6fc9", "#3b7fc4", "#b8720c"
INK = "#0a0b0c"
"""In charts: the colour of the text around."""
SIGNS = {True: "✓", False: "✗", None: "?"}
COLOURS = {True: GOOD, False: BAD, None: OPEN}
GREEN, RED, SOFT = "rgba(46,139,87,.2)", "rgba(214,69,61,.2)", "rgba(128,128,128,.17)"
FONT, MONO = "font-family:system-ui,sans-serif", "ui-monospace,monospace"
WRAPPED = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
Bar = tuple[float | None, float | None, str]
"""A value of a chart: modelled, measured, in words."""
MIDDLE = {"text_anchor": "middle"}
BOLD = {"font_weight": "bold"}


class Html(str):
    """HTML that a notebook shows as such; as plain text it is the words in it."""

    def _repr_html_(self) -> str:
        return str(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(" ".join(unescape(re.sub(r"<[^>]*>", " ", self)).split()))


def join(*parts: object) -> Html:
    """Parts one after the other; what is not Html is escaped."""
    return Html("".join(p if isinstance(p, Html) else escape(str(p)) for p in parts))


def tag(name: str, *content: object, **attributes: object) -> Html:
    """An element. Content that is not Html is escaped; `_` in the name of an attribute stands for `-`."""
    values = {k.replace("_", "-"): f"{v:g}" if isinstance(v, float) else v for k, v in attributes.items()}
    named = "".join(f' {k}="{escape(str(v))}"' for k, v in values.items() if v is not None)
    return Html(f"<{name}{named}>{join(*content)}</{name}>")


def table(head: Sequence[object], rows: Iterable[Sequence[object]], caption: str = "", look: str = "") -> Html:
    """A table; cells that are Html are taken as they are, missing values become dashes. look: more of its style."""
    style = "text-align:left;vertical-align:top;padding:.15em .5em"
    top = tag("tr", *(tag("th", h, style=style, scope="col") for h in head))
    body = [tag("tr", *(tag("td", "–" if c is None or c != c else c, style=style) for c in row)) for row in rows]
    title = [tag("caption", caption, style=f"caption-side:top;{style}")] * bool(caption)
    parts = (*title, tag("thead", top), tag("tbody", *body))
    return tag("table", *parts, style=f"border-collapse:collapse;margin:.4em 0;{look}")


def code(words: object) -> Html:
    """A name from the kernel or from Python."""
    return tag("code", words)


def to_copy(words: str) -> Html:
    """What to paste into a mail or a terminal: a click selects it."""
    return tag("pre", words, style=f"user-select:all;{WRAPPED};font:.9em/1.4 {MONO};margin:.2em 0")


def within_page(words: object, anchor: str) -> Html:
    """A link within the page: JupyterLab would swallow it, a dashboard open it as another page with its own kernel."""
    return tag("a", words, href=f"#{anchor}", onclick="location.hash = this.hash; return false")


def with_code(words: object) -> Html:
    """Prose in which names of functions, variables and files, known by their `_`, are set as code."""
    return Html(re.sub(r"[\w./]*\w_\w+(\.[ch]\b)?(\(\))?", r"<code>\g<0></code>", escape(str(words))))


def unbroken(words: object) -> Html:
    """Words that stay on one line."""
    return tag("span", words, style="white-space:nowrap")


def block(good: bool | None, *content: object, **attributes: object) -> Html:
    """Something that holds, does not, or is undecided, behind an edge in its colour; words have to say it too."""
    edge = f"border-left:.3em solid {COLOURS[good]};padding:.2em .8em;margin:.4em 0"
    return tag("div", *content, style=edge, **attributes)


def mark(good: bool | None, words: object = "", name: str = "b") -> Html:
    """A verdict: a symbol, words and a colour. None is undecided."""
    return tag(name, f"{SIGNS[good]} {words}".strip(), style=f"color:{legible(good)}")


def legible(good: bool | None) -> str:
    """The colour of a verdict for text: it can be read on white and on black."""
    return f"color-mix(in srgb,{COLOURS[good]} 72%,currentColor)"


def figure_html(fig: Any, alt: str) -> Html:
    """A matplotlib figure of a reader's own as an image with its description; pyplot forgets the figure."""
    fig.savefig(file := io.BytesIO(), format="png", dpi=110, bbox_inches="tight")
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(fig)
    data = base64.b64encode(file.getvalue()).decode()
    look = "max-width:100%;background:#fff"
    return Html(f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}" style="{look}">')


def svg(width: float, height: float, words: str, *shapes: Html, most: int = 56) -> Html:
    """A drawing at most `most` rem wide; `words` say what it shows."""
    style = f"display:block;width:100%;max-width:{most}rem;height:auto;margin:.3em 0;{FONT}"
    view = {"viewBox": f"0 0 {width:g} {height:g}", "role": "img", "aria-label": words}
    return tag("svg", tag("desc", words), *shapes, **view, style=style, fill="currentColor", font_size=14)


def text(x: float, y: float, words: object, **attributes: object) -> Html:
    """Text at a point."""
    return tag("text", words, x=float(x), y=float(y), **attributes)


def line(*points: tuple[float, float], **attributes: object) -> Html:
    """A line through points."""
    d = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    return tag("path", d=d, **{"fill": "none", "stroke": "currentColor", "stroke_width": 1.5, **attributes})


def box(x: float, y: float, width: float, height: float, **attributes: object) -> Html:
    """A rectangle."""
    place = {"x": float(x), "y": float(y), "width": float(width), "height": float(height)}
    return tag("rect", **place, **{"rx": 5, "fill": SOFT, **attributes})


def arrow(x1: float, y1: float, x2: float, y2: float, colour: str = "currentColor", w: float = 1.5) -> Html:
    """An arrow, its head drawn here: an SVG marker is lost when the drawing that defines it is hidden."""
    scale = (4 + 2 * w) / hypot(x2 - x1, y2 - y1)
    dx, dy = scale * (x2 - x1), scale * (y2 - y1)
    foot = (x2 - 1.5 * dx, y2 - 1.5 * dy)
    head = line((x2, y2), (foot[0] - dy, foot[1] + dx), (foot[0] + dy, foot[1] - dx), fill=colour, stroke="none")
    return join(line((x1, y1), foot, stroke=colour, stroke_width=w), head)
