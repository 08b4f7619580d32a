"""The generic mmu_gather: mm/memory.c, include/asm-generic/tlb.h. First flush the TLBs, then free the pages."""

from __future__ import annotations

from .mm_types import Mm, MmuGather, Page
from .swap_state import SwapState


class GenericGather(SwapState):
    """Batches: 8 pages on the stack, then up to MAX_GATHER_BATCH_COUNT pages of pointers."""

    page_tables = "direct"
    """Where free_pgtables sends a page-table page: into the page `batch`, to `rcu`, or `direct`ly to the allocator."""

    def boot_gather(self) -> None:
        """One for each CPU."""
        for cpu in self.cpus:
            cpu.gather = MmuGather()

    @property
    def mmu_gather_bundle(self) -> int:
        """MMU_GATHER_BUNDLE: the batch on the stack."""
        return 8

    @property
    def max_gather_batch(self) -> int:
        """MAX_GATHER_BATCH: a page of pointers less its header; 510 with 64 bits and 4K pages."""
        return (self.page_size - self.word - 8) // self.word

    @property
    def max_gather_batch_count(self) -> int:
        """MAX_GATHER_BATCH_COUNT: 19 of those."""
        return 10000 // self.max_gather_batch

    def tlb_gather_mmu(self, mm: Mm, fullmm: bool = False) -> MmuGather:
        """Start gathering: the on-stack batch, nothing recorded."""
        tlb: MmuGather = self.cpu.gather
        tlb.mm, tlb.fullmm, tlb.range, tlb.batches, tlb.pages = mm, fullmm, False, ((),), ()
        return tlb

    def tlb_next_batch(self, tlb: MmuGather) -> bool:
        """Add a batch, in a page used before a flush or a new one; false when there are enough, or no memory."""
        if len(tlb.batches) > self.max_gather_batch_count:
            return False
        if len(tlb.batches) > len(tlb.pages):
            page = self.alloc_pages(0, "mmu_gather batch")
            if page is None:
                return False
            tlb.pages += (page,)
        tlb.batches += ((),)
        return True

    def _tlb_remove_page(self, tlb: MmuGather, page: Page) -> int:
        """__tlb_remove_page: remember a page; return the free slots, 0 when the caller must flush."""
        self.VM_BUG_ON_PAGE(not tlb.range, "!tlb->end")
        *full, batch = tlb.batches
        tlb.batches = (*full, (*batch, page))
        room = (self.max_gather_batch if full else self.mmu_gather_bundle) - len(batch) - 1
        return 0 if room == 0 and not self.tlb_next_batch(tlb) else room or self.max_gather_batch

    def tlb_remove_page(self, tlb: MmuGather, page: Page) -> None:
        """Remember a page; flush at once when there is no room for another (include/asm-generic/tlb.h)."""
        if not self._tlb_remove_page(tlb, page):
            self.tlb_flush_mmu(tlb)

    def tlb_remove_tlb_entry(self, tlb: MmuGather) -> None:
        """A translation was cleared: there is a range to flush."""
        tlb.range = True

    def tlb_flush_mmu_tlbonly(self, tlb: MmuGather) -> None:
        """Flush the recorded range on every CPU."""
        if tlb.range:
            if tlb.fullmm:
                self.tlb_flush_fullmm(tlb)
            else:
                self.tlb_invalidate(tlb.mm)
            tlb.range = False

    def tlb_flush_fullmm(self, tlb: MmuGather) -> None:
        """tlb_flush, when the whole address space goes."""
        self.tlb_invalidate(tlb.mm)

    def tlb_flush_mmu_free(self, tlb: MmuGather) -> None:
        """Free the batches, each in one call. A batch may hold a single page."""
        batches, tlb.batches = tlb.batches, ((),)
        for batch in batches:
            if batch:
                self.free_pages_and_swap_cache(batch, len(batch))

    def tlb_flush_mmu(self, tlb: MmuGather) -> None:
        """TLBs first, pages second: the order aa88b68c relies on."""
        self.tlb_flush_mmu_tlbonly(tlb)
        self.tlb_flush_mmu_free(tlb)

    def tlb_finish_mmu(self, tlb: MmuGather) -> None:
        """The end of an unmap: flush, then free the pages of the batches themselves."""
        self.tlb_flush_mmu(tlb)
        for page in tlb.pages:
            self._free_pages(page, 0)

    # -- page-table pages of free_pgtables

    def tlb_remove_table(self, tlb: MmuGather, page: Page) -> None:
        """A page-table page: most arches free it some other way than through the page batch."""
        if self.page_tables == "batch":
            tlb.range = True
            self.tlb_remove_page(tlb, page)
        elif self.page_tables == "rcu":
            assert tlb.mm is not None
            if tlb.mm.mm_users < 2:
                self._tlb_remove_table(page)
            else:
                self.call_rcu_sched(self._tlb_remove_table, page)
        else:
            self._free_pages(page, page.order)

    def _tlb_remove_table(self, page: Page) -> None:
        """__tlb_remove_table: the RCU callback, called directly while one thread owns the mm (arm, arm64)."""
        self.free_page_and_swap_cache(page)
