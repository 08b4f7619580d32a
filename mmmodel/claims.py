"""Claims: sentences of the mail, its thread or ours (data/claims.csv) that a notebook checks as it runs."""

import sys
from collections.abc import Mapping
from difflib import get_close_matches

from .data import rows
from .show.html import Html, block, tag, with_code
from .words import VERDICT

MIME = "application/vnd.mmmodel.claim+json"


class ClaimFailed(AssertionError):
    """A claim turned out to be false; the message has its id, what was checked, and how."""


def claim(id: str, holds: bool, how: str = "") -> None:
    """Show whether a claim holds, record it for the report, and raise ClaimFailed if it does not.

    Raises ValueError for an id that is not in data/claims.csv, TypeError if `holds` is not a boolean.
    """
    known = {row["id"]: row for row in rows("claims")}
    if id not in known:
        near = get_close_matches(str(id).upper(), known, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
        raise ValueError(f"unknown claim {id!r}; {hint}")
    numpy_bool = getattr(getattr(holds, "dtype", None), "kind", "") == "b" and getattr(holds, "ndim", 1) == 0
    if not isinstance(holds, bool) and not numpy_bool:
        undecided = "; what is undecided is no claim" if holds is None else ""
        raise TypeError(f"claim {id}: holds must be True or False, not {type(holds).__name__}{undecided}")
    verdict = bool(holds)
    text = sentence(known[id], verdict, how)
    output = {
        "text/plain": f"{VERDICT[verdict][0]} {text}",
        "text/html": badge(known[id], verdict, how),
        MIME: {"id": id, "holds": verdict, "how": how},
    }
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython():
        from IPython.display import display

        display(output, raw=True)
    else:
        print(output["text/plain"])
    if not verdict:
        raise ClaimFailed(text)


def checked(row: Mapping[str, str]) -> str:
    """The sentence whose truth is checked: ours where the source asks a question or has to be corrected."""
    return row["we_check"] or row["statement"]


def sentence(row: Mapping[str, str], holds: bool, how: str) -> str:
    """A claim and its verdict in one line."""
    how = f" ({' '.join(how.split())})" if how else ""
    return f"{row['id']} {VERDICT[holds][2:]}: {checked(row)}{how}"


def badge(row: Mapping[str, str], holds: bool, how: str) -> str:
    """A claim as a block of HTML: verdict in a symbol and a word, what was checked, who said what, how."""
    said = f"{row['said_by']} said: {row['statement']}" if row["we_check"] else f"said by: {row['said_by']}"
    small = " · ".join(part for part in (said, row["kind"].replace(";", ", "), how) if part)
    head = tag("b", VERDICT[holds]), " ", tag("code", row["id"]), " ", with_code(checked(row))
    return block(holds, *head, Html("<br>"), tag("small", with_code(small)))
