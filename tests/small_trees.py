"""Small kernel trees of our own: the shapes that the audit tells apart, in as little C as shows them."""

HUGE = "mm/huge_memory.c"
SWAP, SWAP_STATE, OOM, TLB = "include/linux/swap.h", "mm/swap_state.c", "mm/oom_kill.c", "arch/{}/include/asm/tlb.h"

POINTER = """
struct page *get_huge_zero_page(void)
{
    struct page *block = fresh_block();
    if (atomic_inc_not_zero(&huge_zero_refcount))
        return huge_zero_page;
    if (cmpxchg(&huge_zero_page, NULL, block))
        return NULL;
    atomic_set(&huge_zero_refcount, 2);
    return block;
}

unsigned long shrink_huge_zero_page_scan(void)
{
    struct page *block = xchg(&huge_zero_page, NULL);
    give_back(block);
    return 1;
}
"""

NUMBER = POINTER.replace(
    "    atomic_set", "    WRITE_ONCE(huge_zero_pfn, number(block));\n    atomic_set"
).replace("    give_back", "    WRITE_ONCE(huge_zero_pfn, ~0UL);\n    give_back")  # fmt: skip

LOCKED = """
bool get_huge_zero_page(void)
{
    struct page *block = fresh_block();
    spin_lock(&zero_lock);
    if (huge_zero_page) {
        spin_unlock(&zero_lock);
        return true;
    }
    huge_zero_page = block;
    WRITE_ONCE(huge_zero_pfn, number(block));
    atomic_set_release(&huge_zero_refcount, 2);
    spin_unlock(&zero_lock);
    return true;
}

unsigned long shrink_huge_zero_page_scan(void)
{
    scoped_guard(spinlock, &zero_lock) {
        WRITE_ONCE(huge_zero_page, NULL);
        WRITE_ONCE(huge_zero_pfn, ~0UL);
    }
    return 1;
}
"""

FLAG = """
struct page *mm_get_huge_zero_page(struct mm_struct *mm)
{
    if (test_bit(MMF_HUGE_ZERO_PAGE, &mm->flags))
        return READ_ONCE(huge_zero_page);
    get_huge_zero_page();
    test_and_set_bit(MMF_HUGE_ZERO_PAGE, &mm->flags);
    return READ_ONCE(huge_zero_page);
}
"""

ZAP = """
int zap_huge_pmd(struct mmu_gather *tlb, pmd_t *pmd)
{
    if (is_huge_zero_pmd(*pmd)) {
        unlock(pmd);
        tlb_remove_page(tlb, pmd_page(*pmd));
    } else {
        unlock(pmd);
        tlb_remove_page(tlb, pmd_page(*pmd));
    }
    return 1;
}
"""

IMMEDIATE = """
struct mmu_gather { int fullmm; };
static inline void tlb_remove_page(struct mmu_gather *tlb, struct page *page)
{
    free_page_and_swap_cache(page);
}
static inline void tlb_finish_mmu(struct mmu_gather *tlb) { lazy_flush(tlb); }
"""

ONE_BY_ONE = """
static inline void drain(struct mmu_gather *tlb)
{
    for (int i = 0; i < tlb->nr; i++)
        free_page_and_swap_cache(tlb->pages[i]);
}
static inline void tlb_finish_mmu(struct mmu_gather *tlb) { flush_tlb_mm(tlb->mm); drain(tlb); }
static inline void tlb_remove_page(struct mmu_gather *tlb, struct page *page)
{
    tlb->pages[tlb->nr++] = page;
}
"""

CLEAR = """
static inline pmd_t pmdp_huge_get_and_clear_full(struct mm *mm, pmd_t *pmd, int full)
{
    if (full) {
        *pmd = empty;
        return *pmd;
    }
    return exchange_and_purge(mm, pmd);
}
"""

GENERIC = "#define tlb_flush(tlb) flush_tlb_mm((tlb)->mm)\n#include <asm-generic/tlb.h>\n"
LAZY = """
static inline void tlb_flush(struct mmu_gather *tlb)
{
    if (tlb->fullmm)
        return;
    flush_tlb_range(tlb);
}
#include <asm-generic/tlb.h>
"""

TESTED = """
void free_page_and_swap_cache(struct page *page)
{
    forget_swap(page);
    if (is_huge_zero_page(page))
        put_huge_zero_page();
    else
        put_page(page);
}
void free_pages_and_swap_cache(struct page **pages, int nr) { release_pages(pages, nr); }
"""
COUNTED = TESTED.replace("if (is_huge_zero_page(page))\n        put_huge_zero_page();\n    else\n        put", "put")

REAPER = """
bool __oom_reap_task(struct mm_struct *mm)
{
    struct mmu_gather tlb;
    tlb_gather_mmu(&tlb, mm, 0, -1);
    for (struct vma *vma = mm->first; vma; vma = vma->next)
        unmap_page_range(&tlb, vma);
    tlb_finish_mmu(&tlb, 0, -1);
    return true;
}
void pagefault_out_of_memory(void) { }
"""
PER_VMA = REAPER.replace("    tlb_gather_mmu(&tlb, mm, 0, -1);\n", "").replace(
    "unmap", "tlb_gather_mmu(&tlb, mm, vma->start, vma->end), unmap"
)

BASE = {
    "Makefile": "VERSION = 4\nPATCHLEVEL = 6\nSUBLEVEL = 2\nEXTRAVERSION =\n",
    HUGE: POINTER + ZAP,
    SWAP_STATE: COUNTED,
    OOM: REAPER,
    SWAP: """
#ifdef CONFIG_SWAP
void free_page_and_swap_cache(struct page *page);
#else
#define free_page_and_swap_cache(page) \\
        put_page(page)
#define free_pages_and_swap_cache(pages, nr) release_pages((pages), (nr));
#endif
""",
    "mm/swap.c": """
void release_pages(struct page **pages, int nr)
{
    for (int i = 0; i < nr; i++) {
        struct page *page = pages[i];
        if (is_huge_zero_page(page))
            continue;
        if (!put_page_testzero(page))
            continue;
        free_it(page);
    }
}
""",
    "mm/memory.c": """
#ifdef HAVE_GENERIC_MMU_GATHER
bool __tlb_remove_page(struct mmu_gather *tlb, struct page *page)
{
    struct batch *batch = tlb->active;
    batch->pages[batch->nr++] = page;
    return batch->nr == batch->max;
}
void tlb_flush_mmu_free(struct mmu_gather *tlb)
{
    free_pages_and_swap_cache(tlb->active->pages, tlb->active->nr);
}
void tlb_flush_mmu(struct mmu_gather *tlb) { tlb_flush(tlb); tlb_flush_mmu_free(tlb); }
#endif
""",
    "include/asm-generic/tlb.h": """
#ifndef GENERIC_TLB_H
#define GENERIC_TLB_H
#define HAVE_GENERIC_MMU_GATHER
static inline void tlb_remove_page(struct mmu_gather *tlb, struct page *page)
{
    if (__tlb_remove_page(tlb, page))
        tlb_flush_mmu(tlb);
}
#endif
""",
    "arch/x86/Kconfig": "config X86\n\tdef_bool y\n\tselect HAVE_ARCH_TRANSPARENT_HUGEPAGE\n",
    "arch/x86/include/asm/tlb.h": GENERIC,
    "arch/arm64/Kconfig": "config ARM64\n\tdef_bool y\nconfig HAVE_ARCH_TRANSPARENT_HUGEPAGE\n\tdef_bool y\n",
    "arch/arm64/include/asm/tlb.h": LAZY,
    "arch/s390/Kconfig": "config S390\n\tdef_bool y\n\tselect HAVE_ARCH_TRANSPARENT_HUGEPAGE\n",
    "arch/s390/include/asm/tlb.h": IMMEDIATE,
    "arch/s390/include/asm/pgtable.h": CLEAR,
    "arch/sh/Kconfig": "config SUPERH\n\tdef_bool y\n",
    "arch/sh/include/asm/tlb.h": IMMEDIATE,
    "arch/sh/include/asm/pgtable.h": "",
    "arch/ia64/Kconfig": "config IA64\n\tbool\n",
    "arch/ia64/include/asm/tlb.h": ONE_BY_ONE,
}
"""A tree like v4.6: three gathers of the generic kind, two that free at once, one that frees one by one."""


def plant(folder, changed=None):
    """Write the tree, some of its files changed (None: left out); the folder."""
    for name, content in {**BASE, **(changed or {})}.items():
        if content is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    return folder
