"""A run as one page to open, and the ledger of its claims: what was said, by whom, and what became of it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from .claims import VERDICT, checked
from .data import rows
from .report import CSS, HEAD, render

COLUMNS = ["id", "statement", "said_by", "kind", "holds", "how", "notebook", "cell", "we_check"]
RELATIONS = {
    "": VERDICT[True],
    "specifies": f"{VERDICT[True]}, more precisely",
    "corrects": "✓ corrected",
    "answers": "✓ answered",
}
"""How the sentence that is checked (`we_check`) stands to the one that was said, and the verdict if it holds."""
NOT_CHECKED = "✗ not checked"
MACROS = """
{%- macro mark(good, word) %}<b class="{{ "good" if good else "bad" }}">{{ word }}</b>{% endmacro -%}
{%- macro said(check) %}{{ check.text }}{% if check.row.we_check %}
<br><small>said: {{ check.row.statement }}</small>{% endif %}{% endmacro -%}
{%- macro verdict(check) %}{% if check.open %}<b>? open</b>{% else %}{{ mark(check.holds, check.verdict) }}{% endif %}
{%- for name in check.where %}<br><a href="{{ name | urlencode }}.html#claim-{{ check.row.id }}">{{ name }}</a>
{%- endfor %}{% endmacro -%}
"""
INDEX = """
<main><h1>{{ title }}</h1>{% if not end %}<p class="error bad">✗ This run has not ended, or was killed.</p>{% endif %}
{% if interrupted %}<p class="error bad">✗ This run was interrupted by {{ interrupted }}.</p>{% endif %}{{ summary }}
<p>{{ notebooks | selectattr("status", "equalto", "ok") | list | length }} of {{ notebooks | length }}
notebooks ran without a failure; {{ checked | length }} of {{ checks | length }} claims were checked, and
{{ checked | selectattr("holds") | list | length }} of them hold. Parameters:
{% for name, value in parameters.items() %}<code>{{ name }} = {{ value | pprint }}</code>
{{- ", " if not loop.last }}{% else %}as in the notebooks{% endfor %}.</p>
{% for failure in failures %}<p class="error bad">✗ {{ failure }}
{%- if failure.cell %} <a href="{{ failure.notebook | urlencode }}.html#cell-{{ failure.cell }}">go there</a>
{%- endif %}</p>{% endfor %}
<h2 id="notebooks">Notebooks</h2><div class="scroll"><table>
<thead><tr><th>notebook<th>question<th>time<th>status</tr></thead>
{% for notebook in notebooks %}<tr><td>{% if notebook.page %}<a href="{{ notebook.name | urlencode }}.html">
{{- notebook.title or notebook.name }}</a>{% else %}{{ notebook.title or notebook.name }}{% endif %}
<td>{{ notebook.question }}<td>{{ "%.1f" | format(notebook.seconds) }}&nbsp;s
{% set good = notebook.status == "ok" %}<td>{{ mark(good, ("✓ " if good else "✗ ") ~ notebook.status) }}</tr>
{% endfor %}</table></div>
<h2 id="claims">Claims</h2>
<p>Each sentence is checked while the notebooks run. <a href="claims.html">The ledger</a> adds what was found and where
it was read.</p><div class="scroll"><table>
<thead><tr><th>claim<th>verdict<th>statement<th>said by<th>evidence</tr></thead>
{% for check in checks %}<tr id="{{ check.row.id }}"><td>{{ check.row.id }}<td>{{ verdict(check) }}
<td>{{ said(check) }}<td>{{ check.row.said_by }}<td>{{ check.row.kind | replace(";", ", ") }}</tr>
{% endfor %}</table></div></main>
<footer><p>{{ start }} · {{ "%.1f" | format(seconds) }} s
{% for name, version in versions.items() %} · {{ name }} {{ version }}{% endfor %}</p></footer></body></html>
"""
LEDGER = """
<header><p><a href="index.html">All notebooks</a></p></header><main><h1>Who said what, and what became of it</h1>
<p>{% for word, number in counted.items() %}{{ number }}&nbsp;×&nbsp;{{ word }}{{ "; " if not loop.last }}{% endfor %}.
A sentence is <em>open</em> when no notebook of this run checks it. Where a question was asked, or a sentence needs a
limit or a correction, the sentence that was checked comes first and the one that was said below it.</p>
{% for who, group in groups.items() %}<h2>{{ who }}</h2><div class="scroll"><table>
<thead><tr><th>claim<th>verdict<th>statement<th>found in this run<th>evidence<th>source</tr></thead>
{% for check in group %}<tr id="{{ check.row.id }}"><td>{{ check.row.id }}<td>{{ verdict(check) }}<td>{{ said(check) }}
<td>{{ check.how | join("; ") }}<td>{{ check.row.kind | replace(";", ", ") }}
<td class="source"><small>{{ check.row.source | replace(";", " ·") }}</small></tr>{% endfor %}</table></div>{% endfor %}
</main></body></html>
"""


def checks(claims: Sequence[Mapping[str, Any]], missing: Container[str] = ()) -> list[dict[str, Any]]:
    """Each row of data/claims.csv with what a run found: text, holds, verdict in words, where, how.

    Nowhere checked it is `open`, or `missing` if this run had to; checked in several places it holds if it does in all.
    """
    found = []
    for row in rows("claims"):
        mine = [claim for claim in claims if claim["id"] == row["id"]]
        lost = not mine and row["id"] in missing
        holds = not lost and all(claim["holds"] for claim in mine)
        words = NOT_CHECKED if lost else RELATIONS[row["relation"]] if holds else VERDICT[False]
        where = list(dict.fromkeys(claim["notebook"] for claim in mine))
        how = list(dict.fromkeys(claim["how"] for claim in mine if claim["how"]))
        text = {"text": checked(row), "verdict": words if mine or lost else "? open"}
        found.append({"row": row, "holds": holds, "open": not mine and not lost, "where": where, "how": how, **text})
    return found


def index(
    run: Mapping[str, Any], claims: Sequence[Mapping[str, Any]], missing: Container[str] = (), **values: object
) -> str:
    """The run as one page: the answer, what went wrong, the notebooks, the claims, the environment.

    `values` are the title, the failures, and the summary as Markup; everything else is escaped.
    """
    found = checks(claims, missing)
    done = [check for check in found if check["where"]]
    return render(HEAD + MACROS + INDEX, css=CSS, checks=found, checked=done, **run, **values)


def ledger(claims: Sequence[Mapping[str, Any]], missing: Container[str] = ()) -> str:
    """The claims as a page: statement, who said it, verdict, what was found, kind of evidence, notebook, source."""
    groups: dict[str, list[Any]] = {}
    for check in checks(claims, missing):
        groups.setdefault(check["row"]["said_by"], []).append(check)
    counted = Counter(check["verdict"] for group in groups.values() for check in group)
    css = CSS + "body { max-width: 90rem } .source { overflow-wrap: anywhere; min-width: 16rem }"
    return render(HEAD + MACROS + LEDGER, css=css, title="Claims", groups=groups, counted=counted)


def table(claims: Iterable[Mapping[str, Any]]) -> str:
    """The claims of a run as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(claims)
    return text.getvalue()
