"""Fixes and helpers in other shapes than the kernel's own: understood, or unknown with the reason; never guessed."""

import pytest
from small_trees import (
    BASE,
    COUNTED,
    FLAG,
    HUGE,
    LOCKED,
    NUMBER,
    OOM,
    POINTER,
    REAPER,
    SWAP_STATE,
    TESTED,
    ZAP,
    plant,
)

import mmmodel as mm

TAKE, GIVE, SCOPE = "spin_lock(&zero_lock)", "spin_unlock(&zero_lock)", "scoped_guard(spinlock, &zero_lock)"
SAFE, HIT, UNKNOWN = "not affected", "affected", "unknown"


def verdict(folder, changed, fault, arch="arm64", swap="y"):
    """The one verdict that is asked for."""
    rows = mm.audit(plant(folder, changed), archs=[arch]).rows
    return next(row.verdict for row in rows if (row.fault, row.swap) == (fault, swap))


def locked(take, give, scope):
    """The fix with another lock: how it is taken, given back, and taken by the shrinker."""
    return LOCKED.replace(TAKE, take).replace(GIVE, give).replace(SCOPE, scope)


@pytest.mark.parametrize(
    ("page", "race"),
    {
        "mutex": (locked("mutex_lock(&a)", "mutex_unlock(&a)", "scoped_guard(mutex, &a)"), SAFE),
        "irqs off": (locked("spin_lock_irqsave(&a, f)", "spin_unlock_irqrestore(&a, f)",
                            "scoped_guard(spinlock_irqsave, &a)"), SAFE),
        "bit": (locked("bit_spin_lock(0, &a)", "bit_spin_unlock(0, &a)", "bit_spin_lock(0, &a);"), UNKNOWN),
        "tried": (LOCKED.replace(TAKE, f"if (!{TAKE.replace('lock(', 'trylock(', 1)}) return false"), UNKNOWN),
        "for readers": (locked("guard(read_lock)(&a)", "", "guard(read_lock)(&a);"), UNKNOWN),
        "of the CPU": (locked("guard(preempt)()", "", "guard(preempt)();"), HIT),
        "of one mm": (LOCKED.replace("zero_lock", "mm->lock"), UNKNOWN),
        "sometimes": (LOCKED.replace(TAKE, f"if (strict) {TAKE}"), UNKNOWN),
        "configured": (LOCKED.replace(f"    {TAKE};", f"#ifdef CONFIG_STRICT\n    {TAKE};\n#endif"), UNKNOWN),
        "in a helper": (f"void take(void) {{ {TAKE}; }}\n" + LOCKED.replace(f"    {TAKE}", "    take()"), UNKNOWN),
        "in a macro": (f"#define TAKE() {TAKE}\n" + LOCKED.replace(f"    {TAKE}", "    TAKE()"), UNKNOWN),
        "one of two": (f"#ifdef CONFIG_A\n{LOCKED}\n#else\n{NUMBER}\n#endif\n", UNKNOWN),
        "number in a helper": ("void note(long n) { huge_zero_pfn = n; }\n"
                               + NUMBER.replace("WRITE_ONCE(huge_zero_pfn, ", "note("), UNKNOWN),
        "number elsewhere": ("int is_it(long n) { return n == huge_zero_pfn; }\n" + POINTER, UNKNOWN),
        "another write": (NUMBER.replace("xchg(&huge", "rcu_replace_pointer(huge"), UNKNOWN),
    }.values(),
)  # fmt: skip
def test_locks(tmp_path, page, race):
    assert verdict(tmp_path, {HUGE: page + ZAP}, "pfn-race") == race


@pytest.mark.parametrize(
    ("old", "new", "order"),
    [
        ("    WRITE_ONCE(huge_zero_pfn, n", "    smp_wmb();\n    WRITE_ONCE(huge_zero_pfn, n", HIT),
        (
            "    WRITE_ONCE(huge_zero_pfn, n",
            "    atomic_set_release(&huge_zero_refcount, 2);\n    WRITE_ONCE(huge_zero_pfn, n",
            HIT,
        ),
        ("    atomic_set", "    if (weak)\n        smp_wmb();\n    atomic_set", HIT),
        ("    atomic_set", "#ifdef CONFIG_WEAK\n    smp_wmb();\n#endif\n    atomic_set", UNKNOWN),
        ("atomic_set(", "order(); atomic_set(", UNKNOWN),
        ("    atomic_set", "    if (a) atomic_set_release(&huge_zero_refcount, 2); else atomic_set", HIT),
        ("    atomic_set(", "    if (a) atomic_set(&huge_zero_refcount, 2); else atomic_set_release(", HIT),
        ("atomic_set(&huge_zero_refcount,", "smp_store_release(&huge_zero_refcount.counter,", SAFE),
        ("atomic_set(", "refcount_set(", UNKNOWN),
    ],
)
def test_publication(tmp_path, old, new, order):
    page = "void order(void) { smp_wmb(); }\n" + NUMBER.replace(old, new)
    assert verdict(tmp_path, {HUGE: page + ZAP}, "pfn-order") == order


TEST, READ = "test_bit(MMF_HUGE_ZERO_PAGE, &mm->flags)", "return READ_ONCE(huge_zero_page);"


@pytest.mark.parametrize(
    ("body", "order"),
    [
        (f"smp_rmb(); if ({TEST}) {READ}", HIT),
        (f"if ({TEST}) {READ} else smp_rmb();", HIT),
        (f"if ({TEST}) {{ p = READ_ONCE(huge_zero_page); smp_rmb(); return p; }}", HIT),
        (f"if ({TEST}) return smp_load_acquire(&huge_zero_page);", HIT),
        (f"if (!{TEST}) slow(mm); smp_rmb(); {READ}", SAFE),
        (f"if (!{TEST}) goto slow; smp_rmb(); {READ} slow:", SAFE),
        (f"bool has = {TEST}; if (has) {{ smp_rmb(); {READ} }}", SAFE),
        (f"if (smp_load_acquire(&mm->flags) & BIT(MMF_HUGE_ZERO_PAGE)) {READ}", UNKNOWN),
        (f"if ({TEST}) {{\n#ifdef CONFIG_WEAK\nsmp_rmb();\n#endif\n{READ} }}", UNKNOWN),
        (f"if (has_it(mm)) {READ}", UNKNOWN),
    ],
)
def test_the_flag(tmp_path, body, order):
    flag = FLAG.replace(f"if ({TEST})\n        {READ}", body)
    assert verdict(tmp_path, {HUGE: POINTER + flag + ZAP}, "mm-flag-order") == order


PUTS = "if (is_huge_zero_page(page))\n        put_huge_zero_page();\n    else\n        put_page(page);"
KEEP = "bool keep(struct page *page) { return is_huge_zero_page(page); }\n"


@pytest.mark.parametrize(
    ("puts", "singular"),
    [
        ("if (page != huge_zero_page) put_page(page);", SAFE),
        ("bool zero = is_huge_zero_page(page); if (!zero) put_page(page);", SAFE),
        ("if (WARN_ON(is_huge_zero_page(page))) return; put_page(page);", SAFE),
        ("if (keep(page)) return; put_page(page);", SAFE),
        ("is_huge_zero_page(page) ? put_huge_zero_page() : put_page(page);", SAFE),
        ("VM_BUG_ON_PAGE(is_huge_zero_page(page), page); put_page(page);", HIT),
        ("put_page(page); if (is_huge_zero_page(page)) put_huge_zero_page();", HIT),
        ("if (a && is_huge_zero_page(page)) return; put_page(page);", UNKNOWN),
        ("if (is_huge_zero_page(page) == true) return; put_page(page);", UNKNOWN),
        ("switch (is_huge_zero_page(page)) { case 0: put_page(page); }", UNKNOWN),
        ("\n#ifdef CONFIG_A\nif (is_huge_zero_page(page)) return;\n#endif\nput_page(page);", UNKNOWN),
        ("if (is_zero_thp(page)) return; put_page(page);", UNKNOWN),
    ],
)
def test_tests(tmp_path, puts, singular):
    assert verdict(tmp_path, {SWAP_STATE: KEEP + TESTED.replace(PUTS, puts)}, "singular-put", "s390") == singular


@pytest.mark.parametrize("file", ["include/linux/mm.h", "mm/swap.c"])
def test_a_put_page_that_tests(tmp_path, file):
    test = "if (is_huge_zero_page(page)) return;"
    put = "void put_page(struct page *page) { %s if (put_page_testzero(page)) __put_page(page); %s }\n"
    for first, last, singular in ((test, "", SAFE), ("", test, HIT)):
        changed = {file: put % (first, last) + BASE.get(file, "")}
        assert verdict(tmp_path / singular, changed, "singular-put", "s390") == singular


def test_a_count_shared_by_all_archs(tmp_path):
    plural = COUNTED.replace(
        "release_pages(pages, nr)", "if (nr == 1) put_page(pages[0]); else release_pages(pages, nr)"
    )
    assert verdict(tmp_path, {SWAP_STATE: plural}, "singular-put", "x86") == HIT


@pytest.mark.parametrize(
    "hands_over",
    ["finish(tlb, pmd)", "put_page(pmd_page(*pmd))", "if (__tlb_remove_page(tlb, pmd_page(*pmd))) tlb_flush_mmu(tlb)"],
)
def test_a_zap_of_another_shape_is_unknown(tmp_path, hands_over):
    zap = ZAP.replace("tlb_remove_page(tlb, pmd_page(*pmd));\n    } else", hands_over + ";\n    } else")
    assert verdict(tmp_path, {HUGE: POINTER + zap}, "singular-put", "s390") == UNKNOWN


def test_only_the_function_that_zap_calls_is_followed(tmp_path):
    gather = "arch/s390/include/asm/tlb.h"
    sized = "void tlb_remove_page_size(struct mmu_gather *tlb, struct page *p) { free_pages_and_swap_cache(&p, 1); }\n"
    changed = {gather: BASE[gather] + sized, HUGE: POINTER + ZAP.replace("remove_page(", "remove_page_size(")}
    assert verdict(tmp_path, changed, "singular-put", "s390") == SAFE


@pytest.mark.parametrize(
    ("limits", "reaper"),
    [("0ul, -1ul", HIT), ("0, ~0UL", HIT), ("range.start, range.end", SAFE), ("0, TASK_SIZE", UNKNOWN)],
)
def test_what_the_reaper_gathers(tmp_path, limits, reaper):
    assert verdict(tmp_path, {OOM: REAPER.replace("mm, 0, -1", f"mm, {limits}")}, "reaper-fullmm") == reaper


@pytest.mark.parametrize(
    ("body", "reaper"),
    [
        ("if (!tlb->fullmm) flush_tlb_range(tlb);", HIT),
        ("if (tlb->fullmm) return; invalidate_range(tlb);", HIT),
        ("if (tlb->fullmm) flush_tlb_mm(tlb->mm); else flush_tlb_range(tlb);", SAFE),
        ("if (tlb->fullmm == 1) return; flush_tlb_range(tlb);", UNKNOWN),
        ("bool last = tlb->fullmm; if (last) return; flush_tlb_range(tlb);", UNKNOWN),
    ],
)
def test_the_flush_of_a_whole_mm(tmp_path, body, reaper):
    gather = f"void tlb_flush(struct mmu_gather *tlb) {{ {body} }}\n#include <asm-generic/tlb.h>\n"
    assert verdict(tmp_path, {"arch/arm64/include/asm/tlb.h": gather}, "reaper-fullmm") == reaper


@pytest.mark.parametrize(
    ("said", "found"), [("def_bool MMU", HIT), ("bool\n\tdefault y if MMU", HIT), ("def_bool n", "latent")]
)
def test_what_has_thp_by_default(tmp_path, said, found):
    changed = {"arch/s390/Kconfig": f"config HAVE_ARCH_TRANSPARENT_HUGEPAGE\n\t{said}\n"}
    assert verdict(tmp_path, changed, "singular-put", "s390") == found


def test_predicates_of_predicates_take_no_time(tmp_path):
    chain = "".join(f"bool p{i}(struct page *p) {{ return p{i + 1}(p) && p{i + 1}(p); }}\n" for i in range(60))
    changed = {SWAP_STATE: chain + TESTED.replace("is_huge_zero_page", "p0")}
    assert verdict(tmp_path, changed, "singular-put", "s390") == HIT
