"""What an unmap costs: calls, locks and atomic operations counted in the model, beside what was measured.

Counting is done around the functions of a booted kernel (see `calls`), never inside one.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from ..build.composed import Build
from ..data import rows
from ..explore.sequential import map_read, munmap
from ..kernel.arches import ARCHES
from ..kernel.huge_memory import HZR_ATOMICS
from ..kernel.machine import KernelBug
from ..kernel.memory import PTRS_PER_PMD
from ..kernel.mm_types import PAGE_COUNT_ATOMICS
from ..words import choose
from .calls import count
from .kept import kept_one

Work = Callable[[], None]
Prepare = Callable[[Any, int], Work]

METRICS = {row["metric"]: row["counted"] for row in rows("metrics")}
FUNCTIONS = {row["metric"]: row["counted"] for row in rows("metrics") if not row["words"]}
"""Metrics of data/costs.csv, by what the model calls that: all, and those that count the calls of a kernel function."""
RATES = ("lru_add_drain", "lru_lock", "huge_zero_refcount", "page_count")
ZERO_PAGE_COUNT = "huge_zero_page_count_atomics"
SMALL_RUNS = (22, 246)
"""4K pages, both in the second batch of the generic gather and in one page table; they differ by whole pagevecs and
by whole runs of SWAP_CLUSTER_MAX."""
LEFTOVERS = 6
"""Model and measurement may differ by so many calls in all: pages that wait in a pagevec when the count begins."""
ROW = ("arch", "version", "swap", "patches", "workload")
PER_UNIT = "guest_instructions_per_unit_min"


# -- workloads: each prepares and returns what is to be counted


def touch(k: Any, pages: int, slot: int = 0) -> int:
    """Map whole slots without huge pages, write so many of their pages once; how long the mapping is, in 4K pages."""
    nr: int = k.hpage_nr
    size, start = -(-pages // nr) * nr, slot * nr
    k.mmap(k.init, start, start + size)
    k.madvise_nohugepage(k.init, start, start + size)
    for addr in range(start, start + pages):
        k.store(k.init, addr, "data")
    return size


def unmap_pages(k: Any, pages: int) -> Work:
    """One munmap of so many touched 4K pages."""
    size = touch(k, pages)
    return lambda: k.munmap(k.init, 0, size)


def unmap_huge_zero(k: Any, cycles: int) -> Work:
    """So many cycles of map, read, unmap on the huge zero page."""

    def cycle() -> None:
        for _ in range(cycles):
            map_read(k, k.init)
            munmap(k, k.init)

    return cycle


def collapse(k: Any, pages: int) -> Work:
    """khugepaged: as many touched pages, isolated; then each copied, put back on the LRU and freed.

    The order of __collapse_huge_page_copy (mm/huge_memory.c@v4.6.2). Never measured.
    """
    size = touch(k, pages)
    k.lru_add_drain()
    tables = [k.init.pmd[index].value.table for index, _, _ in k.slots(0, size)]
    isolated = [pte.page for table in tables for pte in table.ptes.values()]
    k.spin_lock(k.lru_lock)
    for page in isolated:  # isolate_lru_page()
        k.get_page(page)
        page.flags -= {"lru"}
    k.spin_unlock(k.lru_lock)

    def copy() -> None:
        for page in isolated:
            k.lru_cache_add(page)  # putback_lru_page()
            k.put_page(page)
            k.page_remove_rmap(page)
            k.free_page_and_swap_cache(page)

    return copy


def unmap_huge_zero_only(k: Any, slots: int) -> Work:
    """So many mappings of the huge zero page, unmapped one by one; its own page count gets a counter of its own."""
    for slot in range(slots):
        map_read(k, k.init, slot)
    k.huge_zero_page.value.count.kind = ZERO_PAGE_COUNT

    def unmap() -> None:
        for slot in range(slots):
            munmap(k, k.init, slot)

    return unmap


class Workload(NamedTuple):
    """`prepare(kernel, units)` returns what to count; `units` as measured (None: the 4K pages of one huge page)."""

    prepare: Prepare
    units: int | None
    unit: str
    says: str


WORKLOADS: dict[str, Workload] = {
    "munmap_64MiB_4K_anon": Workload(unmap_pages, 16384, "4K page", "one unmap of 64 MiB of touched 4K pages"),
    "64x_map_read_unmap_hugezero": Workload(
        unmap_huge_zero, 64, "cycle", "64 times map, read, unmap of the huge zero page"
    ),
    "khugepaged_copy": Workload(collapse, None, "4K page", "khugepaged frees the small pages of a new huge page"),
}
"""What is counted. The first two were measured; the third is modelled only."""
PAGES, CYCLES, KHUGEPAGED = WORKLOADS


# -- counting in the model


@cache
def _count(build: Build, prepare: Prepare, units: int) -> Counter[str]:
    """Run one workload on a fresh kernel; whatever was counted while its work was done."""
    return Counter(kept_one(lambda: _counted(build, prepare, units), build, f"{prepare.__name__}-{units}"))


def _counted(build: Build, prepare: Prepare, units: int) -> Counter[str]:
    k = build.boot()
    elsewhere = PTRS_PER_PMD**2 * k.hpage_nr  # the program's own memory: a page in a PMD table of its own
    k.mmap(k.init, elsewhere, elsewhere + 1)
    k.store(k.init, elsewhere, "data")
    work = prepare(k, units)
    k.call_rcu_sched = lambda callback, *args: None  # a grace period is longer than an unmap
    k.costs.clear()
    counts = count(k, FUNCTIONS.values())
    work()
    return counts + Counter(k.costs)


def units_of(build: Build, workload: str) -> int:
    """How many units a workload has: 4K pages or cycles.

    Raises BuildError for an unknown workload.
    """
    usual = WORKLOADS[choose("workload", workload, WORKLOADS)].units
    return usual or 1 << int(ARCHES[build.arch]["huge_page_order"])


def calls(build: Build, workload: str, units: int | None = None) -> dict[str, int]:
    """How often each thing of METRICS happens while the workload runs on the model: the rows of data/costs.csv.

    units: 4K pages or cycles; by default as many as were measured. RCU callbacks come after the end of the count.

    Raises BuildError for an unknown workload; KernelBug if the build stops at a BUG.
    """
    usual = units_of(build, workload)
    found = _count(build, WORKLOADS[workload].prepare, units or usual)
    return {metric: found[counted] for metric, counted in METRICS.items()}


@cache
def rates(build: Build) -> dict[str, dict[str, float]]:
    """What one page more costs: "page", a touched 4K page in an unmap whose batch has room for it, and
    "huge zero page", one unmap of it (missing without huge pages, or if the build stops at a BUG).

    Columns: lru_add_drain, lru_lock (takes), huge_zero_refcount and page_count (atomic operations; of a huge zero page
    its own count only). Exact: the difference of two small runs.
    """
    kinds: dict[str, tuple[Prepare, int, int, str]] = {"page": (unmap_pages, *SMALL_RUNS, PAGE_COUNT_ATOMICS)}
    if build.thp:
        kinds["huge zero page"] = (unmap_huge_zero_only, 2, 4, ZERO_PAGE_COUNT)
    found = {}
    for kind, (prepare, few, many, page_count) in kinds.items():
        with suppress(KernelBug):
            grown = _count(build, prepare, many).copy()
            grown.subtract(_count(build, prepare, few))
            locks = sum(n for name, n in grown.items() if name.startswith("lru_lock "))
            totals = (grown["lru_add_drain"], locks, grown[HZR_ATOMICS], grown[page_count])
            found[kind] = dict(zip(RATES, (n / (many - few) for n in totals), strict=True))
    return found


# -- what was measured


@cache
def _by_kernel() -> dict[tuple[str, ...], list[dict[str, str]]]:
    """The rows of data/costs.csv, by kernel and workload."""
    found: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows("costs"):
        found.setdefault(tuple(row[c] for c in ROW), []).append(row)
    return found


def _rows(build: Build, workload: str, unit: str) -> dict[str, float]:
    """The rows of data/costs.csv about a kernel like this build: metric and value."""
    if build.debug_vm or build.thp != Build(arch=build.arch).thp:
        return {}
    names = "+".join(str(p) for p in build.patches)
    key = (build.arch, build.version, "ny"[build.swap], names, workload)
    return {r["metric"]: float(r["value"]) for r in _by_kernel().get(key, ()) if r["unit"].startswith(unit)}


def measured(build: Build, workload: str, run: int = 1) -> dict[str, int] | None:
    """The calls counted on a real kernel like this build, in the first or second run; None if there is none.

    Raises BuildError for an unknown workload.
    """
    choose("workload", workload, WORKLOADS)
    return {name: int(n) for name, n in _rows(build, f"{workload}_run{run}", "calls").items()} or None


def alike(model: Mapping[str, int], real: Mapping[str, int]) -> bool:
    """Is every count that was measured that of the model, but for LEFTOVERS?"""
    return all(abs(model[metric] - n) <= LEFTOVERS for metric, n in real.items())


def agrees(build: Build, workload: str) -> bool | None:
    """Is every count of the model that of both measured runs, but for LEFTOVERS? None if nothing was measured."""
    real = [found for run in (1, 2) if (found := measured(build, workload, run))]
    if not real:
        return None
    return all(alike(calls(build, workload), found) for found in real)


def instructions(build: Build, workload: str) -> dict[str, float] | None:
    """Guest instructions per unit on a real kernel like this build: `per_unit`, and `over_stock` against the same
    kernel without patches where that was measured. None if there is none. Measured only, never predicted.

    Raises BuildError for an unknown workload.
    """
    choose("workload", workload, WORKLOADS)
    mine, stock = (_rows(b, workload, "instructions per").get(PER_UNIT) for b in (build, replace(build, patches=())))
    if mine is None:
        return None
    return {"per_unit": mine} | ({} if stock is None else {"over_stock": round(mine - stock, 2)})
