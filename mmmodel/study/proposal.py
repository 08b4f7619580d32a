"""Questions 2, 3 and 4 of the report, each put to the same examination on the reported version."""

from dataclasses import replace
from functools import cached_property

import pandas as pd

from ..build.composed import Build
from ..explore.concurrent import APART, JUDGED
from .blast import Effect, Stack, behaviour
from .costs import PAGES, agrees, instructions, rates
from .matrix import matrix
from .measurements import measured

COMPARED: tuple[Stack, ...] = ((), ("quick-hack",), ("q2",), ("q3",), ("q4",), ("page-refcount",))
"""Beside what a price is shown: nothing, and single patches that could be the answer."""
SHORTCUTS = ("nr1-shortcut", "nr1-shortcut-guarded")
"""The thread's: release_pages of one page is put_page. Before the test for the huge zero page, and after it."""
UNMAPS = ("map-read-unmap", "madv-dontneed", "exit-mmap")
"""Three ways to let go of a mapping, which put different things into a gather."""


class Proposal:
    """A patch as the answer: `build` has it, s390 v4.6 with swap; `toggles` are what a reader may stack with it."""

    def __init__(self, patch: str) -> None:
        self.patch, self.build = patch, Build(patches=(patch,))
        self.toggles = [patch, *SHORTCUTS]

    def on(self, build: Build) -> Build:
        """A build with the patch, below those it has."""
        return replace(build, patches=tuple(dict.fromkeys((self.patch, *build.patches))))

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """What it changes on every arch in every sequential scenario, with and without SWAP."""
        return behaviour(((self.patch,),))

    @cached_property
    def explored(self) -> pd.DataFrame:
        """Verdicts on every arch in the concurrent scenarios it is judged by, SWAP on and off: columns of `matrix`."""
        return matrix(versions=[self.build.version], patches=[self.patch], scenarios=JUDGED)

    def repairs(self, swap: bool = True) -> bool:
        """Does every scenario of the report hold on s390, run and explored?"""
        ran = [e.after for e in self.effects if (e.arch, e.swap) == ("s390", swap)]
        found = self.explored.query("arch == 's390' and swap == @swap")
        return all(ran) and bool(found[~found.scenario.isin(APART)].holds.all())

    def changes(self, s390: bool, swap: bool | None = None) -> set[str]:
        """What it changes, in words of `Effect.what`, on s390 or on all others; swap: only with it, or without."""
        return {e.what for e in self.effects if (e.arch == "s390") == s390 and swap in (None, e.swap)}

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The counters measured on a kernel with it."""
        return measured(build=self.build)

    @property
    def healthy(self) -> bool:
        """Is PC 1 in every measured row, and are the calls of the model those that were counted?"""
        return set(self.rows.page_count.dropna()) == {1} and agrees(self.build, PAGES) is True

    def beside(self, swap: bool = True, *more: Stack) -> list[Build]:
        """The builds whose prices are shown beside each other; `more` stacks come last."""
        return [Build(swap=swap, patches=stack) for stack in (*COMPARED, *more)]

    @property
    def drains(self) -> float:
        """Drains for each freed 4K page."""
        return rates(self.build)["page"]["lru_add_drain"]

    @property
    def price(self) -> float:
        """Instructions more for each freed 4K page, measured."""
        found = instructions(self.build, PAGES)
        assert found is not None, "each of the questions was measured"
        return found["over_stock"]

    @cached_property
    def shortcut(self) -> tuple[Effect, ...]:
        """What both SHORTCUTS change in the UNMAPS, without the patch and with it."""
        stacks = [(*below, form) for below in ((), (self.patch,)) for form in SHORTCUTS]
        return behaviour(tuple(stacks), scenarios=UNMAPS)
