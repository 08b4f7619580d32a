"""Changing an entry: include/asm-generic/pgtable.h; and counting mappings: mm/rmap.c."""

from __future__ import annotations

from .mm_types import Mm, Page
from .mmu_gather import GenericGather


class PageTables(GenericGather):
    """PMD and reverse-map primitives."""

    def page_add_new_anon_rmap(self, page: Page) -> None:
        """First mapping of a new anonymous page."""
        page.flags |= {"anon"}
        self.atomic_set(page.mapcount, 0)

    def page_remove_rmap(self, page: Page) -> None:
        """One mapping less."""
        self.atomic_add(-1, page.mapcount)

    def pmdp_huge_get_and_clear_full(self, mm: Mm, index: int, full: bool) -> None:
        """Clear the entry in memory only: no CPU's TLB hears of it."""
        self.atomic_set(mm.pmd[index], None)

    def pmdp_huge_clear_flush(self, mm: Mm, index: int) -> None:
        """Clear the entry and flush it from every TLB."""
        self.atomic_set(mm.pmd[index], None)
        self.tlb_invalidate(mm, index)
