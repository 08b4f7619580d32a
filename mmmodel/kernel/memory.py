"""mm/memory.c, mm/mmap.c: page tables, faults on 4K pages, unmap, and the system calls that change a mapping.

Addresses are counted in 4K pages; slot i holds the addresses from i * hpage_nr on. All slots of one program lie in
one PMD table, as in the measured programs.
"""

from __future__ import annotations

from collections.abc import Iterator

from .huge_memory import OOM, HugeMemory
from .machine import Var, set_up_only
from .mm_types import Mm, MmuGather, Page, PageTable, Pmd, Pte

PTRS_PER_PMD = 512


class Memory(HugeMemory):
    """Address spaces and the page tables under them."""

    # -- page tables

    @set_up_only
    def pte_alloc_one(self, mm: Mm) -> PageTable | None:
        """A page for a page table; None when memory is exhausted."""
        page = self.alloc_table_page("page table")
        return None if page is None else self.struct(PageTable, page)

    def alloc_table_page(self, owner: str, order: int = 0) -> Page | None:
        """A kernel page with something in it."""
        page = self.alloc_pages(order, owner)
        if page is not None:
            page.content = owner
        return page

    @set_up_only
    def pte_free(self, mm: Mm, table: PageTable) -> None:
        """Free a page table that was never visible to the MMU."""
        self._free_pages(table.page, 0)

    @set_up_only
    def pte_free_tlb(self, tlb: MmuGather, table: PageTable) -> None:
        """Free a page table the MMU may still walk."""
        self.tlb_remove_table(tlb, table.page)

    def pmd_alloc(self, mm: Mm, index: int) -> None:
        """The PMD table of a slot."""
        if index // PTRS_PER_PMD not in mm.pmd_tables:
            table = self.alloc_table_page("page table", self.pmd_table_order)
            if table is not None:
                mm.pmd_tables[index // PTRS_PER_PMD] = table

    pmd_table_order = 0

    # -- faults

    def handle_mm_fault(self, mm: Mm, addr: int, write: bool) -> None:
        """A page fault: the huge path first, 4K pages where that falls back."""
        index = addr // self.hpage_nr
        self.pmd_alloc(mm, index)
        pmd = mm.pmd[index].value
        huge = pmd is None and self.transparent_hugepage_enabled(mm, index)
        if huge and self.do_huge_pmd_anonymous_page(mm, index, write) in (None, OOM):
            return
        if pmd is not None and pmd.page is not None and write:
            if self.do_huge_pmd_wp_page(mm, index, pmd) is None:
                return
        elif pmd is not None and pmd.page is not None:
            return
        if mm.pmd[index].value is None:
            self._pte_alloc(mm, index)
        pmd = mm.pmd[index].value
        if pmd is not None and pmd.table is not None:
            self.handle_pte_fault(mm, pmd.table, addr % self.hpage_nr, write)

    def _pte_alloc(self, mm: Mm, index: int) -> None:
        """__pte_alloc: a page table for the slot, unless somebody else filled it meanwhile."""
        table = self.pte_alloc_one(mm)
        if table is None:
            return
        self.spin_lock(mm.ptl)
        empty = mm.pmd[index].value is None
        if empty:
            mm.nr_ptes += 1
            self.atomic_set(mm.pmd[index], Pmd(None, table=table))
        self.spin_unlock(mm.ptl)
        if not empty:
            self.pte_free(mm, table)

    def transparent_hugepage_enabled(self, mm: Mm, index: int) -> bool:
        """May a huge page serve this slot? Not if the VMA is VM_NOHUGEPAGE."""
        return index not in mm.nohugepage

    def handle_pte_fault(self, mm: Mm, table: PageTable, off: int, write: bool) -> None:
        """do_anonymous_page and do_wp_page: a read maps the small zero page, a write a page of one's own."""
        old = table.ptes.get(off, Pte()).page
        if not write:
            table.ptes.setdefault(off, Pte())
        elif old is None or old.mapcount.value > 0:
            page = self.alloc_pages(0, mm.name, movable=True)
            if page is None:
                return
            self.page_add_new_anon_rmap(page)
            self.lru_cache_add(page)
            table.ptes[off] = Pte(page, mm.name)
            mm.rss["MM_ANONPAGES"] += 1
            if old is not None:
                page.content = old.content
                mm.rss["MM_ANONPAGES"] -= 1
                self.page_remove_rmap(old)
                self.put_page(old)

    # -- mmap and unmap

    def mmap(self, mm: Mm, start: int, end: int) -> None:
        """An anonymous private mapping of a free range; adjacent ones merge (vma_merge)."""
        new = self.slots(start, end)
        vmas = [*mm.vmas, (start, end)]
        for vma in [v for v in mm.vmas if start == v[1] or end == v[0]]:
            vmas.remove(vma)
            start, end = min(start, vma[0]), max(end, vma[1])
            vmas[-1] = (start, end)
        mm.vmas = tuple(vmas)
        for index, _, _ in new:
            if index not in mm.pmd:
                mm.pmd[index] = self.struct(Var, f"{mm.name}.pmd[{index}]")

    def zap_pte_range(self, tlb: MmuGather, mm: Mm, table: PageTable, start: int, end: int) -> None:
        """Drop the 4K mappings of a range; the small zero page is no normal page and is skipped."""
        for off in [off for off in table.ptes if start <= off < end]:
            page = table.ptes.pop(off).page
            if page is not None:
                self.tlb_remove_tlb_entry(tlb)
                mm.rss["MM_ANONPAGES"] -= 1
                self.page_remove_rmap(page)
                if not self._tlb_remove_page(tlb, page):
                    self.tlb_flush_mmu(tlb)

    def zap_pmd_range(self, tlb: MmuGather, mm: Mm, start: int, end: int) -> None:
        """Each slot of a range: whole huge mappings are zapped, partly covered ones split first."""
        for index, lo, hi in self.slots(start, end):
            pmd = mm.pmd[index].value
            if pmd is not None and pmd.page is not None:
                if hi - lo < self.hpage_nr:
                    self.split_huge_pmd(mm, index)
                elif self.zap_huge_pmd(tlb, mm, index):
                    continue
            pmd = mm.pmd[index].value
            if pmd is not None and pmd.table is not None:
                self.zap_pte_range(tlb, mm, pmd.table, lo, hi)

    def slots(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """The huge-page slots a range touches: (slot, first and last offset in it)."""
        nr = self.hpage_nr
        for index in range(start // nr, -(-end // nr)):
            yield index, max(start - index * nr, 0), min(end - index * nr, nr)

    def free_pgtables(self, tlb: MmuGather, mm: Mm, start: int, end: int) -> None:
        """Free the page tables, then the PMD table, that no VMA needs any more: through the same gather."""
        nr, span = self.hpage_nr, self.hpage_nr * PTRS_PER_PMD
        for index, _, _ in self.slots(start, end):
            pmd = mm.pmd[index].value
            if pmd is not None and not mm.overlaps(index * nr, index * nr + nr):
                self.atomic_set(mm.pmd[index], None)
                mm.nr_ptes -= 1
                self.pte_free_tlb(tlb, pmd.table)
        for group in list(mm.pmd_tables):
            if not mm.overlaps(group * span, group * span + span):
                self.tlb_remove_table(tlb, mm.pmd_tables.pop(group))

    def munmap(self, mm: Mm, start: int, end: int) -> None:
        """munmap of a mapped range: split what sticks out, zap, free page tables, flush."""
        for addr in (start, end):
            index = addr // self.hpage_nr
            if addr % self.hpage_nr and mm.pmd[index].value is not None:
                self.split_huge_pmd(mm, index)
        self.remove_vma(mm, start, end)
        self.lru_add_drain()
        tlb = self.tlb_gather_mmu(mm)
        self.zap_pmd_range(tlb, mm, start, end)
        self.free_pgtables(tlb, mm, start, end)
        self.tlb_finish_mmu(tlb)

    def remove_vma(self, mm: Mm, start: int, end: int) -> None:
        """Cut a range out of the VMAs."""
        mm.vmas = tuple((lo, hi) for s, e in mm.vmas for lo, hi in ((s, min(e, start)), (max(s, end), e)) if lo < hi)

    def madvise_dontneed(self, mm: Mm, start: int, end: int) -> None:
        """madvise(MADV_DONTNEED): zap the pages, keep the mapping and its page tables (zap_page_range)."""
        self.lru_add_drain()
        tlb = self.tlb_gather_mmu(mm)
        self.zap_pmd_range(tlb, mm, start, end)
        self.tlb_finish_mmu(tlb)

    def madvise_nohugepage(self, mm: Mm, start: int, end: int) -> None:
        """madvise(MADV_NOHUGEPAGE): no huge pages here from now on."""
        mm.nohugepage |= {index for index, _, _ in self.slots(start, end)}

    def mprotect(self, mm: Mm, start: int, end: int, write: bool = False) -> None:
        """mprotect: whole huge mappings change, partly covered ones are split first (change_pmd_range)."""
        for index, lo, hi in self.slots(start, end):
            pmd = mm.pmd[index].value
            if pmd is not None and pmd.page is not None:
                if hi - lo < self.hpage_nr:
                    self.split_huge_pmd(mm, index)
                else:
                    self.change_huge_pmd(mm, index, write)
        self.tlb_invalidate(mm)

    def mremap(self, mm: Mm, old: int, new: int) -> None:
        """mremap of one slot to an empty one (move_page_tables): the huge entry moves, the old one is flushed."""
        nr, source, target = self.hpage_nr, old // self.hpage_nr, new // self.hpage_nr
        self.remove_vma(mm, old, old + nr)
        self.mmap(mm, new, new + nr)
        if source in mm.nohugepage:
            mm.nohugepage |= {target}
        self.pmd_alloc(mm, target)
        pmd = mm.pmd[source].value
        if pmd is not None and pmd.page is not None:
            if self.move_huge_pmd(mm, source, target):
                pmd = None
            else:
                self.split_huge_pmd(mm, source)
        if pmd is not None:
            self.atomic_set(mm.pmd[target], self.xchg(mm.pmd[source], None))
        self.tlb_invalidate(mm)
