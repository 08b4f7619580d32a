"""Exercises whose answer is a value: what the model finds when it is run, and another run to show to a wrong answer."""

from collections.abc import Callable, Iterable, Mapping
from itertools import takewhile
from typing import Any

from ..build.composed import Build
from ..explore.checking import check
from ..explore.sequential import map_read, munmap
from ..explore.verdict import Verdict
from ..kernel.arches import ARCHES, HUGE
from ..kernel.machine import KernelBug
from ..kernel.overlay import Patch
from ..kernel.versions import VERSIONS
from ..study.costs import PAGES, calls, rates
from ..study.guards import guarded, stops_at
from ..study.measurements import runs
from ..study.memory_order import flag, publication
from ..study.page_kinds import KINDS, SINGULAR, drop, effects, new_page
from ..study.proposal import Proposal
from ..study.references import EVENTS, counts
from ..study.unmap import Unmap
from .asked import Names, Numbers, Right, names, yes_no

REPORTED = Build()
PICTURE = ["s390", "x86", "arm64", "alpha"]
FOUR = ["s390", "ia64", "sh", "um"]
FIXES = ["quick-hack", "revert", "q2", "q3", "q4"]
OWNERS = ["page table", "slab", "kernel stack", "page cache"]
ORDERS = ["arm64", "powerpc", "x86", "s390"]
DROPS = ["put_page", "release_pages"]


class OneByOne(Patch):
    """Question 4, on sh."""

    file = "arch/sh/include/asm/tlb.h"

    def _tlb_remove_page(self, tlb: Any, page: Any) -> int:
        self.free_pages_and_swap_cache((page,), 1)
        return 1


class Simplified(Patch):
    """Question 3 without the line about the swap cache."""

    file = "mm/swap_state.c"

    def free_page_and_swap_cache(self, page: Any) -> None:
        """No free_swap_cache() first."""
        self.release_pages((page,), 1)


class InPutPage(Patch):
    """The exact assertion, where only put_page comes by."""

    file = "mm/swap.c"

    def _put_page(self, page: Any) -> None:
        self.VM_BUG_ON_PAGE(self.is_huge_zero_page(page), "is_huge_zero_page(page)")
        super()._put_page(page)


# -- runs


def driven(build: Build, mapped: int, unmapped: int = 0, pins: int = 0) -> Any:
    """A kernel on which so many huge slots were read, the page pinned so often, and so many of the slots unmapped."""
    k = build.boot()
    for slot in range(mapped):
        map_read(k, k.init, slot)
    for _ in range(pins):
        k.get_user_page(k.init, 0)
    for slot in range(unmapped):
        munmap(k, k.init, slot)
    return k


def unmaps_until(build: Build, pins: int) -> int:
    """The unmap that frees the page, or with DEBUG_VM the one that a BUG stops, with so many pins."""
    k = driven(build, pins + 6, pins=pins)
    page = k.huge_zero_page.value
    for n in range(1, pins + 6):
        try:
            munmap(k, k.init, n)
        except KernelBug:
            return n
        if page.owner is None and not build.debug_vm:
            return n
    return 0


def forked(mapped: int) -> tuple[int, ...]:
    """HZR on v4.6 and on v4.9 when a process with so many mappings has forked."""
    kernels = [driven(Build(version, "x86"), mapped) for version in ("v4.6", "v4.9")]
    for k in kernels:
        k.fork(k.init, "child")
    return tuple(k.huge_zero_refcount.value for k in kernels)


def gathered(build: Build, pages: int) -> list[int]:
    """Pages handed to each call of a function that frees, when so many are gathered (or no more go in) and flushed."""
    k, freed = build.boot(), list[int]()
    k.free_pages_and_swap_cache = lambda pages, nr: freed.append(nr)
    k.free_page_and_swap_cache = lambda page: freed.append(1)
    tlb, page = k.tlb_gather_mmu(k.init), k.alloc_pages(0, "a page")
    k.tlb_remove_tlb_entry(tlb)
    for _ in takewhile(lambda _: not freed, range(pages)):
        k.tlb_remove_page(tlb, page)
    k.tlb_flush_mmu_free(tlb)
    k.tlb_finish_mmu(tlb)
    return freed


def waits(version: str) -> bool:
    """Does a new huge page wait in the pagevec?"""
    k = Build(version).boot()
    page = new_page(k, "init", "anon", order=k.hpage_order)
    k.lru_cache_add(page)
    return page in k.cpu.lru_add_pvec


def caught(function: str) -> bool:
    """Does InPutPage see the pin of a tail go through this function, when it is the last reference?"""
    k = driven(Build(debug_vm=True, patches=(InPutPage,)), 1)
    pin = k.get_user_page(k.init, 1)
    munmap(k, k.init)
    try:
        k.unpin(pin, function)
    except KernelBug:
        return True
    return False


def without_the_line(kind: str) -> list[Any]:
    """What question 3 does to a page of this kind, and what it does without the line about the swap cache."""
    return [drop(Build(patches=(patch,)), kind, SINGULAR) for patch in ("q3", Simplified)]


def drains(arch: str) -> tuple[int, ...]:
    """For each 4K page of an unmap, without question 2 and with it."""
    builds = [Build("v4.6", arch, patches=patches) for patches in ((), ("q2",))]
    return tuple(int(rates(build)["page"]["lru_add_drain"]) for build in builds)


def became() -> dict[str, list[int]]:
    """What the page was measured to become, and with how many MiB."""
    found = runs(REPORTED).query("scenario == 'fork-pressure' and debug_vm == 'n'")
    owners = list(zip(found.memory_mib, found.owners, strict=True))
    return {who: [mib for mib, them in owners if who in them] for who in OWNERS}


def shortcut(arch: str) -> set[str]:
    """What the literal shortcut alone changes on an arch."""
    return {e.what for e in Proposal("q3").shortcut if (e.patches, e.arch) == (("nr1-shortcut",), arch)}


# -- what is asked, and what is made of the runs


def found_for(ask: Callable[[Any], Any], mine: object, other: object, told: str) -> Right:
    """The numbers found for what the exercise is about; and to be told, those for something else."""
    found, elsewhere = (value if isinstance(value := ask(given), tuple) else (value,) for given in (mine, other))
    return Right(found, told.format(*elsewhere))


def chosen(found: Mapping[str, Any], right: Callable[[str, Any], bool], told: str = "{} {}") -> Right:
    """Of all names those for which it is so."""
    return Right(
        frozenset(name for name, value in found.items() if right(name, value)),
        {name: told.format(name, value) for name, value in found.items()},
    )


def does_not_hold(name: str, verdict: Verdict) -> bool:
    """Does it not hold?"""
    return not verdict


def on(archs: Iterable[str], scenario: str, version: str = "v4.6", *patches: str | type[Patch]) -> dict[str, Verdict]:
    """A scenario on archs that are all given huge pages."""
    return {arch: check(Build(version, arch, thp=True, patches=patches), scenario) for arch in archs}


def said(told: Mapping[str, bool]) -> Right:
    """Yes or no, in order; and why."""
    return Right(tuple("yes" if so else "no" for so in told.values()), [*told])


def first_without_harm() -> Right:
    """Of s390 without swap, after v4.6."""
    found = {version: check(Build(version, swap=False), "two-mappings") for version in VERSIONS}
    first = next(version for version in list(VERSIONS)[1:] if found[version])
    return chosen(found, lambda version, _: version == first, "{} {}. Asked for: the first after v4.6 that holds")


def shrunk() -> Right:
    """Does the shrinker get the page after two mappings and both unmaps?"""
    k = driven(REPORTED, 2, 2)
    hzr, got = k.huge_zero_refcount.value, k.shrink_huge_zero_page_scan()
    return said({f"HZR is {hzr} when the shrinker comes, and it takes {got} pages": got > 0})


def banned() -> Right:
    """Operations of a right kernel that put_page() the huge zero page."""
    build = guarded(Build("v4.6", "x86"), "q1-guard-put-page")
    found = {event: stops_at(build, acts) or "nothing" for event, acts in EVENTS.items()}
    return chosen(found, lambda _, stop: stop != "nothing", "With the assertion `{}` stops at: {}")


def effective() -> Right:
    """Fixes that do something on s390 without SWAP."""
    reached = "it is compiled, and reached"
    lost = {patch: Build(swap=False, patches=(patch,)).without_effect.get(patch, reached) for patch in FIXES}
    return chosen(lost, lambda _, why: why == reached, "{}: {}")


def fewest_cpus() -> Right:
    """Of the race on v4.5, and the witness they need."""
    two, three = (check(Build("v4.5", "x86"), "zap-vs-shrinker", cpus=cpus) for cpus in (2, 3))
    told = f"With 3 CPUs it takes {three.depth} steps. Can you do with fewer?"
    return Right((3, three.depth) if two else (2, two.depth), told)


def left_out() -> Right:
    """Of the report's list: archs that free through the function for one page."""
    routes = {arch: Unmap(Build("v4.6", arch, thp=True), cpus=1).route for arch in ARCHES}
    return chosen(
        routes, lambda arch, route: SINGULAR in route and arch not in ("s390", "sh"), "On {} an unmap goes through {}"
    )


HZR_PC = Numbers(("HZR", "PC"))
ARM64 = Build("v4.9", "arm64")
BOTH = Build(patches=("quick-hack", "q4"))


def hzr_pc(*mine: int) -> Right:
    """HZR and PC of the reported kernel after so many mappings and unmaps."""
    return found_for(lambda n: counts(driven(REPORTED, *n)), mine, (4, 3), "4 mappings and 3 unmaps give HZR {}, PC {}")


VALUES: dict[str, tuple[Numbers | Names, Callable[[], Right]]] = {
    "00.1": (names(PICTURE), lambda: chosen({a: check(Build("v4.6", a)) for a in PICTURE}, does_not_hold)),
    "00.2": (names(VERSIONS), first_without_harm),
    "00.3": (HZR_PC, lambda: hzr_pc(3, 1)),
    "01.1": (HZR_PC, lambda: hzr_pc(2, 2)),
    "01.2": (yes_no("the shrinker gets the page"), shrunk),
    "01.3": (names(FIXES), effective),
    "02.1": (Numbers(("HZR on v4.6", "HZR on v4.9")), lambda: found_for(forked, 3, 1, "With one mapping: {} and {}")),
    "02.2": (Numbers(("unmaps",)),
             lambda: found_for(lambda pins: unmaps_until(REPORTED, pins), 3, 1, "With one pin: {}")),
    "02.3": (names(EVENTS), banned),
    "03.1": (names(FOUR), lambda: chosen(on(FOUR, "zap-vs-shrinker", "v4.7"), does_not_hold)),
    "03.2": (yes_no("map-read-unmap holds", "zap-vs-shrinker holds"),
             lambda: said({str(v): bool(v) for name in ("map-read-unmap", "zap-vs-shrinker")
                           for v in on(["sh"], name, "v4.6", OneByOne).values()})),
    "03.3": (Numbers(("calls on ia64", "calls on x86")),
             lambda: found_for(lambda n: tuple(len(gathered(Build("v4.6", arch), n)) for arch in ("ia64", "x86")),
                             100, 8, "For 8 pages: {} and {}")),
    "04.1": (Numbers(("CPUs", "steps of the witness")), fewest_cpus),
    "05.1": (Numbers(("the unmap that stops",)),
             lambda: found_for(lambda pins: unmaps_until(Build(debug_vm=True), pins), 1, 0, "Without a pin: {}")),
    "05.2": (names(OWNERS),
             lambda: chosen(became(), lambda _, mib: 384 in mib and not {192, 256} & {*mib}, "{}: with {} MiB")),
    "05.3": (HZR_PC, lambda: hzr_pc(10, 4)),
    "06.1": (Names({kind.name: (kind.says,) for kind in KINDS.values()}),
             lambda: chosen({name: [effects(r) for r in without_the_line(name) if r] for name in KINDS},
                            lambda _, both: len({*both}) > 1, "{}: with the line and without it: {}")),
    "06.2": (yes_no("on v4.6", "on v4.7"),
             lambda: said({f"On {v} a new huge page waits in the pagevec: {waits(v)}": waits(v)
                           for v in ("v4.6", "v4.7")})),
    "06.3": (names(DROPS), lambda: chosen({f: caught(f) for f in DROPS}, lambda _, seen: not seen,
                                          "The last pin goes through {}, and is seen: {}")),
    "07.2": (Numbers(("drains a page without q2", "with it")),
             lambda: found_for(drains, "ia64", "x86", "On x86: {} and {}")),
    "07.3": (Numbers(("drains that find pages",)),
             lambda: found_for(lambda name: calls(Build(patches=("q2",)), PAGES)[name],
                             "lrulock_pagevec_move", "lru_add_drain", "Drains in all: {}")),
    "08.1": (Numbers(("PC with question 3", "PC without its first line")),
             lambda: found_for(lambda kind: tuple(r.after.pc for r in without_the_line(kind)), "swap-cache", "anon",
                             "Of a page that is not in the swap cache: {} and {}")),
    "08.3": (Numbers(("archs",)),
             lambda: found_for(lambda archs: sum(shortcut(a) == {"calls"} for a in archs), ARCHES, HUGE,
                             "Of those with huge pages: {}")),
    "09.3": (names(FOUR), lambda: chosen(on(FOUR, "zap-vs-shrinker", "v4.6", "q4", "quick-hack"), does_not_hold)),
    "10.1": (yes_no("something is dropped twice"),
             lambda: said({str(v): not v for v in [check(BOTH, "two-mappings")]})),
    "10.2": (names(HUGE), lambda: chosen(on(HUGE, "madv-dontneed", "v4.7", "nr1-shortcut"), lambda _, v: v.holds)),
    "10.3": (names(ARCHES), left_out),
    "11.1": (Numbers(("versions",)),
             lambda: found_for(lambda swap: sum(not check(Build(v, swap=swap), "two-mappings") for v in VERSIONS),
                             False, True, "With swap: {}")),
    "11.2": (names(ORDERS), lambda: chosen({a: publication(a, "pfn-lock-relaxed") for a in ORDERS}, does_not_hold)),
    "11.3": (yes_no("the reaper, on arm64", "two threads, on arm64"),
             lambda: said({str(v): bool(v) for v in [check(ARM64, "reaper-vs-shrinker"), flag("v4.9")]})),
}  # fmt: skip
"""Each exercise: the kind of answer that is asked for, and what works out the right one."""
