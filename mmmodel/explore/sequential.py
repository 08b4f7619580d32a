"""Sequential scenarios: what user programs, and the shrinker, do. Each is a generator that yields after an operation.

The operations and their order are those of the measured programs (data/counters.csv). A program that does the same
over and over also yields ROUND where it begins again: a round that leaves the kernel as an earlier one did can only be
repeated.
"""

from __future__ import annotations

from typing import Any

from ..kernel.mm_types import Mm
from .scenarios import SEQUENTIAL as SEQUENTIAL
from .scenarios import Ops, scenario

ROUND = ""


def map_huge(k: Any, mm: Mm, slot: int) -> int:
    """mmap one huge page's worth at a slot; return its address."""
    addr: int = slot * k.hpage_nr
    k.mmap(mm, addr, addr + k.hpage_nr)
    return addr


def map_read(k: Any, mm: Mm, slot: int = 0) -> int:
    """mmap a slot and read its first byte."""
    addr = map_huge(k, mm, slot)
    k.load(mm, addr)
    return addr


def map_write(k: Any, mm: Mm, slot: int, content: object) -> None:
    """mmap a slot and fill it with a pattern."""
    k.store(mm, map_huge(k, mm, slot), content)


def munmap(k: Any, mm: Mm, slot: int = 0, start: float = 0, end: float = 1) -> None:
    """Unmap a slot, or the part of it between two fractions."""
    nr = k.hpage_nr
    k.munmap(mm, int((slot + start) * nr), int((slot + end) * nr))


def shrink(k: Any) -> Ops:
    """The shrinker, as the debug files of the measured kernels call it."""
    k.shrink_huge_zero_page_count()
    yield "shrink_count"
    k.shrink_huge_zero_page_scan()
    yield "shrink_scan"


@scenario("map-read-unmap")
def map_read_unmap(k: Any) -> Ops:
    """Eight times map, read, unmap; then the shrinker."""
    yield "start"
    for i in range(1, 9):
        map_read(k, k.init)
        yield f"map_read_{i}"
        munmap(k, k.init)
        yield f"munmap_{i}"
    yield from shrink(k)
    yield "end"


@scenario("two-mappings")
def two_mappings(k: Any) -> Ops:
    """Two mappings; one unmap must not take the page from the other."""
    yield "start"
    map_read(k, k.init, 0)
    yield "map_read_A"
    map_read(k, k.init, 1)
    yield "map_read_B"
    yield from shrink(k)
    munmap(k, k.init, 0)
    yield "munmap_A"
    munmap(k, k.init, 1)
    yield "munmap_B"
    yield from shrink(k)
    map_read(k, k.init, 2)
    yield "map_read_C"
    munmap(k, k.init, 2)
    yield "munmap_C"
    yield "end"


@scenario("fork")
def fork(k: Any) -> Ops:
    """A child inherits the mapping; parent and child let go of it in turn."""
    yield "start"
    map_read(k, k.init)
    yield "map_read"
    child = k.fork(k.init, "child")
    k.load(child, 0)
    yield "fork_child_alive"
    k.exit(child)
    yield "child_exited"
    munmap(k, k.init)
    yield "parent_munmap"
    yield from shrink(k)
    yield "end"


@scenario("madv-dontneed")
def madv_dontneed(k: Any) -> Ops:
    """Discard and read again: the mapping and its page tables stay, so the gather holds one page only."""
    yield "start"
    addr = map_read(k, k.init)
    yield "map_read"
    for i in range(1, 5):
        k.madvise_dontneed(k.init, addr, addr + k.hpage_nr)
        yield f"madv_dontneed_{i}"
        k.load(k.init, addr)
        yield f"read_{i}"
    munmap(k, k.init)
    yield "munmap"
    yield from shrink(k)
    yield "end"


@scenario("write-fault")
def write_fault(k: Any) -> Ops:
    """A write replaces the huge zero page by a page of one's own."""
    yield "start"
    for i in range(1, 4):
        addr = map_read(k, k.init)
        yield f"map_read_{i}"
        k.store(k.init, addr, "data")
        yield f"write_{i}"
        munmap(k, k.init)
        yield f"munmap_{i}"
    yield from shrink(k)
    yield "end"


@scenario("exit-mmap")
def exit_mmap(k: Any) -> Ops:
    """Two children map three regions each and exit: everything goes through one gather."""
    yield "start"
    for i in (1, 2):
        child = k.fork(k.init, f"child{i}")
        for slot in range(3):
            map_read(k, child, slot)
        yield f"child{i}_mapped_3"
        k.exit(child)
        yield f"child{i}_exited"
    yield from shrink(k)
    yield "end"


@scenario("mremap")
def mremap(k: Any) -> Ops:
    """The mapping moves; no reference does."""
    yield "start"
    map_read(k, k.init, 0)
    yield "map_read"
    k.mremap(k.init, 0, 3 * k.hpage_nr)
    yield "mremap"
    k.load(k.init, 3 * k.hpage_nr)
    yield "mremap_check"
    munmap(k, k.init, 3)
    yield "munmap"
    yield from shrink(k)
    yield "end"


@scenario("split")
def split(k: Any) -> Ops:
    """Half an unmap, half an mprotect, a quarter of a discard: each splits the huge mapping."""
    yield "start"
    map_read(k, k.init)
    yield "map_read_1"
    munmap(k, k.init, end=0.5)
    yield "munmap_half"
    munmap(k, k.init, start=0.5)
    yield "munmap_rest"
    map_read(k, k.init)
    yield "map_read_2"
    k.mprotect(k.init, 0, k.hpage_nr // 2)
    yield "mprotect_half"
    munmap(k, k.init)
    yield "munmap_all"
    map_read(k, k.init)
    yield "map_read_3"
    k.madvise_dontneed(k.init, 0, k.hpage_nr // 4)
    yield "madv_dontneed_quarter"
    munmap(k, k.init)
    yield "munmap_3"
    yield from shrink(k)
    yield "end"


@scenario("ksm-scan")
def ksm_scan(k: Any) -> Ops:
    """MADV_MERGEABLE memory: the scanner pins each 4K page for a moment, before a first unmap and after it."""
    yield "start"
    for i in (1, 2):
        addr = map_read(k, k.init)
        yield f"map_read_{i}"
        k.ksm_scan(k.init, addr, addr + k.hpage_nr)
        yield f"ksm_scan_{i}"
        munmap(k, k.init)
        yield f"munmap_{i}"
    yield from shrink(k)
    yield "end"


@scenario("unmap-until-panic", memory_mib=128)
def unmap_until_panic(k: Any, cycles: int = 2000, ring: int = 100) -> Ops:
    """2000 cycles of map, read, unmap while a ring of private memory is written, verified and replaced."""
    yield "start"
    ring = k.user = min(ring, k.free_pages() // k.hpage_nr - 8)
    yield "start_ring"
    for i in range(cycles):
        map_read(k, k.init)
        munmap(k, k.init)
        slot = 1 + i % ring
        if i >= ring:
            k.load(k.init, slot * k.hpage_nr)
            munmap(k, k.init, slot)
        map_write(k, k.init, slot, f"pattern {slot}")
        k.user = slot
        if i <= 20 or (i % 10 == 0 and i <= 200) or i % 50 == 0:
            yield f"iter_{i}"
        if slot == ring:
            yield ROUND
    yield "done"
    yield "end"


@scenario("refill-after-unmap", memory_mib=128)
def refill_after_unmap(k: Any) -> Ops:
    """One cycle, then nearly all memory is filled with a pattern, then five more cycles."""
    yield "start"
    filled = 0
    for i in range(1, 7):
        map_read(k, k.init)
        yield f"map_read_{i}"
        munmap(k, k.init)
        yield f"munmap_{i}"
        for _ in range(k.free_pages() // k.hpage_nr - 12):
            filled += 1
            map_write(k, k.init, filled, "pattern")
        yield f"fill_{i}"
    for slot in range(1, filled + 1):
        k.load(k.init, slot * k.hpage_nr)
    yield "verify"
    for slot in range(1, filled + 1):
        munmap(k, k.init, slot)
    yield "unfill"
    yield "end"


@scenario("fork-pressure", memory_mib=512)
def fork_pressure(k: Any, rounds: int = 12) -> Ops:
    """One cycle, then twelve rounds of twelve new processes, one cycle after each round."""
    yield "start"
    map_read(k, k.init)
    yield "map_read_1"
    munmap(k, k.init)
    yield "munmap_1"
    children: list[Mm] = []
    for i in range(1, rounds + 1):
        for _ in range(12):
            children.append(child := k.fork(k.init, f"child{len(children)}"))
            map_write(k, child, 0, child.name)
        yield f"forked_{len(children)}"
        map_read(k, k.init)
        yield f"map_read_{i + 1}"
        munmap(k, k.init)
        yield f"munmap_{i + 1}"
    for child in children:
        k.exit(child)
    yield "children_killed"
    yield "end"
