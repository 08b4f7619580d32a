"""Facts of one arch of a tree: can it have THP, and how does its gather free a page?"""

from __future__ import annotations

from ..data import rows
from .facts import FIXED, SWAP_STATE, Facts
from .names import NAMES
from .release import Fact, Pursuit
from .selects import THP, Kconfig
from .tree import Unknown, remembered
from .unit import Unit


class Arch:
    """What the audit needs to know of an arch."""

    def __init__(self, facts: Facts, name: str) -> None:
        self.facts, self.files, self.name = facts, facts.files, name
        self.tlb = f"arch/{name}/include/asm/tlb.h"
        self._pursuits: dict[bool, Pursuit] = {}

    @remembered
    def kconfig(self) -> Kconfig:
        """What it selects.

        Raises Unknown if it has no Kconfig.
        """
        return Kconfig(self.facts.files, self.name)

    @property
    def thp(self) -> Fact:
        """Can it have THP? yes (under the condition that is said), or no."""
        there, where = self.kconfig.selects(THP)
        return Fact("yes" if there else "no", (where,))

    @property
    def memory(self) -> Fact:
        """In what order its CPUs see accesses: tso, or weak."""
        for row in [*rows("arches"), *rows("memory_order")]:
            if row["arch"] == self.name and row["memory"] in ("tso", "weak"):
                return Fact(row["memory"], (f"{self.name} is {row['memory']}",))
        raise Unknown(f"the memory order of {self.name} is not known here")

    def gather_files(self) -> list[str]:
        """Its gather, or the generic one; and where the functions of the generic one are.

        Raises Unknown if it has no asm/tlb.h and does not take the generic one.
        """
        own = self.tlb
        if not self.files.has(own):
            kbuilds = (f"arch/{self.name}/include/asm/Kbuild", "include/asm-generic/Kbuild")
            said = [line for path in kbuilds if self.files.has(path) for line in self.files.lines(path)]
            if not any(line.split()[-1:] == ["tlb.h"] for line in said):
                self.files[own]  # says why it cannot be read
            own = "include/asm-generic/tlb.h"
        return [own, "mm/mmu_gather.c" if self.files.has("mm/mmu_gather.c") else "mm/memory.c"]

    def unit(self, swap: bool) -> Unit:
        """The gather, and what it frees through.

        Raises Unknown if a file is missing.
        """
        symbols = ("MMU_GATHER_NO_GATHER", "HAVE_MMU_GATHER_NO_GATHER")
        chosen = {f"CONFIG_{symbol}": self.kconfig.selects(symbol)[0] for symbol in symbols}
        unit = Unit(self.files, {**FIXED, **chosen, "CONFIG_SWAP": swap}, self.name)
        for path in [*self.gather_files(), "include/linux/swap.h", *[SWAP_STATE] * swap, "mm/swap.c"]:
            unit.include(path)
        return unit

    def pursuit(self, swap: bool) -> Pursuit:
        """The huge zero page, or any page if zap hands none over, followed through the gather."""
        if swap not in self._pursuits:
            pursuit = Pursuit(self.unit(swap))
            for name in sorted(NAMES["hands over"]):
                pursuit.call(name, [1])
            if pursuit.stored:
                pursuit.flush([path for path in pursuit.unit.paths() if path.endswith(("tlb.h", "memory.c", "gather.c"))
                               or "/asm/tlb" in path])  # fmt: skip
            self._pursuits[swap] = pursuit
        return self._pursuits[swap]

    def release(self, swap: bool) -> Fact:
        """How its gather frees the page: by its page count, or tested before that."""
        return self.pursuit(swap).outcome(self.tlb)
