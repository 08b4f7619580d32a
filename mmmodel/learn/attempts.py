"""Exercises whose answer is a patch: what it is tried on, and what is said of one that does not do it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ..build.composed import Build
from ..explore.checking import check
from ..explore.concurrent import PROGRAMS as CONCURRENT
from ..explore.interleavings import explore
from ..explore.patience import DoesNotReturn, patience
from ..explore.scenarios import Operation
from ..explore.sequential import SEQUENTIAL, map_read, munmap
from ..kernel.arches import HUGE
from ..kernel.mm_types import Pmd
from ..kernel.overlay import Patch
from ..show.html import Html, join, tag
from ..show.lanes import swim_lanes
from ..show.sources import place
from ..show.tables import banner, label
from ..study.at_a_glance import QUICK
from ..study.blast import behaviour, in_softirq
from ..study.calls import listen
from ..study.costs import RATES, rates
from ..study.guards import PROGRAMS, stops_at
from ..study.page_kinds import KINDS, drop
from ..study.proposal import UNMAPS
from ..study.references import counts, due
from ..words import BuildError, choose
from .asked import explained, feedback, still_open, texts, unanswered
from .progress import record
from .values import driven, gathered

Judge = Callable[[Any], str]
RACE, PIN = "zap-vs-shrinker", "pin-vs-zap"
REPORT = tuple(name for name in QUICK if name != "reaper-vs-shrinker")
SHORT = ("nr1-shortcut",)


class Attempt(NamedTuple):
    """What has to hold with the patch (or break, if it `finds` something), and what else may speak against it."""

    builds: tuple[Build, ...]
    scenarios: tuple[str, ...]
    more: tuple[Judge, ...] = ()
    finds: bool = False
    memory: str = "sc"
    seconds: float = 10.0


class Leak(Patch):
    """A read of somebody else's page, and no earlier."""

    def use(self, mm: Any, page: Any, expects: Any, content: Any) -> Any:
        """To compare with."""
        if page.owner == "somebody else":
            self.violate("stale-read", f"{mm} reads somebody else's data")
        return page.content


def too_early(patch: type[Patch]) -> str:
    """Does it complain as soon as the page is somebody else's, and no earlier?"""
    mine, ours = (check(Build("v4.5", "x86", patches=(p,)), RACE, cpus=3).depth for p in (patch, Leak))
    said = f"It complains after {mine} steps; the first run in which somebody else has the page takes {ours}."
    return said if mine != ours else ""


def false_alarms(patch: type[Patch]) -> str:
    """Does it stop the reported kernel at the first unmap, and nothing that is legal?"""
    for build in (Build("v4.6", "x86", debug_vm=True), Build("v4.7", debug_vm=True), Build("v4.9", debug_vm=True)):
        for says, program in PROGRAMS.items():
            if stop := stops_at(replace(build, patches=(patch,)), program):
                return f"{label(build)} is right, and it stops there at {stop} in: {says}."
    silent = stops_at(Build(debug_vm=True, patches=(patch,)), "read munmap") != "munmap"
    return "On the reported kernel the first unmap frees the page, and nobody says anything." if silent else ""


def dearer(kinds: tuple[str, ...], than: tuple[str, ...], patch: type[Patch], names: tuple[str, ...] = RATES) -> str:
    """Does it cost more, with swap or without, than other patches do with it?"""
    for swap in (True, False):
        mine, other = rates(Build(swap=swap, patches=(patch,))), rates(Build(patches=than))
        for unit, name in [(kind, name) for kind in kinds for name in names]:
            if (costs := mine[unit][name]) > (due := other[unit][name]):
                said = f"SWAP {'on' if swap else 'off'}: a {unit} costs {costs:g} × {name}"
                return f"{said}, with what every unmap costs; {due:g} is enough."
    return ""


def drains_in_softirq(patch: type[Patch]) -> str:
    """Where page tables are freed."""
    found = [arch for arch in ("arm", "arm64") if "lru_add_drain" in in_softirq(Build("v4.6", arch, patches=(patch,)))]
    return f"On {' and '.join(found)} it drains in a softirq." if found else ""


def slot_kept(function: str, patch: type[Patch]) -> str:
    """Does a page in the swap cache stay there when its last user is gone?"""
    k = Build(patches=(patch,)).boot()
    page = KINDS["swap-cache"].set_up(k)
    getattr(k, function)(*[k.tlb_gather_mmu(k.init)] * ("tlb" in function), page)
    return f"A page in the swap cache has PC {page.count.value} afterwards, and keeps its slot." if page.owner else ""


def not_taken(patch: type[Patch], over: tuple[str, ...] = (), than: str = "nr1-shortcut-guarded") -> str:
    """Does release_pages() of one ordinary page take the shortcut, as it does with `than`?"""
    stacks: tuple[tuple[str | type[Patch], ...], ...] = ((*over, patch), (than,))
    mine, ours = (drop(Build("v4.6", "x86", patches=stack), "anon", "release_pages") for stack in stacks)
    return "" if mine and ours and mine.costs == ours.costs else "An ordinary page alone does not take the shortcut."


def one_by_one(patch: type[Patch]) -> str:
    """Does a batch of ia64 still make a call for each page? And do all of them come out?"""
    calls = gathered(Build("v4.6", "ia64", thp=True, patches=(patch,)), 100)
    said = f"100 pages go in, and {sum(calls)} come out in {len(calls)} calls."
    return said if len(calls) > 2 or sum(calls) != 100 else ""


def no_drain(patch: type[Patch]) -> str:
    """Does a freed page drain, of either kind, with swap or without?"""
    return dearer(("page", "huge zero page"), (), patch, ("lru_add_drain",))


def special_case(patch: type[Patch]) -> str:
    """Does an unmap ask more often than before whether a page is the huge zero page?"""
    mine, ours = (_looks_at_ptr(Build(patches=patches)) for patches in ((patch,), ()))
    said = (
        f"An unmap looks at PTR {mine} times, to tell the huge zero page from others; without the patch {ours} times."
    )
    return said if mine > ours else ""


def _looks_at_ptr(build: Build) -> int:
    k, seen = driven(build, 1), list[Any]()
    listen(k, ["READ_ONCE"], lambda name, args: seen.append(args[0]))
    munmap(k, k.init)
    return sum(var is k.huge_zero_page for var in seen)


def touches_others(patch: type[Patch]) -> str:
    """Does anything change on another arch: a verdict, a counter, a call?"""
    effects = behaviour(((patch,),), scenarios=tuple(name for name in REPORT if name in SEQUENTIAL))
    found = [e for e in effects if e.arch != "s390" and e.what != "same"]
    archs = ", ".join(dict.fromkeys(e.arch for e in found))
    return f"Something changes on {archs}; on {found[0].arch} for example in {found[0].scenario}." if found else ""


def reaps(patch: type[Patch]) -> str:
    """Does the reaper still take the memory, and give back the semaphore?"""
    k = driven(Build("v4.7", patches=(patch,)), 1)
    k._oom_reap_task(k.init)
    said = f"After the reaper HZR is {counts(k)[0]}, and mmap_sem is {k.init.mmap_sem.value}; right is HZR 1, and 0."
    return said if (*counts(k), k.init.mmap_sem.value) != (1, 1, 0) else ""


LATER, NONE = "a slot that somebody fills before it has the lock", ", with no memory left"
OTHER = ", with no memory left until another process gets the page meanwhile"
SLOTS = ("an empty slot", "a slot that somebody has filled")
HOLES = (*(slot + left for slot in SLOTS for left in ("", NONE, OTHER)), LATER)


def leaks(patch: type[Patch]) -> str:
    """What a fault in a hole of a file leaves behind."""
    for hole in HOLES:
        k = Build("v4.6", "x86", patches=(patch,)).boot()
        k.mmap(k.init, 0, k.hpage_nr)
        k.pmd_alloc(k.init, 0)
        filled = [k.init.pmd[0].value, Pmd(k.alloc_pages(k.hpage_order, "init"))]
        if "has filled" in hole:
            k.init.pmd[0].value = filled[1]
        if hole == LATER:
            listen(k, ["spin_lock"], lambda *_, slot=k.init.pmd[0], pmd=filled[1]: setattr(slot, "value", pmd))
        if NONE in hole:
            k.alloc_huge_zero_page = partial(_no_page, k, OTHER in hole)
        result = k._dax_pmd_fault(k.init, 0)
        held = any(lock.value is not None for lock in k.locks)
        if counts(k) != due(k) or held:
            return f"After a fault in {hole}: HZR {counts(k)[0]}, due {due(k)[0]}{', and a lock is held' * held}."
        if (result is None) != (hole == HOLES[0]):
            return f"A fault in {hole} returns {result}."
    return ""


def _no_page(k: Any, other: bool) -> None:
    if other:
        del k.alloc_huge_zero_page
        map_read(k, k.new_mm("other"))


def read_twice(scenario: str, builds: tuple[Build, ...], patch: type[Patch]) -> str:
    """Does the last CPU, which has an old answer in its TLB, read somebody else's data if it reads twice?"""
    program = CONCURRENT[scenario]

    def set_up(k: Any, cpus: int) -> list[list[Operation]]:
        *others, reader = program.set_up(k, cpus)
        return [*others, reader[:1] * 2]

    for build in builds:
        verdict, _ = explore(replace(build, patches=(patch,)), program._replace(set_up=set_up), 3)
        if verdict.broken:
            return f"{scenario} on {label(build)}, with a CPU that reads twice: {verdict.what}."
    return ""


S390 = (Build(), Build(swap=False))
SLOT = partial(slot_kept, "_tlb_remove_page")
OTHERS, REAPED = (Build("v4.6", "x86"), Build("v4.6", "arm64")), (Build("v4.7"), Build("v4.7", "arm64"))
ATTEMPTS = {
    "04.2": Attempt((Build("v4.5", "x86"),), (RACE,), (too_early,), finds=True),
    "04.3": Attempt(tuple(Build("v4.5", arch) for arch in sorted(HUGE, reverse=True)), (RACE, "map-read-unmap"),
                    (partial(read_twice, RACE, (Build("v4.5", "x86"), Build("v4.5", "arm"))),)),
    "05.4": Attempt((Build(), *OTHERS), REPORT, (SLOT,)),
    "06.4": Attempt((Build("v4.6", "x86", debug_vm=True), Build("v4.7", debug_vm=True)), ("pin-vs-zap",),
                    (false_alarms,)),
    "07.1": Attempt((Build(), *OTHERS), REPORT, (partial(dearer, ("page",), ("q3",)), drains_in_softirq,
                                                 partial(slot_kept, "free_page_and_swap_cache"))),
    "08.2": Attempt((Build(patches=("q3",)), *(Build("v4.6", arch) for arch in HUGE if arch != "s390")), UNMAPS,
                    (not_taken,)),
    "09.1": Attempt(S390, (*UNMAPS, RACE, PIN), (partial(dearer, ("page", "huge zero page"), ("q3",)),
                                            SLOT)),
    "09.2": Attempt(S390, (*UNMAPS, RACE, PIN), (partial(dearer, ("page",), ()),)),
    "09.4": Attempt((Build("v4.6", "ia64", thp=True),), ("map-read-unmap", "exit-mmap", RACE), (one_by_one,)),
    "10.4": Attempt((*S390, *OTHERS), REPORT, (SLOT,)),
    "12.1": Attempt(S390[:1], REPORT, (SLOT,)),
    "12.2": Attempt((*S390, *OTHERS), REPORT, (SLOT,)),
    "12.3": Attempt((*S390, *OTHERS), REPORT, (no_drain, SLOT)),
    "12.4": Attempt(S390, REPORT, (special_case,)),
    "12.5": Attempt((*S390, *OTHERS), REPORT, (touches_others, SLOT)),
    "12.6": Attempt((*(Build("v4.6", arch, patches=SHORT) for arch in ("x86", "arm64")),
                     *(Build(swap=swap, patches=("q4", *SHORT)) for swap in (True, False))),
                    (*UNMAPS, "fork", RACE, PIN), (partial(not_taken, over=SHORT, than=SHORT[0]),)),
    "12.7": Attempt(REAPED, ("exit-mmap", "map-read-unmap", RACE, "reaper-vs-shrinker"),
                    (reaps, partial(read_twice, "reaper-vs-shrinker", REAPED))),
    "12.8": Attempt((Build("v4.9", "arm64"),), ("threads-vs-shrinker", "fault-vs-shrinker", "exit-mmap", "fork"),
                    memory="weak", seconds=60),
    "12.9": Attempt((Build("v4.6", "x86"),), (), (leaks,)),
}  # fmt: skip


def try_patch(id: str, patch: Any = ...) -> Html:
    """Try a patch, a class of the reader's: right, or wrong and on what, or why it did not count.

    Raises BuildError for an exercise that does not exist, or that asks for a value.
    """
    if choose("exercise", id, texts()) not in ATTEMPTS:
        raise BuildError(f'{id} asks for a value: mm.answer("{id}", ...)')
    attempt = ATTEMPTS[id]
    if unanswered(patch):
        return still_open(id, "your class")
    try:
        wrong = against(attempt, patch)
    except (BuildError, DoesNotReturn) as error:
        return feedback(None, id, "did not count", error)
    note = record(id, not wrong)
    if wrong:
        return feedback(False, id, "✗ not yet", wrong, note)
    verb = "finds it" if attempt.finds else "holds"
    where = f"It {verb} in {', '.join(attempt.scenarios)}." if attempt.scenarios else ""
    return feedback(True, id, "✓ right", where, explained(id), note)


def misplaced(patch: Any, builds: tuple[Build, ...]) -> str:
    """Does a class for a header or an arch override a function that is elsewhere?"""
    there = "/".join(patch.file.split("/")[:2]) if patch.file.startswith("arch/") else patch.file
    for name in patch.functions() if patch.level() else ():
        files = {place(build, name).partition(":")[0] for build in builds if hasattr(build.kernel_class, name)}
        if files and "/" in min(files) and not any(file.startswith(there) for file in files):
            return (
                f"{name}() is in {' or '.join(sorted(files))}, not in {patch.file}: that decides where it is compiled."
            )
    return ""


def against(attempt: Attempt, patch: Any) -> str:
    """What speaks against a patch; empty if nothing does.

    Raises BuildError for one that does not count, DoesNotReturn for one that does not come to an end.
    """
    if isinstance(patch, str) or not (callable(patch) or isinstance(patch, Patch)):
        raise BuildError(f"give a class that derives from mm.Patch, by its name without quotes, not {patch!r}")
    builds = [replace(build, patches=(*build.patches, patch)) for build in attempt.builds]
    if why := builds[0].without_effect.get(patch.name):
        raise BuildError(f"it has no effect on {label(attempt.builds[0])}: {why}")
    if wrong := misplaced(builds[0].patch_classes[-1], attempt.builds):
        raise BuildError(wrong)
    for build in builds:
        for scenario in attempt.scenarios:
            weaker = {"memory": attempt.memory} if scenario in CONCURRENT else {}
            verdict = check(build, scenario, QUICK.get(scenario), max_seconds=attempt.seconds, **weaker)
            if verdict.holds is None:
                raise BuildError(f"{scenario} on {label(build)} is undecided: {verdict.reason}")
            if bool(verdict) is attempt.finds:
                lanes = [tag("details", tag("summary", "the shortest run"), swim_lanes(verdict))] * (verdict.cpus > 1)
                return join("It finds nothing." if attempt.finds else "", banner(verdict), *lanes)
    with patience(True) as clock:
        clock.start()
        try:
            return next(filter(None, (judge(patch) for judge in attempt.more)), "")
        except (Exception, SystemExit) as error:
            raise BuildError(f"{type(error).__name__}: {' '.join(str(error).split())}") from None
