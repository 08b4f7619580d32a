"""Executed notebooks as pages: plain HTML, no network, no script."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

from .claims import MIME
from .environment import write as write

SHOWN = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/plain"]
WIDGET = "application/vnd.jupyter.widget-view+json"
CSS = """
:root { color-scheme: light dark; --bg: #fff; --fg: #1d2125; --mute: #5c6670; --soft: #f4f5f7;
  --line: #d5dae0; --link: #0b57b7; --good: #1a7040; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --bg: #15181c; --fg: #e4e7ea; --mute: #a3adb8; --soft: #20252b;
  --line: #3a424b; --link: #8ab8ff; --good: #6fd19a; --bad: #ff8f87 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--bg); color: var(--fg);
  font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: break-word }
a { color: var(--link) } h1, h2, h3 { line-height: 1.25 } small, header, footer { color: var(--mute) }
code, pre { font: .9em/1.45 ui-monospace, monospace } pre { margin: 0; overflow-x: auto }
section { margin: 1rem 0 } header, footer { border: 0 solid var(--line); border-bottom-width: 1px }
footer { border-width: 1px 0 0; margin-top: 2rem } img, svg { max-width: 100% }
.number { float: right; font-size: .75rem; color: var(--mute) }
.highlight { background: var(--soft); border: 1px solid var(--line); padding: .6rem; border-radius: 4px }
.output, .scroll { overflow-x: auto; margin: .5rem 0 } img { height: auto; background: #fff }
table { border: 0; border-collapse: collapse; font-size: .92em } th { text-align: left }
th, td { border: 0 solid var(--line); border-bottom-width: 1px; padding: .3rem .6rem; vertical-align: top }
.good { color: var(--good) } .bad { color: var(--bad) } .error { border-left: .3em solid; padding-left: .8em }
.anchor-link { text-decoration: none; opacity: .4; margin-left: .3em }
:target { outline: 2px solid var(--link) }
"""
# The browser enforces what the page promises: nothing runs, nothing is fetched.
HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="Content-Security-Policy"
content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"><style>{{ css }}</style></head><body>
"""
PAGE = """
{%- macro image(output, type, data) -%}<img src="data:{{ type }};base64,{{ data }}" alt="
{{- (output | get_metadata("alt", type) or "Figure without a description") | e }}">{%- endmacro -%}
{% set run = resources.run %}
<header><p><a href="index.html">All notebooks</a> · parameters:
{% for name, value in run.parameters.items() %}<code>{{ name }} = {{ value | pprint | e }}</code>
{{- " (set for this run)" if name in run.given }}{{ ", " if not loop.last }}{% else %}none{% endfor %}</p>
{% for failure in run.failures %}<p class="error bad">✗ {{ failure | e }}</p>{% endfor %}</header>
<main>{% for cell in nb.cells %}
{% if cell.cell_type == "markdown" %}<section>{{ cell.source | markdown2html }}</section>
{% elif cell.cell_type == "code" %}<section id="{{ cell.metadata.anchor }}">
<span class="number">{{ cell.metadata.anchor | replace("-", " ") }}</span>
{% set folded = cell.metadata.get("jupyter", {}).get("source_hidden") %}
{% if folded %}<details><summary>code</summary>{% endif %}
{{ cell.source | highlight_code }}{% if folded %}</details>{% endif %}
{% for output in cell.outputs %}
{% set id = (output.metadata or {}).anchor %}
<div class="output"{% if id %} id="{{ id | e }}"{% endif %}>
{% if output.output_type == "stream" %}<pre>{{ output.text | ansi2html }}</pre>
{% elif output.output_type == "error" %}
<pre class="error">{{ output.traceback | join("\\n") | ansi2html }}</pre>
{% else %}{% for type in output.data | filter_data_type %}{% set data = output.data[type] %}
{% if type == "text/html" %}{{ data }}
{% elif type == "text/markdown" %}{{ data | markdown2html }}
{% elif type == "image/svg+xml" %}{{ image(output, type, data | text_base64) }}
{% elif type == "text/plain" %}<pre>{{ data | ansi2html }}</pre>
{% else %}{{ image(output, type, data | replace("\\n", "")) }}{% endif %}{% endfor %}{% endif %}
</div>{% endfor %}</section>{% endif %}{% endfor %}</main></body></html>
"""


def headline(cells: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """Title and question of a notebook: its first heading, and the first paragraph of prose after it."""
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    lines = iter(re.sub(r"\*\*|`|\[([^]]*)\]\([^)]*\)", r"\1", text).splitlines())
    title = next((line[2:].strip() for line in lines if line.startswith("# ")), "")
    prose = dropwhile(lambda line: not line.strip() or line[0] in "#<|>-", lines)
    return title, " ".join(takewhile(str.strip, prose))


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


def page(nb: Any, folder: Path, given: Mapping[str, object], failures: Sequence[object]) -> str:
    """An executed notebook from `folder` as a page; `given` are the parameters set for the run."""
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter
    from pygments.formatters import HtmlFormatter
    from traitlets.config import Config

    exporter = HTMLExporter(
        config=Config({"NbConvertBase": {"display_data_priority": SHOWN}}),
        extra_loaders=[DictLoader({"page": PAGE})],
        template_file="page",
        embed_images=True,
    )
    run = {"parameters": {**parameters_of(nb.cells), **given}, "given": list(given), "failures": failures}
    body, _ = exporter.from_notebook_node(_anchored(nb), {"metadata": {"path": str(folder)}, "run": run})
    light, dark = (HtmlFormatter(style=s).get_style_defs(".highlight") for s in ("xcode", "github-dark"))
    css = f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}{CSS}"
    return render(HEAD, title=headline(nb.cells)[0], css=css) + offline(body)


def _anchored(nb: Any) -> Any:
    """A copy with an anchor on each code cell and claim, without widgets: their view is an output too."""
    nb, seen = deepcopy(nb), {""}
    for number, cell in numbered(nb.cells):
        cell.metadata.anchor = "parameters-of-this-run" if tagged(cell, "injected-parameters") else f"cell-{number}"
        cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        for output in cell.outputs:
            id = output.get("data", {}).get(MIME, {}).get("id", "")
            if id not in seen:
                output.metadata.anchor = f"claim-{id}"
                seen.add(id)
    return nb


def offline(body: str) -> str:
    """Without what would run or be fetched; links to notebooks become links to their pages."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body, "html.parser")
    for tag in soup.select("script, link, meta, base, iframe, object, embed, [src^=http i], [src^='//']"):
        tag.replace_with(f"[{tag['alt']}]" if tag.get("alt") else "")
    for tag in soup.select("a[href*='.ipynb']:not([href*='://'])"):
        tag["href"] = str(tag["href"]).replace(".ipynb", ".html", 1)
    return str(soup)


def summaries(nb: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """For each code cell tagged `summary` its number and what it shows, claims left out, as HTML."""
    for number, cell in numbered(nb["cells"]):
        if tagged(cell, "summary"):
            shown = [data for o in cell["outputs"] if "text/html" in (data := o.get("data", {})) and MIME not in data]
            yield number, offline("\n".join("".join(data["text/html"]) for data in shown))


def tagged(cell: Mapping[str, Any], tag: str) -> bool:
    """Whether a cell has a tag."""
    return tag in cell["metadata"].get("tags", [])


def render(template: str, css: str, **values: object) -> str:
    """A template with values; everything but `css` is escaped."""
    from jinja2 import Environment
    from markupsafe import Markup

    return Environment(autoescape=True).from_string(template).render(css=Markup(css), **values)
