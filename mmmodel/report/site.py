"""A report as a small site: which pages there are, in which order, and what is before and after each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..show.glossary import KINDS, words_of
from .page import render

OWN = ("index", "claims", "glossary", "slides")
"""Pages that are no notebook's."""


@dataclass(frozen=True)
class Site:
    """The notebooks of a run, in order: name and title."""

    notebooks: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, outcomes: Iterable[Any]) -> "Site":
        """Of the outcomes of a run, which need not be there yet; a title begins with the number, if there is one."""
        numbers = [(o, f"{o.name[:2]} " if o.name[:2].isdigit() and o.title else "") for o in outcomes]
        return cls(tuple((o.name, number + (o.title or o.name)) for o, number in numbers))

    def beside(self, name: str) -> list[tuple[str, str, str]]:
        """What is before a notebook and after it: `prev` or `next`, name, title."""
        at = next((i for i, (other, _) in enumerate(self.notebooks) if other == name), None)
        places = [] if at is None else [("prev", at - 1), ("next", at + 1)]
        return [(side, *self.notebooks[i]) for side, i in places if 0 <= i < len(self.notebooks)]

    @property
    def timeline(self) -> str:
        """The notebook with the timeline, if it was run."""
        return next((name for name, _ in self.notebooks if name == "11-aftermath"), "")


def glossary_page(site: Site) -> str:
    """Every word as a page, with the notebook that uses it first."""
    groups = {title: list(words_of(kind)) for kind, title in KINDS.items()}
    return render("glossary.html", title="Glossary", groups=groups, site=site, here="glossary")
