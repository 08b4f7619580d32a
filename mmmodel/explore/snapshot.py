"""The whole state of a kernel as one value: two equal snapshots have the same future."""

from __future__ import annotations

from typing import Any

from ..build.composed import Build
from ..kernel.machine import Var
from ..kernel.mm_types import Mm, Page, PageTable

KNOWN = {*vars(Build().boot()), "observer", "user", "huge_zero_pfn"}


def snapshot(kernel: Any) -> tuple[Any, ...]:
    """Pages, free lists, address spaces, CPUs and counters of a kernel between two operations."""
    pages = [page for block in kernel.mem_map.values() for page in block.values()]
    words = (kernel.huge_zero_refcount, kernel.huge_zero_page, getattr(kernel, "huge_zero_pfn", None))
    return (
        tuple((p.pfn, p.count.value, p.mapcount.value, p.flags, p.order, p.owner, p.content) for p in pages),
        tuple(tuple(kind) for kind in kernel.free_area),
        tuple(kernel.pageblock.items()),
        tuple(address_space(mm) for mm in kernel.mms),
        tuple((c.tlb, c.active_mm, c.lru_add_pvec, c.gather.mm, c.gather.batches) for c in kernel.cpus),
        tuple(word and word.value for word in words),
        kernel.pins,
        kernel.user,
        added(kernel, pages),
    )


def added(kernel: Any, pages: list[Any]) -> Any:
    """What patches added: to the kernel, to its structures."""
    things = [*pages, *kernel.mms, *kernel.cpus, *(cpu.gather for cpu in kernel.cpus)]
    own = {name: value for name, value in vars(kernel).items() if name not in KNOWN}
    return plain([own, *(vars(thing) for thing in things if vars(thing))], [])


def plain(value: Any, within: list[Any]) -> Any:
    """A value that is equal for equal contents, however deep; what contains itself is cut off."""
    if isinstance(value, Page | Mm) or any(value is outer for outer in within):
        return str(value)
    within = [*within, value]
    if isinstance(value, dict):
        return tuple((plain(key, within), plain(item, within)) for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(plain(item, within) for item in value)
    if isinstance(value, Var):
        return value.name, plain(value.value, within)
    if not hasattr(value, "__dict__") or isinstance(value, type) or callable(value):
        return value
    return type(value), plain(vars(value), within)


def address_space(mm: Mm) -> tuple[Any, ...]:
    """One process."""
    pmds = tuple((slot, v.value and (v.value[:3], table(v.value.table))) for slot, v in mm.pmd.items())
    words = (mm.huge_zero, mm.attach_count, mm.flush_mm)
    return (
        mm.name, mm.vmas, pmds, tuple((slot, table(t)) for slot, t in sorted(mm.deposit.items())), mm.pgtable_list,
        tuple(mm.pmd_tables.items()), mm.nr_ptes, tuple(mm.rss.items()), tuple(word.value for word in words),
    )  # fmt: skip


def table(found: PageTable | None) -> tuple[Any, ...] | None:
    """A page table: its page, its half of it, its entries."""
    return None if found is None else (found.page, found.bit, tuple(found.ptes.items()))
