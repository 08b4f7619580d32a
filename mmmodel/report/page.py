"""Executed notebooks as pages: plain HTML, no network, and no script but ours, which moves steps and predictions."""

import ast
import base64
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..claims import MIME
from ..show.contents import headline
from ..show.glossary import link_words
from ..show.html import with_code
from .environment import write as write

SHOWN = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/plain"]
LIVE = re.compile(r'<(span|div) class="live">.*?</\1>', re.DOTALL)
"""What a notebook says to a reader who has a kernel: there is none behind a page."""
FETCHED = {"script", "link", "meta", "base", "iframe", "object", "embed"}
WIDGET = "application/vnd.jupyter.widget-view+json"


def parameters_of(cells: Iterable[Mapping[str, Any]]) -> dict[str, object]:
    """The parameters of a notebook with their defaults; `...` for a default that is no literal.

    From the syntax tree of the cell tagged `parameters`: papermill's own inspection goes by lines and loses,
    for example, a parameter annotated `int | None`.
    """
    cell = next((cell for cell in cells if tagged(cell, "parameters")), {"source": ""})
    found: dict[str, object] = {}
    for node in ast.parse("".join(cell["source"])).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            name = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            found[name] = ...
            with suppress(ValueError):
                found[name] = ast.literal_eval(node.value)
    return found


def numbered(cells: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """Code cells with their numbers in the notebook's source: the parameters a run injects do not count."""
    number = 0
    for cell in cells:
        if cell["cell_type"] == "code":
            number += not tagged(cell, "injected-parameters")
            yield number, cell


def page(nb: Any, path: Path, given: Mapping[str, object], failures: Sequence[object], site: Any = None) -> str:
    """An executed notebook, which is at `path`, as a page of `site`; `given` are the parameters set for the run."""
    from pygments.formatters import HtmlFormatter

    run = {"parameters": {**parameters_of(nb.cells), **given}, "given": list(given), "failures": failures}
    body = exported(_anchored(nb), "page.html", path.parent, run=run)
    light, dark = (HtmlFormatter(style=s).get_style_defs(".highlight") for s in ("xcode", "github-dark"))
    css = f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}"
    about = {"title": headline(nb.cells)[0], "site": site, "here": path.stem}
    return render("head.html", css, template("page.js"), **about) + body


def exported(nb: Any, name: str, folder: Path, **values: Any) -> str:
    """A notebook from `folder` by a template for nbconvert, which lets nothing from outside through but `offline`."""
    from jinja2 import DictLoader
    from nbconvert.exporters import HTMLExporter, TemplateExporter
    from nbconvert.filters import Highlight2HTML
    from traitlets.config import Config

    exporter = HTMLExporter(
        config=Config({"NbConvertBase": {"display_data_priority": SHOWN}}),
        optimistic_validation=True,
        extra_loaders=[DictLoader({"here": template(name), "outputs": template("outputs.html")})],
        template_file="here",
        embed_images=True,
    )
    lexer = nb.metadata.get("language_info", {}).get("pygments_lexer", "ipython3")
    exporter.register_filter("highlight_code", Highlight2HTML(pygments_lexer=lexer, parent=exporter))
    exporter.register_filter("offline", offline)
    resources = {"metadata": {"path": str(folder)}, **values}
    # HTMLExporter's own would read the page, to look for pictures.
    return str(TemplateExporter.from_notebook_node(exporter, nb, resources)[0])


def _anchored(nb: Any) -> Any:
    """A copy with an anchor on each code cell and claim, and links, without widgets: their view is an output too."""
    nb, seen = deepcopy(nb), {""}
    for cell in nb.cells:
        cell.source = LIVE.sub("", cell.source) if cell.cell_type == "markdown" else cell.source
    link_words(nb.cells, "glossary.html")
    for number, cell in numbered(nb.cells):
        cell.metadata.anchor = "parameters-of-this-run" if tagged(cell, "injected-parameters") else f"cell-{number}"
        cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        for output in cell.outputs:
            id = output.get("data", {}).get(MIME, {}).get("id", "")
            if id not in seen:
                output.metadata.anchor = f"claim-{id}"
                seen.add(id)
    return nb


def offline(body: str, home: str = "", anchors: Container[str] = ()) -> str:
    """Without what would run or be fetched; links to notebooks become links to their pages.

    Of a part of the page `home`, which is shown elsewhere: its own links lead there, if it has these `anchors`.
    """
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body, "html.parser")
    for tag in soup.find_all(True):
        source, link = (str(tag.get(name, "")) for name in ("src", "href"))
        if tag.name in FETCHED or source.lower().startswith(("http", "//")):
            tag.replace_with(f"[{tag['alt']}]" if tag.get("alt") else "")
        tag.attrs.pop("onclick", None)  # nothing runs on a page
        if tag.name == "img":
            tag.attrs.setdefault("alt", "a picture that nobody described")
        if tag.name == "a" and ".ipynb" in link and "://" not in link:
            tag["href"] = link.replace(".ipynb", ".html", 1)
        elif tag.name == "a" and home and link.startswith("#"):
            tag["href"] = home + link
            if link[1:] not in anchors:
                tag.unwrap()
    return str(soup)


def summaries(nb: Mapping[str, Any], name: str = "") -> Iterator[tuple[int, str]]:
    """For each code cell tagged `summary` its number and what it shows, claims left out, as HTML.

    For another page than that of the notebook, `name`: links within it lead to it.
    """
    every = [o.get("data", {}).get("text/html", "") for _, cell in numbered(nb["cells"]) for o in cell["outputs"]]
    anchors = set(re.findall(r'\bid="([^"]+)"', "".join(map("".join, every))))
    for number, cell in numbered(nb["cells"]):
        if tagged(cell, "summary"):
            shown = [data for o in cell["outputs"] if "text/html" in (data := o.get("data", {})) and MIME not in data]
            html = "\n".join("".join(data["text/html"]) for data in shown)
            yield number, offline(html, f"{quote(name)}.html" * bool(name), anchors)


def tagged(cell: Mapping[str, Any], tag: str) -> bool:
    """Whether a cell has a tag."""
    return tag in cell["metadata"].get("tags", [])


def template(name: str) -> str:
    """The text of a file of templates/."""
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


def render(name: str, css: str = "", script: str = "", **values: Any) -> str:
    """A template with values and our style; everything but `css` and `script`, which may run, is escaped."""
    from jinja2 import Environment, FunctionLoader
    from markupsafe import Markup

    known = Environment(loader=FunctionLoader(template), autoescape=True)
    known.filters.update(digest=policy_hash, with_code=lambda words: Markup(with_code(words)))
    page = known.get_template(name)
    return page.render(css=Markup(css + template("page.css")), script=Markup(script), **values)


def policy_hash(script: str) -> str:
    """What a policy calls a script that it allows."""
    return f"sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}"
