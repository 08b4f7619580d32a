"""mm/gup.c: pins. A pin is a reference on the head's page count, never on HZR."""

from __future__ import annotations

from .memory import Memory
from .mm_types import HUGE_ZERO_PAGE, Mm, Page, Pmd


class GetUserPages(Memory):
    """Pinning the page behind an address, with the page-table lock or without."""

    pins: tuple[Page, ...]

    def get_user_page(self, mm: Mm, addr: int) -> Page | None:
        """Pin the page behind an address of a huge mapping; None when there is no such mapping (any more)."""
        self.load(mm, addr)
        self.spin_lock(mm.ptl)
        pmd = mm.pmd[addr // self.hpage_nr].value
        page: Page | None = None
        if pmd is not None and pmd.page is not None:
            page = self.follow_trans_huge_pmd(mm, addr)
            self.pins += (page,) * (page is not None)
        self.spin_unlock(mm.ptl)
        return page

    def follow_trans_huge_pmd(self, mm: Mm, addr: int) -> Page:
        """Pin the 4K page at `addr` of a huge mapping (FOLL_GET): one reference on the head, never on HZR."""
        head = mm.pmd[addr // self.hpage_nr].value.page
        page = self.page(head.pfn + addr % self.hpage_nr)
        self.get_page(page)
        return page

    def get_user_pages_fast(self, mm: Mm, addr: int) -> Page | None:
        """Pin without a lock; the slow way, where there is no huge mapping now."""
        return self.gup_pmd_range(mm, addr) or self.get_user_page(mm, addr)

    def gup_pmd_range(self, mm: Mm, addr: int) -> Page | None:
        """Read the entry, and take a reference on what it maps."""
        pmd: Pmd | None = self.READ_ONCE(mm.pmd[addr // self.hpage_nr])
        if pmd is None or pmd.page is None or not self.gup_huge_pmd(mm, addr // self.hpage_nr, pmd.page, pmd):
            return None
        page = self.page(pmd.page.pfn + addr % self.hpage_nr)
        self.pins += (page,)
        return page

    def gup_huge_pmd(self, mm: Mm, index: int, head: Page, pmd: Pmd) -> bool:
        """A reference if there is one already, and another look: is the entry still the same? Else give it back."""
        if not self.get_page_unless_zero(head):
            return False
        if self.READ_ONCE(mm.pmd[index]) == pmd:
            return True
        self.put_page(head)
        return False

    def dma(self, mm: Mm, page: Page) -> None:
        """A device reads a page that `mm` has pinned, and has no page tables to tell it that the page is gone."""
        self.atomic_read(page.count)
        if page.owner not in (HUGE_ZERO_PAGE, mm.name):
            whose = "nobody (free)" if page.owner is None else page.owner
            self.violate("stale-read", f"a device uses {page}, pinned by {mm}, but it belongs to {whose}")

    def unpin(self, page: Page, release: str = "put_page") -> None:
        """Release a pin as most callers do (put_page) or as some drivers do (release_pages)."""
        if release == "put_page":
            self.put_page(page)
        else:
            self.release_pages((page,), 1)
        at = self.pins.index(page)
        self.pins = self.pins[:at] + self.pins[at + 1 :]

    def ksm_scan(self, mm: Mm, start: int, end: int) -> None:
        """mm/ksm.c: look at each 4K page of a huge mapping under a pin; only pages of one's own are kept."""
        for addr in range(start, end):
            self.spin_lock(mm.ptl)
            pmd = mm.pmd[addr // self.hpage_nr].value
            page = self.follow_trans_huge_pmd(mm, addr) if pmd is not None and pmd.page is not None else None
            self.spin_unlock(mm.ptl)
            if page is not None:
                self.put_page(page)
