"""Processes (kernel/fork.c, mm/mmap.c) and what a user program does: run, load, store."""

from __future__ import annotations

from .dax import DaxFaults
from .machine import TlbEntry, one_step
from .mm_types import Mm, Page, PageTable, Pmd

KERNEL_STACK_ORDER = 2


class Processes(DaxFaults):
    """Address spaces that come and go, and the CPUs that run them."""

    def boot_mm(self) -> None:
        """The first process; nothing is pinned."""
        self.mms: list[Mm] = []
        self.tasks: dict[Mm, list[Page]] = {}
        self.pins: tuple[Page, ...] = ()
        self.init = self.new_mm("init")

    # -- processes

    def new_mm(self, name: str) -> Mm:
        """A process with nothing mapped but one 4K page of stack."""
        mm = self.struct(Mm, name)
        self.mms.append(mm)
        mm.pgd = self.alloc_table_page("page table", self.pmd_table_order)
        mm.stack = self.alloc_pages(0, name, movable=True)
        if mm.stack is not None:
            self.page_add_new_anon_rmap(mm.stack)
            self.lru_cache_add(mm.stack)
        return mm

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
                if var.value is not None and var.value.page is not None and self.copy_huge_pmd(child, parent, index):
                    continue
                if (pmd := var.value) is not None and pmd.table is not None:
                    self.copy_pte_range(child, pmd.table, index)
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
        self.check_mm(mm)

    def check_mm(self, mm: Mm) -> None:
        """The last look at the counters of an address space (kernel/fork.c)."""
        for name, number in mm.rss.items():
            if number:
                self.complain(f"BUG: Bad rss-counter state mm:{mm} {name}:{number}")
        if mm.nr_ptes:
            self.complain(f"BUG: non-zero nr_ptes on freeing mm: {mm.nr_ptes}")

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

    @one_step
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
