"""Concurrent scenarios: a set-up that runs alone, then one list of operations per CPU, interleaved in every way."""

from __future__ import annotations

from typing import Any

from ..words import choose
from .scenarios import PROGRAMS as PROGRAMS
from .scenarios import Operation, program


def on_cpu(k: Any, cpu: int, mm: Any) -> None:
    """The CPU runs `mm`, has it mapped at slot 0, and holds a live translation of it."""
    k.cpu = k.cpus[cpu]
    if not mm.vmas:
        k.mmap(mm, 0, k.hpage_nr)
        k.pmd_alloc(mm, 0)
    else:
        mm.mm_users += 1
    k.load(mm, 0)


def munmap(mm: Any) -> Operation:
    """Unmap slot 0."""
    return "munmap", lambda k: k.munmap(mm, 0, k.hpage_nr)


def read(mm: Any) -> Operation:
    """Read slot 0."""
    return "read", lambda k: k.load(mm, 0)


RECLAIM: list[Operation] = [
    ("shrink_count", lambda k: k.shrink_huge_zero_page_count()),
    ("shrink_scan", lambda k: k.shrink_huge_zero_page_scan()),
]
REUSE: Operation = ("reuse", lambda k: k.alloc_pages(k.hpage_order, "somebody else"))


@program("zap-vs-shrinker", cpus=3)
def zap_vs_shrinker(k: Any, cpus: int) -> list[list[Operation]]:
    """CPU 0 unmaps, CPU 1 reclaims and gives the block to somebody else, the others read through live TLB entries.

    A reader then runs something else and comes back to read again. With two CPUs, CPU 1 is the reader too.
    """
    leave: Operation = ("leave", lambda k: k.leave_mm())
    for cpu in [0, *range(2 if cpus > 2 else 1, cpus)]:
        on_cpu(k, cpu, k.init)
    readers = [[read(k.init), leave, read(k.init)] for _ in range(2, cpus)]
    return [[munmap(k.init)], [*RECLAIM, REUSE, *([read(k.init)] if cpus == 2 else [])], *readers]


def unmapped(k: Any) -> None:
    """There is a huge zero page, and nobody maps it."""
    if k.get_huge_zero_page():
        k.put_huge_zero_page()


@program("fault-vs-shrinker", cpus=3)
def fault_vs_shrinker(k: Any, cpus: int) -> list[list[Operation]]:
    """A huge zero page nobody maps any more: CPU 0 shrinks it while the others, each with its own mm, read-fault."""
    mms = processes(k, cpus - 1)
    unmapped(k)
    return [RECLAIM, *([read(mm)] for mm in mms)]


def processes(k: Any, number: int) -> list[Any]:
    """Processes with an empty mapping at slot 0; the last one's CPU is the last."""
    mms = [k.new_mm(f"mm{i}") for i in range(number)]
    for mm in mms:
        k.mmap(mm, 0, k.hpage_nr)
        k.pmd_alloc(mm, 0)
    return mms


@program("fault-unmap-vs-shrinker", cpus=3, fault="what orders its publication")
def fault_unmap_vs_shrinker(k: Any, cpus: int) -> list[list[Operation]]:
    """As fault-vs-shrinker, and the others unmap what they have faulted in, which asks what their entry maps."""
    mms = processes(k, cpus - 1)
    unmapped(k)
    return [RECLAIM, *([read(mm), munmap(mm)] for mm in mms)]


@program("threads-vs-shrinker", cpus=3, fault="the order of the per-mm flag")
def threads_vs_shrinker(k: Any, cpus: int) -> list[list[Operation]]:
    """A huge zero page nobody maps any more: CPU 0 shrinks it while threads of one process fault, each in a slot of its
    own, and discard (MADV_DONTNEED: like a fault, with mmap_sem for reading).
    """
    nr = k.hpage_nr
    k.mmap(k.init, 0, (cpus - 1) * nr)
    k.pmd_alloc(k.init, 0)
    unmapped(k)
    return [RECLAIM, *([fault_at(k.init, slot * nr), discard(k.init, slot * nr, nr)] for slot in range(cpus - 1))]


def fault_at(mm: Any, addr: int) -> Operation:
    """Read an address."""
    return "read", lambda k: k.load(mm, addr)


def discard(mm: Any, addr: int, nr: int) -> Operation:
    """Forget a slot."""
    return "madv_dontneed", lambda k: k.madvise_dontneed(mm, addr, addr + nr)


@program("fault-vs-fault", cpus=2)
def fault_vs_fault(k: Any, cpus: int) -> list[list[Operation]]:
    """No huge zero page yet: threads of one process (and a process of their own from CPU 2 up) fault at once."""
    mms = processes(k, max(cpus - 1, 1))
    owners = [mms[0], *mms][:cpus]
    return [[read(mm)] for mm in owners]


@program("zap-vs-zap", cpus=2)
def zap_vs_zap(k: Any, cpus: int) -> list[list[Operation]]:
    """Every CPU unmaps the mapping of its own process."""
    mms = processes(k, cpus)
    for cpu, mm in enumerate(mms):
        on_cpu(k, cpu, mm)
    return [[munmap(mm)] for mm in mms]


@program("pin-vs-zap", cpus=3)
def pin_vs_zap(k: Any, cpus: int, release: str = "put_page", pinned: str = "head") -> list[list[Operation]]:
    """CPU 0 unmaps while CPU 1 pins the page (head or tail) and releases it, and (from 3 CPUs) CPU 2 reclaims."""
    choose("release", release, ("put_page", "release_pages"))
    addr = ("head", "tail").index(choose("pinned", pinned, ("head", "tail")))
    for cpu in (0, 1):
        on_cpu(k, cpu, k.init)
    pin: list[Operation] = [
        ("pin", lambda k: k.get_user_page(k.init, addr)),
        ("unpin", lambda k: [k.unpin(page, release) for page in k.pins]),
    ]
    return [[munmap(k.init)], pin, *(RECLAIM for _ in range(2, cpus))]


@program("pin-fast-vs-zap", cpus=3)
def pin_fast_vs_zap(k: Any, cpus: int) -> list[list[Operation]]:
    """CPU 0 unmaps while CPU 1 pins the page without a lock and has a device read it; CPU 2 reclaims and reuses it.

    With two CPUs nobody reclaims before CPU 0 has unmapped: then CPU 0 does.
    """
    for cpu in (0, 1):
        on_cpu(k, cpu, k.init)
    pin: list[Operation] = [
        ("pin", lambda k: k.get_user_pages_fast(k.init, 0)),
        ("dma", lambda k: [k.dma(k.init, page) for page in k.pins]),
        ("unpin", lambda k: [k.unpin(page) for page in k.pins]),
    ]
    reclaim = [*RECLAIM, REUSE]
    return [[munmap(k.init), *(reclaim if cpus == 2 else [])], pin, *(reclaim for _ in range(2, cpus))]


@program("reaper-vs-shrinker", cpus=3, needs="_oom_reap_task", fault="the OOM reaper")
def reaper_vs_shrinker(k: Any, cpus: int) -> list[list[Operation]]:
    """CPU 0 reaps the memory of a victim whose threads still read it on the other CPUs, through live TLB entries; CPU 1
    reclaims, and gives the block to somebody else. With two CPUs, CPU 1 is the reader too.
    """
    for cpu in range(2 if cpus > 2 else 1, cpus):
        on_cpu(k, cpu, k.init)
    readers = [[read(k.init)] for _ in range(2, cpus)]
    reap: Operation = ("oom_reap", lambda k: k._oom_reap_task(k.init))
    return [[reap], [*RECLAIM, REUSE, *([read(k.init)] if cpus == 2 else [])], *readers]


APART = tuple(name for name, found in PROGRAMS.items() if found.fault)
"""The scenarios of another fault than the report's."""
JUDGED = (*(name for name in PROGRAMS if name not in APART), "reaper-vs-shrinker")
"""Those that a fix of 2016 is held against: of the report, and of what it leaves open."""
