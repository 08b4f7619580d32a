"""Two fixes side by side: in which questions of the decision they differ, and in which verdicts."""

from typing import Any

import ipywidgets as w
import pandas as pd

from ..build.composed import Build
from ..study.at_a_glance import command
from ..study.decision import FIXES, QUESTIONS, VERSION, answers, differing, verdicts
from ..words import choose
from .decision_view import cell, kernels, named
from .html import Html, join, table, tag, to_copy
from .stepper import pane, present, readable

SAID = {"holds": "holds", "broken": "breaks", "undecided": "is undecided"}


def two_fixes(one: str = "quick hack", other: str = "quick hack and macro") -> None:
    """Choose two fixes, and see them side by side. Shown first, and where nothing can be chosen: these two.

    Raises BuildError for a name that no fix has.
    """
    shown = pane(first := side_by_side(one, other), "24em")
    layout = {"width": "auto"}
    chosen = [w.Dropdown(options=list(FIXES), value=v, description=d, layout=layout)
              for d, v in (("one", one), ("other", other))]  # fmt: skip

    def show(_: Any) -> None:
        shown.value = readable(side_by_side(*(choice.value for choice in chosen)))

    for choice in chosen:
        choice.observe(show, "value")
    present(first, w.VBox([w.HBox(chosen, layout={"flex_flow": "row wrap"}), shown]).add_class("mm-two-fixes"))


def side_by_side(one: str, other: str) -> Html:
    """What two fixes answer to each question, first where they differ; and the verdicts that are not the same."""
    both = [choose("fix", fix, FIXES) for fix in (one, other)]
    mine, theirs = map(answers, both)
    same = {q: mine[q].words == theirs[q].words for q in QUESTIONS}
    asked = {q: join(q, " (the same)") if same[q] else tag("b", q) for q in sorted(QUESTIONS, key=lambda q: same[q])}
    shown = [(name, cell(mine[q]), cell(theirs[q])) for q, name in asked.items()]
    found = differing(*both)
    title = f"{one} or {other}: {len(same) - sum(same.values())} of {len(QUESTIONS)} answers differ, "
    title += f"and {len(found)} of {len(verdicts()) // len(FIXES)} verdicts"
    compared = table(["", *map(named, both)], shown)
    return join(tag("b", title), compared, *_verdicts(found, both), *map(_as_code, both))


def _verdicts(found: pd.DataFrame, both: list[str]) -> list[Html]:
    """A line for the verdicts that change in the same way in the same scenarios, on one arch or on many."""
    alike: dict[tuple[str, str], list[tuple[str, bool]]] = {}
    groups: Any = found.groupby(["arch", "swap", "one", "other"], sort=False)
    for (arch, swap, *pair), group in groups:
        told = ", ".join(f"{SAID[status]} with {fix}" for status, fix in zip(pair, both, strict=True))
        alike.setdefault((told, ", ".join(group.scenario)), []).append((arch, swap))
    lines = [tag("li", tag("b", kernels(where)), f": {told}: {names}") for (told, names), where in alike.items()]
    return [tag("ul", *lines, style="margin:.3em 0")] * bool(lines)


def _as_code(fix: str) -> Html:
    """To be pasted into a mail; a click selects it."""
    build = Build(VERSION, patches=FIXES[fix])
    pasted = to_copy(f"{build!r}  # {fix}\n# {command(build)}")
    return tag("details", tag("summary", f"{fix}, as code, for a mail"), pasted)
