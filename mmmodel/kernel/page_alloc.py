"""mm/page_alloc.c: a buddy allocator with two kinds of pageblocks, and the checks at free and at reuse."""

from __future__ import annotations

from collections.abc import Sequence

from .machine import Machine, Var, one_step, orders
from .mm_types import Page

UNMOVABLE, MOVABLE = 0, 1
CHECK_AT_FREE = frozenset({"lru", "active", "slab", "swapcache", "reserved", "locked"})


class PageAlloc(Machine):
    """The zone: free blocks by pageblock kind and order; one pageblock is one huge page."""

    hpage_order = 9
    boot_slack = 5
    """One in so many 4K pages of the kernel's own pageblock is free at boot. Unknown on a real machine, and calibrated:
    once these are used up, page tables, slabs and kernel stacks come from a freed huge zero page."""

    def boot_zone(self, blocks: int) -> None:
        """Hand `blocks` free huge-page blocks to the allocator, after the one the kernel itself lives in."""
        self.hpage_nr = 1 << self.hpage_order
        self.mem_map: dict[int, dict[int, Page]] = {block: {} for block in range(blocks + 1)}
        self.zone_lock = Var("zone.lock")
        self.lru_lock = Var("zone.lru_lock", None, "lru_lock")
        self.pgmap: dict[int, Var] = {}
        self.pageblock: dict[int, int] = dict.fromkeys(self.mem_map, MOVABLE)
        self.pageblock[0] = UNMOVABLE
        order = range(self.hpage_order + 1)
        self.free_area: list[list[tuple[int, ...]]] = [[() for _ in order] for _ in (UNMOVABLE, MOVABLE)]
        self.free_area[MOVABLE][-1] = tuple(range(self.hpage_nr, (blocks + 1) * self.hpage_nr, self.hpage_nr))
        pfn = self.hpage_nr // 2
        for o in reversed(order):
            if self.hpage_nr // self.boot_slack >> o & 1:
                self.free_area[UNMOVABLE][o] = (pfn,)
                pfn += 1 << o

    def page(self, pfn: int) -> Page:
        """The struct page of a page frame number (pfn_to_page)."""
        block = self.mem_map[pfn >> self.hpage_order]
        if pfn not in block:
            block[pfn] = self.struct(Page, pfn)
        return block[pfn]

    def touched(self, pfn: int, order: int) -> list[Page]:
        """The pages of a block that were ever looked at; the others are as they were at boot."""
        block = self.mem_map[pfn >> self.hpage_order]
        if order < self.hpage_order:
            return [block[p] for p in range(pfn, pfn + (1 << order)) if p in block]
        return list(block.values())

    def free_pages(self) -> int:
        """4K pages free in the zone."""
        return sum(len(pfns) << o for kind in self.free_area for o, pfns in enumerate(kind))

    # -- allocation

    @one_step
    @orders("lock")
    def alloc_pages(self, order: int, owner: str, *, movable: bool = False, compound: bool = False) -> Page | None:
        """A block of 2^order pages, zeroed, with one reference on its head; None when memory is exhausted.

        Kernel: alloc_pages -> get_page_from_freelist -> buffered_rmqueue, prep_new_page. The zone lock makes it one
        step. A block whose pages fail check_new_page is reported, dropped for ever, and the next one taken.
        """
        self.step(self.zone_lock)
        while (pfn := self._rmqueue(order, MOVABLE if movable else UNMOVABLE)) is not None:
            page = self.page(pfn)
            if not self.check_new_pages(page, order):
                return self.prep_new_page(page, order, owner, compound)
        return None

    def _rmqueue(self, order: int, kind: int) -> int | None:
        """Smallest block that fits, most recently freed first; else the largest of the other kind (a steal)."""
        area = self.free_area[kind]
        for o in range(order, self.hpage_order + 1):
            if area[o]:
                break
        else:
            kind = 1 - kind
            area = self.free_area[kind]
            o = next((o for o in range(self.hpage_order, order - 1, -1) if area[o]), -1)
            if o < 0:
                return None
            if o == self.hpage_order:
                kind = 1 - kind
                self.pageblock[area[o][0] >> o] = kind
        pfn, area[o] = area[o][0], area[o][1:]
        while o > order:
            o -= 1
            self.free_area[kind][o] = (pfn + (1 << o), *self.free_area[kind][o])
        return pfn

    def check_new_pages(self, page: Page, order: int) -> bool:
        """True (and a report) when a free page was tampered with while it was free: check_new_page."""
        for p in self.touched(page.pfn, order):
            if p.owner is not None:
                self.violate("one-owner", f"{page} is given out, but {p} belongs to {p.owner}")
            if p.count.value != 0 or p.mapcount.value != -1:
                self.bad_page(p, "nonzero _count" if p.count.value else "nonzero mapcount")
                return True
        return False

    def prep_new_page(self, page: Page, order: int, owner: str, compound: bool) -> Page:
        """set_page_refcounted, clear it, prep_compound_page."""
        page.count.value = 1
        page.order, page.owner, page.content = order, owner, 0
        page.flags = frozenset({"head"} if compound else ())
        return page

    def compound_head(self, page: Page) -> Page:
        """The head of a compound page; any other page is its own."""
        if "head" in page.flags:
            return page
        head = self.page(page.pfn & ~(self.hpage_nr - 1))
        return head if "head" in head.flags and page.pfn < head.pfn + (1 << head.order) else page

    # -- free

    def _free_pages(self, page: Page, order: int) -> None:
        """__free_pages: drop the allocator's reference; free the block if it was the last."""
        if self.put_page_testzero(page):
            if order:
                self._free_pages_ok(page, order)
            else:
                self.free_hot_cold_page(page)

    def free_hot_cold_page(self, page: Page) -> None:
        """Free one order-0 page (no per-CPU lists here)."""
        self._free_pages_ok(page, 0)

    def free_hot_cold_page_list(self, pages: Sequence[Page]) -> None:
        """Free a list of order-0 pages."""
        for page in pages:
            self.free_hot_cold_page(page)

    @one_step
    @orders("lock")
    def _free_pages_ok(self, page: Page, order: int) -> None:
        """__free_pages_ok: check, then the buddy lists."""
        self.step(self.zone_lock)
        self.check_owner(page, order)
        if self.free_pages_prepare(page):
            self.free_one_page(page, order)

    def check_owner(self, page: Page, order: int) -> None:
        """Not in the kernel, which does not know: is this a page of somebody's, and all he was given?"""
        if page.owner is None:
            head = self.allocation(page)
            what = f"under its owner: it is part of {head}, {head.owner}" if head else "while it is free already"
            self.violate("one-owner", f"{page} is freed {what}")
        elif page.holder is not None:
            self.violate("one-owner", f"{page} is freed under its owner: {page.holder} did not give it back")
        end, freed = page.pfn + (1 << page.order), self.touched(page.pfn, order) if order > page.order else []
        for other in [p for p in freed if p.pfn >= end and p.owner is not None]:
            self.violate("one-owner", f"{other} is freed under its owner, {other.owner}, together with {page}")

    def allocation(self, page: Page) -> Page | None:
        """The first page of what was given out together with this page; None if it is free."""
        block = self.mem_map[page.pfn >> self.hpage_order]
        heads = [(order, block.get(page.pfn >> order << order)) for order in range(self.hpage_order + 1)]
        return next((head for order, head in heads if head and head.owner is not None and head.order >= order), None)

    def page_buddy(self, page: Page) -> bool:
        """PageBuddy: does it head a block on the free lists? The mark is taken off when that is given out."""
        return page.owner is None and any(page.pfn in pfns for kind in self.free_area for pfns in kind)

    def free_pages_prepare(self, page: Page) -> bool:
        """The checks at free: a block that fails is reported and never given out again (set aside).

        A block that is free already is found out by the mark of its head, which lies in the map count; it stays free.
        That a compound page is still mapped is looked at with DEBUG_VM only (free_tail_pages_check).
        """
        if self.page_buddy(page):
            self.complain(f"BUG: Bad page state: nonzero mapcount ({page}, PageBuddy, count {page.count.value})")
        elif page.mapcount.value != -1 and ("head" not in page.flags or self.debug_vm):
            self.bad_page(page, "nonzero mapcount")
        elif page.count.value != 0:
            self.bad_page(page, "nonzero _count")
        elif flags := page.flags & CHECK_AT_FREE:
            self.bad_page(page, f"PAGE_FLAGS_CHECK_AT_FREE flag(s) set: {', '.join(sorted(flags))}")
        else:
            return True
        return False

    def free_one_page(self, page: Page, order: int) -> None:
        """Merge with free buddies inside the pageblock; put the result first in its list (__free_one_page)."""
        if "head" in page.flags:
            page.mapcount.value = -1
        page.flags = frozenset()
        pfn, area = page.pfn, self.free_area[self.pageblock[page.pfn >> self.hpage_order]]
        for freed in self.touched(pfn, order):
            freed.owner = freed.holder = None
        while order < self.hpage_order and (buddy := pfn ^ (1 << order)) in area[order]:
            area[order] = tuple(p for p in area[order] if p != buddy)
            pfn, order = pfn & buddy, order + 1
        area[order] = (pfn, *area[order])

    def bad_page(self, page: Page, reason: str) -> None:
        """Report and repair what it can (page_mapcount_reset); the caller drops the page."""
        self.complain(f"BUG: Bad page state: {reason} ({page}, count {page.count.value})")
        page.mapcount.value = -1
        page.owner = "set aside as bad page"
        page.flags = frozenset()

    # -- device memory: kernel/memremap.c

    def devm_memremap_pages(self, device: str) -> Page:
        """Struct pages for a block of device memory beside the zone, and their pgmap; the first of the pages."""
        block = len(self.mem_map)
        self.mem_map[block], self.pgmap[block] = {}, Var("pgmap.ref", 1, "pgmap_refs")
        return self.prep_new_page(self.page(block << self.hpage_order), 0, device, False)

    def is_zone_device_page(self, page: Page) -> bool:
        """Is this device memory? Such a page is never freed to the zone."""
        return page.pfn >> self.hpage_order in self.pgmap

    def get_zone_device_page(self, page: Page) -> None:
        """Every page reference holds the mapping of the device too."""
        self.atomic_inc(self.pgmap[page.pfn >> self.hpage_order])

    def put_zone_device_page(self, page: Page) -> None:
        """Let go of it."""
        self.atomic_add(-1, self.pgmap[page.pfn >> self.hpage_order])

    # -- include/linux/page_ref.h, mm.h

    def page_count(self, page: Page) -> int:
        """Reference count of the head."""
        return int(self.compound_head(page).count.value)

    @one_step
    def put_page_testzero(self, page: Page) -> bool:
        """Drop one reference; true when it was the last. With DEBUG_VM a count of zero is a BUG."""
        self.VM_BUG_ON_PAGE(page.count.value == 0, "page_ref_count(page) == 0")
        if page.count.value <= 0:
            self.violate("one-owner", f"a reference of {page} is dropped, but it has none")
        return self.atomic_dec_and_test(page.count)

    @one_step
    def get_page(self, page: Page) -> None:
        """Take one reference on the head; with DEBUG_VM it must have one already."""
        page = self.compound_head(page)
        self.VM_BUG_ON_PAGE(page.count.value <= 0, "page_ref_count(page) <= 0")
        self.atomic_inc(page.count)
        if self.is_zone_device_page(page):
            self.get_zone_device_page(page)

    @one_step
    def get_page_unless_zero(self, page: Page) -> bool:
        """Take one reference unless there is none left; true when it was taken."""
        return self.atomic_inc_not_zero(page.count)

    @one_step
    def page_freeze_refs(self, page: Page, count: int) -> bool:
        """Take the count from exactly `count` to zero; true when that worked."""
        return bool(self.atomic_cmpxchg(page.count, count, 0) == count)
