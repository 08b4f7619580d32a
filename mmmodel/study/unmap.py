"""One unmap of the huge zero page, call by call: the way to the function that drops a counter, and who is left."""

from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from typing import Any

from ..build.composed import Build
from ..explore.concurrent import on_cpu
from ..explore.sequential import map_read
from ..kernel.machine import KernelBug
from .calls import listen
from .references import counts, due, page_state
from .story import Event, Scene, called

PARTS = {
    "unmap": "zap_huge_pmd pmdp_huge_get_and_clear_full",
    "mmu_gather": "tlb_gather_mmu tlb_remove_page _tlb_remove_page tlb_finish_mmu tlb_flush_mmu "
                  "tlb_flush_mmu_tlbonly tlb_flush_mmu_free",
    "TLBs": "tlb_invalidate pmdp_idte",
    "freeing": "free_page_and_swap_cache free_pages_and_swap_cache release_pages put_page put_huge_zero_page",
}  # fmt: skip
"""The functions that are watched, and in which lane they are shown."""
LANES = {name: lane for lane, names in enumerate(PARTS.values()) for name in names.split()}
ROUTE = {"zap_huge_pmd", "tlb_remove_page", "tlb_invalidate", *PARTS["freeing"].split()}
"""Of those: the ones a reader has to remember."""


class Unmap:
    """CPU 0 unmaps the huge zero page, which all CPUs have in their TLBs. Huge pages are assumed where there are none.

    others: so many processes map the page besides, and keep it.

    rows: the calls that concern it; start: the TLBs before it; route: the functions of ROUTE up to the one that drops
    a counter; before, after, due: HZR and PC before and after it, and what they should be then; state: of the page.
    """

    def __init__(self, build: Build, cpus: int = 2, others: int = 0) -> None:
        self.kernel = kernel = replace(build, thp=True).boot(cpus)
        for other in range(others):
            map_read(kernel, kernel.new_mm(f"mm{other}"))
        for cpu in reversed(range(cpus)):
            on_cpu(kernel, cpu, kernel.init)
        self.page, self.scene = kernel.huge_zero_page.value, Scene(kernel)
        self.start, self.memory, self.before = self.scene.held, self.look(), counts(kernel)
        self.rows, self.passed = list[Event](), list[str]()
        self.stack: list[int | None] = []
        listen(kernel, LANES, self.enter, self.leave)
        with suppress(KernelBug):
            kernel.munmap(kernel.init, 0, kernel.hpage_nr)
        self.after, self.due, self.state = counts(kernel), due(kernel), page_state(self.page)
        self.route = [name for name, _ in groupby(self.passed)]
        if self.before == self.after and self.route[-1] == "tlb_invalidate":
            self.route.pop()

    def look(self) -> dict[str, Any]:
        """The words that matter, as in the changes of a step."""
        k, page = self.kernel, self.page
        words = {"page_count": page.count.value, "page.owner": page.owner}
        shown = (k.init.pmd[0], k.init.flush_mm, k.huge_zero_refcount)
        words |= {var.name: var.value for var in shown if var is not None}
        words |= {f"cpu{cpu.id}.tlb": cpu.tlb for cpu in k.cpus}
        return words | {f"cpu{cpu.id}.batches": cpu.gather.batches for cpu in k.cpus}

    def enter(self, name: str, args: tuple[Any, ...]) -> None:
        """A call: a new row if it is about the page, unless the function under way calls the layer below itself."""
        self.notice()
        if not self.concerned(args):
            self.stack.append(None)
            return
        if name in ROUTE and counts(self.kernel) == self.before:
            self.passed.append(name)
        at = self.under_way()
        caller = None if at is None else self.rows[at]
        if caller is None or caller.functions != [called(name)]:
            plural, lane, number = name == "free_pages_and_swap_cache", LANES[name], len(self.rows) + 1
            said = [f"plural, nr = {args[1]}"] if plural else ["singular"] * (name == "free_page_and_swap_cache")
            from_lane = caller.lane if caller else 0
            self.rows.append(Event(number, number, lane, [called(name)], said, self.scene.held, from_lane))
            at = number - 1
        self.stack.append(at)

    def leave(self, name: str) -> None:
        """The end of a call."""
        self.notice()
        self.stack.pop()

    def under_way(self) -> int | None:
        """The row of the innermost function under way that is about the page."""
        return next((at for at in reversed(self.stack) if at is not None), None)

    def concerned(self, args: tuple[Any, ...]) -> bool:
        """Is the call about the huge zero page? Page tables take some of the same roads."""
        kind = type(self.page)
        pages = [page for arg in args for page in (arg if isinstance(arg, tuple | list) else [arg])]
        about = [page for page in pages if isinstance(page, kind)]
        return not about or any(page is self.page for page in about)

    def notice(self) -> None:
        """What changed since the last look, by the innermost function under way: in its row, or in a new one if others
        came since."""
        was, self.memory = self.memory, self.look()
        words = self.scene.tell((word, was[word], now) for word, now in self.memory.items())
        at = self.under_way()
        if not words or at is None:
            return
        row, number = self.rows[at], len(self.rows)
        if at < number - 1:
            row = row._replace(first=number + 1, last=number + 1, words=[], caller=row.lane)
            self.stack = [number if other == at else other for other in self.stack]
            at = number
            self.rows.append(row)
        self.rows[at] = row._replace(words=row.words + words, held=self.scene.held)

    @property
    def outcome(self) -> tuple[bool, str, int]:
        """Is the right counter dropped, and not before every other TLB forgot the page? And in which row."""
        drops = [(row, w.split()[0]) for row in self.rows for w in row.words if w.startswith(("HZR", "PC"))]
        if not drops:
            return True, "drops no counter", 0
        row, counter = drops[0]
        early = any(row.held.keys() - {0})
        if counter == "PC" and self.kernel.huge_zero_refcount is not None:
            return False, f"drops PC, the wrong counter{', and too early' * early}", row.first
        when = "too early: CPU 1 still reaches the page" if early else "when no other TLB has the page"
        return not early, f"drops {counter} {when}", row.first
