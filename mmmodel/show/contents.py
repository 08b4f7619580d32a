"""Tables of contents: the notebooks there are, and who said what."""

import json
import re
from collections.abc import Iterable, Mapping
from itertools import dropwhile, takewhile
from typing import Any

from ..data import notebooks_dir, rows
from .html import Html, join, table, tag, with_code


def headline(cells: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """Title and question of a notebook: its first heading, and the first paragraph of prose after it."""
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    lines = iter(re.sub(r"\*\*|`|\[([^]]*)\]\([^)]*\)", r"\1", text).splitlines())
    title = next((line[2:].strip() for line in lines if line.startswith("# ")), "")
    prose = dropwhile(lambda line: not line.strip() or line[0] in "#<|>-", lines)
    return title, " ".join(takewhile(str.strip, prose))


def contents(*numbers: str) -> Html:
    """The notebooks there are (or those of these numbers): link, question, time."""
    shown = []
    for file in sorted(notebooks_dir().glob("*.ipynb")):
        if not numbers or file.name.startswith(numbers):
            cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
            title, question = headline(cells)
            time = re.search(r"(\d+) (min|h)", "".join(cells[0]["source"]))
            link = tag("a", f"{file.name[:2]} {title}", href=file.name)
            shown.append((link, with_code(question), "\u00a0".join(time.groups()) if time else ""))
    return table(["notebook", "what it answers", "time"], shown)


def said(by: str) -> Html:
    """The claims of a mail or a person, and where they are checked; a notebook is a link if it is there."""
    mine = [row for row in rows("claims") if row["said_by"] == by]
    shown = [(row["id"], with_code(row["statement"]), _links(row["notebooks"])) for row in mine]
    return table(["id", "paraphrased", "checked in"], shown)


def _links(notebooks: str) -> Html:
    names = [(name[:2], notebooks_dir() / f"{name}.ipynb") for name in notebooks.split(";")]
    links = [tag("a", number, href=file.name) if file.exists() else number for number, file in names]
    return join(*(part for link in links for part in (link, " ")))
