"""A talk out of a notebook that was run: one file, offline, a slide on each screen and on each sheet of paper.

Tags of cells say what is in it. `slide` begins a slide and `more` adds to it. What is tagged `said` too is not shown
but for the speaker, like the `notes` for whoever leads a meeting. Nothing else is in it, and of code only what it
shows. A slide has the heading above it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .environment import write
from .page import LIVE, WIDGET, exported, render, tagged, template

TAGS = ("slide", "more", "said", "notes")


def has_slides(cells: Iterable[Mapping[str, Any]]) -> bool:
    """Is there a talk in a notebook?"""
    return any(tagged(cell, "slide") for cell in cells)


def write_slides(notebooks: Iterable[Path], out: Path) -> None:
    """Write slides.html into the folder `out`, from executed notebooks; those that are not there are left out."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in notebooks if path.exists()]
    cells = [cell for nb in found for cell in nb["cells"]]
    write(out / "slides.html", as_page(cells, out))


def as_page(cells: Iterable[dict[str, Any]], folder: Path) -> str:
    """Executed cells as a talk; files that they show are in `folder`."""
    from nbformat import from_dict

    slides = list(_slides(cells))
    nb = from_dict({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    body = exported(nb, "slides.html", folder, slides=from_dict(slides))
    alone = re.sub(r'<a href="(?!https?:)[^>]*>(.*?)</a>', r"\1", body, flags=re.DOTALL)
    script = template("page.js") + template("slides.js")
    title = next((slide["heading"] for slide in slides if slide["heading"]), "Slides")
    return render("head.html", template("slides.css"), script, title=title) + alone


def _slides(cells: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Slides: their heading, whether it has to be written, the cells shown, the cells said."""
    heading, slide = "", dict[str, Any]()
    for cell in cells:
        text, said = cell["cell_type"] == "markdown", tagged(cell, "said") or tagged(cell, "notes")
        source = LIVE.sub("", "".join(cell["source"]))
        heading = next(iter(re.findall(r"^#+ (.*)", source, re.MULTILINE) if text else ()), heading)
        shown = [output for output in cell.get("outputs", ()) if WIDGET not in output.get("data", {})]
        if tagged(cell, "slide"):
            yield from [slide] * bool(slide)
            slide = {"heading": heading, "bare": not text or said, "cells": [], "notes": []}
        if slide and any(tagged(cell, tag) for tag in TAGS):
            slide["notes" if said else "cells"].append({**cell, "source": source, "outputs": shown})
    yield from [slide] * bool(slide)
