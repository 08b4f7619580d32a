"""Evidence: measurements on real kernels to set beside the model, and experiments on a booted kernel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from .build import Build
from .data import frame
from .kernel.arches import arch_class
from .kernel.machine import KernelBug
from .kernel.mm_types import HUGE_ZERO_PAGE, Page
from .kernel.versions import VERSIONS
from .scenarios import SEQUENTIAL, map_read, munmap
from .tracing import Journal, Row, Trace, counters, run
from .verdict import Step

if TYPE_CHECKING:
    import pandas as pd

Counts = tuple[int | None, int | None]

# -- measurements


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
        own_gather = {arch_class(b.arch, b.version) is None for b in (build, other)}
        versions = abs(order.index(other.version) - order.index(build.version))
        alike = (other.arch != build.arch, versions, other.swap != build.swap)
        return other != build, bool(other.patches), len(own_gather), *alike

    rows = measured(scenario=scenario, arch=..., version=..., swap=..., patches=...)
    kinds = rows[["version", "arch", "swap", "patches"]].drop_duplicates().values
    stacks = [(v, arch, swap == "y", tuple(filter(None, stack.split("+")))) for v, arch, swap, stack in kinds]
    return min((Build(v, arch, swap, patches=stack) for v, arch, swap, stack in stacks), key=distance)


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


# -- experiments


def counts(kernel: Any) -> Counts:
    """What HZR and PC are now; None for one that does not exist."""
    return counters(kernel)[:2]


def due(kernel: Any) -> Counts:
    """What HZR and PC should be now: one for each reference that exists."""
    return kernel.references_due()


def page_state(page: Page) -> str:
    """Whose a page is, in words."""
    if page.owner == HUGE_ZERO_PAGE:
        return "the page is the huge zero page"
    if page.owner is None:
        return "the page is free"
    return f"the page is {'' if page.owner.startswith('set aside') else 'used as '}{page.owner}"


class Unmap(NamedTuple):
    """One unmap: functions up to the one that drops a counter; HZR and PC before, after, and as due."""

    route: list[str]
    before: Counts
    after: Counts
    due: Counts
    state: str


FREEING = (
    "free_page_and_swap_cache",
    "free_pages_and_swap_cache",
    "release_pages",
    "put_page",
    "put_huge_zero_page",
)
ROUTE = {"zap_huge_pmd", "tlb_remove_page", "tlb_invalidate", *FREEING}


def one_unmap(build: Build) -> Unmap | None:
    """Map, read and unmap once, watching the functions on the way; None without transparent huge pages."""
    if not build.thp:
        return None
    kernel = build.boot()
    map_read(kernel, kernel.init)
    page, before, calls = kernel.huge_zero_page.value, counts(kernel), list[str]()

    def watch(call: Any, event: str, _: object) -> None:
        if event == "call" and call.f_code.co_name in ROUTE and counts(kernel) == before:
            passed = call.f_locals  # page tables go through the same functions
            if passed.get("page", page) is page and page in passed.get("pages", (page,)):
                calls.append(call.f_code.co_name)

    sys.setprofile(watch)
    with suppress(KernelBug):
        munmap(kernel, kernel.init)
    sys.setprofile(None)
    route = [name for name, _ in groupby(calls[calls.index("zap_huge_pmd") :])]
    if counts(kernel) == before and route[-1] == "tlb_invalidate":
        route.pop()
    return Unmap(route, before, counts(kernel), due(kernel), page_state(page))


def unmap_steps(build: Build, unmaps: int = 1) -> list[Step]:
    """The steps of the last of so many unmaps of the huge zero page."""
    kernel = build.boot()
    journal = Journal(kernel)
    with suppress(KernelBug):
        for _ in range(unmaps):
            map_read(kernel, kernel.init)
            journal = kernel.observer = Journal(kernel)
            munmap(kernel, kernel.init)
            kernel.observer = None
    journal.flush()
    return journal.steps


ACTS: dict[str, Callable[[Any], object]] = {
    "read": lambda k: map_read(k, k.init),
    "read-2": lambda k: map_read(k, k.init, 1),
    "read-child": lambda k: map_read(k, k.mms[-1]),
    "fork": lambda k: k.fork(k.init, "child"),
    "exit": lambda k: k.exit(k.mms[-1]),
    "write": lambda k: k.store(k.init, 0, "data"),
    "split": lambda k: munmap(k, k.init, end=0.5),
    "mremap": lambda k: k.mremap(k.init, 0, 3 * k.hpage_nr),
    "pin": lambda k: k.get_user_page(k.init, 0),
    "put-pin": lambda k: k.unpin(k.pins[0]),
    "release-pin": lambda k: k.unpin(k.pins[0], "release_pages"),
    "munmap": lambda k: munmap(k, k.init),
    "discard": lambda k: k.madvise_dontneed(k.init, 0, k.hpage_nr),
    "shrink": lambda k: k.shrink_huge_zero_page_scan(),
}
EVENTS = {
    "first read of a huge slot": "read",
    "read of a second slot": "read read-2",
    "fork": "read fork",
    "mremap": "read mremap",
    "write: a page of one's own": "read write",
    "munmap of one half: a split": "read split",
    "munmap": "read munmap",
    "madvise(MADV_DONTNEED)": "read discard",
    "exit of the child": "read fork exit",
    "pin by get_user_pages()": "read pin",
    "pin dropped by put_page()": "read pin put-pin",
    "pin dropped by release_pages()": "read pin release-pin",
    "shrinker while it is mapped": "read shrink",
    "shrinker when nobody is left": "fork read-child exit shrink",
}


class Entry(NamedTuple):
    """What one operation did to HZR and PC on a kernel booted for it, and what they should be after it."""

    operation: str
    before: Counts
    after: Counts
    due: Counts


def ledger(build: Build) -> list[Entry]:
    """Every operation on the huge zero page; nothing without transparent huge pages."""
    return [_entry(build, *event) for event in EVENTS.items() if build.thp]


def _entry(build: Build, operation: str, acts: str) -> Entry:
    kernel = build.boot()
    before = counts(kernel)
    with suppress(KernelBug):
        for act in acts.split():
            before = counts(kernel)
            ACTS[act](kernel)
    return Entry(operation, before, counts(kernel), due(kernel))


def play(build: Build, scenario: str) -> Iterator[tuple[str, Any]]:
    """Run a scenario, yielding each operation and the kernel after it; a BUG is the last operation."""
    program = SEQUENTIAL[scenario]
    kernel = build.boot(memory_mib=program.memory_mib)
    try:
        for op in filter(None, program.run(kernel)):
            yield op, kernel
    except (KernelBug, MemoryError) as error:
        yield f"stopped: {error}", kernel
