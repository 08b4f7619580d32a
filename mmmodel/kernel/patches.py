"""The proposed fixes, guards and shortcuts. A patch overrides exactly the kernel functions it touches.

A patch lives at the level of the source file it edits: code of an arch lies over a configuration header, and that over
mm/*.c. So a patch to mm/swap_state.c is not even compiled when CONFIG_SWAP is off.
"""

from __future__ import annotations

from collections.abc import Sequence

from .machine import Var
from .mm_types import Mm, MmuGather, Page
from .oom_kill import ReaperPerVma
from .overlay import Patch as Patch
from .versions import V6_1_184


class QuickHack(Patch):
    """The report's diff: the singular free function tests for the huge zero page."""

    name, file, until = "quick-hack", "mm/swap_state.c", "v4.6"
    outside = "merged in v4.7"

    def free_page_and_swap_cache(self, page: Page) -> None:
        """Put the huge zero page by its own counter."""
        if self.is_huge_zero_page(page):
            self.free_swap_cache(page)
            self.put_huge_zero_page()
        else:
            super().free_page_and_swap_cache(page)


class SwapnMacro(Patch):
    """The complete form of the merged fix: the SWAP=n macro learns the test too."""

    name, file = "swapn-macro", "include/linux/swap.h"

    def free_page_and_swap_cache(self, page: Page) -> None:
        """As the fixed function: put up to v4.8, skip from v4.9."""
        if not self.is_huge_zero_page(page):
            super().free_page_and_swap_cache(page)
        elif not self.reference_per_mm:
            self.put_huge_zero_page()


class Q1Guard(Patch):
    """The exact assertion: PTR must never name a page that is finally freed. Detects, does not repair."""

    name, file, needs_debug_vm = "q1-guard", "mm/swap.c", True

    def _put_compound_page(self, page: Page) -> None:
        """Never fires on a correct kernel. put_page and release_pages both end here."""
        self.VM_BUG_ON_PAGE(self.is_huge_zero_page(page), "is_huge_zero_page(page)")
        super()._put_compound_page(page)


class Q1GuardPutPage(Patch):
    """The naive assertion: nobody may put_page() the huge zero page. Fires on legal GUP pins."""

    name, file, needs_debug_vm = "q1-guard-put-page", "include/linux/mm.h", True

    def put_page(self, page: Page) -> None:
        """Fires whoever asks."""
        self.VM_BUG_ON_PAGE(self.is_huge_zero_page(page), "is_huge_zero_page(page)")
        super().put_page(page)


class Q2(Patch):
    """Question 2: the singular function as the plural one with nr = 1. One lru_add_drain per page."""

    name, file = "q2", "mm/swap_state.c"

    def free_page_and_swap_cache(self, page: Page) -> None:
        """free_pages_and_swap_cache(&page, 1)."""
        self.free_pages_and_swap_cache((page,), 1)


class Q3(Patch):
    """Question 3: release_pages with nr = 1 in place of put_page."""

    name, file = "q3", "mm/swap_state.c"

    def free_page_and_swap_cache(self, page: Page) -> None:
        """No drain."""
        self.free_swap_cache(page)
        self.release_pages((page,), 1)


class Q4(Patch):
    """Question 4: s390's own removal functions call the plural function with nr = 1."""

    name, file = "q4", "arch/s390/include/asm/tlb.h"

    def _tlb_remove_page(self, tlb: MmuGather, page: Page) -> int:
        """4K pages; never asks for a flush."""
        self.free_pages_and_swap_cache((page,), 1)
        return 1

    def tlb_remove_page(self, tlb: MmuGather, page: Page) -> None:
        """Huge pages."""
        self.free_pages_and_swap_cache((page,), 1)


class Nr1Shortcut(Patch):
    """Kirill Shutemov's remark taken literally: release_pages of one page is put_page."""

    name, file = "nr1-shortcut", "mm/swap.c"

    def release_pages(self, pages: Sequence[Page], nr: int) -> None:
        """At the very start, so before the test for the huge zero page."""
        if nr == 1:
            self.put_page(pages[0])
        else:
            super().release_pages(pages, nr)


class Nr1ShortcutGuarded(Patch):
    """The same shortcut, taken only for a page that is not the huge zero page."""

    name, file = "nr1-shortcut-guarded", "mm/swap.c"

    def release_pages(self, pages: Sequence[Page], nr: int) -> None:
        """After the test."""
        if nr == 1 and not self.is_huge_zero_page(pages[0]):
            self.put_page(pages[0])
        else:
            super().release_pages(pages, nr)


class PageRefcount(Patch):
    """Hugh Dickins's question: the page's own count is the reference count. No second counter, no special case."""

    name, file, until = "page-refcount", "mm/huge_memory.c", "v4.7"
    outside = "written for one reference per mapping; from v4.9 the mm holds it"

    def boot_huge_memory(self) -> None:
        """There is no huge_zero_refcount."""
        super().boot_huge_memory()
        self.huge_zero_refcount = None  # type: ignore[assignment]

    def references_due(self) -> tuple[None, int | None]:
        """One counter for all: the references of the version, and the pins."""
        held, count = super().references_due()
        return None, None if held is None or count is None else held + count - 1

    def get_huge_zero_page(self) -> Page | None:
        """A speculative reference: the page may be freed and reused between reading PTR and counting, so look again."""
        while self.retry():
            page = self.READ_ONCE(self.huge_zero_page)
            if page is not None:
                if self.get_page_unless_zero(page):
                    if self.READ_ONCE(self.huge_zero_page) is page:
                        return page
                    self.put_page(page)
                continue
            zero_page = self.alloc_huge_zero_page()
            if zero_page is None:
                return None
            self.get_page(zero_page)  # a plain store would lose the reference of a CPU that still has an old PTR
            if self.cmpxchg(self.huge_zero_page, None, zero_page) is None:
                return zero_page
            self.put_page(zero_page)
            self._free_pages(zero_page, zero_page.order)

    def put_huge_zero_page(self) -> None:
        """put_page; the sanity check is gone."""
        self.put_page(self.READ_ONCE(self.huge_zero_page))

    def shrink_huge_zero_page_count(self) -> int:
        """Freeable when the shrinker's reference is the only one."""
        page = self.READ_ONCE(self.huge_zero_page)
        return self.hpage_nr if page is not None and self.atomic_read(page.count) == 1 else 0

    def shrink_huge_zero_page_scan(self) -> int:
        """Freeze the count from 1 to 0, forget the page, free it."""
        page = self.READ_ONCE(self.huge_zero_page)
        if page is None or not self.page_freeze_refs(page, 1):
            return 0
        self.xchg(self.huge_zero_page, None)
        self._free_pages_ok(page, page.order)
        return self.hpage_nr

    def release_huge_zero_page(self, page: Page) -> bool:
        """A page like any other."""
        return False

    def free_page_and_swap_cache(self, page: Page) -> None:
        """A page like any other."""
        self.free_swap_cache(page)
        self.put_page(page)


class Revert(Patch):
    """Undo aa88b68c: put in zap_huge_pmd, no special case in release_pages."""

    name, file, until = "revert", "mm/huge_memory.c", "v4.7"
    outside = "from v4.9 zap holds no reference that could be put"

    def zap_huge_zero_page(self, tlb: MmuGather, page: Page) -> None:
        """At once, as in v4.5."""
        self.put_huge_zero_page()

    def release_huge_zero_page(self, page: Page) -> bool:
        """As in v4.5."""
        return False


class PfnLock(Patch):
    """The 2026 fix of CVE-2026-74632, taken back: PTR, PFN and HZR change together, under a lock; and a release."""

    name, file, since, until = "pfn-lock", "mm/huge_memory.c", "v5.13", "v6.1"
    outside = "there is no huge_zero_pfn before v5.13; v6.1.184 has the lock"

    def boot_huge_memory(self) -> None:
        """huge_zero_lock."""
        super().boot_huge_memory()
        self.huge_zero_lock = Var("huge_zero_lock", None, "huge_zero_lock")

    get_huge_zero_page = V6_1_184.get_huge_zero_page  # type: ignore[assignment]
    publish = V6_1_184.publish
    shrink_huge_zero_page_scan = V6_1_184.shrink_huge_zero_page_scan


class PfnLockRelaxed(PfnLock):
    """Half of that fix: the lock, and no release."""

    name = "pfn-lock-relaxed"

    def publish(self, count: int) -> None:
        """The fast path takes no lock, and may still see the old PFN."""
        self.atomic_set(self.huge_zero_refcount, count)


class MmFlagAcquire(Patch):
    """Our proposal: who sees the mm's flag sees the page of who set it."""

    name, file, since = "mm-flag-acquire", "mm/huge_memory.c", "v4.9"
    outside = "there is no flag before v4.9"

    def test_huge_zero(self, mm: Mm) -> bool:
        """test_bit_acquire."""
        return bool(self.smp_load_acquire(mm.huge_zero))


class ReaperPerVmaPatch(Patch):
    """What v4.15 did to the OOM reaper, taken back to v4.6: one gather for each VMA."""

    name, file, since, until = "reaper-per-vma", "mm/oom_kill.c", "v4.6", "v4.9"
    outside = "there is no OOM reaper before v4.6; from v4.15 it does that"

    _oom_reap_task = ReaperPerVma._oom_reap_task


PATCHES: dict[str, type[Patch]] = {
    patch.name: patch
    for patch in (QuickHack, Q1Guard, Q1GuardPutPage, Q2, Q3, Q4, Nr1Shortcut, Nr1ShortcutGuarded, PageRefcount,
                  SwapnMacro, Revert, PfnLock, PfnLockRelaxed, MmFlagAcquire, ReaperPerVmaPatch)
}  # fmt: skip
