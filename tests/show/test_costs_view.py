"""Figures of cost and blast radius: what they say in words, and that it is what was counted."""

import re

import pytest
from bs4 import BeautifulSoup

import mmmodel as mm
from mmmodel.show import blast_view as blast_figures
from mmmodel.show import costs_view as costs_figures
from mmmodel.study import blast
from mmmodel.study.costs import CYCLES, KHUGEPAGED

QUICK = ("map-read-unmap", "madv-dontneed", "exit-mmap")


def words(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def alt(html):
    return re.search('aria-label="([^"]*)"', html)[1]


def rings(html):
    return len(BeautifulSoup(html, "html.parser").select('[data-is="ring"] path[d]'))


def test_the_chart_says_what_it_shows():
    chart = costs_figures.chart([mm.Build(patches=p) for p in ((), ("q2",), ("q3",))])
    assert alt(chart).startswith("Cost of freeing one page on s390 v4.6.")
    assert "q2: drains 1; takes of the lru_lock 1; instructions per 4K page 708 (+112)." in alt(chart)
    assert rings(chart) == 3 * 2, "every count was measured"


def test_what_was_not_measured_has_no_ring_and_no_number():
    chart = costs_figures.chart([mm.Build("v4.7"), mm.Build("v4.7", "x86")])
    assert alt(chart).count("not measured") == 2
    assert rings(chart) == 2, "x86 only"


def test_a_build_without_a_huge_zero_page_has_nothing_to_drop():
    assert "drops of HZR none" in alt(costs_figures.chart([mm.Build(arch="sh")], "huge zero page"))


def test_model_beside_measurement():
    table = words(costs_figures.beside(mm.Build(patches=["q3"]), CYCLES))
    assert "put_huge_zero_page() 64 64 64 ✓ same" in table
    assert "atomic operations on HZR 128 – – modelled only" in table
    assert "✗" not in table


def test_a_count_that_differs_is_marked(monkeypatch):
    monkeypatch.setattr(costs_figures, "measured", lambda build, workload, run=1: {"hz_put": 50})
    assert "put_huge_zero_page() 64 50 50 ✗ differs" in words(costs_figures.beside(mm.Build(patches=["q3"]), CYCLES))
    monkeypatch.setattr(costs_figures, "measured", lambda build, workload, run=1: {"lru_add_drain": 1})
    assert "✗ no" in costs_figures.per_unit([mm.Build(patches=["q2"])], KHUGEPAGED)


def test_per_unit():
    table = words(costs_figures.per_unit([mm.Build(), mm.Build(patches=["q2"])], KHUGEPAGED))
    assert "s390 v4.6 0 0.14 0.07 2 not measured" in table
    assert "s390 v4.6 + q2 1 2 2 1 not measured" in table
    assert "modelled only" in words(costs_figures.beside(mm.Build(), CYCLES))


@pytest.mark.parametrize(
    "build", [mm.Build(), mm.Build("v5.14", "arm64"), mm.Build(arch="sh", debug_vm=True)], ids=repr
)
def test_a_glance_at_any_build(build):
    shown = costs_figures.at_a_glance(build)
    assert shown.count("<svg") == 2
    assert ("✗" in shown) == (build == mm.Build())


def test_verdicts_and_radius_group_archs():
    effects = blast.behaviour((("q4",),), scenarios=QUICK)
    explored = mm.matrix(versions=["v4.6"], patches=["q4"], scenarios=["zap-vs-zap"])
    assert "all 31 archs ✓ all 3 hold ✓ all 1 hold" in words(blast_figures.verdicts(effects, explored))
    radius = words(blast_figures.radius(effects))
    assert "s390 ✓ 3 held only with it ✓ 3 held only with it" in radius
    assert "the other 30 archs no difference no difference" in radius


def test_broken_archs_are_named():
    effects = blast.behaviour((("q3", "nr1-shortcut"),), scenarios=QUICK)
    assert "q3 + nr1-shortcut arc, arm, arm64, mips, powerpc, s390, sparc, x86" in words(blast_figures.broken(effects))


def test_callers():
    table = words(blast_figures.calls_changed("q2"))
    assert "free_page_and_swap_cache() __tlb_remove_table() arch/arm64/include/asm/tlb.h:30" in table


def test_latent():
    assert "sh v4.6 + q4, THP assumed ✗ references-balance" in words(blast_figures.latent(["q4"]))


def test_patches_beside_each_other_name_the_archs_they_touch():
    class Mine(mm.Patch):
        """Changes nothing."""

        def put_page(self, page):
            super().put_page(page)

    effects = blast.behaviour((("quick-hack",), ("q4",), ("revert",), (Mine,)), scenarios=("madv-dontneed", "mremap"))
    rows = [row.find_all("td") for row in BeautifulSoup(blast_figures.compared(effects), "html.parser").tbody("tr")]
    found = {name.text: [cell.text for cell in rest] for name, *rest in rows}
    assert found["quick-hack"][:2] == ["s390 (SWAP=y)", "–"]
    assert found["q4"][0] == "s390"
    assert found["Mine"] == ["–"] * 4
