"""mm/oom_kill.c, from v4.6 on: the OOM reaper takes the memory of a victim whose threads may still run."""

from __future__ import annotations

from .machine import Machine, Var, orders, primitive
from .mm_types import Mm


class OomReaper(Machine):
    """The reaper's walk over an address space that is alive, and the semaphore that it takes."""

    @primitive
    @orders("rmw acquire")
    def down_read_trylock(self, sem: Var) -> bool:
        """Take a semaphore for reading, unless a writer has it; say whether it was taken."""
        self.step(sem)
        taken = bool(sem.value >= 0)
        sem.value += taken
        return taken

    @primitive
    @orders("rmw release")
    def up_read(self, sem: Var) -> None:
        """Release a semaphore taken for reading."""
        self.step(sem)
        sem.value -= 1

    def _oom_reap_task(self, mm: Mm) -> bool:
        """__oom_reap_task: one gather for the whole range, 0 to -1, so that it takes the mm for dead (fullmm)."""
        if not self.down_read_trylock(mm.mmap_sem):
            return False
        tlb = self.tlb_gather_mmu(mm, fullmm=True)
        for start, end in mm.vmas:
            self.zap_pmd_range(tlb, mm, start, end)
        self.tlb_finish_mmu(tlb)
        self.up_read(mm.mmap_sem)
        return True


class ReaperPerVma(OomReaper):
    """From v4.15 on: a gather for each VMA, which flushes what it cleared."""

    def _oom_reap_task(self, mm: Mm) -> bool:
        """__oom_reap_task_mm: tlb_gather_mmu and tlb_finish_mmu have moved into the loop."""
        if not self.down_read_trylock(mm.mmap_sem):
            return False
        for start, end in mm.vmas:
            tlb = self.tlb_gather_mmu(mm)
            self.zap_pmd_range(tlb, mm, start, end)
            self.tlb_finish_mmu(tlb)
        self.up_read(mm.mmap_sem)
        return True
