"""Charts by matplotlib, as inline SVG in the colour of the text around it. Importing this imports matplotlib."""

import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from itertools import accumulate
from math import inf, nan
from textwrap import wrap
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D, Transform

from .html import BAD, COLOURS, HZR, INK, PC, SIGNS, Html, svg

FACE = "DejaVu Sans"
STYLE = {"svg.fonttype": "none", "text.parse_math": False, "text.color": INK, "font.family": FACE, "font.size": 14}
RING: dict[str, Any] = {"mfc": "none", "mec": INK, "mew": 1.5}
BOLD: dict[str, Any] = {"weight": "bold"}


class Renderer(RendererSVG):
    """Draws a shape wherever it is used: two charts in one page would share the ids of shared shapes."""

    draw_markers = RendererBase.draw_markers
    draw_path_collection = RendererBase.draw_path_collection

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:
        """Roughly: the browser has fonts of its own."""
        size = prop.get_size_in_points()
        return 0.6 * size * len(s), 0.95 * size, 0.2 * size


def drawn(draw: Callable[[Axes], object], words: str, size: Sequence[int], margins: Sequence[int]) -> Html:
    """What `draw` draws into axes of that size, inside margins (left, top, right, bottom), all in pixels.

    `words` say what it shows. INK becomes the colour of the text around, a gid the attribute `data-is`.
    """
    left, top, right, bottom = margins
    width, height, file = left + size[0] + right, top + size[1] + bottom, StringIO()
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure((width / 72, height / 72), dpi=72, frameon=False)
        axes = figure.add_axes((left / width, bottom / height, size[0] / width, size[1] / height))
        axes.set_axis_off()
        draw(axes)
        for artist in axes.get_children():
            artist.set_clip_on(False)
        renderer: Any = Renderer(width, height, file, image_dpi=72)  # type: ignore[no-untyped-call]
        figure.draw(renderer)
        renderer.finalize()
    found = re.sub(r' id="\w+_\d+"', "", file.getvalue()).replace(' id="', ' data-is="')
    found = found.replace(INK, "currentColor").replace(f"'{FACE}'", "system-ui, sans-serif")
    return svg(width, height, words, Html(found[found.index("<g>") : found.rindex("</svg>")]), most=width // 15)


def shifted(ax: Axes, x: float, y: float) -> Transform:
    """Where values are, and some pixels to the right and up."""
    return ax.transData + Affine2D().translate(x, y)


WIDE = 490
LOOK: list[tuple[str, str, Any, str]] = [("HZR", HZR, "-", "o"), ("PC", PC, (0, (2.3, 1.3)), "s")]
Pair = Sequence[Sequence[Any]]
"""HZR and PC after each operation, None where there is no such count."""


def over_operations(
    ops: Sequence[str], model: Pair, points: Pair, wrong: Sequence[int], words: str, high: int = 190, named: bool = True
) -> Html:
    """Lines of the model, rings and squares over them; the operations in `wrong` are crossed out. high: in pixels."""
    numbers = [0, 2, *(v for values in (*model, *points) for v in values if v is not None)]
    names = {i: ops[i] if len(ops[i]) < 20 else f"…{ops[i][-18:]}" for i in range(0, len(ops), -(-len(ops) // 26))}
    size = max(3, min(10, 0.6 * WIDE / len(ops)))

    def draw(ax: Axes) -> None:
        ax.set(xlim=(-0.5, len(ops) - 0.5), ylim=(min(numbers), max(numbers)))
        _frame(ax, names if named else {})
        if wrong:
            _cross_out(ax, wrong, size)
        for (name, colour, dashes, shape), line, found in zip(LOOK, model, points, strict=True):
            edges = [i - 0.5 for i in range(len(line) + 1)]
            ax.step(edges, [*line, line[-1]], where="post", color=colour, ls=dashes, lw=3, gid=name)
            ax.plot(found, shape, ms=size, gid=f"measured {name}", **RING)
        _name_ends(ax, model)

    return drawn(draw, words, (WIDE, high), (70, 22, 50, 24 + 5 * max(map(len, names.values())) if named else 12))


def _frame(ax: Axes, names: Mapping[int, str]) -> None:
    """Values on the left, operations below; what is under zero is tinted."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    levels = [
        v for v in MaxNLocator(int(ax.bbox.height // 22), integer=True).tick_values(low, high) if low <= v <= high
    ]
    ax.hlines(levels, left, right, color=INK, lw=[0.4 if level else 1.5 for level in levels], zorder=0)
    beside, under = shifted(ax, -8, -5), shifted(ax, 6, -14)
    for level in levels:
        ax.text(left, level, f"{level:g}", ha="right", transform=beside, gid="level")
    for i, name in names.items():
        ax.text(i, low, name, size=12, ha="right", rotation=45, rotation_mode="anchor", transform=under)
    if low < 0:
        ax.axhspan(low, 0, color=BAD, alpha=0.15, lw=0)


def _cross_out(ax: Axes, wrong: Sequence[int], size: float) -> None:
    low, high = ax.get_ylim()
    tops = [high if i in wrong else low for i in range(max(wrong) + 2)]
    ax.fill_between([i - 0.5 for i in range(len(tops))], low, tops, step="post", color=INK, alpha=0.12, lw=0)
    ax.plot(wrong, [high] * len(wrong), "x", color=BAD, ms=size, mew=2.5, transform=shifted(ax, 0, 11), gid="differs")


def _name_ends(ax: Axes, lines: Pair) -> None:
    """Names where lines end, one above the other where those meet."""
    (low, high), below = ax.get_ylim(), inf
    known = [[(value, i + 0.5) for i, value in enumerate(line) if value is not None] for line in lines]
    ends = [(*values[-1], *look[:2]) for values, look in zip(known, LOOK, strict=True) if values]
    for value, x, name, colour in sorted(ends, key=lambda end: -end[0]):
        y = value * ax.bbox.height / (high - low)
        below = min(y, below - 16)
        ax.text(x, value, name, size=16, color=colour, transform=shifted(ax, 6, below - y - 5), **BOLD)


def grid(names: Sequence[str], columns: Mapping[str, Sequence[Any]], words: str, framed: int = 0) -> Html:
    """A row for each name; columns of bars (each a Bar) or signs (good or not), the first so many of them framed."""
    folded = [wrap(name, 20, break_on_hyphens=False) for name in names]
    row = max(34, 4 + 18 * max(map(len, folded)))
    wide = [150 if isinstance(cells[0], tuple) else 84 for cells in columns.values()]
    letters = [18 if room == 150 else 14 for room in wide[:-1]] + [23]  # bold ones are wider; the last has a margin
    heads = [_folded(title, most) for title, most in zip(columns, letters, strict=True)]

    def draw(ax: Axes) -> None:
        ax.set(xlim=(0, sum(wide)), ylim=(len(names) - 0.5, -0.5))
        for y, lines in enumerate(folded):
            _stack(ax, -8, y, lines, 4 - 9 * len(lines), ha="right")
        for x, title, cells in zip(accumulate(wide, initial=0), heads, columns.values(), strict=False):
            bars = isinstance(cells[0], tuple)
            look = BOLD if bars else {"ha": "center"}
            _stack(ax, x + (12 if bars else 42), -0.5, title, 8, size=13, **look)
            (_bars if bars else _signs)(ax, x + (12 if bars else 42), row, cells)
        ax.broken_barh([(0, sum(wide[:framed]))] * bool(framed), (-0.5, len(names)), fc="none", ec=INK)

    left = 20 + 8 * max(len(line) for lines in folded for line in lines)
    return drawn(draw, words, (sum(wide), row * len(names)), (left, 8 + 18 * max(map(len, heads)), 40, 4))


def _folded(title: str, most: int) -> list[str]:
    """A title in lines: at its comma, else where it gets too long."""
    parts = re.split("(?<=,) ", title, maxsplit=1)
    return parts if len(parts) > 1 and max(map(len, parts)) <= most else wrap(title, most)


def _stack(ax: Axes, x: float, y: float, lines: Sequence[str], up: float, **look: Any) -> None:
    """Lines of text, the last of them so many pixels above a place."""
    for i, line in enumerate(reversed(lines)):
        ax.text(x, y, line, transform=shifted(ax, 0, up + 18 * i), **look)


def _signs(ax: Axes, x: float, row: float, found: Sequence[Any]) -> None:
    """Signs in boxes, those of a bad answer with a bold edge."""
    colours = [COLOURS[good] for good in found]
    fills, edges = [(colour, 0.2) for colour in colours], [1 if good else 2.5 for good in found]
    ax.barh(range(len(found)), 76, 26 / row, x - 38, fc=fills, ec=colours, lw=edges)
    for y, good in enumerate(found):
        ax.text(x, y, SIGNS[good], size=19, color=colours[y], ha="center", transform=shifted(ax, 0, -7), **BOLD)


def _bars(ax: Axes, x: float, row: float, found: Sequence[Any]) -> None:
    """Bars, grey where there is no model; rings at what was measured beside a model; then the words."""
    ends = [max(0, *(value or 0 for value in bar[:2])) for bar in found]
    scale = 60 / max(1, *ends)
    shown = [scale * max(0, (real if model is None else model) or 0) for model, real, _ in found]
    colours = [(INK, 0.35) if model is None else HZR for model, *_ in found]
    ax.barh(range(len(found)), shown, 20 / row, x, color=colours, gid="bar")
    ax.vlines(x, -0.5, len(found) - 0.5, color=INK, lw=1.5)
    rings = [nan if None in (model, real) else x + scale * real for model, real, _ in found]
    ax.plot(rings, range(len(found)), "o", ms=14, gid="ring", **RING)
    for y, (*_, words) in enumerate(found):
        ax.text(x + scale * ends[y], y, words, transform=shifted(ax, 14, -5))
