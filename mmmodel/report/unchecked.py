"""What an executed notebook left out: cells that did not run, claims that were not made, summaries without content."""

import ast
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from bs4 import BeautifulSoup

from ..claims import MIME
from .page import numbered, summaries, tagged

# Cell magics that run the cell as Python in the kernel, or only show it; all others take the code elsewhere.
MAGICS = {"capture", "prun", "time", "timeit"} | {"HTML", "SVG", "html", "javascript", "js", "latex", "markdown", "svg"}
# Where a notebook gives `claim` another name: import, assignment, getattr, partial.
ALIAS = re.compile(r"\bclaim as (\w+)|(\w+) *:?= *(?:[\w.]+\([^()\n]*)?[\w.]*\bclaim\b(?! *[.(])")
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


def _claims(nb: Mapping[str, Any], promised: Sequence[str]) -> Found:
    """Claims in the source, or promised, that were not made; claims made more than once."""
    made: dict[str, list[int]] = {}
    for number, cell in numbered(nb["cells"]):
        for output in cell["outputs"]:
            if claim := output.get("data", {}).get(MIME):
                made.setdefault(claim["id"], []).append(number)
    names = {name for cell in nb["cells"] for pair in ALIAS.findall("".join(cell["source"])) for name in pair if name}
    text = [cell for cell in nb["cells"] if cell["cell_type"] != "code"]
    code = [cell for cell in text if _is_code(cell, names)]
    for cell in code:
        yield f"a {cell['cell_type']} cell has code, which did not run", None, ""
    cells = [*numbered(nb["cells"]), *((None, cell) for cell in text if cell in code or cell["cell_type"] == "raw")]
    places = [(where, *place) for where, cell in cells for place in claims_in("".join(cell["source"]), names)]
    written = {id for _, id, _ in places}
    others = [number for id in made.keys() - written for number in made[id]]
    lost = {(where, id) for where, id, inside in places
            if not any(inside or where in (n, None) for n in (made.get(id, ()) if id else others))}  # fmt: skip
    for where, id in sorted(lost, key=lambda place: (place[0] or 0, place[1])):
        words = f"{id} was not checked{' here' * (id in made)}" if id else "it makes claims, and none came out"
        yield words, where, id
    for id in promised:
        if id not in made and id not in written:
            yield f"{id} was not checked, which data/claims.csv says it does", None, id
    for id, numbers in made.items():
        if len(numbers) > 1:
            yield f"{id} was made more than once, in cells {', '.join(map(str, numbers))}", numbers[-1], id


def claims_in(source: str, names: Container[str]) -> list[tuple[str, bool]]:
    """The places in a cell's code that make claims: the literal id or nothing, and whether a function has it."""
    if not (tree := _parsed(source)):  # it is broken, or no Python
        ids = re.findall(r"""\bclaim\(\s*(?:id\s*=\s*)?["'](\w+)["']""", re.sub("#.*", "", source))
        return [(id, False) for id in ids]
    found, todo = list[tuple[str, bool]](), [(tree, False)]
    for node, inside in todo:
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        todo += [(child, inside) for child in ast.iter_child_nodes(node)]
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if name in names or name.split(".")[-1] == "claim":
            ids = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "id")]
            found.append((next((id for n in ids if isinstance(id := getattr(n, "value", 0), str)), ""), inside))
    return found


def _parsed(source: str) -> Any:
    """The syntax tree of a cell's code, without its magics; nothing if there is none."""
    bare = re.sub(r"(?m)^\s*%%.*|(^|=)(\s*)%(timeit|time|prun)\b(\s+-\w+ *\d*)* *", r"\1\2", source)
    bare = re.sub(r"(?m)(^|=)(\s*)([%!]{1,2}\w.*|\??[\w.]+\?+$)", r"\1\2None", bare)
    for text in (source, bare):
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.parse(text)
    return None


def _is_code(cell: Mapping[str, Any], names: Container[str]) -> bool:
    """Is all of a text code: in Markdown, that makes claims?"""
    tree, kinds = _parsed("".join(cell["source"])), ast.Call | ast.Assign | ast.Import | ast.ImportFrom
    if cell["cell_type"] == "raw":
        return bool(tree) and any(isinstance(node, kinds) for node in ast.walk(tree))
    return bool(tree and claims_in("".join(cell["source"]), names))
