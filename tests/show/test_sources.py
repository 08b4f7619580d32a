"""Sources beside each other: the function that is compiled, under the place it stands for."""

import re
from html import unescape

import pytest
from bs4 import BeautifulSoup

import mmmodel as mm
from mmmodel.show import sources


def words(html):
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


@pytest.mark.parametrize(
    ("toggles", "function", "place"),
    [
        ({}, "free_page_and_swap_cache", "mm/swap_state.c:free_page_and_swap_cache@v4.6"),
        ({"swap": False}, "free_page_and_swap_cache", "include/linux/swap.h:free_page_and_swap_cache@v4.6"),
        ({"version": "v4.7"}, "zap_huge_zero_page", "mm/huge_memory.c:zap_huge_pmd@v4.7"),
        ({}, "release_huge_zero_page", "mm/swap.c:release_pages@v4.6"),
        ({}, "_tlb_remove_page", "arch/s390/include/asm/tlb.h:__tlb_remove_page@v4.6"),
        ({"arch": "x86"}, "tlb_remove_page", "include/asm-generic/tlb.h:tlb_remove_page@v4.6"),
        ({"arch": "sh"}, "tlb_remove_page", "arch/sh/include/asm/tlb.h:tlb_remove_page@v4.6"),
        ({"arch": "um", "version": "v5.2"}, "tlb_remove_page", "include/asm-generic/tlb.h:tlb_remove_page@v5.2"),
        ({"patches": ["nr1-shortcut"]}, "release_pages", "mm/swap.c:release_pages@v4.6"),
    ],
)
def test_place(toggles, function, place):
    assert sources.place(mm.Build(**toggles), function) == place


def test_beside():
    shown = words(
        sources.beside((mm.Build(arch="x86"), "tlb_remove_page"), (mm.Build(), "tlb_remove_page", "put_page"))
    )
    x86, _, s390 = shown.partition("s390 v4.6 ")
    assert x86.startswith("x86 v4.6 include/asm-generic/tlb.h:tlb_remove_page@v4.6 def tlb_remove_page (self")
    assert "free_page_and_swap_cache(page)" in s390
    assert "mm/swap.c:put_page@v4.6" in s390


def test_a_patch_is_shown_where_it_is_compiled():
    def shown(swap):
        return words(sources.beside((mm.Build(swap=swap, patches=["q2"]), "free_page_and_swap_cache")))

    assert "free_pages_and_swap_cache(&page, 1)." in shown(True)
    assert "Macro: put_page." in shown(False)


def test_a_function_that_is_not_there():
    with pytest.raises(AttributeError, match="put_pages"):
        sources.beside((mm.Build(), "put_pages"))


def test_the_functions_one_may_override_by_file():
    html = BeautifulSoup(sources.functions(mm.Build()), "html.parser")
    files = {part.summary.text.split(" (")[0]: part for part in html.find_all("details")}
    assert "free_page_and_swap_cache(self, page)" in files["mm/swap_state.c"].text
    assert "_tlb_remove_page(self, tlb, page)" in files["arch/s390/include/asm/tlb.h"].text
    assert "_oom_reap_task(self, mm)" in files["mm/oom_kill.c"].text
    for row in html.find_all("tr")[1:]:
        assert row.find_all(["td", "th"])[-1].text.strip() or row.th, row
    without = BeautifulSoup(sources.functions(mm.Build(swap=False)), "html.parser").text
    assert "include/linux/swap.h" in without
