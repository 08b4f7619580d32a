"""A run as one page to open, and the ledger of its claims: what was said, by whom, and what became of it."""

import csv
import io
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from ..claims import checked
from ..data import rows
from ..words import VERDICT
from .page import render

FIELDS = ["id", "statement", "said_by", "kind", "holds", "how", "notebook", "cell", "we_check"]
RELATIONS = {
    "": VERDICT[True],
    "specifies": f"{VERDICT[True]}, more precisely",
    "corrects": "✓ corrected",
    "answers": "✓ answered",
}
"""How the sentence that is checked (`we_check`) stands to the one that was said, and the verdict if it holds."""


def checks(claims: Sequence[Mapping[str, Any]], missing: Container[str] = ()) -> list[dict[str, Any]]:
    """Each row of data/claims.csv with what a run found: text, holds, verdict in words, where, how.

    Nowhere checked it is `open`, or `missing` if this run had to; checked in several places it holds if it does in all.
    """
    found = []
    for row in rows("claims"):
        mine = [claim for claim in claims if claim["id"] == row["id"]]
        lost = not mine and row["id"] in missing
        holds = not lost and all(claim["holds"] for claim in mine)
        words = "✗ not checked" if lost else RELATIONS[row["relation"]] if holds else VERDICT[False]
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
    return render("index.html", here="index", **{"checks": found, "checked": done, **run, **values})


def ledger(claims: Sequence[Mapping[str, Any]], missing: Container[str] = (), site: Any = None) -> str:
    """The claims as a page: statement, who said it, verdict, what was found, kind of evidence, notebook, source."""
    groups: dict[str, list[Any]] = {}
    for check in checks(claims, missing):
        groups.setdefault(check["row"]["said_by"], []).append(check)
    counted = Counter(check["verdict"] for group in groups.values() for check in group)
    return render("claims.html", title="Claims", groups=groups, counted=counted, site=site, here="claims")


def table(claims: Iterable[Mapping[str, Any]]) -> str:
    """The claims of a run as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(claims)
    return text.getvalue()
