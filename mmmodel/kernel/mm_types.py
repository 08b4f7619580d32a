"""Data structures: include/linux/mm_types.h, asm-generic/tlb.h. As little of each as the paths need."""

from __future__ import annotations

from typing import Any, NamedTuple

from .machine import Var

HUGE_ZERO_PAGE = "huge zero page"
PAGE_COUNT_ATOMICS = "page_count_atomics"


class Page:
    """struct page: `count` is page_count() (_count in v4.6, _refcount from v4.7), `mapcount` starts at -1.

    `owner` and `content` say whose data the page holds: None is nobody's (free), content 0 is all zeroes. `holder`: who
    outside the kernel asked for it and has not given it back, `life`: how often that happened. All four are the
    model's own knowledge, which no kernel function may ask for.
    """

    __slots__ = ("__dict__", "content", "count", "flags", "holder", "life", "mapcount", "order", "owner", "pfn")

    def __init__(self, pfn: int) -> None:
        self.pfn = pfn
        self.count = Var(f"page[{pfn:#x}].count", 0, PAGE_COUNT_ATOMICS)
        self.mapcount = Var(f"page[{pfn:#x}].mapcount", -1, "mapcount_atomics")
        self.flags: frozenset[str] = frozenset()
        self.order = 0
        self.owner: str | None = None
        self.holder: str | None = None
        self.life = 0
        self.content: Any = 0

    def __repr__(self) -> str:
        return f"page {self.pfn:#x}"


class Pmd(NamedTuple):
    """A PMD that maps a huge page, or (table set) points to a page table. `expects`: see TlbEntry."""

    page: Page | None
    write: bool = False
    expects: str = ""
    table: PageTable | None = None


class Pte(NamedTuple):
    """An entry of a page table; page None is the small zero page, which is never counted. `expects`: see TlbEntry."""

    page: Page | None = None
    expects: str = ""


class PageTable:
    """A page table: its page (and the half of it, on s390) and its entries by offset."""

    __slots__ = ("__dict__", "bit", "page", "ptes")

    def __init__(self, page: Page, bit: int | None = None) -> None:
        self.page, self.bit = page, bit
        self.ptes: dict[int, Pte] = {}

    def __repr__(self) -> str:
        return f"page table in {self.page}"


class Mm:
    """struct mm_struct. `vmas` are (start, end) in 4K pages; `pmd` has one word per huge-page slot.

    `mm_users`: threads; `nohugepage`: slots of VMAs with VM_NOHUGEPAGE; `mmap_sem`: readers, or -1 for a writer;
    `irqs_off`: CPUs that run it with interrupts off.
    """

    __slots__ = ("__dict__", "attach_count", "deposit", "flush_mm", "huge_zero", "irqs_off", "mm_users", "mmap_sem",
                 "name", "nohugepage", "nr_ptes", "pgd", "pgtable_list", "pmd", "pmd_tables", "ptl", "rss",
                 "stack", "tlb_word", "vmas")  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.mm_users = 1
        self.nohugepage: frozenset[int] = frozenset()
        self.vmas: tuple[tuple[int, int], ...] = ()
        self.pmd: dict[int, Var] = {}
        self.pmd_tables: dict[int, Page] = {}
        self.deposit: dict[int, PageTable] = {}
        self.pgtable_list: tuple[Page, ...] = ()
        self.nr_ptes = 0
        self.rss = {"MM_FILEPAGES": 0, "MM_ANONPAGES": 0}
        self.ptl = Var(f"{name}.page_table_lock", None, "page_table_lock")
        self.huge_zero = Var(f"{name}.MMF_HUGE_ZERO_PAGE", False, "mm_flag_atomics")
        self.tlb_word = Var(f"{name}.tlb")
        self.attach_count = Var(f"{name}.attach_count", 0)
        self.flush_mm = Var(f"{name}.flush_mm", False)
        self.irqs_off = Var(f"{name}.irqs_off", 0)
        self.mmap_sem = Var(f"{name}.mmap_sem", 0)
        self.pgd: Page | None = None
        self.stack: Page | None = None

    def __repr__(self) -> str:
        return self.name

    def maps(self, start: int, end: int) -> bool:
        """Is the whole range inside one VMA?"""
        return any(s <= start and end <= e for s, e in self.vmas)

    def overlaps(self, start: int, end: int) -> bool:
        """Does any VMA reach into the range?"""
        return any(s < end and start < e for s, e in self.vmas)

    def huge_mappings(self) -> list[Pmd]:
        """The present PMDs that map a huge page."""
        return [pmd for var in self.pmd.values() if (pmd := var.value) is not None and pmd.page is not None]


class MmuGather:
    """struct mmu_gather: the pages zapped but not yet freed, in batches; `range`: is there anything to flush?

    `pages` hold the pointers of every batch but the first.
    """

    __slots__ = ("__dict__", "batches", "fullmm", "mm", "pages", "range")

    def __init__(self) -> None:
        self.mm: Mm | None = None
        self.batches: tuple[tuple[Page, ...], ...] = ((),)
        self.pages: tuple[Page, ...] = ()
        self.range = self.fullmm = False
