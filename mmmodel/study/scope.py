"""What of the kernel is modelled, simplified or left out."""

import pandas as pd

from ..data import frame
from ..explore.explored import steps
from ..kernel.arches import ARCH_CODE
from ..kernel.versions import VERSIONS
from ..words import kernel_name


def scope() -> pd.DataFrame:
    """data/scope.csv: part, state, what, source, how. What is one step is named as the kernel's decorators say."""
    marks = {name: mark for cls in (*ARCH_CODE, *VERSIONS.values()) for name, mark in steps(cls).items()}
    table = frame("scope")
    for mark in set(marks.values()):
        names = sorted(kernel_name(name) for name, of in marks.items() if of == mark)
        table["what"] = table["what"].str.replace(f"{{{mark}}}", ", ".join(names), regex=False)
    return table
