"""What has no effect in a build, and why; and which patch lies on top."""

import pytest
from proposals import OverX

import mmmodel as mm
from mmmodel.explore.sequential import SEQUENTIAL


def patch(name="MyFix", base=mm.Patch, **body):
    """A class without a source."""
    return type(name, (base,), body)


def function(*names, **more):
    return patch(
        **{name: eval(f"lambda self, {args}: None") for name, args in (n[:-1].split("(") for n in names)}, **more
    )


class Waits(mm.Patch):
    """Called by what has an effect."""

    def put_page(self, page):
        self.mm_put_huge_zero_page(page)

    def mm_put_huge_zero_page(self, mm_):
        pass


SINGULAR, PLURAL = "free_page_and_swap_cache(page)", "free_pages_and_swap_cache(pages, nr)"
NOTES = {
    "an arch of its own": ({"arch": "sh"}, [function("_tlb_remove_page(tlb, page)")],
                           ["MyFix has no effect: sh has its own _tlb_remove_page"]),
    "in part": ({"arch": "sh"}, [function("_tlb_remove_page(tlb, page)", "put_page(page)")],
                ["MyFix has an effect in part only: sh has its own _tlb_remove_page"]),
    "the arch's file": ({"arch": "s390"}, [function("_tlb_remove_page(tlb, page)", file="arch/s390/include/asm/tlb.h")],
                        []),
    "a macro": ({"swap": False}, [function(SINGULAR, PLURAL)],
                ["MyFix has no effect: include/linux/swap.h has a macro for free_page_and_swap_cache, "
                 "free_pages_and_swap_cache"]),
    "a later patch": ({}, ["quick-hack", "q3"],
                      ["quick-hack has no effect: q3 replaces free_page_and_swap_cache without calling it by super()"]),
    "a later patch that calls super() of another": (
        {}, ["q2", OverX], ["q2 has no effect: OverX replaces free_page_and_swap_cache without calling it by super()"]),
    "what another calls by super()": ({}, [function("put_page(page)"), OverX], []),
    "a later patch that calls super()": ({}, ["q3", "quick-hack"], []),
    "a version": ({}, [function("mm_put_huge_zero_page(mm_)", SINGULAR)],
                  ["MyFix has an effect in part only: v4.6 has no mm_put_huge_zero_page (v4.9 is the first)"]),
    "the version that has it": ({"version": "v4.9"}, [function("mm_put_huge_zero_page(mm_)")], []),
    "a helper in a version that has none": ({}, [Waits], []),
    "another arch": ({"arch": "x86"}, [function("pmdp_idte(mm, index)")],
                     ["MyFix has no effect: x86 has no pmdp_idte"]),
    "nobody calls it": ({"swap": False}, [function("free_swap_cache(page)")],
                        ["MyFix has no effect: nothing calls free_swap_cache here"]),
    "two reasons": ({"swap": False, "arch": "um", "thp": True}, [function(SINGULAR, "_tlb_remove_page(tlb, page)")],
                    ["hypothetical: um has no THP",
                     "MyFix has no effect: include/linux/swap.h has a macro for free_page_and_swap_cache; "
                     "um has its own _tlb_remove_page"]),
    "a constant": ({}, [patch(boot_slack=3)], []),
    "nothing": ({}, [patch()], ["MyFix has no effect: it overrides no kernel function"]),
    "a file": ({"swap": False}, ["q2"], ["q2 has no effect: mm/swap_state.c is not compiled: "
                                         "include/linux/swap.h has a macro"]),
}  # fmt: skip


@pytest.mark.parametrize("case", NOTES)
def test_a_build_says_what_has_no_effect(case):
    toggles, patches, notes = NOTES[case]
    assert mm.Build(**toggles, patches=patches).notes == notes


def test_what_is_said_to_have_no_effect_has_none():
    for toggles, patches, notes in NOTES.values():
        if any("no effect" in note for note in notes) and len(patches) == 1:
            traces = [mm.trace(mm.Build(**toggles, patches=stack), "two-mappings") for stack in (patches, ())]
            assert traces[0].rows == traces[1].rows
            assert [step[:3] for step in traces[0].steps] == [step[:3] for step in traces[1].steps]


@pytest.mark.parametrize(
    ("toggles", "reason"),
    [
        ({"swap": False, "patches": ["quick-hack"]}, "mm/swap_state.c is not compiled"),
        ({"swap": False, "patches": ["q2"]}, "include/linux/swap.h has a macro"),
        ({"arch": "x86", "patches": ["q4"]}, "arch/s390/include/asm/tlb.h is not compiled for x86"),
        ({"patches": ["pfn-lock"]}, "no huge_zero_pfn before v5.13"),
        ({"version": "v4.7", "patches": ["quick-hack"]}, "merged in v4.7"),
        ({"version": "v4.9", "patches": ["page-refcount"]}, "written for one reference per mapping"),
        ({"version": "v5.2", "patches": ["revert"]}, "zap holds no reference"),
        ({"patches": ["q1-guard"]}, "CONFIG_DEBUG_VM only"),
        ({"thp": False, "patches": ["revert"]}, "mm/huge_memory.c is not compiled: include/linux/huge_mm.h has stubs"),
    ],
)
def test_a_patch_without_effect_says_why(toggles, reason):
    build = mm.Build(**toggles)
    plain = mm.Build(**{**toggles, "patches": ()})
    (patch,) = toggles["patches"]
    assert reason in build.without_effect[patch]
    assert mm.trace(build, "two-mappings").rows == mm.trace(plain, "two-mappings").rows


class Good(mm.Patch):
    """Tests for the huge zero page."""

    def free_page_and_swap_cache(self, page):
        if self.is_huge_zero_page(page):
            self.put_huge_zero_page()
        else:
            super().free_page_and_swap_cache(page)


class Bad(mm.Patch):
    """Does not."""

    file = "mm/swap_state.c"

    def free_page_and_swap_cache(self, page):
        self.put_page(page)


class GoodHeader(Good):
    """The same at a higher level."""

    file = "include/linux/swap.h"


@pytest.mark.parametrize(
    ("patches", "holds"),
    [
        ([Bad, Good], True),
        ([Good, Bad], False),
        ([Bad, GoodHeader], True),
        ([GoodHeader, Bad], True),
        ([Good], True),
    ],
)
def test_the_later_patch_lies_on_top_unless_the_other_is_at_a_higher_level(patches, holds):
    assert mm.check(mm.Build(patches=patches)).holds is holds


def broken_scenarios(build):
    return [name for name in SEQUENTIAL if not mm.check(build, name).holds]


def test_a_readers_own_patch():
    build = mm.Build(patches=[Good])
    assert broken_scenarios(build) == []
    assert "Good" in repr(build)
    assert mm.trace(build, "fork").rows == mm.trace(mm.Build(patches=["quick-hack"]), "fork").rows
    assert broken_scenarios(mm.Build(swap=False, patches=[Good])) != []
    assert broken_scenarios(mm.Build(swap=False, patches=[GoodHeader])) == []
