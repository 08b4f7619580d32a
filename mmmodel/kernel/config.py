"""What the configuration leaves out: a file is not compiled, and macros and stubs of a header stand in its place."""

from __future__ import annotations

from collections.abc import Sequence

from .huge_memory import HugeMemory
from .mm_types import Mm, Page, Pmd


class NoSwap(HugeMemory):
    """CONFIG_SWAP=n: mm/swap_state.c is not compiled."""

    file, instead = "mm/swap_state.c", "include/linux/swap.h has a macro"

    def free_page_and_swap_cache(self, page: Page) -> None:
        """Macro: put_page."""
        self.put_page(page)

    def free_pages_and_swap_cache(self, pages: Sequence[Page], nr: int) -> None:
        """Macro: release_pages. No drain."""
        self.release_pages(pages, nr)


class NoThp(HugeMemory):
    """CONFIG_TRANSPARENT_HUGEPAGE=n: mm/huge_memory.c is not compiled; no page is the huge zero page."""

    file, instead = "mm/huge_memory.c", "include/linux/huge_mm.h has stubs"

    def boot_huge_memory(self) -> None:
        """What is not there stays 0 and NULL."""
        HugeMemory.boot_huge_memory(self)

    def is_huge_zero_page(self, page: Page) -> bool:
        """Stub."""
        return False

    def is_huge_zero_pmd(self, pmd: Pmd) -> bool:
        """Stub."""
        return False

    def get_huge_zero_page(self) -> Page | None:
        """There is none."""
        return None

    def release_huge_zero_page(self, page: Page) -> bool:
        """A branch that is never taken."""
        return False

    def transparent_hugepage_enabled(self, mm: Mm, index: int) -> bool:
        """Macro: 0."""
        return False

    def mm_put_huge_zero_page(self, mm: Mm) -> None:
        """Stub."""

    def shrink_huge_zero_page_count(self) -> int:
        """No shrinker is registered."""
        return 0

    def shrink_huge_zero_page_scan(self) -> int:
        """No shrinker is registered."""
        return 0
