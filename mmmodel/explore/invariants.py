"""What must hold, whatever happens. Each invariant has a name, one line of reason, and a moment at which it is asked.

`always` is after every step (what can only be asked while no CPU is inside the kernel looks at `kernel.quiet`); `end`
is after everything was unmapped; `event`s are noted when they happen. Harm judges any build; the bookkeeping of a
version only builds that keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..build.composed import Build
from ..kernel.machine import KernelBug
from ..kernel.mm_types import HUGE_ZERO_PAGE


class Invariant(NamedTuple):
    """`check(kernel)` returns what is wrong, or an empty string; what breaks an event is noted when it happens. `harm`
    judges any build; the others, bookkeeping, only builds that keep their version's rule of who counts what."""

    name: str
    says: str
    when: str
    check: Callable[[Any], str] = lambda kernel: ""
    harm: bool = True


def references_balance(kernel: Any) -> str:
    """PC while PTR is set; and, while nobody is half-way, HZR and PC against the references that exist."""
    page, hzr = kernel.huge_zero_page.value, kernel.huge_zero_refcount
    if page is not None and hzr is not None and page.count.value < 1:
        return f"PC is {page.count.value} while PTR names {page}"
    if not kernel.quiet:
        return ""
    held, count = kernel.references_due()
    if hzr is not None and hzr.value != held:
        return f"HZR is {hzr.value}, but {held} references exist"
    if page is not None and page.count.value != count:
        return f"PC is {page.count.value}, but should be {count}"
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
    try:
        return "; ".join(
            f"{mm}: {pmd.page} mapped as {pmd.expects}, is_huge_zero_pmd says {pmd.expects != HUGE_ZERO_PAGE}"
            for mm in kernel.mms
            for pmd in mm.huge_mappings()
            if kernel.is_huge_zero_pmd(pmd) != (pmd.expects == HUGE_ZERO_PAGE)
        )
    finally:
        kernel.observer = observer


def shrinkable(kernel: Any) -> str:
    """Let every process exit, release every pin, run the shrinker: is each page that was the huge zero page free?"""
    before = len(kernel.violations)
    try:
        for pin in list(kernel.pins):
            kernel.unpin(pin)
        for mm in list(kernel.mms):
            kernel.exit(mm)
        kernel.shrink_huge_zero_page_scan()
    except KernelBug as bug:
        return f"giving it back runs into a BUG: {bug}"
    if len(kernel.violations) > before:
        return f"giving it back: {kernel.violations[before][1]}"
    if kernel.never_freed:
        return ""
    if kernel.huge_zero_page.value is not None:
        return "everything is unmapped and the shrinker cannot free the page"
    for block in kernel.mem_map:
        if (page := kernel.page(block << kernel.hpage_order)).owner == HUGE_ZERO_PAGE:
            return f"the shrinker gave {page} away, but it is not free"
    return ""


def unlocked(kernel: Any) -> str:
    """The locks, while no CPU is inside the kernel."""
    held = [lock for lock in kernel.locks if lock.value is not None] if kernel.quiet else []
    return "; ".join(f"{lock.name} is still held by CPU {lock.value}, which has left the kernel" for lock in held)


INVARIANTS = (
    Invariant("references-balance", "each reference is counted once: 1 for the shrinker, 1 per user", "always",
              references_balance, harm=False),
    Invariant("pointer-alive", "PTR never names a page that is free or somebody else's", "always", pointer_alive),
    Invariant("recognised", "a mapping of the huge zero page is taken for one, and no other is", "always", recognised),
    Invariant("stale-read", "nobody uses a page that is free or somebody else's", "event"),
    Invariant("one-owner", "a page frame has one owner, who alone gives it back, and once", "event"),
    Invariant("no-bug", "no BUG_ON fires", "event"),
    Invariant("no-complaint", "the kernel does not report a bad page or a bad counter", "event"),
    Invariant("no-deadlock", "nobody waits for ever, or leaves the kernel with a lock", "always", unlocked),
    Invariant("not-leaked", "after everything is unmapped the shrinker gets the page back", "end", shrinkable),
)  # fmt: skip


def judges(build: Build) -> tuple[str, ...]:
    """The invariants that judge a build."""
    return tuple(i.name for i in INVARIANTS if i.harm or build.keeps_the_rule)


def broken(kernel: Any, *when: str) -> tuple[str, str] | None:
    """The first invariant that does not hold now: its name and what is wrong."""
    for name, wrong in kernel.violations:
        return name, wrong
    for invariant in INVARIANTS:
        if invariant.when in when and (invariant.harm or kernel.keeps_the_rule) and (wrong := invariant.check(kernel)):
            return invariant.name, wrong
    return None
