"""What of the kernel is modelled, simplified or left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data import frame
from ..explore.explored import steps
from ..kernel.arches import ARCH_CODE
from ..kernel.versions import VERSIONS
from ..words import kernel_name

if TYPE_CHECKING:
    import pandas as pd


def scope() -> pd.DataFrame:
    """data/scope.csv: part, state, what, source, how. What is one step is named as the kernel's decorators say."""
    marks = {name: mark for cls in (*ARCH_CODE, *VERSIONS.values()) for name, mark in steps(cls).items()}
    table = frame("scope")
    for mark in set(marks.values()):
        names = sorted(kernel_name(name) for name, of in marks.items() if of == mark)
        table["what"] = table["what"].str.replace(f"{{{mark}}}", ", ".join(names), regex=False)
    return table
