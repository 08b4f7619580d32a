"""The audit of a tree: a row for each arch, configuration and fault."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ..data import as_frame
from ..words import BuildError, choose

if TYPE_CHECKING:
    import pandas as pd

VERDICTS = ("affected", "latent", "not affected", "unknown")


class Row(NamedTuple):
    """A verdict. swap: y or n. where: file:line and name of what it rests on, or the reason why it is unknown."""

    arch: str
    swap: str
    fault: str
    verdict: str
    where: str


@dataclass(frozen=True)
class Audit:
    """What was found in a tree. shape: facts by name, as in data/version_shapes.csv; one not understood is `unknown`."""

    tree: str
    version: str
    rows: list[Row] = field(repr=False)
    shape: dict[str, str]

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table."""
        return as_frame(self.rows, Row._fields)

    @property
    def affected(self) -> bool:
        """Is any arch affected by any fault?"""
        return any(row.verdict == "affected" for row in self.rows)

    def __str__(self) -> str:
        """Each fault and verdict that occurs, with its archs."""
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Each fault and verdict that occurs, with its archs."""
        found: dict[tuple[str, str], dict[str, list[str]]] = {}
        for row in self.rows:
            found.setdefault((row.fault, row.verdict), {}).setdefault(row.arch, []).append(row.swap)
        return [
            f"{fault} {verdict}: " + ", ".join(a + ("" if len(s) == 2 else f" (SWAP={s[0]})") for a, s in archs.items())
            for (fault, verdict), archs in found.items()
        ]


def audit(path: str | os.PathLike[str], rev: str | None = None, archs: Iterable[str] | None = None) -> Audit:
    """Which of the five faults of the huge zero page are in a kernel tree: `.rows`, `.frame`, `.version`.

    path: a directory, or a git repository of which rev (a bare one: HEAD by default) is read without a checkout. archs:
    default all of the tree.

    Raises BuildError, one line: no tree, no such revision or arch, or the extra is not installed.
    """
    try:
        from .facts import Facts
        from .faults import FAULTS, judged
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("tree_sitter"):
            raise
        raise BuildError("an audit needs the extra: pip install 'mmmodel[audit]'") from None
    from .tree import opened

    with opened(path, rev) as tree:
        facts = Facts(tree)
        if not facts.archs:
            raise BuildError(f"{os.fspath(path)} is no kernel source tree: no arch/, mm/ or include/linux/")
        chosen = list(dict.fromkeys(choose("arch", arch, facts.archs) for arch in archs or facts.archs))
        rows = [
            Row(arch, "y" if swap else "n", fault, verdict, "; ".join(dict.fromkeys(where)))
            for arch in chosen
            for swap in (True, False)
            for fault in FAULTS
            for verdict, where in [judged(facts, fault, arch, swap)]
        ]
        name = os.fspath(path) + (f" {rev}" if rev else "")
        return Audit(name, facts.version, rows, facts.shape)
