"""mm/swap_state.c."""

from __future__ import annotations

from collections.abc import Sequence

from .mm_types import Page
from .swap import Swap


class SwapState(Swap):
    """The two functions the report is about."""

    def free_swap_cache(self, page: Page) -> None:
        """Give the swap slot back if nobody else uses the page (try_to_free_swap)."""
        if "swapcache" in page.flags and page.mapcount.value == -1 and "locked" not in page.flags:
            page.flags -= {"swapcache"}
            self.put_page_testzero(page)

    def free_page_and_swap_cache(self, page: Page) -> None:
        """One page: put_page, whatever the page is (v4.5, v4.6)."""
        self.free_swap_cache(page)
        self.put_page(page)

    def free_pages_and_swap_cache(self, pages: Sequence[Page], nr: int) -> None:
        """Many pages: drain this CPU's pagevecs once, then release_pages."""
        self.lru_add_drain()
        for page in pages[:nr]:
            self.free_swap_cache(page)
        self.release_pages(pages, nr)
