"""mm/huge_memory.c at v4.5: the huge zero page and its own counter, faults, copy, zap, move, split.

A *seam* is a method for a line that several versions edit, so that a version class holds its change and nothing else.
"""

from __future__ import annotations

from .machine import Var, one_step
from .mm_types import HUGE_ZERO_PAGE, Mm, MmuGather, Page, PageTable, Pmd, Pte
from .pgtable import PageTables

HZR_ATOMICS = "huge_zero_refcount_atomics"
FALLBACK, OOM = "VM_FAULT_FALLBACK", "VM_FAULT_OOM"


class HugeMemory(PageTables):
    """The functions of mm/huge_memory.c that a huge zero page meets."""

    splits_at_write = False
    use_zero_page = True
    """/sys/kernel/mm/transparent_hugepage/use_zero_page: may a read fault map the huge zero page?"""

    def boot_huge_memory(self) -> None:
        """No huge zero page yet: HZR 0, PTR NULL."""
        self.huge_zero_refcount = Var("huge_zero_refcount", 0, HZR_ATOMICS)
        self.huge_zero_page = Var("huge_zero_page", None, "huge_zero_page_atomics")

    # -- the huge zero page

    @one_step
    def is_huge_zero_page(self, page: Page) -> bool:
        """PTR == page: the head only, a tail does not match (include/linux/huge_mm.h)."""
        return bool(self.READ_ONCE(self.huge_zero_page) is page)

    @one_step
    def is_huge_zero_pmd(self, pmd: Pmd) -> bool:
        """Does this PMD map the huge zero page? The same pointer compare, so any page at that address is one."""
        return pmd.page is not None and self.is_huge_zero_page(pmd.page)

    def alloc_huge_zero_page(self) -> Page | None:
        """The allocation inside get_huge_zero_page: zeroed, compound, not movable."""
        return self.alloc_pages(self.hpage_order, HUGE_ZERO_PAGE, compound=True)

    def get_huge_zero_page(self) -> Page | None:
        """Take a reference; the first one allocates the page. None when that fails."""
        while self.retry():
            if self.atomic_inc_not_zero(self.huge_zero_refcount):
                return self.READ_ONCE(self.huge_zero_page)
            zero_page = self.alloc_huge_zero_page()
            if zero_page is None:
                return None
            if self.cmpxchg(self.huge_zero_page, None, zero_page) is not None:
                self._free_pages(zero_page, zero_page.order)
                continue
            self.atomic_set(self.huge_zero_refcount, 2)
            return self.READ_ONCE(self.huge_zero_page)

    def put_huge_zero_page(self) -> None:
        """Drop a reference. Only the shrinker may drop the last one. Takes no page and never touches its count."""
        self.BUG_ON(self.atomic_dec_and_test(self.huge_zero_refcount), "put_huge_zero_page: reached 0")

    def shrink_huge_zero_page_count(self) -> int:
        """What the shrinker could free: 4K pages."""
        return self.hpage_nr if self.atomic_read(self.huge_zero_refcount) == 1 else 0

    def shrink_huge_zero_page_scan(self) -> int:
        """Free the page if only the shrinker's own reference is left; return 4K pages freed."""
        if self.atomic_cmpxchg(self.huge_zero_refcount, 1, 0) != 1:
            return 0
        zero_page = self.xchg(self.huge_zero_page, None)
        self.BUG_ON(zero_page is None, "shrink_huge_zero_page_scan: no page")
        self._free_pages(zero_page, zero_page.order)
        return self.hpage_nr

    def mm_get_huge_zero_page(self, mm: Mm) -> Page | None:
        """Seam: the reference a new mapping needs. Before v4.9 one per mapping, whatever the mm."""
        return self.get_huge_zero_page()

    def put_mapping_reference(self) -> None:
        """Seam: what a mapping gives back when a fault, a write or a split ends it. From v4.9 nothing."""
        self.put_huge_zero_page()

    # -- faults

    def set_huge_zero_page(self, pgtable: PageTable, mm: Mm, index: int, zero_page: Page) -> bool:
        """Install the mapping if the slot is still empty. No rmap, no RSS, no page count, no LRU."""
        if mm.pmd[index].value is not None:
            return False
        mm.deposit[index] = pgtable
        mm.nr_ptes += 1
        self.atomic_set(mm.pmd[index], Pmd(zero_page, False, HUGE_ZERO_PAGE))
        return True

    def do_huge_pmd_anonymous_page(self, mm: Mm, index: int, write: bool) -> str | None:
        """First touch of a huge-page slot: a read maps the huge zero page, a write a new page.

        Returns None when done (also after losing the race for the slot), FALLBACK to try 4K pages, OOM.
        """
        if not mm.maps(index * self.hpage_nr, (index + 1) * self.hpage_nr):
            return FALLBACK
        if write or not self.use_zero_page:
            page = self.alloc_pages(self.hpage_order, mm.name, movable=True, compound=True)
            return FALLBACK if page is None else self._do_huge_pmd_anonymous_page(mm, index, page)
        pgtable = self.pte_alloc_one(mm)
        if pgtable is None:
            return OOM
        zero_page = self.mm_get_huge_zero_page(mm)
        if zero_page is None:
            self.pte_free(mm, pgtable)
            return FALLBACK
        self.spin_lock(mm.ptl)
        installed = self.set_huge_zero_page(pgtable, mm, index, zero_page)
        self.spin_unlock(mm.ptl)
        if not installed:
            self.pte_free(mm, pgtable)
            self.put_mapping_reference()
        return None

    def _do_huge_pmd_anonymous_page(self, mm: Mm, index: int, page: Page) -> str | None:
        """__do_huge_pmd_anonymous_page: map a new huge page."""
        pgtable = self.pte_alloc_one(mm)
        if pgtable is None:
            self.put_page(page)
            return OOM
        self.spin_lock(mm.ptl)
        if mm.pmd[index].value is not None:
            self.spin_unlock(mm.ptl)
            self.put_page(page)
            self.pte_free(mm, pgtable)
            return None
        self.page_add_new_anon_rmap(page)
        self.lru_cache_add(page)
        mm.deposit[index] = pgtable
        self.atomic_set(mm.pmd[index], Pmd(page, True, mm.name))
        mm.rss["MM_ANONPAGES"] += self.hpage_nr
        mm.nr_ptes += 1
        self.spin_unlock(mm.ptl)
        return None

    def do_huge_pmd_wp_page(self, mm: Mm, index: int, orig: Pmd) -> str | None:
        """Write to a read-only huge mapping: reuse, or a new page that replaces it. The old page is put last."""
        page, zero = None, self.is_huge_zero_pmd(orig)
        if zero and self.splits_at_write:
            self.split_huge_pmd(mm, index)
            return FALLBACK
        if not zero:
            self.spin_lock(mm.ptl)
            if mm.pmd[index].value != orig:
                self.spin_unlock(mm.ptl)
                return None
            page = orig.page
            assert page is not None
            if page.mapcount.value == 0:
                self.atomic_set(mm.pmd[index], orig._replace(write=True))
                self.spin_unlock(mm.ptl)
                return None
            self.get_page(page)
            self.spin_unlock(mm.ptl)
        new_page = None
        if self.transparent_hugepage_enabled(mm, index):
            new_page = self.alloc_pages(self.hpage_order, mm.name, movable=True, compound=True)
        if new_page is None:
            self.split_huge_pmd(mm, index)
            if page is not None:
                self.put_page(page)
            return FALLBACK
        if page is not None:
            new_page.content = page.content
        self.spin_lock(mm.ptl)
        if page is not None:
            self.put_page(page)
        if mm.pmd[index].value != orig:
            self.spin_unlock(mm.ptl)
            self.put_page(new_page)
            return None
        self.pmdp_huge_clear_flush(mm, index)
        self.page_add_new_anon_rmap(new_page)
        self.lru_cache_add(new_page)
        self.atomic_set(mm.pmd[index], Pmd(new_page, True, mm.name))
        if page is None:
            mm.rss["MM_ANONPAGES"] += self.hpage_nr
            self.put_mapping_reference()
        else:
            self.page_remove_rmap(page)
            self.put_page(page)
        self.spin_unlock(mm.ptl)
        return None

    # -- fork, unmap, move, protect

    def copy_huge_pmd(self, dst: Mm, src: Mm, index: int) -> bool:
        """fork: a copy of a huge mapping, with a reference but no page count for the huge zero page; false: none."""
        pgtable = self.pte_alloc_one(dst)
        if pgtable is None:
            return True
        self.spin_lock(src.ptl)
        page = (pmd := src.pmd[index].value) and pmd.page
        if pmd is None or page is None:
            self.spin_unlock(src.ptl)
            self.pte_free(dst, pgtable)
            return False
        if self.is_huge_zero_pmd(pmd):
            zero_page = self.mm_get_huge_zero_page(dst)
            assert zero_page is not None
            self.set_huge_zero_page(pgtable, dst, index, zero_page)
        else:
            self.get_page(page)
            self.atomic_inc(page.mapcount)
            dst.rss["MM_ANONPAGES"] += self.hpage_nr
            dst.nr_ptes += 1
            dst.deposit[index] = pgtable
            self.atomic_set(src.pmd[index], pmd._replace(write=False))
            self.atomic_set(dst.pmd[index], pmd._replace(write=False))
        self.spin_unlock(src.ptl)
        return True

    def zap_huge_pmd(self, tlb: MmuGather, mm: Mm, index: int) -> bool:
        """Remove one huge mapping and send its page to the gather; false when the slot holds none."""
        self.spin_lock(mm.ptl)
        if (orig := mm.pmd[index].value) is None or orig.page is None:
            self.spin_unlock(mm.ptl)
            return False
        self.pmdp_huge_get_and_clear_full(mm, index, tlb.fullmm)
        self.tlb_remove_tlb_entry(tlb)
        if self.is_huge_zero_pmd(orig):
            self.zap_deposited_table(mm, index)
            self.spin_unlock(mm.ptl)
            self.zap_huge_zero_page(tlb, orig.page)
        else:
            self.page_remove_rmap(orig.page)
            mm.rss[self.mm_counter(orig.page)] -= self.hpage_nr
            self.zap_deposited_table(mm, index)
            self.spin_unlock(mm.ptl)
            self.tlb_remove_page(tlb, orig.page)
        return True

    def zap_huge_zero_page(self, tlb: MmuGather, page: Page) -> None:
        """Seam: the last line of zap_huge_pmd for the huge zero page. Up to v4.5: put at once."""
        self.put_huge_zero_page()

    def zap_deposited_table(self, mm: Mm, index: int) -> None:
        """Free the page table that was kept in reserve for a split."""
        self.pte_free(mm, mm.deposit.pop(index))
        mm.nr_ptes -= 1

    def mm_counter(self, page: Page) -> str:
        """The RSS counter a huge page belongs to: always anonymous memory before file THP."""
        return "MM_ANONPAGES"

    def move_huge_pmd(self, mm: Mm, old: int, new: int) -> bool:
        """mremap of a whole huge mapping: the entry moves, no counter changes. False: the caller must split."""
        if mm.pmd[new].value is not None or new in mm.nohugepage:
            return False
        self.spin_lock(mm.ptl)
        self.atomic_set(mm.pmd[new], self.xchg(mm.pmd[old], None))
        mm.deposit[new] = mm.deposit.pop(old)
        self.spin_unlock(mm.ptl)
        return True

    def change_huge_pmd(self, mm: Mm, index: int, write: bool) -> None:
        """mprotect of a whole huge mapping. A mapping that gains write access keeps faulting until written."""
        self.spin_lock(mm.ptl)
        pmd = mm.pmd[index].value
        self.atomic_set(mm.pmd[index], pmd._replace(write=pmd.write and write))
        self.spin_unlock(mm.ptl)

    # -- split

    def split_huge_pmd(self, mm: Mm, index: int) -> None:
        """Replace a huge mapping by a page table of small ones (__split_huge_pmd)."""
        self.spin_lock(mm.ptl)
        if (pmd := mm.pmd[index].value) is not None and pmd.page is not None:
            self._split_huge_pmd_locked(mm, index, pmd)
        self.spin_unlock(mm.ptl)

    def _split_huge_pmd_locked(self, mm: Mm, index: int, pmd: Pmd) -> None:
        """__split_huge_pmd_locked: the huge zero page is put, a real huge page stays, mapped 4K by 4K."""
        if self.is_huge_zero_pmd(pmd):
            self._split_huge_zero_page_pmd(mm, index)
            return
        head = pmd.page
        assert head is not None
        self.pmdp_huge_clear_flush(mm, index)
        table = mm.deposit.pop(index)
        self.atomic_add(self.hpage_nr - 1, head.count)
        for off, subpage in enumerate([self.page(head.pfn + off) for off in range(self.hpage_nr)]):
            subpage.content, subpage.owner = head.content, head.owner
            self.atomic_inc(subpage.mapcount)
            table.ptes[off] = Pte(subpage, pmd.expects)
        self.page_remove_rmap(head)
        self.atomic_set(mm.pmd[index], Pmd(None, table=table))

    def _split_huge_zero_page_pmd(self, mm: Mm, index: int) -> None:
        """__split_huge_zero_page_pmd: every entry becomes the small zero page; flush, then put."""
        self.pmdp_huge_clear_flush(mm, index)
        table = mm.deposit.pop(index)
        table.ptes = dict.fromkeys(range(self.hpage_nr), Pte())
        self.atomic_set(mm.pmd[index], Pmd(None, table=table))
        self.put_mapping_reference()
