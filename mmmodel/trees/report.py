"""The audit of a tree: a row for each arch, configuration and fault."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..data import as_frame
from ..words import BuildError, choose

if TYPE_CHECKING:
    import pandas as pd


class Judgement(NamedTuple):
    """A verdict. swap: y or n. where: file:line and name of what it rests on, or the reason why it is unknown."""

    arch: str
    swap: str
    fault: str
    verdict: str
    where: str


@dataclass(frozen=True, repr=False)
class Audit:
    """What was found in a tree. shape: facts of data/version_shapes.csv, or `unknown`. about: what each fault is."""

    tree: str
    version: str
    rows: list[Judgement]
    shape: dict[str, str]
    about: dict[str, str]

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table."""
        return as_frame(self.rows, Judgement._fields)

    @property
    def affected(self) -> bool:
        """Is any arch affected by any fault?"""
        return any(row.verdict == "affected" for row in self.rows)

    def __repr__(self) -> str:
        """The tree, and which archs have which verdict."""
        return "\n".join((f"{self.tree}: {self.version or 'version unknown'}", *self.summary()))

    def summary(self) -> list[str]:
        """What each fault is, and which archs have which verdict."""
        archs: dict[str, dict[str, dict[str, list[str]]]] = {}
        for row in self.rows:
            found = archs.setdefault(row.fault, {}).setdefault(row.verdict, {})
            found.setdefault(row.arch, []).append(row.swap)
        lines = []
        for fault, verdicts in archs.items():
            lines.append(f"{fault}: {self.about[fault]}")
            for verdict, found in verdicts.items():
                named = [arch if len(swap) == 2 else f"{arch} (SWAP={swap[0]})" for arch, swap in found.items()]
                lines.append(f"  {verdict}: {', '.join(named)}")
        return lines


def audit(path: str | os.PathLike[str], rev: str | None = None, archs: Iterable[str] | None = None) -> Audit:
    """Which of the five faults of the huge zero page are in a kernel tree: `.rows`, `.frame`, `.version`.

    path: a directory, or a git repository of which rev (a bare one: HEAD by default) is read without a checkout. archs:
    default all of the tree.

    Raises BuildError, one line: no tree, no such revision or arch, or the extra is not installed.
    """
    try:
        from .facts import Facts
        from .faults import FAULTS, verdict_of
        from .per_arch import Arch
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("tree_sitter"):
            raise
        raise BuildError("an audit needs the extra: pip install 'mmmodel[audit]'") from None
    from .tree import opened, plain

    with opened(path, rev) as tree:
        facts = Facts(tree)
        if not facts.archs:
            raise BuildError(f"{os.fspath(path)} is no kernel source tree: no arch/, mm/ or include/linux/")
        chosen = list(dict.fromkeys(choose("arch", arch, facts.archs) for arch in archs or facts.archs))
        rows = [
            Judgement(arch, "y" if swap else "n", fault, verdict, plain("; ".join(dict.fromkeys(where))))
            for arch in chosen
            for one in [Arch(facts, arch)]
            for swap in (True, False)
            for fault in FAULTS
            for verdict, where in [verdict_of(one, fault, swap)]
        ]
        name = os.fspath(path) + (f" {rev}" if rev else "")
        about = {name: (fault.__doc__ or "").partition("\n")[0] for name, fault in FAULTS.items()}
        return Audit(name, facts.version, rows, facts.shape, about)
