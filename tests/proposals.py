"""Patches a kernel developer could propose; each stands for a kind. The docstring says what is right, and why."""

import mmmodel as mm


class MappingHoldsPage(mm.Patch):
    """A mapping holds a reference of the page too; whatever ends a mapping drops both. HOLDS"""

    def set_huge_zero_page(self, pgtable, mm_, index, zero_page):
        done = super().set_huge_zero_page(pgtable, mm_, index, zero_page)
        if done:
            self.get_page(zero_page)
        return done

    def zap_huge_zero_page(self, tlb, page):
        self.put_huge_zero_page()
        self.tlb_remove_page(tlb, page)

    def release_huge_zero_page(self, page):
        return False

    def do_huge_pmd_wp_page(self, mm_, index, orig):
        result = super().do_huge_pmd_wp_page(mm_, index, orig)
        if self.is_huge_zero_pmd(orig) and result is None and mm_.pmd[index].value != orig:
            self.put_page(orig.page)
        return result

    def _split_huge_zero_page_pmd(self, mm_, index):
        page = mm_.pmd[index].value.page
        super()._split_huge_zero_page_pmd(mm_, index)
        self.put_page(page)


class PendingOnTheKernel(mm.Patch):
    """Zap notes the page, tlb_finish_mmu puts it: the note is a dict of words. HOLDS"""

    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.pending = {cpu.id: mm.Var(f"pending{cpu.id}", 0) for cpu in self.cpus}

    def zap_huge_zero_page(self, tlb, page):
        self.pending[self.cpu.id].value += 1

    def tlb_finish_mmu(self, tlb):
        super().tlb_finish_mmu(tlb)
        word = self.pending[self.cpu.id]
        for _ in range(word.value):
            self.put_huge_zero_page()
        word.value = 0


class PendingInTheGather(mm.Patch):
    """The same as a field of the mmu_gather, which is where the kernel would have it. HOLDS"""

    def tlb_gather_mmu(self, mm_, fullmm=False):
        tlb = super().tlb_gather_mmu(mm_, fullmm)
        tlb.huge_zero = 0
        return tlb

    def zap_huge_zero_page(self, tlb, page):
        tlb.huge_zero += 1

    def tlb_finish_mmu(self, tlb):
        super().tlb_finish_mmu(tlb)
        for _ in range(tlb.huge_zero):
            self.put_huge_zero_page()


class WithAHelper(mm.Patch):
    """A fix that brings a function of its own. HOLDS on s390; on x86 it has the race of v4.5, rightly."""

    def tlb_remove_huge_zero_page(self, tlb):
        self.put_huge_zero_page()

    def zap_huge_zero_page(self, tlb, page):
        self.tlb_remove_huge_zero_page(tlb)


class LoserTakesSmallPages(mm.Patch):
    """Whoever loses the race for the slot falls back to 4K pages. HOLDS on x86 and on s390 with SWAP.

    Without SWAP its other function is not compiled: broken, rightly.
    """

    def get_huge_zero_page(self):
        if self.atomic_inc_not_zero(self.huge_zero_refcount):
            return self.READ_ONCE(self.huge_zero_page)
        zero_page = self.alloc_huge_zero_page()
        if zero_page is None:
            return None
        if self.cmpxchg(self.huge_zero_page, None, zero_page) is not None:
            self._free_pages(zero_page, zero_page.order)
            return None
        self.atomic_set(self.huge_zero_refcount, 2)
        return self.READ_ONCE(self.huge_zero_page)

    def free_page_and_swap_cache(self, page):
        if self.is_huge_zero_page(page):
            self.put_huge_zero_page()
        else:
            super().free_page_and_swap_cache(page)


class NobodyPins(mm.Patch):
    """get_user_pages refuses the huge zero page, put_page is redirected. HOLDS while nothing pins without a lock."""

    def follow_trans_huge_pmd(self, mm_, addr):
        if self.is_huge_zero_pmd(mm_.pmd[addr // self.hpage_nr].value):
            return None
        return super().follow_trans_huge_pmd(mm_, addr)

    def put_page(self, page):
        if self.is_huge_zero_page(page):
            self.put_huge_zero_page()
        else:
            super().put_page(page)


class Loop(mm.Patch):
    """Never returns. UNDECIDED, saying which function does not return"""

    def free_page_and_swap_cache(self, page):
        while True:
            pass


class SpinsOnAWord(mm.Patch):
    """Never returns either, by way of steps. UNDECIDED"""

    def free_page_and_swap_cache(self, page):
        while self.READ_ONCE(self.huge_zero_refcount) > 0:
            pass


class LocksTwice(mm.Patch):
    """Takes a lock it holds. BROKEN on v4.6 x86 (a deadlock, with a witness)"""

    def zap_huge_zero_page(self, tlb, page):
        self.spin_lock(tlb.mm.ptl)
        super().zap_huge_zero_page(tlb, page)


class NamesAreClose(mm.Patch):
    """Without `file`, this does nothing on sh, which has its own function. The verdict has to say so"""

    def _tlb_remove_page(self, tlb, page):
        self.free_pages_and_swap_cache((page,), 1)
        return 1


class OverX(mm.Patch):
    """Calls the put_page below its own layer. In map-read-unmap (OverX, OverY) is broken, (OverY, OverX) holds."""

    def free_page_and_swap_cache(self, page):
        self.free_swap_cache(page)
        super().put_page(page)


class OverY(mm.Patch):
    """See OverX."""

    def put_page(self, page):
        if self.is_huge_zero_page(page):
            self.put_huge_zero_page()
        else:
            super().put_page(page)
