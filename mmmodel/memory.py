"""mm/memory.c, mm/mmap.c, kernel/fork.c: faults, unmap, fork, exit; and what a user program can do with them.

Addresses are counted in 4K pages; slot i holds the addresses from i * hpage_nr on. All slots of one program lie in
one PMD table, as in the measured programs.
"""

from __future__ import annotations

from collections.abc import Iterator

from .huge_memory import HugeMemory
from .machine import TlbEntry, Var
from .mm_types import Mm, MmuGather, Page, PageTable, Pmd, Pte

KERNEL_STACK_ORDER = 2
PTRS_PER_PMD = 512


class Memory(HugeMemory):
    """Processes and their address spaces."""

    def boot_mm(self) -> None:
        """The first process; nothing is pinned."""
        self.mms: list[Mm] = []
        self.tasks: dict[Mm, list[Page]] = {}
        self.pins: tuple[Page, ...] = ()
        self.init = self.new_mm("init")

    # -- page tables

    def pte_alloc_one(self, mm: Mm) -> PageTable | None:
        """A page for a page table; None when memory is exhausted."""
        page = self.alloc_table_page("page table")
        return None if page is None else PageTable(page)

    def alloc_table_page(self, owner: str, order: int = 0) -> Page | None:
        """A kernel page with something in it."""
        page = self.alloc_pages(order, owner)
        if page is not None:
            page.content = owner
        return page

    def pte_free(self, mm: Mm, table: PageTable) -> None:
        """Free a page table that was never visible to the MMU."""
        self._free_pages(table.page, 0)

    def pte_free_tlb(self, tlb: MmuGather, table: PageTable) -> None:
        """Free a page table the MMU may still walk."""
        self.tlb_remove_table(tlb, table.page)

    def pmd_alloc(self, mm: Mm, index: int) -> None:
        """The PMD table of a slot."""
        if index // PTRS_PER_PMD not in mm.pmd_tables:
            table = self.alloc_table_page("page table", self.pmd_table_order)
            if table is not None:
                mm.pmd_tables[index // PTRS_PER_PMD] = table

    pmd_table_order = 0

    # -- faults

    def handle_mm_fault(self, mm: Mm, addr: int, write: bool) -> None:
        """A page fault: the huge path first, 4K pages where that falls back."""
        index = addr // self.hpage_nr
        self.pmd_alloc(mm, index)
        pmd = mm.pmd[index].value
        if pmd is None and self.thp and self.do_huge_pmd_anonymous_page(mm, index, write) is None:
            return
        if pmd is not None and pmd.page is not None and write:
            if self.do_huge_pmd_wp_page(mm, index, pmd) is None:
                return
        elif pmd is not None and pmd.page is not None:
            return
        pmd = mm.pmd[index].value
        if pmd is None:
            table = self.pte_alloc_one(mm)
            if table is None:
                return
            mm.nr_ptes += 1
            pmd = Pmd(None, table=table)
            self.atomic_set(mm.pmd[index], pmd)
        if pmd.table is not None:
            self.handle_pte_fault(mm, pmd.table, addr % self.hpage_nr, write)

    def handle_pte_fault(self, mm: Mm, table: PageTable, off: int, write: bool) -> None:
        """do_anonymous_page and do_wp_page: a read maps the small zero page, a write a page of one's own."""
        old = table.ptes.get(off, Pte()).page
        if not write:
            table.ptes.setdefault(off, Pte())
        elif old is None or old.mapcount.value > 0:
            page = self.alloc_pages(0, mm.name, movable=True)
            if page is None:
                return
            self.page_add_new_anon_rmap(page)
            self.lru_cache_add(page)
            table.ptes[off] = Pte(page, mm.name)
            mm.rss["MM_ANONPAGES"] += 1
            if old is not None:
                page.content = old.content
                mm.rss["MM_ANONPAGES"] -= 1
                self.page_remove_rmap(old)
                self.put_page(old)

    # -- unmap

    def zap_pte_range(self, tlb: MmuGather, mm: Mm, table: PageTable, start: int, end: int) -> None:
        """Drop the 4K mappings of a range; the small zero page is no normal page and is skipped."""
        for off in range(start, end):
            page = table.ptes.pop(off, Pte()).page
            if page is not None:
                self.tlb_remove_tlb_entry(tlb)
                mm.rss["MM_ANONPAGES"] -= 1
                self.page_remove_rmap(page)
                if not self._tlb_remove_page(tlb, page):
                    self.tlb_flush_mmu(tlb)

    def zap_pmd_range(self, tlb: MmuGather, mm: Mm, start: int, end: int) -> None:
        """Each slot of a range: whole huge mappings are zapped, partly covered ones split first."""
        for index, lo, hi in self.slots(start, end):
            pmd = mm.pmd[index].value
            if pmd is not None and pmd.page is not None:
                if hi - lo < self.hpage_nr:
                    self.split_huge_pmd(mm, index)
                elif self.zap_huge_pmd(tlb, mm, index):
                    continue
            pmd = mm.pmd[index].value
            if pmd is not None and pmd.table is not None:
                self.zap_pte_range(tlb, mm, pmd.table, lo, hi)

    def slots(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """The huge-page slots a range touches: (slot, first and last offset in it)."""
        nr = self.hpage_nr
        for index in range(start // nr, -(-end // nr)):
            yield index, max(start - index * nr, 0), min(end - index * nr, nr)

    def free_pgtables(self, tlb: MmuGather, mm: Mm, start: int, end: int) -> None:
        """Free the page tables, then the PMD table, that no VMA needs any more: through the same gather."""
        nr, span = self.hpage_nr, self.hpage_nr * PTRS_PER_PMD
        for index, _, _ in self.slots(start, end):
            pmd = mm.pmd[index].value
            if pmd is not None and not mm.overlaps(index * nr, index * nr + nr):
                self.atomic_set(mm.pmd[index], None)
                mm.nr_ptes -= 1
                self.pte_free_tlb(tlb, pmd.table)
        for group in list(mm.pmd_tables):
            if not mm.overlaps(group * span, group * span + span):
                self.tlb_remove_table(tlb, mm.pmd_tables.pop(group))

    def munmap(self, mm: Mm, start: int, end: int) -> None:
        """munmap of a mapped range: split what sticks out, zap, free page tables, flush."""
        for addr in (start, end):
            index = addr // self.hpage_nr
            if addr % self.hpage_nr and mm.pmd[index].value is not None:
                self.split_huge_pmd(mm, index)
        self.remove_vma(mm, start, end)
        self.lru_add_drain()
        tlb = self.tlb_gather_mmu(mm)
        self.zap_pmd_range(tlb, mm, start, end)
        self.free_pgtables(tlb, mm, start, end)
        self.tlb_finish_mmu(tlb)

    def remove_vma(self, mm: Mm, start: int, end: int) -> None:
        """Cut a range out of the VMAs."""
        mm.vmas = tuple(
            (lo, hi) for s, e in mm.vmas for lo, hi in ((s, min(e, start)), (max(s, end), e)) if lo < hi
        )

    def madvise_dontneed(self, mm: Mm, start: int, end: int) -> None:
        """madvise(MADV_DONTNEED): zap the pages, keep the mapping and its page tables (zap_page_range)."""
        self.lru_add_drain()
        tlb = self.tlb_gather_mmu(mm)
        self.zap_pmd_range(tlb, mm, start, end)
        self.tlb_finish_mmu(tlb)

    def mprotect(self, mm: Mm, start: int, end: int, write: bool = False) -> None:
        """mprotect: whole huge mappings change, partly covered ones are split first (change_pmd_range)."""
        for index, lo, hi in self.slots(start, end):
            pmd = mm.pmd[index].value
            if pmd is not None and pmd.page is not None:
                if hi - lo < self.hpage_nr:
                    self.split_huge_pmd(mm, index)
                else:
                    self.change_huge_pmd(mm, index, write)
        self.tlb_invalidate(mm)

    def mremap(self, mm: Mm, old: int, new: int) -> None:
        """mremap of one slot to an empty one (move_page_tables): the huge entry moves, the old one is flushed."""
        nr, source, target = self.hpage_nr, old // self.hpage_nr, new // self.hpage_nr
        self.remove_vma(mm, old, old + nr)
        self.mmap(mm, new, new + nr)
        self.pmd_alloc(mm, target)
        pmd = mm.pmd[source].value
        if pmd is not None and pmd.page is not None:
            self.move_huge_pmd(mm, source, target)
        elif pmd is not None:
            self.atomic_set(mm.pmd[target], self.xchg(mm.pmd[source], None))
        self.tlb_invalidate(mm)

    # -- processes

    def new_mm(self, name: str) -> Mm:
        """A process with nothing mapped but one 4K page of stack."""
        mm = Mm(name)
        self.mms.append(mm)
        mm.pgd = self.alloc_table_page("page table", self.pmd_table_order)
        mm.stack = self.alloc_pages(0, name, movable=True)
        if mm.stack is not None:
            self.page_add_new_anon_rmap(mm.stack)
            self.lru_cache_add(mm.stack)
        return mm

    def mmap(self, mm: Mm, start: int, end: int) -> None:
        """An anonymous private mapping of a free range; adjacent ones merge (vma_merge)."""
        new = self.slots(start, end)
        vmas = [*mm.vmas, (start, end)]
        for vma in [v for v in mm.vmas if start == v[1] or end == v[0]]:
            vmas.remove(vma)
            start, end = min(start, vma[0]), max(end, vma[1])
            vmas[-1] = (start, end)
        mm.vmas = tuple(vmas)
        for index, _, _ in new:
            if index not in mm.pmd:
                mm.pmd[index] = Var(f"{mm.name}.pmd[{index}]")

    def fork(self, parent: Mm, name: str) -> Mm:
        """A child: task structure and kernel stack from the unmovable blocks, a copy of every mapping."""
        task = [self.alloc_slab_page(), self.alloc_table_page("kernel stack", KERNEL_STACK_ORDER)]
        child = self.new_mm(name)
        self.tasks[child] = [page for page in task if page is not None]
        for start, end in parent.vmas:
            self.mmap(child, start, end)
        for index, var in parent.pmd.items():
            if var.value is not None:
                self.pmd_alloc(child, index)
                if var.value.page is not None:
                    self.copy_huge_pmd(child, parent, index)
                else:
                    self.copy_pte_range(child, var.value.table, index)
        self.tlb_invalidate(parent)
        return child

    def alloc_slab_page(self) -> Page | None:
        """A page of task structures."""
        page = self.alloc_table_page("slab")
        if page is not None:
            page.flags |= {"slab"}
        return page

    def copy_pte_range(self, dst: Mm, table: PageTable, index: int) -> None:
        """fork of 4K mappings: every page gets a reference and a mapping more."""
        new = self.pte_alloc_one(dst)
        if new is None:
            return
        new.ptes = dict(table.ptes)
        for pte in new.ptes.values():
            if pte.page is not None:
                self.get_page(pte.page)
                self.atomic_inc(pte.page.mapcount)
                dst.rss["MM_ANONPAGES"] += 1
        dst.nr_ptes += 1
        self.atomic_set(dst.pmd[index], Pmd(None, table=new))

    def exit_mmap(self, mm: Mm) -> None:
        """The end of an address space: one gather for everything, the stack page in the same batch."""
        vmas, mm.vmas = mm.vmas, ()
        self.lru_add_drain()
        tlb = self.tlb_gather_mmu(mm, fullmm=True)
        for start, end in vmas:
            self.zap_pmd_range(tlb, mm, start, end)
        if mm.stack is not None:
            self.tlb_remove_tlb_entry(tlb)
            self.page_remove_rmap(mm.stack)
            if not self._tlb_remove_page(tlb, mm.stack):
                self.tlb_flush_mmu(tlb)
        for start, end in vmas:
            self.free_pgtables(tlb, mm, start, end)
        self.tlb_finish_mmu(tlb)

    def mmput(self, mm: Mm) -> None:
        """The last user of an address space is gone."""
        self.exit_mmap(mm)
        self.mms.remove(mm)
        if mm.pgd is not None:
            self._free_pages(mm.pgd, mm.pgd.order)

    def exit(self, mm: Mm) -> None:
        """A process ends: its memory, then its kernel stack and task structure."""
        self.mmput(mm)
        for page in self.tasks.pop(mm, ()):
            page.flags -= {"slab"}
            self._free_pages(page, page.order)

    # -- user code

    def switch_mm(self, mm: Mm) -> None:
        """Run `mm` on this CPU from now on."""
        if self.cpu.active_mm is not mm:
            self.leave_mm()
            self.cpu.active_mm = mm

    def leave_mm(self) -> None:
        """This CPU runs something else now; its TLB forgets the address space."""
        before, self.cpu.active_mm = self.cpu.active_mm, None
        if before is not None:
            self.tlb_invalidate(before, cpus=[self.cpu])

    def load(self, mm: Mm, addr: int) -> object:
        """Read one address: through this CPU's TLB if it holds the translation, else through the page tables.

        None without a mapping (SIGSEGV). Raises MemoryError when the fault cannot be served.
        """
        return self.access(mm, addr, None)

    def store(self, mm: Mm, addr: int, content: object) -> None:
        """Write one address.

        Raises MemoryError when the fault cannot be served.
        """
        self.access(mm, addr, content)

    def access(self, mm: Mm, addr: int, content: object | None) -> object:
        """A load (no content) or store: the instruction is repeated after a fault."""
        self.switch_mm(mm)
        for _ in range(4):
            done, value = self.instruction(mm, addr, content)
            if done:
                return value
            if not mm.maps(addr, addr + 1):
                return None
            self.handle_mm_fault(mm, addr, content is not None)
        raise MemoryError(f"{mm}: no page for address {addr}")

    def instruction(self, mm: Mm, addr: int, content: object | None) -> tuple[bool, object]:
        """One load or store, translation included: a single step. False: it faults."""
        self.step(mm.tlb_word)
        write = content is not None
        index, off = divmod(addr, self.hpage_nr)
        entry = self.tlb_lookup(mm, index, write)
        if entry is not None:
            return True, self.use(mm, entry.page, entry.expects, content)
        pmd = mm.pmd[index].value if index in mm.pmd else None
        if pmd is not None and pmd.page is not None and pmd.write >= write:
            self.tlb_fill(TlbEntry(mm, index, pmd.page, pmd.write, pmd.expects))
            return True, self.use(mm, pmd.page, pmd.expects, content)
        pte = pmd.table.ptes.get(off) if pmd is not None and pmd.table is not None else None
        if pte is not None and pte.page is not None and not (write and pte.page.mapcount.value):
            return True, self.use(mm, pte.page, pte.expects, content)
        return pte is not None and not write, 0

    def use(self, mm: Mm, page: Page, expects: str, content: object | None) -> object:
        """Read or write the page, and note whether the translation still leads to the data it was made for."""
        if page.owner != expects:
            whose = "nobody (free)" if page.owner is None else page.owner
            self.violate("stale-read", f"{mm} uses {page} as {expects}, but it belongs to {whose}")
        if content is not None:
            page.content = content
        return page.content

    # -- get_user_pages

    def get_user_page(self, mm: Mm, addr: int) -> Page | None:
        """Pin the page behind an address of a huge mapping; None when there is no such mapping (any more)."""
        self.load(mm, addr)
        self.spin_lock(mm.ptl)
        pmd = mm.pmd[addr // self.hpage_nr].value
        page: Page | None = None
        if pmd is not None and pmd.page is not None:
            page = self.follow_trans_huge_pmd(mm, addr)
            self.pins += (page,)
        self.spin_unlock(mm.ptl)
        return page

    def unpin(self, page: Page, release: str = "put_page") -> None:
        """Release a pin as most callers do (put_page) or as some drivers do (release_pages)."""
        if release == "put_page":
            self.put_page(page)
        else:
            self.release_pages((page,), 1)
        at = self.pins.index(page)
        self.pins = self.pins[:at] + self.pins[at + 1 :]
