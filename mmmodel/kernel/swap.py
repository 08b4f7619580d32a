"""mm/swap.c: put_page down to the final free, release_pages, the per-CPU pagevec."""

from __future__ import annotations

from collections.abc import Sequence

from .mm_types import Page
from .page_alloc import PageAlloc

PAGEVEC_SIZE = 14
SWAP_CLUSTER_MAX = 32
HUGETLB_POOL = "hugetlb pool"


class Swap(PageAlloc):
    """The functions of mm/swap.c."""

    def put_page(self, page: Page) -> None:
        """Drop one reference of a page (of the head, for a tail); the last one frees it."""
        page = self.compound_head(page)
        if self.put_page_testzero(page):
            self._put_page(page)
        if self.is_zone_device_page(page):
            self.put_zone_device_page(page)

    def _put_page(self, page: Page) -> None:
        """__put_page: the final free of a compound or a single page."""
        if "head" in page.flags:
            self._put_compound_page(page)
        else:
            self._put_single_page(page)

    def _put_single_page(self, page: Page) -> None:
        """__put_single_page."""
        self._page_cache_release(page)
        self.free_hot_cold_page(page)

    def _put_compound_page(self, page: Page) -> None:
        """__put_compound_page: nothing here asks whether this is the huge zero page."""
        if "hugetlb" in page.flags:
            self.free_huge_page(page)
            return
        self._page_cache_release(page)
        self.free_compound_page(page)

    def free_compound_page(self, page: Page) -> None:
        """The destructor of an ordinary compound page (COMPOUND_PAGE_DTOR), which the huge zero page has too."""
        self._free_pages_ok(page, page.order)

    def free_huge_page(self, page: Page) -> None:
        """The destructor of a hugetlb page (mm/hugetlb.c): back to its pool, not to the free lists."""
        page.owner = HUGETLB_POOL

    def _page_cache_release(self, page: Page) -> None:
        """__page_cache_release: off the LRU, under the zone's lru_lock."""
        if "lru" in page.flags:
            self.spin_lock(self.lru_lock)
            page.flags -= {"lru", "active"}
            self.spin_unlock(self.lru_lock)

    # -- release_pages

    def release_pages(self, pages: Sequence[Page], nr: int) -> None:
        """Drop one reference of each page, holding the lru_lock across runs of at most SWAP_CLUSTER_MAX."""
        pages_to_free: list[Page] = []
        locked, lock_batch = False, 0
        for page in pages[:nr]:
            if locked:
                lock_batch += 1
                if lock_batch == SWAP_CLUSTER_MAX:
                    self.spin_unlock(self.lru_lock)
                    locked = False
            if self.release_huge_zero_page(page):
                continue
            page = self.compound_head(page)
            if not self.put_page_testzero(page):
                continue
            if "head" in page.flags:
                if locked:
                    self.spin_unlock(self.lru_lock)
                    locked = False
                self._put_compound_page(page)
                continue
            if "lru" in page.flags:
                if not locked:
                    self.spin_lock(self.lru_lock)
                    locked, lock_batch = True, 0
                page.flags -= {"lru"}
            page.flags -= {"active"}
            pages_to_free.append(page)
        if locked:
            self.spin_unlock(self.lru_lock)
        self.free_hot_cold_page_list(pages_to_free)

    def release_huge_zero_page(self, page: Page) -> bool:
        """Seam: what aa88b68c adds to the loop of release_pages. Nothing before v4.6."""
        return False

    # -- pagevecs: only lru_add is ever filled here

    def lru_cache_add(self, page: Page) -> None:
        """Queue a new page for the LRU; the queue holds a reference of its own (__lru_cache_add)."""
        self.get_page(page)
        if len(self.cpu.lru_add_pvec) == PAGEVEC_SIZE:
            self._pagevec_lru_add()
        self.cpu.lru_add_pvec += (page,)

    def lru_add_drain(self) -> None:
        """Empty this CPU's pagevecs."""
        self.lru_add_drain_cpu()

    def lru_add_drain_cpu(self) -> None:
        """The five pagevecs of one CPU, each only if it holds something."""
        if self.cpu.lru_add_pvec:
            self._pagevec_lru_add()

    def _pagevec_lru_add(self) -> None:
        """__pagevec_lru_add: move the queued pages to the LRU, then drop the queue's references."""
        self.pagevec_lru_move_fn()

    def pagevec_lru_move_fn(self) -> None:
        """One lru_lock for the whole pagevec, which is empty at the very end only (pagevec_reinit)."""
        pvec = self.cpu.lru_add_pvec
        self.spin_lock(self.lru_lock)
        for page in pvec:
            page.flags |= {"lru"}
        self.spin_unlock(self.lru_lock)
        self.costs["pagevec_drains"] += 1
        self.release_pages(pvec, len(pvec))
        self.cpu.lru_add_pvec = ()
