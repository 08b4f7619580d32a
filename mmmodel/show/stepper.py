"""Widgets of the notebooks: a step slider; and how all of them are shown (see `toggles`, and `learn`).

Each first shows what it has to say as ordinary output, so that a headless run, an exported page and a print
have it; a widget that comes alive in a browser hides that copy. Changes go from `observe` to `HTML.value` and
nowhere else: `interact`, `interactive` and `Output` make headless runs stall.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

import ipywidgets as w
from IPython.display import display

from .html import HZR, Html, code, join, tag

Texts = Sequence[str]
ARROW = (
    "url(\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'>"
    "<path fill='white' d='M5 7l4 4 4-4z'/></svg>\")"
)
"""Of a list that drops down, in the dark: theirs is black."""


def stepper(frames: Texts, labels: Texts, key: Iterable[int] = (0, -1), height: str = "16em") -> None:
    """A slider over frames of HTML made beforehand. `key`: the frames shown where nothing can move.

    Raises ValueError unless there is one label for each frame, and a frame.
    """
    if not frames or len(frames) != len(labels):
        raise ValueError(f"{len(frames)} frames and {len(labels)} labels: give one label for each frame")
    last = len(frames) - 1
    titles = [tag("p", f"step {i} of {last}: ", code(label)) for i, label in enumerate(labels)]
    shown = [join(title, Html(frame)) for title, frame in zip(titles, frames, strict=True)]
    layout = {"width": "min(40em, 95%)"}
    slider = w.IntSlider(0, 0, last, description="step", continuous_update=False, layout=layout)
    right = pane(shown[0], height)
    slider.observe(lambda change: right.set_trait("value", readable(shown[change["new"]])), "value")
    still = [i for i in key if abs(i) <= last] or [0, last]
    present(join(*dict.fromkeys(shown[i] for i in still)), w.VBox([slider, right]))


def pane(html: str, height: str) -> Any:
    """Where a view is shown: so high that nothing jumps, and higher on a narrow screen rather than a view cut off."""
    layout = {"height": "auto", "min_height": height, "overflow": "auto", "flex": "0 0 auto", "width": "auto"}
    return w.HTML(readable(html), layout=layout)


def readable(html: str) -> str:
    """Widgets have the line height of a button; prose needs its own."""
    return f'<div style="line-height:1.45">{html}</div>'


def present(static: str, box: Any) -> None:
    """Show the static copy, then the widget: alive it hides the copy, on paper it takes the room it needs."""
    name = f"mm-{uuid4().hex[:8]}"
    paper = f"@media print{{.{name} .widget-html{{min-height:0!important;overflow:visible!important}}}}"
    focus = f".{name} :is(select,input,button):focus-visible{{outline:3px solid {HZR};outline-offset:2px}}"
    fonts = f".{name}{{--jp-widgets-font-size:15px}}.{name} table{{font-size:13px}}"
    dark = f"[data-jp-theme-light=false] .{name}{{color-scheme:dark;--jp-widgets-dropdown-arrow:{ARROW}}}"
    style = f"#{name}{{display:none}}{fonts}{dark}{focus}{paper}"
    hide = w.HTML(f"<style>{style}</style>", layout={"display": "none"})
    box.children = (*box.children, hide)
    box.add_class(name)
    display(tag("div", Html(static), id=name))
    display(box)
