"""The blast radius: behaviour against checking each build, callers and lines against what was read."""

import pytest

import mmmodel as mm
from mmmodel.study import blast

QUICK = ("map-read-unmap", "madv-dontneed", "exit-mmap", "unmap-until-panic")
STACKS = (("q2",), ("q3",), ("q4",), ("nr1-shortcut",), ("nr1-shortcut-guarded",), ("page-refcount",))


@pytest.fixture(scope="module")
def effects():
    return blast.behaviour(STACKS, scenarios=QUICK)


def where(effects, patch, *what):
    return {(e.arch, e.swap) for e in effects if e.patches == (patch,) and e.what in what}


def test_a_row_for_every_run(effects):
    assert len(effects) == len(STACKS) * 31 * 2 * len(QUICK)
    assert len(set(effects)) == len(effects)


def test_verdicts_are_those_of_checking_each_build(effects):
    for e in effects[:: len(effects) // 40]:
        build = mm.Build(e.version, e.arch, e.swap)
        assert e.before == mm.check(build, e.scenario).holds
        assert e.after == mm.check(mm.Build(e.version, e.arch, e.swap, patches=e.patches), e.scenario).holds


def test_questions_2_to_4(effects):
    immediate = {"arm", "arm64", "ia64", "s390", "sh", "um"}
    for patch in ("q2", "q3"):
        assert where(effects, patch, "mended") == {("s390", True)}
        assert where(effects, patch, "calls", "mended") == {(arch, True) for arch in immediate}
    assert where(effects, "q4", "mended") == {("s390", True), ("s390", False)}
    assert where(effects, "q4", "calls") == set()
    for patch in ("q2", "q3", "q4"):
        assert where(effects, patch, "broken") == set()


def test_the_shortcut_breaks_batches_of_one_only(effects):
    broken = where(effects, "nr1-shortcut", "broken")
    assert broken == {(a, s) for a in ("arc", "arm", "arm64", "mips", "powerpc", "sparc", "x86") for s in (True, False)}
    by_scenario = {a: {e.scenario for e in effects if e.arch == a and e.what == "broken"} for a in ("x86", "arm64")}
    # x86: a table page in the batch saves munmap, unless a neighbour keeps the table
    assert by_scenario == {"x86": {"madv-dontneed", "unmap-until-panic"}, "arm64": {*QUICK} - {"exit-mmap"}}
    assert where(effects, "nr1-shortcut-guarded", "broken", "mended", "counters") == set()


def test_one_counter_fewer_is_no_difference_where_none_moves(effects):
    assert not any(e.counters for e in effects if e.patches == ("page-refcount",) and e.arch == "sh")
    assert any(e.counters for e in effects if e.patches == ("page-refcount",) and e.arch == "x86")


def test_behaviour_takes_names_only_that_exist():
    with pytest.raises(mm.BuildError, match="unknown patch 'q5'"):
        blast.behaviour((("q5",),))
    with pytest.raises(mm.BuildError, match="unknown sequential scenario 'x'"):
        blast.behaviour((("q2",),), scenarios=("x",))


def test_callers_of_the_singular_function():
    direct = [c for c in blast.callers("q2") if c.level == 1]
    assert len(direct) == 8
    assert {c.file.split("/")[1] for c in direct if c.file.startswith("arch/")} == {
        "arm",
        "arm64",
        "ia64",
        "s390",
        "sh",
        "um",
    }
    assert [c.function for c in direct if c.file.startswith("mm/")] == ["__collapse_huge_page_copy"]
    assert blast.callers("q3") == blast.callers("quick-hack") == blast.callers("q2")


def test_callers_of_code_of_one_arch():
    assert all(c.file.startswith(("mm/", "arch/s390/")) for c in blast.callers("q4"))
    assert {c.function for c in blast.callers("q4")} == {"zap_huge_pmd", "zap_pte_range", "__unmap_hugepage_range"}


@pytest.mark.parametrize(
    ("patch", "functions"),
    [
        ("quick-hack", ["free_page_and_swap_cache"]),
        ("q4", ["__tlb_remove_page", "tlb_remove_page"]),
        ("swapn-macro", ["free_page_and_swap_cache"]),
        ("revert", ["zap_huge_pmd", "release_pages"]),
    ],
)
def test_changed(patch, functions):
    assert blast.changed(patch) == functions


def test_what_a_patch_leaves_as_it_was_is_not_changed():
    """In v4.6 page-refcount needs nothing in free_page_and_swap_cache; in v4.7 the merged fix has to go."""
    assert "free_page_and_swap_cache" not in blast.changed("page-refcount", "v4.6")
    assert "free_page_and_swap_cache" in blast.changed("page-refcount", "v4.7")


def test_who_drains_in_a_softirq():
    def drains(swap, *patches):
        builds = {arch: mm.Build(arch=arch, swap=swap, patches=patches) for arch in blast.ARCHES}
        return {arch for arch, build in builds.items() if "lru_add_drain" in blast.in_softirq(build)}

    assert drains(True, "q2") == {"arm", "arm64"}
    assert drains(True) == drains(True, "q3") == drains(True, "q4") == drains(False, "q2") == set()
