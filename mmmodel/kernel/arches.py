"""What an architecture changes: its mmu_gather, its TLB, its page tables. Facts about all of them: data/arches.csv.

Up to v4.9 (in truth up to v5.1) arm, ia64, s390, sh and um have an mmu_gather of their own; from v5.2 all use the
generic one, and s390 still frees every page at once.
"""

from __future__ import annotations

from ..data import rows
from .machine import one_step, orders
from .mm_types import Mm, MmuGather, Page, PageTable, Pmd
from .versions import V4_5, VERSIONS

FLUSHING = 0x10000
"""In mm->context.attach_count: how often a flush is under way, above the number of CPUs attached."""


class Arm(V4_5):
    """arch/arm/include/asm/tlb.h: one page of pointers; freed together after the flush."""

    @property
    def mmu_gather_bundle(self) -> int:
        """A page of pointers."""
        return self.page_size // self.word

    @property
    def max_gather_batch_count(self) -> int:
        """No more."""
        return 0


class Ia64(Arm):
    """arch/ia64/include/asm/tlb.h: gathers and flushes like arm, but frees one by one: the singular function."""

    def tlb_flush_mmu_free(self, tlb: MmuGather) -> None:
        """ia64_tlb_flush_mmu_free."""
        batches, tlb.batches = tlb.batches, ((),)
        for batch in batches:
            for page in batch:
                self.free_page_and_swap_cache(page)


class Immediate(V4_5):
    """No page array: every page is freed where it is zapped, through the singular function."""

    def _tlb_remove_page(self, tlb: MmuGather, page: Page) -> int:
        """Free it now; never ask for a flush."""
        self.free_page_and_swap_cache(page)
        return 1


class Sh(Immediate):
    """arch/sh/include/asm/tlb.h: freed before the flush."""


class Um(Immediate):
    """arch/um/include/asm/tlb.h: notes that a flush is needed, then frees."""


class Arm64(V4_5):
    """arch/arm64/include/asm/tlb.h: a gather of the whole mm flushes nothing, as its ASID is never used again."""

    def tlb_flush_fullmm(self, tlb: MmuGather) -> None:
        """Nothing. Who still runs the mm (see `oom_kill`) keeps the translations."""


class FlushAtClear(V4_5):
    """arch/powerpc/mm/pgtable_64.c, arch/sparc/mm/tlb.c: a huge entry is flushed when it is cleared."""

    def pmdp_huge_get_and_clear_full(self, mm: Mm, index: int, full: bool) -> None:
        """pmd_hugepage_update (powerpc), set_pmd_at (sparc64)."""
        self.pmdp_huge_clear_flush(mm, index)


class GupByInterrupt(V4_5):
    """arch/x86/mm/gup.c, and mips and sh: interrupts are off while the page tables are walked, so that no flush ends
    meanwhile, and nobody looks at the entry again."""

    def gup_pmd_range(self, mm: Mm, addr: int) -> Page | None:
        """From local_irq_disable to local_irq_enable."""
        self.atomic_add(1, mm.irqs_off)
        page = super().gup_pmd_range(mm, addr)
        self.atomic_add(-1, mm.irqs_off)
        return page

    def gup_huge_pmd(self, mm: Mm, index: int, head: Page, pmd: Pmd) -> bool:
        """get_head_page_multiple."""
        self.get_page(head)
        return True


class S390(Immediate):
    """arch/s390/include/asm/tlb.h, pgtable.c, pgalloc.c: freed at once, and safely so.

    Clearing the entry flushes it from all TLBs when the mm is attached to another CPU; otherwise no user code can use
    a stale translation before __tlb_flush_mm_lazy.
    """

    pmd_table_order = 2

    def tlb_remove_page(self, tlb: MmuGather, page: Page) -> None:
        """The call of the report: free_page_and_swap_cache, never release_pages."""
        self.free_page_and_swap_cache(page)

    def tlb_flush_mmu_tlbonly(self, tlb: MmuGather) -> None:
        """__tlb_flush_mm_lazy: only if somebody left a flush to do."""
        assert tlb.mm is not None
        if self.READ_ONCE(tlb.mm.flush_mm):
            self.tlb_invalidate(tlb.mm)
            self.WRITE_ONCE(tlb.mm.flush_mm, False)

    def pmdp_huge_get_and_clear_full(self, mm: Mm, index: int, full: bool) -> None:
        """pmdp_flush_lazy (arch/s390/mm/pgtable.c): IDTE if another CPU has the mm attached, or a flush for later."""
        if full:
            super().pmdp_huge_get_and_clear_full(mm, index, full)
            return
        here = int(self.cpu.active_mm is mm)
        if self.atomic_add_return(FLUSHING, mm.attach_count) % FLUSHING > here:
            self.pmdp_idte(mm, index)
        else:
            self.atomic_set(mm.pmd[index], None)
            self.WRITE_ONCE(mm.flush_mm, True)
        self.atomic_add(-FLUSHING, mm.attach_count)

    def pmdp_huge_clear_flush(self, mm: Mm, index: int) -> None:
        """pmdp_flush_direct (arch/s390/mm/pgtable.c): always IDTE."""
        self.pmdp_idte(mm, index)

    @one_step
    @orders("mb")
    def pmdp_idte(self, mm: Mm, index: int) -> None:
        """__pmdp_idte (arch/s390/include/asm/pgtable.h): one instruction clears the entry and purges it everywhere."""
        self.step(mm.pmd[index])
        mm.pmd[index].value = None
        self.drop_translations(mm, index)

    def switch_mm(self, mm: Mm) -> None:
        """arch/s390/include/asm/mmu_context.h: attach; finish_arch_post_lock_switch: wait for a flush, or flush."""
        if self.cpu.active_mm is not mm:
            self.atomic_add(1, mm.attach_count)
            super().switch_mm(mm)
            self.wait_below(mm.attach_count, FLUSHING)
            if self.READ_ONCE(mm.flush_mm):
                self.tlb_invalidate(mm)

    def leave_mm(self) -> None:
        """Detach. The TLB keeps what it holds (arch/s390/include/asm/mmu_context.h)."""
        before, self.cpu.active_mm = self.cpu.active_mm, None
        if before is not None:
            self.atomic_add(-1, before.attach_count)

    # -- page tables are halves of a page, and the page's mapcount says which halves are in use

    def pte_alloc_one(self, mm: Mm) -> PageTable | None:
        """page_table_alloc (arch/s390/mm/pgalloc.c): the other half of a page this mm has, or a new page."""
        for page in mm.pgtable_list[:1]:
            bit = page.mapcount.value & 1
            self.atomic_xor(1 << bit, page)
            self.relist(mm, page)
            return self.struct(PageTable, page, bit)
        table = self.alloc_table_page("page table")
        if table is None:
            return None
        self.atomic_set(table.mapcount, 1)
        mm.pgtable_list = (table, *mm.pgtable_list)
        return self.struct(PageTable, table, 0)

    def atomic_xor(self, bits: int, page: Page) -> None:
        """atomic_xor_bits (arch/s390/mm/pgalloc.c) on the page's mapcount."""
        self.atomic_set(page.mapcount, page.mapcount.value ^ bits)

    def relist(self, mm: Mm, page: Page) -> None:
        """Keep a page on the mm's list exactly while one half is free (arch/s390/mm/pgalloc.c)."""
        mm.pgtable_list = tuple(p for p in mm.pgtable_list if p is not page)
        if page.mapcount.value & 3 in (1, 2):
            mm.pgtable_list = (page, *mm.pgtable_list)

    def pte_free(self, mm: Mm, table: PageTable) -> None:
        """page_table_free (arch/s390/mm/pgalloc.c): the page goes when neither half is in use."""
        assert table.bit is not None
        self.atomic_xor(1 << table.bit, table.page)
        self.relist(mm, table.page)
        if table.page.mapcount.value == 0:
            self.atomic_set(table.page.mapcount, -1)
            self._free_pages(table.page, 0)

    def pte_free_tlb(self, tlb: MmuGather, table: PageTable) -> None:
        """page_table_free_rcu: never through the page gather."""
        assert tlb.mm is not None
        self.WRITE_ONCE(tlb.mm.flush_mm, True)
        self.call_rcu_sched(self.pte_free, tlb.mm, table)

    def tlb_remove_table(self, tlb: MmuGather, page: Page) -> None:
        """Segment tables too go their own way and ask for a flush (arch/s390/mm/pgalloc.c)."""
        assert tlb.mm is not None
        self.WRITE_ONCE(tlb.mm.flush_mm, True)
        self.call_rcu_sched(self._free_pages, page, page.order)


OWN_GATHER: dict[str, type[V4_5]] = {"arm": Arm, "ia64": Ia64, "s390": S390, "sh": Sh, "um": Um}
ARCH_CODE = (*OWN_GATHER.values(), Arm64, FlushAtClear, GupByInterrupt)
ARCHES: dict[str, dict[str, str]] = {row["arch"]: row for row in rows("arches") if row["version"] == "v4.6.2"}
HUGE = tuple(arch for arch, facts in ARCHES.items() if facts["thp"] == "y")
"""Those that have transparent huge pages."""


def own_gather(arch: str, version: str) -> type[V4_5] | None:
    """The class that stands for an architecture's own gather; None for the generic one."""
    if arch == "s390" or list(VERSIONS).index(version) < list(VERSIONS).index("v5.2"):
        return OWN_GATHER.get(arch)
    return None


def arch_layers(arch: str, version: str) -> tuple[type[V4_5], ...]:
    """The classes of all that is an architecture's own: its gather, its flush, its lockless pins."""
    facts = ARCHES[arch]
    found = {
        own_gather(arch, version): True,
        Arm64: arch == "arm64",
        FlushAtClear: facts["flush"] == "at clear",
        GupByInterrupt: facts["gup_fast"] == "interrupts off",
    }
    return tuple(layer for layer, there in found.items() if layer and there)
