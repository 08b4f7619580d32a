"""Page kinds: what each freeing function does to them, where two differ, and what an assertion makes of it."""

import re

import pytest

import mmmodel as mm
from mmmodel.data import rows
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.machine import KernelBug
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS
from mmmodel.show import kinds_view as kinds_figures
from mmmodel.study.guards import GUARDS, PROGRAMS, goes_wrong_at, guarded, stops_at
from mmmodel.study.page_kinds import (
    ACTIVE,
    COUNTER,
    DEVICE,
    FUNCTIONS,
    KINDS,
    PAGEVEC,
    PLURAL,
    SINGULAR,
    WAYS,
    compare,
    differences,
    drop,
    effects,
    new_page,
    records,
    way,
)

TABLE = {row["kind"]: row for row in rows("page_kinds")}
CELLS = compare()
WITH_THP = [arch for arch, facts in ARCHES.items() if facts["thp"] == "y"]
FIRST_FOUR = {"pagevec": PAGEVEC, "zone-device": DEVICE, "active": ACTIVE}
HUGE_ZERO = {"hzp-mapping": COUNTER, "hzp-pin": COUNTER}


def after(kind, function, **toggles):
    """What a drop did, in the notation of the table."""
    record = drop(mm.Build(**toggles), kind, function)
    return effects(record) if record else None


# -- against the table


def test_every_kind_of_the_table_is_run_in_its_order():
    assert list(KINDS) == list(TABLE)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.kind}-{cell.column}")
def test_the_run_does_what_the_table_says(cell):
    assert cell.said in ("", cell.found)


def test_the_table_is_silent_only_where_its_words_are():
    assert {cell.words for cell in CELLS if not cell.said} == {"-"}


def test_they_differ_where_the_table_says_so():
    said = {kind for kind, row in TABLE.items() if row["do_they_differ"].startswith("YES")}
    assert set(differences(mm.Build())) == said


def test_a_wrong_word_in_the_table_would_show(monkeypatch):
    monkeypatch.setitem(TABLE["thp"], "effects_put_page", "PC-1")
    assert [(cell.kind, cell.column) for cell in compare() if not cell.agrees] == [("thp", "put_page")]


def test_the_table_is_about_v4_6_and_not_v4_7():
    wrong = [cell for cell in compare(mm.Build(version="v4.7")) if not cell.agrees]
    assert {cell.column for cell in wrong} == {"free_page_and_swap_cache_SWAPy"}
    assert {cell.kind for cell in wrong} == set(HUGE_ZERO)


# -- the four differences


@pytest.mark.parametrize("arch", ["s390", "x86", "arm64"])
def test_four_ways_to_differ(arch):
    assert differences(mm.Build(arch=arch)) == {**FIRST_FOUR, **HUGE_ZERO}
    assert set(WAYS) == {*FIRST_FOUR.values(), COUNTER}


@pytest.mark.parametrize(
    ("toggles", "expected"),
    [
        ({"version": "v4.5"}, FIRST_FOUR),
        ({"version": "v4.7"}, FIRST_FOUR),
        ({"version": "v4.9"}, FIRST_FOUR),
        ({"version": "v5.2"}, {"pagevec": PAGEVEC, "active": ACTIVE}),
        ({"swap": False}, {"zone-device": DEVICE, "active": ACTIVE, **HUGE_ZERO}),
        ({"version": "v4.7", "swap": False}, {"zone-device": DEVICE, "active": ACTIVE, **HUGE_ZERO}),
        ({"patches": ["quick-hack"]}, FIRST_FOUR),
        ({"patches": ["page-refcount"]}, FIRST_FOUR),
        ({"patches": ["q2"]}, {}),
        ({"patches": ["q3"]}, {"pagevec": PAGEVEC}),
        ({"patches": ["nr1-shortcut"]}, {"pagevec": PAGEVEC}),
        ({"arch": "sh"}, FIRST_FOUR),
    ],
    ids=str,
)
def test_who_differs_in_which_build(toggles, expected):
    assert differences(mm.Build(**toggles)) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_without_drain_the_two_end_as_their_last_line_does(kind):
    """put_page and release_pages are what is behind every difference but the drain and the swap cache."""
    build = mm.Build(swap=False)
    for function, last in ((SINGULAR, "put_page"), (PLURAL, "release_pages")):
        one, other = drop(build, kind, function), drop(build, kind, last)
        assert (one and one[2:]) == (other and other[2:])


def test_a_difference_nobody_foresaw_is_named_by_what_it_is_in():
    class Hoard(mm.Patch):
        """Takes a reference more."""

        def free_page_and_swap_cache(self, page):
            self.get_page(page)
            super().free_page_and_swap_cache(page)

    found = differences(mm.Build(patches=[Hoard]))
    assert found["page-cache"] == "pc"
    assert set(found) == set(KINDS)


def test_costs_alone_are_no_difference():
    one, other = (drop(mm.Build(), "anon", function) for function in (SINGULAR, PLURAL))
    assert one.costs != other.costs
    assert way(one, other) == ""


# -- kinds that the model learnt for this


def test_put_page_lets_go_of_the_device_and_release_pages_does_not():
    k = mm.Build().boot()
    page = k.devm_memremap_pages("device")
    (ref,) = k.pgmap.values()
    for _ in range(3):
        k.get_page(page)
    assert (page.count.value, ref.value) == (4, 4)
    k.put_page(page)
    k.release_pages((page, page), 2)
    assert (page.count.value, ref.value) == (1, 3)


@pytest.mark.parametrize("version", ["v5.2", "v5.13", "v5.14"])
def test_later_a_reference_holds_no_device(version):
    assert after("zone-device", "put_page", version=version) == after("zone-device", "release_pages", version=version)


def test_a_hugetlb_page_is_not_given_to_the_buddy_lists():
    k = mm.Build().boot()
    page, free = new_page(k, "init", "hugetlb", order=k.hpage_order), k.free_pages()
    k.put_page(page)
    assert k.free_pages() == free
    assert "hugetlb" in page.flags


def test_the_last_reference_of_a_reserved_page_is_reported_by_all():
    for function in FUNCTIONS.values():
        k = mm.Build().boot()
        function(k, new_page(k, "kernel", "reserved"))
        assert ["reserved" in line for line in k.dmesg] == [True]


def test_a_tail_of_the_huge_zero_page_is_a_page_like_any_other_until_it_is_skipped_too():
    dropped = {version: after("hzp-tail-pin", "release_pages", version=version, arch="x86") for version in VERSIONS}
    assert {version for version, words in dropped.items() if words == "PC-1"} == {*VERSIONS} - {"v5.13", "v5.14"}
    assert dropped["v5.13"] == dropped["v5.14"] == ""


@pytest.mark.parametrize(("version", "waits"), [("v4.6", True), ("v4.7", False)])
def test_a_huge_page_waits_in_a_pagevec_before_v4_7(version, waits):
    k = mm.Build(version=version).boot()
    page = new_page(k, "init", "anon", order=k.hpage_order)
    k.lru_cache_add(page)
    k.free_page_and_swap_cache(page)
    assert (page.owner is None) is not waits


@pytest.mark.parametrize("arch", WITH_THP)
def test_release_pages_takes_a_pin_for_a_mapping(arch):
    assert (after("hzp-pin", "release_pages", arch=arch), after("hzp-pin", "put_page", arch=arch)) == ("HZR-1", "PC-1")
    assert drop(mm.Build(arch=arch), "hzp-pin", "release_pages").wrong
    assert not drop(mm.Build(arch=arch), "hzp-pin", "put_page").wrong


def test_without_an_option_there_is_no_such_page():
    found = records(mm.Build(arch="sh", swap=False))
    none = {kind for kind, dropped in found.items() if not any(dropped.values())}
    assert none == {kind.name for kind in KINDS.values() if kind.needs}


@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize("debug_vm", [False, True])
def test_every_patch_can_be_run(patch, debug_vm):
    for version in VERSIONS:
        found = records(mm.Build(version=version, patches=[patch], debug_vm=debug_vm))
        assert all(all(dropped.values()) for dropped in found.values())


# -- guards

BROKEN = [
    *[mm.Build(version=v, swap=False) for v in ("v4.6", "v4.7", "v4.9", "v5.2", "v5.13")],
    mm.Build(),
    *[mm.Build(arch=arch, thp=True) for arch in ("sh", "um", "ia64")],
    *[mm.Build(patches=[q, "nr1-shortcut"]) for q in ("q2", "q3", "q4")],
]
CORRECT = [
    *[mm.Build(version=v, arch=arch) for v in VERSIONS for arch in ("x86", "s390") if (v, arch) != ("v4.6", "s390")],
    *[mm.Build(patches=[fix]) for fix in ("quick-hack", "q2", "q3", "q4", "page-refcount", "revert")],
    *[mm.Build(swap=False, patches=[fix]) for fix in ("q4", "page-refcount", "swapn-macro")],
]


@pytest.mark.parametrize("build", BROKEN, ids=repr)
def test_the_exact_guard_stops_the_first_unmap_that_frees(build):
    assert stops_at(guarded(build), "read munmap") == ""
    assert stops_at(guarded(build, "q1-guard"), "read munmap") == "munmap"
    assert stops_at(guarded(build, "q1-guard"), PROGRAMS["unmap while pinned, put the pin"]) == "put-pin"


@pytest.mark.parametrize("build", CORRECT, ids=repr)
def test_the_exact_guard_is_silent_on_a_correct_kernel(build):
    for program in PROGRAMS.values():
        assert goes_wrong_at(build, program) == ""
        assert stops_at(guarded(build, "q1-guard"), program) == ""


@pytest.mark.parametrize("build", CORRECT[1:], ids=repr)
def test_the_exact_guard_is_silent_in_every_order(build):
    """Not on x86 at v4.5, the first of them: that has the race which the commit closed."""
    verdict = mm.check(guarded(build, "q1-guard"), "pin-vs-zap", cpus=3)
    assert (verdict.holds, verdict.complete) == (True, True)


@pytest.mark.parametrize("arch", WITH_THP)
def test_the_naive_guard_stops_a_legal_pin(arch):
    build = guarded(mm.Build(arch=arch), "q1-guard-put-page")
    assert stops_at(build, "read pin put-pin") == "put-pin"


def test_the_exact_guard_also_watches_release_pages():
    """The last reference may be a tail's pin that release_pages drops."""
    k = mm.Build(debug_vm=True, patches=["q1-guard"]).boot()
    k.mmap(k.init, 0, k.hpage_nr)
    pin = k.get_user_page(k.init, 1)
    k.munmap(k.init, 0, k.hpage_nr)
    with pytest.raises(KernelBug, match="is_huge_zero_page"):
        k.unpin(pin, "release_pages")


def test_guarding_keeps_the_patches_and_replaces_a_guard():
    build = mm.Build(patches=["q3", "q1-guard-put-page"])
    assert guarded(build, "q1-guard") == mm.Build(debug_vm=True, patches=["q3", "q1-guard"])
    assert guarded(build) == mm.Build(debug_vm=True, patches=["q3"])


# -- figures


def plain(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_the_matrix_shows_each_cell_in_words_and_with_its_record():
    html = kinds_figures.matrix(mm.Build())
    assert html.count("<details>") == len(KINDS) * len(FUNCTIONS)
    assert html.count("✗ PC 1 → 0, freed") == 2
    assert html.count("✗ HZR 2 → 1") == 2
    assert html.count("<b>≠ ") == len(differences(mm.Build()))
    assert "HZR is 2, should be 1; PC is 0, should be 1; PTR names a free page" in html
    assert "LRU lock: __page_cache_release() 1 ×" in html


def test_a_kind_that_a_build_does_not_have_is_said_to_be_none():
    words = plain(kinds_figures.matrix(mm.Build(arch="sh", swap=False)))
    assert words.count("no such page: THP is off in this build") == 4
    assert words.count("no such page: SWAP is off in this build") == 1


@pytest.mark.parametrize("how", WAYS)
def test_a_difference_is_told_in_its_description(how):
    html = kinds_figures.difference(mm.Build(), how)
    assert f"≠ {how}: they differ" in re.search(r"<desc>(.*?)</desc>", html).group(1).replace("&#x27;", "'")
    same = kinds_figures.difference(mm.Build(patches=["q2"]), how)
    assert "no difference" in same


@pytest.mark.parametrize("how", WAYS)
def test_a_difference_of_a_build_without_such_pages(how):
    html = kinds_figures.difference(mm.Build(arch="sh", swap=False), how)
    assert ("has no such page" in html) == (how == COUNTER)


def test_the_strip_shows_the_four():
    words = plain(kinds_figures.strip(mm.Build()))
    assert [f"≠ {how}".replace("'", "&#x27;") in words for how in WAYS] == [True] * 4
    assert "no such page" in kinds_figures.strip(mm.Build(arch="sh"))


def test_the_figure_of_the_table_shows_what_disagrees():
    assert "The table:" not in kinds_figures.agreement(mm.Build())
    assert kinds_figures.agreement(mm.Build(version="v4.7")).count("The table:") == 2


def test_the_guards_table_tells_alarms_from_false_alarms():
    words = plain(kinds_figures.guards(mm.Build()))
    assert all(guard in words for guard in GUARDS)
    assert (words.count("✗ missed"), words.count("✗ false alarm at put-pin")) == (3, 1)
    assert plain(kinds_figures.guards(mm.Build(arch="x86"))).count("✗") == 2
    assert "nothing to guard" in kinds_figures.guards(mm.Build(arch="sh"))
