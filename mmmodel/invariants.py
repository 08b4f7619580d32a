"""What must hold, whatever happens. Each invariant has a name, one line of reason, and a moment at which it is asked.

`always` is after every step (what can only be asked while no CPU is inside the kernel looks at `kernel.quiet`); `end`
is after everything was unmapped. Two more are events: a user access that is a `stale-read`, and a BUG_ON (`no-bug`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .kernel.machine import KernelBug
from .kernel.mm_types import HUGE_ZERO_PAGE, Pmd


class Invariant(NamedTuple):
    """`check(kernel)` returns what is wrong, or an empty string."""

    name: str
    says: str
    when: str
    check: Callable[[Any], str]


def huge_zero_pmds(kernel: Any) -> list[Pmd]:
    """The mappings that were made for the huge zero page, in any process."""
    return [pmd for mm in kernel.mms for pmd in mm.huge_mappings() if pmd.expects == HUGE_ZERO_PAGE]


def references(kernel: Any) -> int:
    """Who may hold a reference besides the shrinker: mappings and pages in a gather; from v4.9 each mm that asked."""
    if kernel.reference_per_mm:
        return sum(mm.huge_zero.value for mm in kernel.mms)
    gathered = [page for cpu in kernel.cpus for batch in cpu.gather.batches for page in batch]
    return len(huge_zero_pmds(kernel)) + sum(page is kernel.huge_zero_page.value for page in gathered)


def references_balance(kernel: Any) -> str:
    """PC while PTR is set; and, while nobody is half-way, HZR and PC against the references that exist."""
    page, hzr = kernel.huge_zero_page.value, kernel.huge_zero_refcount
    if page is not None and hzr is not None and page.count.value < 1:
        return f"PC is {page.count.value} while PTR names {page}"
    if not kernel.quiet:
        return ""
    pins = sum(kernel.compound_head(pin) is page for pin in kernel.pins)
    held = 0 if page is None else 1 + references(kernel)
    if hzr is not None and hzr.value != held:
        return f"HZR is {hzr.value}, but {held} references exist"
    expected = pins + (held if hzr is None else 1)
    if page is not None and page.count.value != expected:
        return f"PC is {page.count.value}, but should be {expected}"
    return ""


def pointer_alive(kernel: Any) -> str:
    """PTR against the owner of the page it names."""
    page = kernel.huge_zero_page.value
    if page is None or page.owner == HUGE_ZERO_PAGE:
        return ""
    return f"PTR names {page}, which belongs to {page.owner or 'nobody (free)'}"


def recognised(kernel: Any) -> str:
    """is_huge_zero_pmd against what each mapping was made for; asked without taking a step."""
    observer, kernel.observer = kernel.observer, None
    wrong = [
        f"{mm}: {pmd.page} mapped as {pmd.expects}, is_huge_zero_pmd says {pmd.expects != HUGE_ZERO_PAGE}"
        for mm in kernel.mms
        for pmd in mm.huge_mappings()
        if kernel.is_huge_zero_pmd(pmd) != (pmd.expects == HUGE_ZERO_PAGE)
    ]
    kernel.observer = observer
    return "; ".join(wrong)


def shrinkable(kernel: Any) -> str:
    """Let every process exit, release every pin, run the shrinker: is the page gone and its memory free?"""
    page = kernel.huge_zero_page.value
    try:
        for pin in kernel.pins:
            kernel.unpin(pin)
        for mm in list(kernel.mms):
            kernel.exit(mm)
        kernel.shrink_huge_zero_page_scan()
    except KernelBug as bug:
        return f"giving it back runs into a BUG: {bug}"
    if kernel.huge_zero_page.value is not None:
        return "everything is unmapped and the shrinker cannot free the page"
    return "" if page is None or page.owner is None else f"the shrinker gave {page} away, but it is not free"


INVARIANTS = (
    Invariant("references-balance", "each reference is counted once: 1 for the shrinker, 1 per user", "always",
              references_balance),
    Invariant("pointer-alive", "PTR never names a page that is free or somebody else's", "always", pointer_alive),
    Invariant("recognised", "a mapping of the huge zero page is taken for one, and no other is", "always", recognised),
    Invariant("stale-read", "nobody uses a page that is free or somebody else's", "event", lambda kernel: ""),
    Invariant("no-bug", "no BUG_ON fires", "event", lambda kernel: ""),
    Invariant("not-leaked", "after everything is unmapped the shrinker gets the page back", "end", shrinkable),
)  # fmt: skip


def broken(kernel: Any, *when: str) -> tuple[str, str] | None:
    """The first invariant that does not hold now: its name and what is wrong."""
    if kernel.violations:
        return kernel.violations[0]
    for invariant in INVARIANTS:
        if invariant.when in when and (wrong := invariant.check(kernel)):
            return invariant.name, wrong
    return None
