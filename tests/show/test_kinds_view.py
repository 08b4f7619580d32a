"""Page kinds as a reader sees them."""

import re

import pytest

import mmmodel as mm
from mmmodel.show import kinds_view as kinds_figures
from mmmodel.study.guards import GUARDS
from mmmodel.study.page_kinds import (
    COUNTER,
    FUNCTIONS,
    KINDS,
    WAYS,
    differences,
)


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
