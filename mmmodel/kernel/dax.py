"""fs/dax.c: a read fault in a hole of a file on persistent memory. Nothing here calls it but who asks about it."""

from __future__ import annotations

from .gup import GetUserPages
from .huge_memory import FALLBACK
from .mm_types import HUGE_ZERO_PAGE, Mm, Pmd


class DaxFaults(GetUserPages):
    """Of DAX only the one place that takes a reference of the huge zero page."""

    def _dax_pmd_fault(self, mm: Mm, index: int) -> str | None:
        """__dax_pmd_fault: map the huge zero page; a slot that was filled meanwhile is left to the 4K pages.

        That reference is not given back, in v4.6 as in v4.7 (fs/dax.c:924-927@v4.6.2, derived).
        """
        zero_page = self.mm_get_huge_zero_page(mm)
        if not zero_page:
            return FALLBACK
        self.spin_lock(mm.ptl)
        if mm.pmd[index].value is not None:
            self.spin_unlock(mm.ptl)
            return FALLBACK
        self.atomic_set(mm.pmd[index], Pmd(zero_page, False, HUGE_ZERO_PAGE))
        self.spin_unlock(mm.ptl)
        return None
