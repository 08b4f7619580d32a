"""Each word explained once (data/glossary.csv): the table of all, and a link to it where a word is first used.

The notebooks are written without these links, so that they stay readable. They are put in where a notebook is handed
out: in the reader's copy for JupyterLab, in the report, in the dashboard.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from ..data import rows
from ..kernel.patches import PATCHES
from ..words import numbers
from .html import Html, code, join, table, tag, with_code
from .sources import diff

HOME = "00-start-here.ipynb"
KINDS = {
    "term": "Words",
    "function": "Functions",
    "patch": "Patches",
    "scenario": "Scenarios",
    "invariant": "Invariants",
}
UNTOUCHED = r"```.*?```|^(?:#| {4}|    ).*?$|!?\[[^]]*\]\([^)]*\)|<[^>]*>|https?://\S+"
"""In Markdown: fenced and indented code, headings, links, HTML."""


def anchor(row: Mapping[str, str]) -> str:
    """The anchor of a word in the table."""
    return f"word-{row['kind']}-{row['term'].replace(' ', '-')}"


def forms(row: Mapping[str, str]) -> Iterator[str]:
    """A word as it stands in prose, as patterns: names of code between backticks, all others as they are."""
    words = [row["term"], *filter(None, row["also"].split(";"))]
    for word in words:
        if row["kind"] != "term" and word == row["term"]:
            yield rf"`{re.escape(word)}(?:\(\))?`"
        else:
            yield rf"(?<![\w`/.-])(?{'i' * word.islower()}:{re.escape(word)})(?![\w`/-])"


@cache
def pattern() -> tuple[re.Pattern[str], list[dict[str, str]]]:
    """What is left as it is, or one of the words, longer ones first; and the row of each group."""
    found = sorted(((form, row) for row in rows("glossary") for form in forms(row)), key=lambda pair: -len(pair[0]))
    groups = "|".join(f"({form})" for form, _ in found)
    rest = r"|`[^`\n]*`"
    return re.compile(f"{UNTOUCHED}|{groups}{rest}", re.MULTILINE | re.DOTALL), [row for _, row in found]


def linked(text: str, seen: set[str], home: str = HOME) -> str:
    """Markdown in which each word that is not `seen` yet is a link to its explanation, which is its title, too."""
    words, known = pattern()

    def link(match: re.Match[str]) -> str:
        row = known[match.lastindex - 1] if match.lastindex else None
        if row is None or anchor(row) in seen:
            return match[0]
        seen.add(anchor(row))
        return f'[{match[0]}]({home}#{anchor(row)} "{row["explanation"]}")'

    return words.sub(link, text)


def link_words(cells: Iterable[Any], home: str = HOME) -> None:
    """Put the links into the Markdown cells of a notebook; `home` has the table."""
    seen = set[str]()
    for cell in cells:
        if cell["cell_type"] == "markdown":
            cell["source"] = linked("".join(cell["source"]), seen, home)


def glossary() -> Html:
    """All words, by kind; a patch with the lines it changes."""
    parts = []
    for kind, title in KINDS.items():
        shown = [(word, meaning) for word, meaning, _ in words_of(kind)]
        parts.append(tag("details", tag("summary", f"{title} ({len(shown)})"), table(["", "what it is"], shown)))
    return join(*parts)


def words_of(kind: str) -> Iterator[tuple[Html, Html, str]]:
    """The words of a kind: each with its anchor, what it means, and the notebook that uses it first."""
    for row in rows("glossary"):
        if row["kind"] == kind:
            yield _word(row), _meaning(row), row["notebook"]


def _word(row: Mapping[str, str]) -> Html:
    name = tag("b", row["term"]) if row["kind"] == "term" else code(row["term"])
    return tag("span", name, id=anchor(row))


def _meaning(row: Mapping[str, str]) -> Html:
    if row["kind"] != "patch":
        return with_code(row["explanation"])
    return join(with_code(row["explanation"]), diff(row["term"], max("v4.6", PATCHES[row["term"]].since, key=numbers)))
