"""Each shape of the code has its verdict, read off a tree that has it and nothing else."""

import pytest
from small_trees import (
    BASE,
    COUNTED,
    FLAG,
    HUGE,
    LOCKED,
    NUMBER,
    OOM,
    PER_VMA,
    POINTER,
    SWAP,
    SWAP_STATE,
    TESTED,
    ZAP,
    plant,
)

import mmmodel as mm

NO_TEST = ZAP.replace("is_huge_zero_pmd(*pmd)", "gone(pmd)")
PUT = ZAP.replace("tlb_remove_page(tlb, pmd_page(*pmd));\n    } else", "put_huge_zero_page();\n    } else")
NONE = ZAP.replace("tlb_remove_page(tlb, pmd_page(*pmd));\n    } else", "} else")
NORMAL = NO_TEST.replace("gone(pmd)", "vm_normal_folio_pmd(*pmd)")
S390 = "arch/s390/include/asm/tlb.h"


def found(folder, changed=None, verdicts=("affected",)):
    """Which fault which arch has, with SWAP=y, n or both."""
    rows = mm.audit(plant(folder, changed)).rows
    places = {}
    for row in rows:
        if row.verdict in verdicts:
            places.setdefault(row.fault, {}).setdefault(row.arch, []).append(row.swap)
    return {fault: {arch: "".join(swap) for arch, swap in archs.items()} for fault, archs in places.items()}


SINGULAR, REAPER = {"s390": "yn"}, {"arm64": "yn", "s390": "yn"}


def test_the_report(tmp_path):
    assert found(tmp_path) == {"singular-put": SINGULAR, "reaper-fullmm": REAPER}
    assert found(tmp_path, verdicts=["latent"]) == {"singular-put": {"ia64": "yn", "sh": "yn"}}
    assert found(tmp_path, verdicts=["unknown"]) == {}


@pytest.mark.parametrize(
    ("changed", "singular"),
    {
        "SWAP=y learns the test": ({SWAP_STATE: TESTED}, {"s390": "n"}),
        "both learn it": (
            {SWAP_STATE: TESTED,
             SWAP: BASE[SWAP].replace("put_page(page)", "if (!is_huge_zero_page(page)) put_page(page)"),
             },
            {},
        ),
        "an inline function": (
            {SWAP: "static inline void free_page_and_swap_cache(struct page *page)\n"
                   "{ if (is_huge_zero_page(page)) return; put_page(page); }\n"
                   "#define free_pages_and_swap_cache(pages, nr) release_pages(pages, nr)\n"},
            {"s390": "y"},
        ),
        "folio names": (
            {S390: BASE[S390].replace("free_page_and_swap_cache(page)", "free_folio_and_swap_cache(page_folio(page))"),
             SWAP_STATE: COUNTED.replace("free_page_and", "free_folio_and").replace("put_page", "folio_put"),
             SWAP: BASE[SWAP].replace("free_page_and", "free_folio_and").replace("put_page", "folio_put")},
            {"s390": "yn"},
        ),
        "by the plural": ({S390: BASE[S390].replace("free_page_and_swap_cache(page)",
                                                    "free_pages_and_swap_cache(&page, 1)")}, {}),
        "the gather tests": ({S390: BASE[S390].replace("    free", "    if (!is_huge_zero_page(page)) free")}, {}),
        "compared with the pointer": (
            {SWAP_STATE: TESTED.replace("is_huge_zero_page(page)", "page == READ_ONCE(huge_zero_page)")},
            {"s390": "n"},
        ),
        "zap puts": ({HUGE: POINTER + PUT}, {}),
        "zap keeps it": ({HUGE: POINTER + NONE}, {}),
        "a size": (
            {HUGE: POINTER + ZAP.replace("page(tlb, pmd_page(*pmd))", "page_size(tlb, pmd_page(*pmd), SIZE)"),
             S390: BASE[S390] + "#define tlb_remove_page_size(tlb, page, size) tlb_remove_page(tlb, page)\n"},
            {"s390": "yn"},
        ),
        "an alias": ({S390: BASE[S390].replace("tlb_remove_page", "at_once") + "#define tlb_remove_page at_once\n"},
                     {"s390": "yn"}),
    }.values(),
)  # fmt: skip
def test_who_frees_the_page(tmp_path, changed, singular):
    assert found(tmp_path, changed).get("singular-put", {}) == singular


def test_a_zap_that_frees_normal_pages_only_hands_nothing_over(tmp_path):
    memory = (
        BASE["mm/memory.c"] + "folio *vm_normal_folio_pmd(pmd_t pmd) { if (%s(pmd)) return NULL; return of(pmd); }\n"
    )
    told = {HUGE: POINTER + NORMAL, "mm/memory.c": memory % "is_huge_zero_pmd"}
    assert "singular-put" not in found(tmp_path, told, ("affected", "latent", "unknown"))
    not_told = {HUGE: POINTER + NORMAL, "mm/memory.c": memory % "is_special"}
    assert found(tmp_path, not_told, ["unknown"])["singular-put"] == {"ia64": "yn", "s390": "yn", "sh": "yn"}


def test_what_has_a_test_needs_no_look_at_zap(tmp_path):
    assert found(tmp_path, {HUGE: POINTER + NO_TEST}, ["not affected"])["singular-put"] == {"arm64": "yn", "x86": "yn"}


@pytest.mark.parametrize(
    ("changed", "archs"),
    [
        ({OOM: PER_VMA}, {}),
        ({OOM: "void pagefault_out_of_memory(void) { }\n"}, {}),
        ({HUGE: POINTER + FLAG + ZAP}, {}),  # the mm holds the reference
        ({SWAP_STATE: TESTED}, REAPER),  # independent of the report
        ({"arch/arm64/include/asm/tlb.h": BASE["arch/x86/include/asm/tlb.h"]}, {"s390": "yn"}),
        ({"arch/s390/include/asm/pgtable.h": ""}, {"arm64": "yn"}),
    ],
)
def test_the_reaper(tmp_path, changed, archs):
    assert found(tmp_path, changed).get("reaper-fullmm", {}) == archs


WEAK, THP = {"arm64": "yn"}, {"arm64": "yn", "s390": "yn", "x86": "yn"}


@pytest.mark.parametrize(
    ("page", "race", "order"),
    {
        "one name": (POINTER, {}, {}),
        "only the number, as in v3.8": (POINTER.replace("huge_zero_page,", "huge_zero_pfn,"), {}, {}),
        "two names": (NUMBER, THP, WEAK),
        "lock and release": (LOCKED, {}, {}),
        "lock alone": (LOCKED.replace("_release", ""), {}, WEAK),
        "a write barrier": (LOCKED.replace("    atomic_set_release", "    smp_wmb();\n    atomic_set"), {}, {}),
        "a lock inside": (
            LOCKED.replace("    huge_zero_page = ", "    spin_lock(&a);\n    spin_unlock(&a);\n    huge_zero_page = "),
            {}, {},
        ),
        "two locks": (LOCKED.replace("spinlock, &zero_lock", "spinlock, &other_lock"), THP, {}),
        "unlocked too early": (
            LOCKED.replace("    huge_zero_page = ", "    spin_unlock(&zero_lock);\n    huge_zero_page = "), THP, {},
        ),
        "only one of the two": (LOCKED[: LOCKED.index("unsigned")] + NUMBER[NUMBER.index("unsigned") :], THP, {}),
        "locked by hand": (LOCKED.replace("scoped_guard(spinlock, &zero_lock)", "spin_lock(&zero_lock);"), {}, {}),
        "guard": (LOCKED.replace("    scoped_guard(spinlock, &zero_lock)", "    guard(spinlock)(&zero_lock);"), {}, {}),
    }.values(),
)  # fmt: skip
def test_pointer_and_number(tmp_path, page, race, order):
    faults = found(tmp_path, {HUGE: page + ZAP})
    assert (faults.get("pfn-race", {}), faults.get("pfn-order", {})) == (race, order)


@pytest.mark.parametrize(
    ("flag", "archs"),
    [
        (FLAG, WEAK),
        (FLAG.replace("test_bit", "test_bit_acquire"), {}),
        (FLAG.replace("        return READ_ONCE(huge_zero_page);", "    { smp_rmb(); return huge_zero_page; }"), {}),
        (FLAG.replace("test_bit(MMF_HUGE_ZERO_PAGE, &mm->flags)", "mm_flags_test(MMF_HUGE_ZERO_FOLIO, mm)"), WEAK),
        (FLAG.replace("    if", "    if (IS_ENABLED(CONFIG_PERSISTENT_HUGE_ZERO_FOLIO)) return page;\n    if"), WEAK),
    ],
)  # fmt: skip
def test_the_flag_of_the_mm(tmp_path, flag, archs):
    assert found(tmp_path, {HUGE: POINTER + flag + ZAP}).get("mm-flag-order", {}) == archs


def test_thp_under_a_condition_counts_and_the_condition_is_said(tmp_path):
    kconfig = 'source "arch/sh/mm/Kconfig"\nconfig SUPERH\n\tdef_bool y\n'
    changed = {
        "arch/sh/Kconfig": kconfig,
        "arch/sh/mm/Kconfig": "config BIG\n\tselect HAVE_ARCH_TRANSPARENT_HUGEPAGE if SH4\n",
    }
    rows = mm.audit(plant(tmp_path, changed), archs=["sh"]).rows
    assert rows[0].verdict == "affected"
    assert rows[0].where.endswith("arch/sh/mm/Kconfig:2 HAVE_ARCH_TRANSPARENT_HUGEPAGE if SH4")


def test_an_arch_whose_order_nobody_looked_up_is_unknown(tmp_path):
    new = {name.replace("x86", "csky"): text for name, text in BASE.items() if "x86" in name}
    rows = mm.audit(plant(tmp_path, {**new, HUGE: NUMBER + ZAP}), archs=["csky"]).rows
    assert [(row.fault, row.verdict) for row in rows if row.verdict == "unknown"] == [("pfn-order", "unknown")] * 2


def test_places_are_the_lines_of_the_tree(tmp_path):
    for row in mm.audit(plant(tmp_path), archs=["s390", "ia64"]).rows:
        for place in row.where.split("; "):
            if ":" in place:
                path, line = place.split()[0].split(":")
                name = place.split()[1].rstrip(",") if " " in place else "page"
                assert name in (tmp_path / path).read_text().splitlines()[int(line) - 1]


def test_a_tree_before_the_huge_zero_page_has_none_of_the_faults(tmp_path):
    report = mm.audit(plant(tmp_path, {HUGE: NO_TEST}))
    assert {row.verdict for row in report.rows} == {"not affected"}
    assert "no huge zero page" in report.rows[0].where
