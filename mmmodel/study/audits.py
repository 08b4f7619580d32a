"""Audits of real kernel trees (mm.audit), in short: for each fault and verdict the archs, and where it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..data import as_frame, frame
from ..words import numbers

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("fault", "verdict", "archs", "place")


def shortened(found: pd.DataFrame) -> pd.DataFrame:
    """The `.frame` of an audit: columns COLUMNS, `s390 (SWAP=n)` for an arch with one SWAP only, the first place.

    The archs that are not affected are `all`, or `the others`.
    """
    rows, verdicts = [], found.groupby("fault").verdict.nunique().to_dict()
    same: Any
    for (fault, verdict), same in found.groupby(["fault", "verdict"], sort=False):
        swaps = same.groupby("arch", sort=False).swap.agg("".join)
        archs = [str(arch) if len(swap) == 2 else f"{arch} (SWAP={swap})" for arch, swap in swaps.items()]
        if verdict == "not affected":
            archs = ["all" if verdicts[fault] == 1 else "the others"]
        rows.append((fault, verdict, ", ".join(archs), same["where"].iloc[0].partition("; ")[0]))
    return as_frame(rows, COLUMNS)


def recorded() -> pd.DataFrame:
    """data/audits.csv: trees that were audited, by version, and when."""
    found = frame("audits")
    return found.sort_values("version", key=lambda column: column.map(numbers), kind="stable").reset_index(drop=True)
