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

from .html import BAD, HZR, Html, code, join, tag

Texts = Sequence[str]
LOOK = f"""
&{{--jp-widgets-font-size:13px}} & table{{font-size:13px}}
[data-jp-theme-light=false] &{{color-scheme:dark}}
& select{{appearance:auto;background-image:none!important}} & .widget-dropdown .widget-label{{width:auto}}
& :is(input,select,button,summary):focus-visible,
& label:has(:focus-visible){{outline:3px solid {HZR};outline-offset:2px}}
& .widget-radio,& .widget-radio-box{{display:flex;flex-flow:row wrap;gap:2px;width:auto;height:auto;margin:0}}
& .widget-radio{{padding:2px 0}} & .widget-radio-box{{display:contents}}
& .widget-radio>label{{width:auto;height:auto;margin:0 3px 0 0;font-weight:bold;line-height:22px}}
& .widget-radio-box label{{position:relative;width:auto;height:auto;margin:0;padding:0 4px;line-height:19px;
  border:1px solid;border-radius:4px;cursor:pointer}}
& .widget-radio-box input{{position:absolute;inset:0;margin:0;opacity:0;cursor:pointer}}
& .widget-radio-box label:has(:checked){{background:#245f99;border-color:#245f99;color:#fff;font-weight:bold}}
& .mm-toggles .widget-html-content{{line-height:1.4}}
& .widget-checkbox,& .widget-checkbox label{{height:20px;line-height:20px;width:auto;margin:0 6px 0 0}}
&:has(.mm-wide)>.mm-toggles{{flex-basis:100%!important}} &:has(.mm-wide)>.mm-toggles>*{{flex-basis:auto!important}}
& button[style*="visibility: hidden"]{{display:none}}
& .mm-toggles .widget-hbox{{flex-wrap:wrap}}
& .mm-toggles button{{flex:none;height:20px;line-height:20px;padding:0 6px}}
& .mm-gone p{{border-left:4px solid {BAD};padding:4px 8px;margin:0 0 6px;font-weight:bold;line-height:1.4}}
&.jupyter-widgets-disconnected .mm-gone{{display:block!important;order:-1;flex:1 1 100%}}
&.jupyter-widgets-disconnected>:not(.mm-gone){{opacity:.4;pointer-events:none}}
& .jupyter-widgets-disconnected::before,&.jupyter-widgets-disconnected::before{{content:none!important}}
@media print{{& .widget-html{{min-height:0!important;overflow:visible!important}}}}
"""
"""Choices as segmented buttons, of a size that fits; `&` stands for the widget."""
KEYS = """const box = this.closest('.NAME'); box.addEventListener('focusin', event => {
  event.target.setAttribute('data-lm-suppress-shortcuts', '');
  box.querySelectorAll('.widget-radio-box').forEach((group, i) =>
    group.querySelectorAll('input').forEach(choice => choice.name = `NAME-${i}`)) })"""
"""What has the focus keeps its keys: for JupyterLab x would cut the cell. In a group with a name arrows choose."""
GONE = (
    "The kernel behind this is gone or was restarted: what stands here is from before, and nothing answers. "
    "In a notebook run its cells again, in a dashboard load the page again."
)


def stepper(frames: Texts, labels: Texts, key: Iterable[int] = (0, -1), height: str = "16em") -> None:
    """A slider over frames of HTML made beforehand. `key`: those shown where nothing moves; all are folded away.

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
    few = tag("div", *dict.fromkeys(shown[i] for i in still))
    every = tag("summary", f"all {last + 1} steps, one below the other"), *(tag("div", frame) for frame in shown)
    present(join(few, tag("details", *every, **{"class": "mm-steps"})), w.VBox([slider, right]))


def pane(html: str, height: str) -> Any:
    """Where a view is shown: so high that nothing jumps, and higher on a narrow screen rather than a view cut off."""
    layout = {"height": "auto", "min_height": height, "overflow": "auto", "flex": "0 0 auto", "width": "auto"}
    return w.HTML(readable(html), layout=layout)


def readable(html: str) -> str:
    """Widgets have the line height of a button; prose needs its own."""
    return f'<div style="line-height:1.45">{html}</div>'


def present(static: str, box: Any) -> None:
    """Show the static copy, then the widget: alive it hides the copy, on paper it takes the room it needs.

    No key typed in it reaches the notebook around it, and it says so when its kernel is gone.
    """
    name = f"mm-{uuid4().hex[:8]}"
    looks = tag(
        "style", Html(LOOK.replace("&", f".{name}") + f"#{name}{{display:none}}"), onload=KEYS.replace("NAME", name)
    )
    hidden = w.HTML(join(looks, tag("p", GONE, role="alert")), layout={"display": "none"}).add_class("mm-gone")
    box.children = (*box.children, hidden)
    box.add_class(name)
    display(tag("div", Html(static), id=name))
    display(box)
