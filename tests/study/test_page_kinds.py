"""Page kinds: what each freeing function does to them, where two differ, and what an assertion makes of it."""

import pytest

import mmmodel as mm
from mmmodel.data import rows
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS
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


def test_the_run_does_what_the_table_says():
    """The table is silent only where its words are."""
    cells = compare()
    assert [cell for cell in cells if cell.said not in ("", cell.found)] == []
    assert {cell.words for cell in cells if not cell.said} == {"-"}


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


@pytest.mark.parametrize("version", ["v5.2", "v5.13", "v5.14", "v6.1"])
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


HEAD_FIRST = {"v5.13", "v5.14", "v6.1", "v6.1.184"}


def test_a_tail_of_the_huge_zero_page_is_a_page_like_any_other_until_it_is_skipped_too():
    dropped = {version: after("hzp-tail-pin", "release_pages", version=version, arch="x86") for version in VERSIONS}
    assert {version for version, words in dropped.items() if words == "PC-1"} == set(VERSIONS) - HEAD_FIRST
    assert {dropped[version] for version in HEAD_FIRST} == {""}


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
