"""The git history as one class hierarchy: each class overrides what its commit changed, so it reads like a diff.

A version that only moved files or renamed entry points has a short class: see `scope` for what is simplified.
"""

from __future__ import annotations

from .machine import Var
from .mm_types import HUGE_ZERO_PAGE, Mm, MmuGather, Page, Pmd
from .oom_kill import OomReaper, ReaperPerVma
from .process import Processes


class V4_5(Processes):
    """Before the commit: zap_huge_pmd puts the huge zero page itself, before the TLBs are flushed."""

    reference_per_mm = False
    never_freed = False
    """Is the huge zero page meant to stay? Then it is no leak that the shrinker cannot get it back."""

    def references_due(self) -> tuple[int | None, int | None]:
        """The ledger: what HZR and PC have to be while no CPU is inside the kernel; None for one that there is not.

        One reference for the shrinker, one for each mapping and for each page that waits in a gather. PC: one, and the
        pins. A patch that counts differently says so here.
        """
        page = self.huge_zero_page.value
        pins = sum(self.compound_head(pin) is page for pin in self.pins)
        return (0, None) if page is None else (1 + self.references(), 1 + pins)

    def references(self) -> int:
        """Those besides the shrinker's."""
        page = self.huge_zero_page.value
        mapped = [pmd for mm in self.mms for pmd in mm.huge_mappings() if pmd.expects == HUGE_ZERO_PAGE]
        return len(mapped) + sum(p is page for cpu in self.cpus for batch in cpu.gather.batches for p in batch)


class V4_6(OomReaper, V4_5):
    """aa88b68c: zap hands the huge zero page to the gather, and release_pages learns to put it. And the OOM reaper."""

    def zap_huge_zero_page(self, tlb: MmuGather, page: Page) -> None:
        """To the gather, to be put after the flush."""
        self.tlb_remove_page(tlb, page)

    def release_huge_zero_page(self, page: Page) -> bool:
        """Before compound_head and before any page count: put the huge zero page, go on with the next entry."""
        if self.is_huge_zero_page(page):
            self.put_huge_zero_page()
            return True
        return False


class V4_7(V4_6):
    """The merged fix: free_page_and_swap_cache learns it too (mm/swap_state.c only). And pagevecs drain compounds."""

    def free_page_and_swap_cache(self, page: Page) -> None:
        """The quick hack of the report, merged."""
        self.free_swap_cache(page)
        if self.is_huge_zero_page(page):
            self.put_huge_zero_page()
        else:
            self.put_page(page)

    def lru_cache_add(self, page: Page) -> None:
        """Queue, then drain when that filled the pagevec or the page is compound (mm/swap.c)."""
        self.get_page(page)
        self.cpu.lru_add_pvec += (page,)
        if len(self.cpu.lru_add_pvec) == 14 or "head" in page.flags:
            self._pagevec_lru_add()


class V4_9(V4_7):
    """6fcb52a56ff6: one reference per mm, dropped in mmput; the two free functions skip the huge zero page."""

    reference_per_mm = True

    def references(self) -> int:
        """Each mm that asked."""
        return sum(mm.huge_zero.value for mm in self.mms)

    def mm_get_huge_zero_page(self, mm: Mm) -> Page | None:
        """The mm's own reference, taken once."""
        if self.test_huge_zero(mm):
            return self.READ_ONCE(self.huge_zero_page)
        if not self.get_huge_zero_page():
            return None
        if self.xchg(mm.huge_zero, True):
            self.put_huge_zero_page()
        return self.READ_ONCE(self.huge_zero_page)

    def test_huge_zero(self, mm: Mm) -> bool:
        """Seam: test_bit(MMF_HUGE_ZERO_PAGE), which orders nothing (mm/huge_memory.c)."""
        return bool(self.READ_ONCE(mm.huge_zero))

    def mm_put_huge_zero_page(self, mm: Mm) -> None:
        """Drop the mm's reference, if it has one."""
        if self.READ_ONCE(mm.huge_zero):
            self.put_huge_zero_page()
            mm.huge_zero.value = False

    def put_mapping_reference(self) -> None:
        """A mapping has no reference of its own any more."""

    def release_huge_zero_page(self, page: Page) -> bool:
        """Skip it."""
        return self.is_huge_zero_page(page)

    def free_page_and_swap_cache(self, page: Page) -> None:
        """Skip it here too."""
        self.free_swap_cache(page)
        if not self.is_huge_zero_page(page):
            self.put_page(page)

    def mmput(self, mm: Mm) -> None:
        """After exit_mmap."""
        super().mmput(mm)
        self.mm_put_huge_zero_page(mm)

    def mm_counter(self, page: Page) -> str:
        """Since file THP: what is not anonymous counts as file memory."""
        return "MM_ANONPAGES" if "anon" in page.flags else "MM_FILEPAGES"


class V5_2(ReaperPerVma, V4_9):
    """9de7d833e370 and its siblings: s390, arm, sh, ia64 and um move to the generic gather (see `arches`).

    Since v4.15 the OOM reaper gathers each VMA by itself.

    Since 2017 a page of device memory holds its device once, however many references it has.
    """

    def get_zone_device_page(self, page: Page) -> None:
        """Gone (Message-ID 20170428081423.88760-1-kirill.shutemov@linux.intel.com)."""

    def put_zone_device_page(self, page: Page) -> None:
        """Gone."""


class V5_13(V5_2):
    """3b77e8c8cde5: a second name for the page, PFN, written beside PTR without a lock.

    In v5.12.9 at the latest a write to a huge zero mapping splits it, and goes on with 4K pages.
    """

    splits_at_write = True

    def boot_huge_memory(self) -> None:
        """PFN is ~0 (None here) while there is no page."""
        super().boot_huge_memory()
        self.huge_zero_pfn = Var("huge_zero_pfn")

    def is_huge_zero_pmd(self, pmd: Pmd) -> bool:
        """Compare page frame numbers; is_huge_zero_page still compares pointers."""
        return pmd.page is not None and bool(self.READ_ONCE(self.huge_zero_pfn) == pmd.page.pfn)

    def release_huge_zero_page(self, page: Page) -> bool:
        """In v5.12.9 at the latest the head is looked up first, so that a tail is skipped too."""
        return super().release_huge_zero_page(self.compound_head(page))

    def get_huge_zero_page(self) -> bool:  # type: ignore[override]
        """PTR, then PFN, then HZR: three writes. Says whether a reference was taken; the caller reads PTR."""
        while self.retry():
            if self.atomic_inc_not_zero(self.huge_zero_refcount):
                return True
            zero_page = self.alloc_huge_zero_page()
            if zero_page is None:
                return False
            if self.cmpxchg(self.huge_zero_page, None, zero_page) is not None:
                self._free_pages(zero_page, zero_page.order)
                continue
            self.WRITE_ONCE(self.huge_zero_pfn, zero_page.pfn)
            self.atomic_set(self.huge_zero_refcount, 2)
            return True

    def shrink_huge_zero_page_scan(self) -> int:
        """HZR, then PTR, then PFN: between them another CPU may install a new page (CVE-2026-74632)."""
        if self.atomic_cmpxchg(self.huge_zero_refcount, 1, 0) != 1:
            return 0
        zero_page = self.xchg(self.huge_zero_page, None)
        self.BUG_ON(zero_page is None, "shrink_huge_zero_page_scan: no page")
        self.WRITE_ONCE(self.huge_zero_pfn, None)
        self._free_pages(zero_page, zero_page.order)
        return self.hpage_nr


class V5_14(V5_13):
    """zap_huge_pmd stops passing the huge zero page to the gather: nothing was left to free."""

    def zap_huge_zero_page(self, tlb: MmuGather, page: Page) -> None:
        """Nothing."""


class V6_1(V5_14):
    """Folios: functions on this path have other names, and do what they did. Batches are freed in runs."""

    def tlb_flush_mmu_free(self, tlb: MmuGather) -> None:
        """mm/mmu_gather.c, tlb_batch_pages_flush: at most 512 pages in a call; a page of pointers may hold more."""
        batches, tlb.batches = tlb.batches, ((),)
        for batch in batches:
            for pages in (batch[start : start + 512] for start in range(0, len(batch), 512)):
                self.free_pages_and_swap_cache(pages, len(pages))


class V6_1_184(V6_1):
    """The fix of CVE-2026-74632, as merged: PTR, PFN and HZR change together, under a lock; and a release."""

    def boot_huge_memory(self) -> None:
        """huge_zero_lock."""
        super().boot_huge_memory()
        self.huge_zero_lock = Var("huge_zero_lock", None, "huge_zero_lock")

    def get_huge_zero_page(self) -> bool:  # type: ignore[override]
        """Fast path as before; a new page is published under the lock, or given up if another one was."""
        if self.atomic_inc_not_zero(self.huge_zero_refcount):
            return True
        zero_page = self.alloc_huge_zero_page()
        if zero_page is None:
            return False
        self.spin_lock(self.huge_zero_lock)
        if self.READ_ONCE(self.huge_zero_page) is not None:
            self.atomic_inc(self.huge_zero_refcount)
            self.spin_unlock(self.huge_zero_lock)
            self._free_pages(zero_page, zero_page.order)
            return True
        self.WRITE_ONCE(self.huge_zero_page, zero_page)
        self.WRITE_ONCE(self.huge_zero_pfn, zero_page.pfn)
        self.publish(2)
        self.spin_unlock(self.huge_zero_lock)
        return True

    def publish(self, count: int) -> None:
        """Seam: the store that lets the lockless fast path in. Who gets a reference sees PTR and PFN."""
        self.atomic_set_release(self.huge_zero_refcount, count)

    def shrink_huge_zero_page_scan(self) -> int:
        """All three words under the lock; the page is freed outside."""
        self.spin_lock(self.huge_zero_lock)
        if self.atomic_cmpxchg(self.huge_zero_refcount, 1, 0) != 1:
            self.spin_unlock(self.huge_zero_lock)
            return 0
        zero_page = self.huge_zero_page.value  # nobody else writes it while the lock is held
        self.WRITE_ONCE(self.huge_zero_page, None)
        self.WRITE_ONCE(self.huge_zero_pfn, None)
        self.spin_unlock(self.huge_zero_lock)
        self._free_pages(zero_page, zero_page.order)
        return self.hpage_nr


VERSIONS: dict[str, type[V4_5]] = {
    "v4.5": V4_5,
    "v4.6": V4_6,
    "v4.7": V4_7,
    "v4.9": V4_9,
    "v5.2": V5_2,
    "v5.13": V5_13,
    "v5.14": V5_14,
    "v6.1": V6_1,
    "v6.1.184": V6_1_184,
}
