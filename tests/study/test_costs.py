"""Counts of the model beside those of counter builds of real kernels, and the rates made of them."""

from itertools import groupby

import pytest

import mmmodel as mm
from mmmodel.data import rows
from mmmodel.kernel.machine import KernelBug
from mmmodel.study import costs
from mmmodel.study.calls import count

PAGES, CYCLES, KHUGEPAGED = costs.WORKLOADS


def key(row):
    return tuple(row[name] for name in costs.ROW)


def build_of(arch, version, swap, patches):
    return mm.Build(version, arch, swap == "y", patches=[name for name in patches.split("+") if name])


COUNTED = [r for r in rows("costs") if r["unit"] == "calls" and r["workload"].split("_run")[0] in costs.WORKLOADS]
RUNS = {run: list(metrics) for run, metrics in groupby(sorted(COUNTED, key=key), key)}


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS, ids=lambda run: "-".join(filter(None, run)))
def test_calls_are_those_of_the_measured_kernel(run):
    """The count per page or cycle exactly, a constant of at most LEFTOVERS."""
    *names, workload = run
    modelled = costs.calls(build_of(*names), workload.split("_run")[0])
    measured = {row["metric"]: int(row["value"]) for row in RUNS[run]}
    assert {name: n for name, n in measured.items() if abs(modelled[name] - n) > costs.LEFTOVERS} == {}


def test_agreement_is_of_both_runs():
    assert costs.agrees(mm.Build(patches=["q3"]), PAGES) is True
    assert costs.agrees(mm.Build(), CYCLES) is None


def test_the_measured_rows_are_not_only_zeroes():
    for metric, group in groupby(sorted(COUNTED, key=lambda r: r["metric"]), lambda r: r["metric"]):
        assert any(row["value"] != "0" for row in group), metric


def test_counting_changes_nothing():
    plain, watched = (mm.Build(patches=["q2"]).boot() for _ in range(2))
    counts = count(watched, costs.FUNCTIONS.values())
    for kernel in (watched, plain):
        kernel.mmap(kernel.init, 0, kernel.hpage_nr)
        kernel.load(kernel.init, 0)
        kernel.munmap(kernel.init, 0, kernel.hpage_nr)
    assert watched.costs == plain.costs
    assert counts["free_pages_and_swap_cache"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("patch", [(), ("quick-hack",), ("q2",), ("q3",), ("q4",), ("page-refcount",)], ids=str)
@pytest.mark.parametrize("swap", [True, False])
@pytest.mark.parametrize("arch", ["s390", "x86", "ia64", "powerpc"])
def test_rates_are_what_a_long_run_costs_a_page(arch, swap, patch):
    build = mm.Build(arch=arch, swap=swap, patches=patch)
    pages = 16384 if costs.measured(build, PAGES) else 4096
    many, page = costs.calls(build, PAGES, pages), costs.rates(build)["page"]
    locks = sum(n for name, n in many.items() if name.startswith("lrulock"))
    assert many["lru_add_drain"] / pages == pytest.approx(page["lru_add_drain"], abs=0.003)  # once more for each batch
    assert locks / pages == pytest.approx(page["lru_lock"], abs=0.001)
    assert page["page_count"] == 1
    assert page["huge_zero_refcount"] == 0


@pytest.mark.parametrize(
    ("patches", "swap", "hzr", "pc", "drains"),
    [
        ((), True, 0, 1, 1),
        (("quick-hack",), True, 1, 0, 1),
        (("q2",), True, 1, 0, 2),
        (("q3",), True, 1, 0, 1),
        (("q4",), True, 1, 0, 2),
        (("q4",), False, 1, 0, 1),
        (("q3",), False, 0, 1, 1),
        (("q3", "nr1-shortcut"), True, 0, 1, 1),
        (("q3", "nr1-shortcut-guarded"), True, 1, 0, 1),
    ],
)
def test_rates_of_the_huge_zero_page_say_which_counter_an_unmap_drops(patches, swap, hzr, pc, drains):
    unmap = costs.rates(mm.Build(patches=patches, swap=swap))["huge zero page"]
    assert (unmap["huge_zero_refcount"], unmap["page_count"], unmap["lru_add_drain"]) == (hzr, pc, drains)


def test_rates_without_a_huge_zero_page_or_with_a_bug():
    assert set(costs.rates(mm.Build(arch="sh"))) == {"page"}
    assert set(costs.rates(mm.Build(debug_vm=True))) == {"page"}
    with pytest.raises(KernelBug):
        costs.calls(mm.Build(debug_vm=True), CYCLES)


def test_khugepaged_frees_later_unless_every_page_drains():
    """A page put back on the LRU waits in the pagevec; question 2 empties it for each page."""
    stock, q2, q4 = (costs.calls(mm.Build(patches=p), KHUGEPAGED) for p in ((), ("q2",), ("q4",)))
    assert stock["free_page_and_swap_cache"] == q2["lru_add_drain"] == costs.units_of(mm.Build(), KHUGEPAGED) == 256
    assert q2["lrulock_pagevec_move"] == q2["lrulock_release_pages"] == 256
    assert stock["lrulock_pagevec_move"] <= 256 / 14
    assert stock == q4
    assert costs.measured(mm.Build(), KHUGEPAGED) is None


def test_measured_instructions():
    q3, stock = mm.Build(patches=["q3"]), mm.Build()
    assert costs.instructions(stock, PAGES) == {"per_unit": 595.5, "over_stock": 0}
    assert costs.instructions(q3, PAGES)["over_stock"] == 52.32
    assert set(costs.instructions(q3, CYCLES)) == {"per_unit"}  # not measured on the stock kernel
    assert costs.instructions(mm.Build(version="v4.5"), PAGES) is None


@pytest.mark.parametrize("row", [r for r in rows("costs") if r["metric"].endswith("over_stock")], ids=key)
def test_over_stock_is_the_difference_of_the_smallest_runs(row):
    *names, workload = key(row)
    assert costs.instructions(build_of(*names), workload)["over_stock"] == pytest.approx(float(row["value"]), abs=0.02)


class Same(mm.Patch):
    """Changes nothing."""


@pytest.mark.parametrize(
    "build", [mm.Build(debug_vm=True), mm.Build(thp=False), mm.Build(patches=[Same]), mm.Build("v4.7")], ids=repr
)
def test_what_was_not_measured_is_not_made_up(build):
    assert costs.measured(build, PAGES) is None
    assert costs.instructions(build, PAGES) is None


def test_an_unknown_workload_is_refused():
    for function in (costs.calls, costs.measured, costs.instructions, costs.units_of):
        with pytest.raises(mm.BuildError, match=f"unknown workload 'x'.*{PAGES}"):
            function(mm.Build(), "x")
