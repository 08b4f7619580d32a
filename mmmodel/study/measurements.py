"""Measurements on real kernels, set beside the model."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ..build.composed import Build
from ..data import frame
from ..explore.sequential import SEQUENTIAL
from ..explore.tracing import Row, Trace, run
from ..kernel.arches import own_gather
from ..kernel.mm_types import HUGE_ZERO_PAGE
from ..kernel.versions import VERSIONS

if TYPE_CHECKING:
    import pandas as pd


def measured(table: str = "counters", build: Build | None = None, **where: object) -> pd.DataFrame:
    """Rows of data/counters.csv (or crashes.csv) for a build, default the reported one, on one CPU.

    Other columns by keyword; `...` for any value, of those the build sets too.
    """
    rows, build = frame(table).fillna({"patches": ""}), build or Build()
    patches = "+".join(p.name or p.__name__ for p in build.patch_classes)
    wanted = {"arch": build.arch, "version": build.version, "swap": "ny"[build.swap], "patches": patches}
    for column, value in {**wanted, "debug_vm": "ny"[build.debug_vm], "cpus": 1, **where}.items():
        if value is not ...:
            rows = rows[rows[column] == value]
    return rows.astype({c: "Int64" for c in rows.columns if c in ("huge_zero_refcount", "page_count")})


def nearest(build: Build, scenario: str) -> Build:
    """The build itself if it was measured in the scenario, else the stock one most like it that was."""
    order = list(VERSIONS)

    def distance(other: Build) -> tuple[object, ...]:
        gathers = {own_gather(b.arch, b.version) is None for b in (build, other)}
        versions = abs(order.index(other.version) - order.index(build.version))
        alike = (other.arch != build.arch, versions, other.swap != build.swap)
        return other != build, bool(other.patches), len(gathers), *alike

    return min(_builds(scenario), key=distance)


@cache
def _builds(scenario: str) -> list[Build]:
    """Those measured in a scenario."""
    rows = measured(scenario=scenario, arch=..., version=..., swap=..., patches=...)
    kinds = rows[["version", "arch", "swap", "patches"]].drop_duplicates().values
    return [Build(v, a, swap == "y", patches=tuple(filter(None, stack.split("+")))) for v, a, swap, stack in kinds]


def compare(trace: Trace, rows: pd.DataFrame) -> pd.DataFrame:
    """Model and measurement row by row: step, op, the counters of both, and whether they agree."""
    import pandas as pd

    short = {"huge_zero_refcount": "HZR", "page_count": "PC", "present": "present"}
    model, real = (rows[["step", "op", *short]].rename(columns=short) for rows in (trace.frame, rows))
    both = model.merge(real, on=["step", "op"], how="outer", suffixes=("", " measured")).sort_values("step")
    pairs = [(both[c].astype("Int64"), both[f"{c} measured"].astype("Int64")) for c in short.values()]
    same = [(a == b).fillna(False) | (a.isna() & b.isna()) for a, b in pairs]
    return both.assign(agree=pd.concat(same, axis=1).all(axis=1))


def plain(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Rows as tuples; None for what does not exist."""
    return [tuple(row) for row in rows.astype(object).where(rows.notna(), None).values.tolist()]


def owner(row: Any) -> str:
    """Whose the head page of the huge zero page was, from the page flags and counts in a measured row's note.

    A page table of s390 is known by its map count, a bit for each half. What no mark tells is derived: a page
    with a reference left is a kernel stack (the consoles of those runs say so), one without is nobody's.
    """
    note = dict(item.split("=", 1) for item in str(row.note).split(";") if "=" in item)
    if row.present != 1 or "buddy" not in note:
        return ""
    if note["buddy"] == "1":
        return "free"
    if note["slab"] == "1":
        return "slab"
    if note["head"] == "1":
        return HUGE_ZERO_PAGE
    if note["mapcount"] == "4":
        return "page table"
    return "kernel stack" if row.page_count > 0 else "nobody"


def runs(build: Build | None = None) -> pd.DataFrame:
    """Each measured run of a build, without and with DEBUG_VM: what its page was used as, what was printed.

    `owners`: who had the page after it was freed. `fatal`: did a BUG or a panic end the program or machine?
    """
    import pandas as pd

    keys, found = ["scenario", "memory_mib", "debug_vm"], []
    records, printed = (measured(t, build, debug_vm=...) for t in ("counters", "crashes"))
    for key, crashes in printed.groupby(keys, sort=False):
        rows = records[(records[keys] == list(key)).all(axis=1)]
        owners = [who for who in map(owner, rows.itertuples()) if who not in ("", "free", "nobody", HUGE_ZERO_PAGE)]
        symptoms = [symptom for symptom in crashes.symptom if symptom != "none"]
        fatal = any(symptom.startswith(("kernel_BUG", "panic")) for symptom in symptoms)
        found.append((*key, list(dict.fromkeys(owners)), symptoms, fatal))
    return pd.DataFrame(found, columns=[*keys, "owners", "symptoms", "fatal"])


def agreements(**where: object) -> pd.DataFrame:
    """Every measured run beside the model of its build: how many rows, how many agree."""
    import pandas as pd

    keys, found = ["arch", "version", "swap", "debug_vm", "patches", "memory_mib", "scenario"], []
    every: dict[str, Any] = {**dict.fromkeys(keys[:5], ...), **where}
    series: Any = measured(**every).groupby(keys, sort=False)
    for key, rows in series:
        arch, version, swap, debug, patches, memory, scenario = key
        build = Build(version, arch, swap == "y", None, debug == "y", tuple(filter(None, patches.split("+"))))
        program = SEQUENTIAL[scenario]._replace(memory_mib=memory)
        real = plain(rows[list(Row._fields)])
        model = run(build, program, journal=False).rows
        found.append((*key, len(real), sum(a == b for a, b in zip(real, model, strict=False))))
    return pd.DataFrame(found, columns=[*keys, "rows", "agree"])
