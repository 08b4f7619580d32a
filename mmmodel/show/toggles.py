"""The explorer: the toggles of a build on the left; the verdict, what a toggle changed and a view on the right."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import ipywidgets as w
from ipywidgets.widgets.widget_bool import CheckboxStyle

from ..build.composed import Build
from ..explore.verdict import Verdict
from ..kernel.arches import ARCHES
from ..kernel.patches import PATCHES
from ..kernel.versions import VERSIONS
from ..study.at_a_glance import command, differences, presets, quick_verdicts, told, verdict_changes
from ..words import BuildError, choose, meaning
from . import states
from .html import WRAPPED, Html, block, join, tag, to_copy
from .states import name_of
from .stepper import pane, present, readable
from .tables import label

View = Callable[[Build], str]
Check = Callable[[Build], Iterable[Verdict]]
Ready = Mapping[str, Any] | bool
SWITCHES = {"swap": "CONFIG_SWAP", "thp": "huge pages (THP)", "debug_vm": "CONFIG_DEBUG_VM"}
TOGGLES: dict[str, Iterable[Any]] = {"version": VERSIONS, "arch": ARCHES, "patches": PATCHES}
TOGGLES |= dict.fromkeys(SWITCHES, (True, False))
SIDE = {"flex": "1 1 230px", "flex_flow": "row wrap", "padding": "0 14px 0 0", "align_content": "flex-start"}
OWN = ""
HEARD = {"role": "alert", "aria_live": "polite", "aria_atomic": "true"}
"""A status that comes into being is not read aloud, an alert is; `polite` lets it wait for its turn."""


def explorer(
    view: View,
    build: Build | None = None,
    height: str = "28em",
    *,
    verdict: Check | bool = False,
    presets: Ready = False,
    **toggles: Any,
) -> None:
    """Show `view(build)`, a pure function that returns HTML, and toggles that show it for other builds.

    A toggle is a keyword: arch, version, swap, thp, debug_vm, patches. Its value is the list of what to
    offer, or True for everything there is. Patches are stacked in the order in which they are ticked.
    verdict: a function from a build to its verdicts, or True for those of `quick`: adds a banner that says whether
    they hold, and which of them the last toggle changed. presets: label -> Build (or a list of patches), or True for
    `mm.presets()`: sets all toggles at once.

    Raises BuildError for a toggle or a value that does not exist, naming those that do.
    """
    live = Explorer(view, build or Build(), height, toggles, verdict, presets)
    present(live.first, live.box)


class Explorer:
    """The live half. Widgets: by name in `controls`, `patches` and `earlier`; `preset`; `top` and `right` show."""

    def __init__(
        self, view: View, build: Build, height: str, toggles: dict[str, Any], verdict: Check | bool, presets: Ready
    ) -> None:
        self.view, self.check, ready = view, _checker(verdict), _presets(presets, build)
        self.base = self.now = build
        self.history = states.History(build)
        self.stack, self.silent = list(build.patches), False
        offers = {n: _offers(n, v, [build, *ready.values()]) for n, v in toggles.items() if v is not False}
        patches = offers.pop("patches", [])
        self.controls = {n: _control(n, values, getattr(build, n)) for n, values in offers.items()}
        self.places = [w.Layout(width="auto", visibility=seen) for seen in ("hidden", "visible")]
        alike, style = {"layout": w.Layout(width="auto"), "style": CheckboxStyle()}, w.ButtonStyle()
        self.patches = {p: _control(name_of(p), [], p in build.patches, **alike) for p in patches}
        self.earlier = {p: self._button(p, style) for p in patches if len(patches) > 1}
        choices = [("your own choice", OWN), *ready.items()]
        self.preset: Any = _control("preset", choices, _among(build, ready)) if ready else None
        self.back, self.again = (self._step(*step) for step in (("undo", -1), ("redo", 1)))
        self.state = w.Text(states.query(build), continuous_update=False, layout={"display": "none"})
        self.state.add_class("mm-state").observe(self.ask, "value")
        self.verdicts = self._checked(build)
        self.first = join(self.summary(build), shown := Html(view(build)))
        self.top = pane(self.summary(build, ""), "9em" if self.check else "3em")
        self.right = pane(shown, height)
        for control in (*[self.preset] * bool(ready), *self.controls.values(), *self.patches.values()):
            control.observe(self.update, "value")
        self._number()
        self.box = self._laid_out().add_class("mm-explorer")

    def _button(self, patch: Any, style: Any) -> Any:
        said = {"description": "earlier", "tooltip": f"apply {name_of(patch)} before the one above"}
        button = w.Button(**said, layout=self.places[False], style=style)
        button.on_click(lambda _: self.move(patch))
        return button

    def _step(self, name: str, steps: int) -> Any:
        button = w.Button(description=name, disabled=True, layout={"width": "auto", "flex": "0 0 auto"})
        button.on_click(lambda _: self.set(self.history.go(steps)))
        return button

    def _laid_out(self) -> Any:
        """Toggles beside what they show; on a narrow screen above it."""
        same = w.Layout()
        rows = [w.HBox([t, self.earlier[p]], layout=same) if self.earlier else t for p, t in self.patches.items()]
        heading = [w.HTML("<b>patches</b>, as applied", layout={"flex": "1 1 100%"})] * bool(rows)
        for part in self.controls.values():
            part.layout.flex = "0 0 auto" if isinstance(part, w.Checkbox) else "1 1 100%"
        above = [self.preset, self.back, self.again] if self.preset else []
        first = [w.HBox(above, layout={"flex": "1 1 100%"})] * bool(above)
        self.top.layout.flex = "1 1 100%"
        right = [self.top, self.right] if self.check else [self.right]
        below = [self.top] * (not self.check)
        left = w.Box([*self.controls.values(), *heading, *rows, *below], layout=SIDE).add_class("mm-toggles")
        shown = w.VBox(right, layout={"flex": "999 1 590px", "min_width": "0"})
        return w.HBox([self.state, *first, left, shown], layout={"flex_flow": "row wrap", "align_items": "flex-start"})

    def chosen(self) -> Build:
        """The build the toggles stand for. THP follows the arch unless toggled or set otherwise."""
        values = {name: control.value for name, control in self.controls.items()}
        if self.base.thp == Build(arch=self.base.arch).thp:
            values.setdefault("thp", None)
        self.stack = [p for p in self.stack if p not in self.patches or self.patches[p].value]
        self.stack += [p for p, tick in self.patches.items() if tick.value and p not in self.stack]
        return replace(self.base, **values, patches=tuple(self.stack))

    @contextmanager
    def _silently(self) -> Iterator[None]:
        """Set widgets without answering each of them."""
        self.silent = True
        try:
            yield
        finally:
            self.silent = False

    def set(self, build: Build) -> None:
        """Set all toggles at once."""
        self.base, self.stack = build, list(build.patches)
        with self._silently():
            for name, control in self.controls.items():
                control.value = getattr(build, name)
            for patch, tick in self.patches.items():
                tick.value = patch in build.patches
        self.show()

    def ask(self, change: dict[str, Any]) -> None:
        """Set what a query asks for, and say what it asks in vain."""
        if self.silent:
            return
        offers = {name: getattr(control, "options", (True, False)) for name, control in self.controls.items()}
        offers |= {"patches": list(self.patches)} if self.patches else {}
        build, vain = states.build_asked(change["new"], self.now, offers)
        self.set(build)
        if vain:
            said = (tag("p", line, role="alert", style=WRAPPED) for line in ("In the address:", *vain))
            self.top.value = join(*said, Html(self.top.value))

    def move(self, patch: Any) -> None:
        """Apply a patch earlier, before the one it follows."""
        i = self.stack.index(patch)
        self.stack[i - 1 : i + 1] = reversed(self.stack[i - 1 : i + 1])
        self.show()

    def update(self, change: dict[str, Any]) -> None:
        """A widget changed. A new arch resets THP."""
        owner = change["owner"]
        if self.silent or owner.value == OWN:
            return
        if owner is self.preset:
            self.set(owner.value)
            return
        if {"arch", "thp"} <= set(self.controls) and owner is self.controls["arch"]:
            with self._silently():
                self.controls["thp"].value = Build(arch=owner.value).thp
        self.show()

    def show(self) -> None:
        """Show the chosen build; an error is shown in its place."""
        before, known, self.verdicts = self.now, self.verdicts, []
        self.now = self.chosen()
        try:
            self.verdicts = self._checked(self.now)
            changed = "; ".join(differences(before, self.now)) or "nothing"
            changed += f". Verdicts: {verdict_changes(known, self.verdicts)}" if known and self.verdicts else ""
            self.top.value = readable(self.summary(self.now, changed))
        except Exception as error:
            self.top.value = readable(join(_error(error), self.summary(self.now)))
        try:
            self.right.value = readable(self.view(self.now))
        except Exception as error:
            self.right.value = readable(_error(error))
        self.history.add(self.now)
        self.back.disabled, self.again.disabled = (not self.history.has(steps) for steps in (-1, 1))
        with self._silently():
            self.state.value = states.query(self.now)
        self._number()

    def _checked(self, build: Build) -> list[Verdict]:
        found = list(self.check(build)) if self.check else []
        if self.check and not found:
            raise ValueError("no verdicts: `verdict` has to check at least one scenario")
        return found

    def _number(self) -> None:
        """Say which patch is applied when, and whether the build is one of the presets."""
        for patch, tick in self.patches.items():
            place = self.stack.index(patch) + 1 if patch in self.stack else 0
            tick.description = f"{place}. {name_of(patch)}" if place else name_of(patch)
            if patch in self.earlier:
                self.earlier[patch].layout = self.places[place > 1]
        if self.preset:
            with self._silently():
                self.preset.value = _among(self.now, dict(self.preset.options))

    def summary(self, build: Build, changed: str | None = None) -> Html:
        """The verdict, what the last toggle changed (None: no toggles), and the build as code."""
        parts = [_banner(build, self.verdicts, HEARD if changed else {})] if self.verdicts else []
        if changed is not None:
            words = join(tag("b", "changed: "), changed) if changed else "Nothing has been toggled yet."
            parts.append(tag("p", words, style="margin:.2em 0"))
        return join(*parts, *_as_code(build, self.verdicts))


def _banner(build: Build, verdicts: list[Verdict], heard: dict[str, str]) -> Html:
    """Do all verdicts hold? In words, with a symbol; colour comes last."""
    good, headline, detail, more = told(verdicts)
    first = tag("div", tag("b", headline), f": {label(build)}", style="font-size:1.15em")
    return block(good, first, tag("div", f"{detail}. {more}"), **{"class": "mm-verdict", **heard})


def _as_code(build: Build, verdicts: list[Verdict]) -> list[Html]:
    """What to paste into a mail: a click selects it. And what patches do not do in this build."""
    notes = [*build.notes]
    notes += ["without transparent huge pages there is no huge zero page to lose"] * (not build.thp)
    if not verdicts:
        both = join(tag("code", build, style="user-select:all"), *(f" · {note}" for note in notes))
        return [tag("p", both, style="margin:0 0 .4em")]
    lines = [repr(build), f"# {': '.join(told(verdicts)[1:3])}"]
    lines += [f"# {line}" for line in (command(build),) if line]
    lines += [f"# {p.__name__}: a patch defined in this notebook" for p in build.patches if isinstance(p, type)]
    pasted = to_copy("\n".join(lines + [f"# {note}" for note in notes]))
    return [tag("details", tag("summary", "as code, for a mail"), pasted)]


def _error(error: Exception) -> Html:
    return tag("pre", f"{type(error).__name__}: {error}", style=WRAPPED, role="alert")


def _checker(verdict: Check | bool) -> Check | None:
    if isinstance(verdict, bool):
        return quick_verdicts if verdict else None
    if not callable(verdict):
        raise BuildError(f"verdict must be True or a function from a build to its verdicts, not {verdict!r}")
    return verdict


def _presets(given: Ready, start: Build) -> dict[str, Build]:
    """Labelled builds; a list of patches is those patches on the build to start from."""
    if isinstance(given, bool):
        return presets() if given else {}
    if not isinstance(given, Mapping):
        raise BuildError(f"presets must be True or a dictionary of builds by label, not {given!r}")
    return {n: b if isinstance(b, Build) else replace(start, patches=b) for n, b in given.items()}


def _among(build: Build, ready: Mapping[str, Build | str]) -> Build | str:
    """The build, if it is a preset."""
    return build if build in ready.values() else OWN


def _offers(name: str, values: Any, builds: list[Build]) -> list[Any]:
    """What a toggle offers: what it was given, checked, and what the builds that it can be set to have.

    Raises BuildError for an unknown name or value.
    """
    everything = TOGGLES[choose("toggle", name, TOGGLES)]
    if values is not True and not isinstance(values, list | tuple):
        raise BuildError(f"toggle {name} must be True or a list of what to offer, not {values!r}")
    offered = list(everything if values is True else values)
    if name == "patches":
        own = [patch for build in builds for patch in build.patches]
        return list(dict.fromkeys([*(Build(patches=(p,)).patches[0] for p in offered), *own]))
    found, own = [getattr(Build(**{name: value}), name) for value in offered], [getattr(b, name) for b in builds]
    return [*(value for value in dict.fromkeys(own) if value not in found), *found]


def _control(name: str, values: list[Any], value: Any, **alike: Any) -> Any:
    """A toggle. alike: a layout and a style that it has in common with others: each widget is a message to the page."""
    if isinstance(value, bool):
        said = {"description": SWITCHES.get(name, name), "tooltip": meaning(name)}
        return w.Checkbox(value, **said, indent=False, **{"layout": {"width": "auto"}, **alike})
    kind = w.Dropdown if name == "preset" else w.RadioButtons
    return kind(options=values, value=value, description=name, layout={"width": "auto"})
