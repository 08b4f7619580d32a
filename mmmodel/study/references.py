"""Who holds a reference to the huge zero page, and what each operation does to the two counters."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from ..build.composed import Build
from ..explore.sequential import SEQUENTIAL, map_read, munmap
from ..explore.tracing import Journal, counters
from ..explore.verdict import Step
from ..kernel.machine import KernelBug
from ..kernel.mm_types import HUGE_ZERO_PAGE, Page

Counts = tuple[int | None, int | None]


def counts(kernel: Any) -> Counts:
    """What HZR and PC are now; None for one that does not exist."""
    return counters(kernel)[:2]


def due(kernel: Any) -> Counts:
    """What HZR and PC should be now: one for each reference that exists."""
    held, count = kernel.references_due()
    return held, count


def page_state(page: Page) -> str:
    """Whose a page is, in words."""
    if page.owner == HUGE_ZERO_PAGE:
        return "the page is the huge zero page"
    if page.owner is None:
        return "the page is free"
    return f"the page is {'' if page.owner.startswith('set aside') else 'used as '}{page.owner}"


def unmap_steps(build: Build, unmaps: int = 1) -> list[Step]:
    """The steps of the last of so many unmaps of the huge zero page."""
    kernel = build.boot()
    journal = Journal(kernel)
    with suppress(KernelBug):
        for _ in range(unmaps):
            map_read(kernel, kernel.init)
            journal = kernel.observer = Journal(kernel)
            munmap(kernel, kernel.init)
            kernel.observer = None
    journal.flush()
    return journal.steps


ACTS: dict[str, Callable[[Any], object]] = {
    "read": lambda k: map_read(k, k.init),
    "read-2": lambda k: map_read(k, k.init, 1),
    "read-child": lambda k: map_read(k, k.mms[-1]),
    "fork": lambda k: k.fork(k.init, "child"),
    "exit": lambda k: k.exit(k.mms[-1]),
    "write": lambda k: k.store(k.init, 0, "data"),
    "split": lambda k: munmap(k, k.init, end=0.5),
    "mremap": lambda k: k.mremap(k.init, 0, 3 * k.hpage_nr),
    "pin": lambda k: k.get_user_page(k.init, 0),
    "put-pin": lambda k: k.unpin(k.pins[0]),
    "release-pin": lambda k: k.unpin(k.pins[0], "release_pages"),
    "munmap": lambda k: munmap(k, k.init),
    "discard": lambda k: k.madvise_dontneed(k.init, 0, k.hpage_nr),
    "shrink": lambda k: k.shrink_huge_zero_page_scan(),
}
EVENTS = {
    "first read of a huge slot": "read",
    "read of a second slot": "read read-2",
    "fork": "read fork",
    "mremap": "read mremap",
    "write: a page of one's own": "read write",
    "munmap of one half: a split": "read split",
    "munmap": "read munmap",
    "madvise(MADV_DONTNEED)": "read discard",
    "exit of the child": "read fork exit",
    "pin by get_user_pages()": "read pin",
    "pin dropped by put_page()": "read pin put-pin",
    "pin dropped by release_pages()": "read pin release-pin",
    "shrinker while it is mapped": "read shrink",
    "shrinker when nobody is left": "fork read-child exit shrink",
}


class Entry(NamedTuple):
    """What one operation did to HZR and PC on a kernel booted for it, and what they should be after it."""

    operation: str
    before: Counts
    after: Counts
    due: Counts


def ledger(build: Build) -> list[Entry]:
    """Every operation on the huge zero page; nothing without transparent huge pages."""
    return [_entry(build, *event) for event in EVENTS.items() if build.thp]


def _entry(build: Build, operation: str, acts: str) -> Entry:
    kernel = build.boot()
    before = counts(kernel)
    with suppress(KernelBug):
        for act in acts.split():
            before = counts(kernel)
            ACTS[act](kernel)
    return Entry(operation, before, counts(kernel), due(kernel))


def given_away(build: Build) -> str:
    """What the page is that the shrinker gives back when a process unmapped it, somebody got memory, and the process
    is gone; empty if it gives none.
    """
    kernel = build.boot()
    map_read(kernel, kernel.init)
    page = kernel.huge_zero_page.value
    munmap(kernel, kernel.init)
    if page.owner is None:
        kernel.alloc_pages(kernel.hpage_order, "somebody's memory")
    kernel.exit(kernel.init)
    state = page_state(page)
    return state if kernel.shrink_huge_zero_page_scan() else ""


def play(build: Build, scenario: str) -> Iterator[tuple[str, Any]]:
    """Run a scenario, yielding each operation and the kernel after it; a BUG is the last operation."""
    program = SEQUENTIAL[scenario]
    kernel = build.boot(memory_mib=program.memory_mib)
    try:
        for op in filter(None, program.run(kernel)):
            yield op, kernel
    except (KernelBug, MemoryError) as error:
        yield f"stopped: {error}", kernel
