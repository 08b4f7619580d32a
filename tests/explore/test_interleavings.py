"""Every interleaving: verdicts, mutants, bounds, state counts. Whether it is every one: see `brute_force`."""

from __future__ import annotations

import gc
from itertools import product
from typing import Any

import pytest

import mmmodel as mm
from mmmodel import data
from mmmodel.explore.concurrent import PROGRAMS
from mmmodel.explore.pieces import Pieces
from mmmodel.explore.scenarios import MOST_CPUS
from mmmodel.kernel.arches import FLUSHING
from mmmodel.kernel.mm_types import Mm, Page
from mmmodel.kernel.patches import PageRefcount
from mmmodel.kernel.versions import V4_5, VERSIONS

# -- verdicts

RACE, COUNT, PFN = "stale-read", "references-balance", "recognised"
RACY = ("v5.13", "v5.14", "v6.1")
"""With huge_zero_pfn, and without its lock."""
VERDICTS = [
    # what aa88b68c closed, and what it opened
    ("zap-vs-shrinker", mm.Build("v4.5", "x86"), RACE), ("zap-vs-shrinker", mm.Build("v4.5", "s390"), ""),
    ("zap-vs-shrinker", mm.Build("v4.6", "x86"), ""), ("zap-vs-shrinker", mm.Build("v4.6", "s390"), COUNT),
    *[("zap-vs-shrinker", mm.Build("v4.6", arch, patches=[patch]), "") for arch in ("s390", "x86")
      for patch in ("quick-hack", "q2", "q3", "q4", "page-refcount")],
    ("zap-vs-shrinker", mm.Build("v4.6", "x86", patches=["revert"]), RACE),
    ("zap-vs-shrinker", mm.Build("v4.6", "s390", patches=["revert"]), ""),
    # arches that free before the flush, if they had huge pages
    *[("zap-vs-shrinker", mm.Build("v4.7", arch, thp=True), RACE) for arch in ("sh", "um")],
    *[("zap-vs-shrinker", mm.Build("v4.6", arch, thp=True, patches=["quick-hack"]), RACE) for arch in ("sh", "um")],
    *[("zap-vs-shrinker", mm.Build("v5.2", arch, thp=True), "") for arch in ("sh", "um")],
    ("zap-vs-shrinker", mm.Build("v4.6", "ia64", thp=True), COUNT),
    ("zap-vs-shrinker", mm.Build("v4.7", "ia64", thp=True), ""),
    # faults; CVE-2026-74632 and its fix
    *[("fault-vs-fault", mm.Build(version, arch), "") for version in VERSIONS for arch in ("x86", "s390")],
    *[("fault-vs-shrinker", mm.Build(version, arch), PFN if version in RACY else "")
      for version in VERSIONS for arch in ("x86", "s390")],
    *[("fault-vs-shrinker", mm.Build("v4.6", arch, patches=["page-refcount"]), "") for arch in ("x86", "s390")],
    *[("fault-vs-shrinker", mm.Build(version, arch, patches=["pfn-lock"]), "")
      for version in RACY for arch in ("x86", "s390")],
]  # fmt: skip


@pytest.mark.parametrize(("scenario", "build", "breaks"), VERDICTS, ids=repr)
def test_verdicts(scenario: str, build: mm.Build, breaks: str) -> None:
    verdict = mm.check(build, scenario)
    assert (verdict.holds, verdict.broken, verdict.complete) == (not breaks, breaks, True)
    assert bool(verdict.witness) is bool(breaks)


def test_the_witness_of_the_cve_has_its_decisive_steps_in_order() -> None:
    witness = mm.check(mm.Build("v5.13", "x86"), "fault-vs-shrinker", 2).witness
    names = ("huge_zero_refcount", "huge_zero_page", "huge_zero_pfn")
    changes = [(step.cpu, *change) for step in witness for change in step.more if change[0] in names]
    old, new = changes[1][2], changes[2][3]
    assert [change for change in changes if change[2] != 0] == [
        (0, "huge_zero_refcount", 1, 0),
        (0, "huge_zero_page", old, None),
        (1, "huge_zero_page", None, new),
        (1, "huge_zero_pfn", old.pfn, new.pfn),
        (0, "huge_zero_pfn", new.pfn, None),
    ]
    assert witness[-1].function == "set_huge_zero_page"


# -- mutants: each is a mistake in one place


class CountFirst(mm.Patch):
    """HZR is set before PTR is published."""

    def get_huge_zero_page(self) -> Page | None:
        while self.retry():
            if self.atomic_inc_not_zero(self.huge_zero_refcount):
                return self.READ_ONCE(self.huge_zero_page)
            page = self.alloc_huge_zero_page()
            self.atomic_set(self.huge_zero_refcount, 2)
            if page is None or self.cmpxchg(self.huge_zero_page, None, page) is None:
                return page
            self._free_pages(page, page.order)
        return None


class FreeFirst(mm.Patch):
    """The shrinker frees the page, then clears PTR."""

    def shrink_huge_zero_page_scan(self) -> int:
        if self.atomic_cmpxchg(self.huge_zero_refcount, 1, 0) != 1:
            return 0
        page = self.READ_ONCE(self.huge_zero_page)
        self._free_pages(page, page.order)
        self.xchg(self.huge_zero_page, None)
        return self.hpage_nr


class NoWait(mm.Patch):
    """s390: a CPU that attaches does not wait for a flush under way."""

    file = "arch/s390/include/asm/mmu_context.h"

    def switch_mm(self, mm: Mm) -> None:
        if self.cpu.active_mm is not mm:
            self.atomic_add(1, mm.attach_count)
            V4_5.switch_mm(self, mm)
            if self.READ_ONCE(mm.flush_mm):
                self.tlb_invalidate(mm)


class NeverEager(mm.Patch):
    """s390: the entry is cleared without a flush although the mm is attached elsewhere."""

    file = "arch/s390/mm/pgtable.c"

    def pmdp_huge_get_and_clear_full(self, mm: Mm, index: int, full: bool) -> None:
        self.atomic_add(FLUSHING, mm.attach_count)
        self.atomic_set(mm.pmd[index], None)
        self.WRITE_ONCE(mm.flush_mm, True)
        self.atomic_add(-FLUSHING, mm.attach_count)


class SetCount(PageRefcount):
    """The page's own count as the reference count, but the first one is stored: that loses one taken meanwhile."""

    name = ""

    def get_page(self, page: Page) -> None:
        self.atomic_set(page.count, 2)


@pytest.mark.parametrize(("mutant", "scenario", "arch", "breaks"), [
    (CountFirst, "fault-vs-fault", "x86", "not-leaked"), (FreeFirst, "fault-vs-shrinker", "x86", "pointer-alive"),
    (FreeFirst, "zap-vs-shrinker", "s390", "pointer-alive"), (NoWait, "zap-vs-shrinker", "s390", RACE),
    (NeverEager, "zap-vs-shrinker", "s390", RACE), (SetCount, "fault-vs-shrinker", "x86", "one-owner"),
])  # fmt: skip
def test_mutants_are_found(mutant: type[mm.Patch], scenario: str, arch: str, breaks: str) -> None:
    assert mm.check(mm.Build("v4.7", arch), scenario).holds
    assert mm.check(mm.Build("v4.7", arch, patches=[mutant]), scenario).broken == breaks


# -- bounds


class Unmarked(mm.Patch):
    """The loop of get_huge_zero_page, without saying that its rounds are alike."""

    def get_huge_zero_page(self) -> Page | None:
        while not self.atomic_inc_not_zero(self.huge_zero_refcount):
            page = self.alloc_huge_zero_page()
            if page is None or self.cmpxchg(self.huge_zero_page, None, page) is None:
                self.atomic_set(self.huge_zero_refcount, 2)
                return page
            self._free_pages(page, page.order)
        return self.READ_ONCE(self.huge_zero_page)


class Interrupted(mm.Patch):
    """Somebody presses Ctrl-C while kernel code runs."""

    def put_huge_zero_page(self) -> None:
        raise KeyboardInterrupt


def test_retry_loops_end_without_a_bound() -> None:
    assert mm.check(mm.Build("v4.7", "x86"), "fault-vs-fault").complete
    endless = mm.check(mm.Build("v4.7", "x86", patches=[Unmarked]), "fault-vs-fault", max_states=2000)
    assert (endless.status, endless.holds, bool(endless)) == ("undecided", None, False)
    assert endless.bound in ("2000 states", "get_huge_zero_page does not return")


@pytest.mark.parametrize(("patches", "bounds", "bound"), [
    ((), {"max_states": 100}, "100 states"), ((), {"max_seconds": 1e-9}, "time"), ((Interrupted,), {}, "interrupted"),
])  # fmt: skip
def test_what_stopped_an_exploration_is_said(patches: Any, bounds: dict[str, Any], bound: str) -> None:
    verdict = mm.check(mm.Build("v4.7", "x86", patches=patches), "zap-vs-shrinker", **bounds)
    assert (verdict.status, verdict.holds, verdict.complete, verdict.bound) == ("undecided", None, False, bound)
    assert f"none of the {verdict.states} states seen is wrong" in verdict.what
    assert 0 < verdict.states < 332
    assert not verdict.witness


def test_progress_is_reported_and_can_interrupt() -> None:
    numbers: list[int] = []

    def progress(states: int) -> None:
        numbers.append(states)
        if states > 50:
            raise KeyboardInterrupt

    verdict = mm.check(mm.Build("v4.7", "x86"), "zap-vs-shrinker", progress=progress)
    assert verdict.bound == "interrupted"
    assert numbers == sorted(numbers)
    assert numbers[-1] == verdict.states


def test_an_exploration_stays_within_the_memory_it_is_given() -> None:
    verdict = mm.check(mm.Build("v4.7"), "zap-vs-shrinker", 4, max_memory=1)
    assert (verdict.status, verdict.bound) == ("undecided", "1 MiB of memory")


@pytest.mark.parametrize("bounds", [{"max_states": 0}, {"max_seconds": 0}, {"max_memory": 0}])
def test_a_bound_that_allows_nothing(bounds: dict[str, Any]) -> None:
    with pytest.raises(mm.BuildError, match="above 0"):
        mm.check(mm.Build(), "zap-vs-shrinker", **bounds)


@pytest.mark.parametrize("cpus", [1, 0, -1, MOST_CPUS + 1, 2.0, "2"])
def test_a_number_of_cpus_a_scenario_cannot_have(cpus: Any) -> None:
    with pytest.raises(mm.BuildError, match="2 to 8 CPUs"):
        mm.check(mm.Build(), "zap-vs-shrinker", cpus)


def test_a_sequential_scenario_takes_one_cpu() -> None:
    with pytest.raises(mm.BuildError, match="1 CPU"):
        mm.check(mm.Build(), "map-read-unmap", 2)


# -- the size of the model


def counted() -> dict[tuple[str, str], list[dict[str, str]]]:
    """The rows of data/state_counts.csv by scenario and version."""
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in data.rows("state_counts"):
        groups.setdefault((row["scenario"], row["version"]), []).append(row)
    return groups


def test_every_scenario_and_version_is_counted() -> None:
    wanted = {(name, v) for name, v in product(PROGRAMS, VERSIONS) if not PROGRAMS[name].lacking(mm.Build(v))}
    assert set(counted()) == wanted


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "version"), counted())
def test_state_counts(scenario: str, version: str) -> None:
    """After an intended change of the model: python benchmarks/state_counts.py --write."""
    for row in counted()[scenario, version]:
        stack = row["patches"].split("+") if row["patches"] else []
        build = mm.Build(version, row["arch"], row["swap"] == "y", row["thp"] == "y", patches=stack)
        v = mm.check(build, scenario, int(row["cpus"]), symmetry=False)
        found = ("ny"[v.holds], v.broken, *map(str, (v.states, v.transitions, v.depth)))
        assert found == tuple(row[name] for name in ("holds", "broken", "states", "transitions", "depth")), build


def explorations():
    gc.collect()
    return [thing for thing in gc.get_objects() if type(thing) is Pieces]


@pytest.mark.slow
def test_an_exploration_that_is_over_is_forgotten():
    before = len(explorations())
    for memory in ("sc", "tso", "weak"):
        assert mm.check(mm.Build("v4.5", "x86"), "zap-vs-zap", memory=memory)
    mm.matrix(["s390"], ["v4.6"], swap=[True], scenarios=["zap-vs-zap", "fault-vs-shrinker"])
    assert len(explorations()) == before
