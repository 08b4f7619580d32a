"""Audit kernel trees and record what was found, for readers who have none at hand: data/audits.csv.

    python benchmarks/audits.py "Debian linux-source-6.1 6.1.192-1"=/usr/src/linux-source-6.1 "me/linux"=linux.git@HEAD

A tree is a name (of a package, or of a repository on GitHub), then the path, then a revision if it is read out of a git
repository. Rows of other trees stay.
"""

from __future__ import annotations

import csv
import sys
from datetime import date
from pathlib import Path

import mmmodel as mm
from mmmodel.study.audits import shortened

FILE = Path(__file__).parent.parent / "data" / "audits.csv"
COLUMNS = ("tree", "version", "date", "fault", "verdict", "archs", "place", "how")


def rows(name: str, path: str, rev: str) -> list[list[str]]:
    """What is recorded of a tree."""
    report = mm.audit(path, rev or None)
    found = shortened(report.frame).values.tolist()
    return [[name, report.version, str(date.today()), *row, "read"] for row in found]


def main(trees: list[str]) -> None:
    """Replace the rows of these trees."""
    named = {name: path.partition("@") for name, _, path in (tree.partition("=") for tree in trees)}
    kept: list[list[str]] = []
    if FILE.exists():
        with FILE.open(newline="", encoding="utf-8") as file:
            kept = [row for row in csv.reader(file) if row[0] not in (COLUMNS[0], *named)]
    for name, (path, _, rev) in named.items():
        kept += rows(name, path, rev)
    with FILE.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *kept])


if __name__ == "__main__":
    main(sys.argv[1:])
