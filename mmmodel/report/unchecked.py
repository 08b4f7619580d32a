"""What an executed notebook left out: cells that did not run, claims that were not made, summaries without content."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bs4 import BeautifulSoup

from ..claims import MIME
from .page import numbered, summaries, tagged

# Cell magics that run the cell as Python in the kernel, or only show it; all others take the code elsewhere.
MAGICS = {"capture", "prun", "time", "timeit"} | {"HTML", "SVG", "html", "javascript", "js", "latex", "markdown", "svg"}
Found = Iterator[tuple[str, int | None, str]]
"""What is wrong, the number of the cell if it is a code cell, and the claim it is about, or nothing."""


def unchecked(nb: Mapping[str, Any], promised: Sequence[str]) -> Found:
    """Whatever was left out, given the claims that the notebook has to check; errors are not repeated."""
    yield from _cells(nb)
    yield from _claims(nb, promised)
    for number, html in summaries(nb):
        shown = BeautifulSoup(html, "html.parser")
        if not shown.get_text(strip=True) and not shown.select("img, svg"):
            yield "its summary came out empty", number, ""
    for cell in nb["cells"]:
        if tagged(cell, "summary") and cell["cell_type"] != "code":
            yield f"a {cell['cell_type']} cell is tagged summary, and shows nothing there", None, ""


def _cells(nb: Mapping[str, Any]) -> Found:
    """Cells that did not run: those that were not reached, in one line, and each that went wrong without an error."""
    waiting = []
    for number, cell in numbered(nb["cells"]):
        magic = re.match(r"\s*%%(\S+)", text := "".join(cell["source"]))
        if not text.strip() or any(output["output_type"] == "error" for output in cell["outputs"]):
            continue
        if cell["execution_count"] is None:
            waiting.append(number)
        elif cell["metadata"]["papermill"]["status"] != "completed":
            words = "".join("".join(output.get("text", "")) for output in cell["outputs"]).split("\n")
            yield f"it did not run: {next(filter(None, reversed(words)), 'and gave no reason')}", number, ""
        elif magic and magic[1] not in MAGICS:
            yield f"it did not run here: %%{magic[1]} took its code", number, ""
    if waiting:
        rest = f", nor did {', '.join(map(str, waiting[1:]))}" if waiting[1:] else ""
        yield f"it did not run{rest}", waiting[0], ""
    for cell in nb["cells"]:
        if cell["cell_type"] == "raw" and _is_code("".join(cell["source"])):
            yield "a raw cell has code, which did not run", None, ""


def _claims(nb: Mapping[str, Any], promised: Sequence[str]) -> Found:
    """Claims in the source, or promised, that were not made; claims made more than once."""
    made: dict[str, list[int]] = {}
    for number, cell in numbered(nb["cells"]):
        for output in cell["outputs"]:
            if claim := output.get("data", {}).get(MIME):
                made.setdefault(claim["id"], []).append(number)
    places: list[tuple[int | None, Any]] = list(numbered(nb["cells"]))
    places += [(None, cell) for cell in nb["cells"] if cell["cell_type"] == "raw"]
    written = {id: number for number, cell in reversed(places) for id in claims_in("".join(cell["source"]))}
    for id, number in sorted(written.items(), key=lambda item: (item[1] or 0, item[0])):
        if not id and not made:
            yield "it makes claims, and none came out", number, ""
        elif id and id not in made:
            yield f"{id} was not checked", number, id
    for id in promised:
        if id not in made and id not in written:
            yield f"{id} was not checked, which data/claims.csv says it does", None, id
    for id, cells in made.items():
        if len(cells) > 1:
            yield f"{id} was made more than once, in cells {', '.join(map(str, cells))}", cells[-1], id


def claims_in(source: str) -> set[str]:
    """The literal ids of the claims that a cell's code makes; an empty one for an id that is not literal."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # magics, and what is broken
        return set(re.findall(r"""\bclaim\(\s*(?:id\s*=\s*)?["'](\w+)["']""", re.sub("#.*", "", source)))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "claim":
            id = next((n.value for n in [*node.args[:1], *(k.value for k in node.keywords if k.arg == "id")]
                       if isinstance(n, ast.Constant)), "")  # fmt: skip
            found.add(str(id))
    return found


def _is_code(source: str) -> bool:
    try:
        nodes = ast.walk(ast.parse(source))
    except (SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.Call | ast.Assign | ast.Import | ast.ImportFrom) for node in nodes)
