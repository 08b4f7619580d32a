"""Sequential scenarios: what user programs, and the shrinker, do. Each is a generator that yields after an operation.

The operations and their order are those of the measured programs (data/counters.csv). A program that does the same
over and over also yields ROUND where it begins again: a round that leaves the kernel as an earlier one did can only be
repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from ..kernel.mm_types import Mm
from .scenarios import SEQUENTIAL as SEQUENTIAL
from .scenarios import Ops, scenario

ROUND = ""
Done = Iterator[tuple[str, object]]
"""The name of each operation, with the operation itself, which is done by then."""


def map_huge(k: Any, mm: Mm, slot: int) -> int:
    """mmap one huge page's worth at a slot; return its address."""
    addr: int = slot * k.hpage_nr
    k.mmap(mm, addr, addr + k.hpage_nr)
    return addr


def map_read(k: Any, mm: Mm, slot: int = 0) -> object:
    """mmap a slot and read its first byte."""
    return k.load(mm, map_huge(k, mm, slot))


def map_write(k: Any, mm: Mm, slot: int, content: object) -> object:
    """mmap a slot and fill it with a pattern."""
    return k.store(mm, map_huge(k, mm, slot), content)


def munmap(k: Any, mm: Mm, slot: int = 0, start: float = 0, end: float = 1) -> object:
    """Unmap a slot, or the part of it between two fractions."""
    nr = k.hpage_nr
    return k.munmap(mm, int((slot + start) * nr), int((slot + end) * nr))


def shrink(k: Any) -> Done:
    """The shrinker, as the debug files of the measured kernels call it."""
    yield "shrink_count", k.shrink_huge_zero_page_count()
    yield "shrink_scan", k.shrink_huge_zero_page_scan()


def sequence(name: str, memory_mib: int = 256) -> Callable[[Callable[..., Done]], Callable[..., Ops]]:
    """Register a scenario of the investigation: its operations stand between `start` and `end`."""

    def register(done: Callable[..., Done]) -> Callable[..., Ops]:
        @wraps(done)
        def run(k: Any, **options: int) -> Ops:
            yield "start"
            for op, _ in done(k, **options):
                yield op
            yield "end"

        return scenario(name, memory_mib)(run)

    return register


@sequence("map-read-unmap")
def map_read_unmap(k: Any) -> Done:
    """Eight times map, read, unmap; then the shrinker."""
    for i in range(1, 9):
        yield f"map_read_{i}", map_read(k, k.init)
        yield f"munmap_{i}", munmap(k, k.init)
    yield from shrink(k)


@sequence("two-mappings")
def two_mappings(k: Any) -> Done:
    """Two mappings; one unmap must not take the page from the other."""
    yield "map_read_A", map_read(k, k.init, 0)
    yield "map_read_B", map_read(k, k.init, 1)
    yield from shrink(k)
    yield "munmap_A", munmap(k, k.init, 0)
    yield "munmap_B", munmap(k, k.init, 1)
    yield from shrink(k)
    yield "map_read_C", map_read(k, k.init, 2)
    yield "munmap_C", munmap(k, k.init, 2)


@sequence("fork")
def fork(k: Any) -> Done:
    """A child inherits the mapping; parent and child let go of it in turn."""
    yield "map_read", map_read(k, k.init)
    child = k.fork(k.init, "child")
    yield "fork_child_alive", k.load(child, 0)
    yield "child_exited", k.exit(child)
    yield "parent_munmap", munmap(k, k.init)
    yield from shrink(k)


@sequence("madv-dontneed")
def madv_dontneed(k: Any) -> Done:
    """Discard and read again: the mapping and its page tables stay, so the gather holds one page only."""
    yield "map_read", map_read(k, k.init)
    for i in range(1, 5):
        yield f"madv_dontneed_{i}", k.madvise_dontneed(k.init, 0, k.hpage_nr)
        yield f"read_{i}", k.load(k.init, 0)
    yield "munmap", munmap(k, k.init)
    yield from shrink(k)


@sequence("write-fault")
def write_fault(k: Any) -> Done:
    """A write replaces the huge zero page by a page of one's own."""
    for i in range(1, 4):
        yield f"map_read_{i}", map_read(k, k.init)
        yield f"write_{i}", k.store(k.init, 0, "data")
        yield f"munmap_{i}", munmap(k, k.init)
    yield from shrink(k)


@sequence("exit-mmap")
def exit_mmap(k: Any) -> Done:
    """Two children map three regions each and exit: everything goes through one gather."""
    for i in (1, 2):
        child = k.fork(k.init, f"child{i}")
        yield f"child{i}_mapped_3", [map_read(k, child, slot) for slot in range(3)]
        yield f"child{i}_exited", k.exit(child)
    yield from shrink(k)


@sequence("mremap")
def mremap(k: Any) -> Done:
    """The mapping moves; no reference does."""
    yield "map_read", map_read(k, k.init, 0)
    yield "mremap", k.mremap(k.init, 0, 3 * k.hpage_nr)
    yield "mremap_check", k.load(k.init, 3 * k.hpage_nr)
    yield "munmap", munmap(k, k.init, 3)
    yield from shrink(k)


@sequence("split")
def split(k: Any) -> Done:
    """Half an unmap, half an mprotect, a quarter of a discard: each splits the huge mapping."""
    yield "map_read_1", map_read(k, k.init)
    yield "munmap_half", munmap(k, k.init, end=0.5)
    yield "munmap_rest", munmap(k, k.init, start=0.5)
    yield "map_read_2", map_read(k, k.init)
    yield "mprotect_half", k.mprotect(k.init, 0, k.hpage_nr // 2)
    yield "munmap_all", munmap(k, k.init)
    yield "map_read_3", map_read(k, k.init)
    yield "madv_dontneed_quarter", k.madvise_dontneed(k.init, 0, k.hpage_nr // 4)
    yield "munmap_3", munmap(k, k.init)
    yield from shrink(k)


@sequence("ksm-scan")
def ksm_scan(k: Any) -> Done:
    """MADV_MERGEABLE memory: the scanner pins each 4K page for a moment, before a first unmap and after it."""
    for i in (1, 2):
        yield f"map_read_{i}", map_read(k, k.init)
        yield f"ksm_scan_{i}", k.ksm_scan(k.init, 0, k.hpage_nr)
        yield f"munmap_{i}", munmap(k, k.init)
    yield from shrink(k)


@sequence("unmap-until-panic", memory_mib=128)
def unmap_until_panic(k: Any, cycles: int = 2000, ring: int = 100) -> Done:
    """2000 cycles of map, read, unmap while a ring of private memory is written, verified and replaced."""
    ring = k.user = min(ring, k.free_pages() // k.hpage_nr - 8)
    yield "start_ring", ring
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
            yield f"iter_{i}", slot
        if slot == ring:
            yield ROUND, slot
    yield "done", cycles


@sequence("refill-after-unmap", memory_mib=128)
def refill_after_unmap(k: Any) -> Done:
    """One cycle, then nearly all memory is filled with a pattern, then five more cycles."""
    filled = 0
    for i in range(1, 7):
        yield f"map_read_{i}", map_read(k, k.init)
        yield f"munmap_{i}", munmap(k, k.init)
        for _ in range(k.free_pages() // k.hpage_nr - 12):
            filled += 1
            map_write(k, k.init, filled, "pattern")
        yield f"fill_{i}", filled
    yield "verify", [k.load(k.init, slot * k.hpage_nr) for slot in range(1, filled + 1)]
    yield "unfill", [munmap(k, k.init, slot) for slot in range(1, filled + 1)]


@sequence("fork-pressure", memory_mib=512)
def fork_pressure(k: Any, rounds: int = 12) -> Done:
    """One cycle, then twelve rounds of twelve new processes, one cycle after each round."""
    yield "map_read_1", map_read(k, k.init)
    yield "munmap_1", munmap(k, k.init)
    children: list[Mm] = []
    for i in range(1, rounds + 1):
        for _ in range(12):
            children.append(child := k.fork(k.init, f"child{len(children)}"))
            map_write(k, child, 0, child.name)
        yield f"forked_{len(children)}", children
        yield f"map_read_{i + 1}", map_read(k, k.init)
        yield f"munmap_{i + 1}", munmap(k, k.init)
    yield "children_killed", [k.exit(child) for child in children]


ALONE = tuple(SEQUENTIAL)
"""The scenarios of one CPU that are ours; a reader's come later."""
