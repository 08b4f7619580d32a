"""Widgets of the notebooks: toggles beside a view, a step slider, predict then reveal.

Each first shows what it has to say as ordinary output, so that a headless run, an exported page and a print
have it; a widget that comes alive in a browser hides that copy. Changes go from `observe` to `HTML.value` and
nowhere else: `interact`, `interactive` and `Output` make headless runs stall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import ipywidgets as w
from IPython.display import display

from .arches import ARCHES
from .build import Build, BuildError, choose
from .drawing import Html, code, join, tag
from .patches import PATCHES
from .tables import banner as banner
from .versions import VERSIONS

View = Callable[[Build], str]
Texts = Sequence[str]
WORDS = {"swap": "CONFIG_SWAP", "thp": "huge pages (THP)", "debug_vm": "CONFIG_DEBUG_VM"}
TOGGLES: dict[str, Iterable[Any]] = {"version": VERSIONS, "arch": ARCHES, "patches": PATCHES}
TOGGLES |= dict.fromkeys(WORDS, (True, False))


def explorer(view: View, build: Build | None = None, height: str = "28em", **toggles: Any) -> None:
    """Show `view(build)`, a pure function that returns HTML, and toggles that show it for other builds.

    A toggle is a keyword: arch, version, swap, thp, debug_vm, patches. Its value is the list of what to
    offer, or True for everything there is. Patches are stacked in the order in which they are ticked.

    Raises BuildError for a toggle or a value that does not exist, naming those that do.
    """
    live = Explorer(view, build or Build(), height, toggles)
    _present(live.first, live.box)


class Explorer:
    """The live half: widgets by name in `controls` and `patches`; `right` shows the chosen build."""

    def __init__(self, view: View, build: Build, height: str, toggles: dict[str, Any]) -> None:
        self.view, self.start, self.stack = view, build, list(build.patches)
        offers = {n: _offers(n, values, build) for n, values in toggles.items() if values is not False}
        patches = offers.pop("patches", [])
        self.controls = {n: _control(n, values, getattr(build, n)) for n, values in offers.items()}
        self.patches = {p: _control(_name(p), [], p in build.patches) for p in patches}
        self.first = self.shown(build)
        self.right = _pane(self.first, height, "1 1 32em")
        for control in (*self.controls.values(), *self.patches.values()):
            control.observe(self.update, "value")
        heading = [w.HTML("<b>patches</b>, in the order ticked")] * bool(patches)
        left = w.VBox([*self.controls.values(), *heading, *self.patches.values()], layout={"width": "15em"})
        self.box = w.HBox([left, self.right], layout={"flex_flow": "row wrap", "align_items": "flex-start"})

    def chosen(self) -> Build:
        """The build the toggles stand for. THP follows the arch unless toggled or set otherwise."""
        values = {name: control.value for name, control in self.controls.items()}
        if self.start.thp == Build(arch=self.start.arch).thp:
            values.setdefault("thp", None)
        self.stack = [p for p in self.stack if p not in self.patches or self.patches[p].value]
        self.stack += [p for p, tick in self.patches.items() if tick.value and p not in self.stack]
        return replace(self.start, **values, patches=tuple(self.stack))

    def shown(self, build: Build) -> Html:
        """The view under the name of the build, and what its patches do not do there."""
        notes = [f" · {patch} changes nothing here: {why}" for patch, why in build.without_effect.items()]
        return join(tag("p", code(repr(build)), *notes, style="margin:0 0 .4em"), Html(self.view(build)))

    def update(self, change: dict[str, Any]) -> None:
        """Show the view of the chosen build; an error is shown in its place. A new arch resets THP."""
        thp, arch = self.controls.get("thp"), self.controls.get("arch")
        if thp and arch is change["owner"] and thp.value != (usual := Build(arch=arch.value).thp):
            thp.value = usual  # which comes back here
            return
        try:
            self.right.value = _readable(self.shown(self.chosen()))
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            self.right.value = _readable(tag("pre", what, style="white-space:pre-wrap"))


def _offers(name: str, values: Any, build: Build) -> list[Any]:
    """What a toggle offers: what it was given, checked, and what the build it starts from has.

    Raises BuildError for an unknown name or value.
    """
    everything = TOGGLES[choose("toggle", name, TOGGLES)]
    if values is not True and not isinstance(values, list | tuple):
        raise BuildError(f"toggle {name} must be True or a list of what to offer, not {values!r}")
    offered = list(everything if values is True else values)
    if name == "patches":
        return list(dict.fromkeys([*(Build(patches=(p,)).patches[0] for p in offered), *build.patches]))
    found, own = [getattr(Build(**{name: value}), name) for value in offered], getattr(build, name)
    return found if own in found else [own, *found]


def _control(name: str, values: list[Any], value: Any) -> Any:
    if isinstance(value, bool):
        return w.Checkbox(value, description=WORDS.get(name, name), indent=False)
    return w.Dropdown(options=values, value=value, description=name, layout={"width": "14em"})


def _name(patch: Any) -> str:
    return patch if isinstance(patch, str) else patch.__name__


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
    right = _pane(shown[0], height)
    slider.observe(lambda change: right.set_trait("value", _readable(shown[change["new"]])), "value")
    still = [i for i in key if abs(i) <= last] or [0, last]
    _present(join(*dict.fromkeys(shown[i] for i in still)), w.VBox([slider, right]))


def reveal(question: str, options: Texts, answer_html: str, height: str = "12em") -> None:
    """Predict, then see: the answer appears with a choice; where nothing can be chosen, it is folded away."""
    ask, answer = tag("p", tag("b", question)), Html(answer_html)
    radio = w.RadioButtons(options=list(options), value=None, layout={"width": "auto"})
    right = _pane("", height)

    def choice(change: dict[str, Any]) -> None:
        right.value = _readable(join(tag("p", "You said: ", change["new"]), answer))

    radio.observe(choice, "value")
    folded = tag("details", tag("summary", "Say what you expect, then open this."), answer)
    listed = tag("ul", *(tag("li", option) for option in options))
    _present(join(ask, listed, folded), w.VBox([w.HTML(ask), radio, right]))


def _pane(html: str, height: str, flex: str = "0 0 auto") -> Any:
    """Where a view is shown: of fixed height, so that nothing jumps."""
    layout = {"height": height, "overflow": "auto", "flex": flex, "width": "auto"}
    return w.HTML(_readable(html), layout=layout)


def _readable(html: str) -> str:
    """Widgets have the line height of a button; prose needs its own."""
    return f'<div style="line-height:1.45">{html}</div>'


def _present(static: str, box: Any) -> None:
    """Show the static copy, then the widget: alive it hides the copy, on paper it takes the room it needs."""
    name = f"mm-{uuid4().hex[:8]}"
    paper = f"@media print{{.{name} .widget-html{{height:auto!important;overflow:visible!important}}}}"
    hide = w.HTML(f"<style>#{name}{{display:none}}{paper}</style>", layout={"display": "none"})
    box.children = (*box.children, hide)
    box.add_class(name)
    display(tag("div", Html(static), id=name))
    display(box)
