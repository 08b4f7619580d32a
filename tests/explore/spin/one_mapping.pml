/* One mm, one PMD that maps the huge zero page, the only mapping in the system: how it is zapped and flushed on each
 * architecture, the threads that read it, and reclaim. Shared by zap-vs-shrinker and reaper-vs-shrinker.
 *
 * CPU 0 zaps the mapping; ZAPPER_ATTACHED is 1 if it runs the mm, FULLMM says whether its gather takes the mm for
 * dead. CPU 1 reclaims memory and hands the block to somebody else. CPUs 2 and up run threads of the mm, hold a live
 * TLB entry for the page and read the address once. With two CPUs, CPU 1 is such a thread too: first it reclaims,
 * then it reads. With REFAULTS a thread that finds nothing mapped maps the page again.
 */
#define BLOCKS 1
#include "huge_zero.pml"

#define HZP         0                        /* the only block */
#if CPUS == 2
#define FIRST       1                        /* the lowest CPU that reads */
#else
#define FIRST       2
#endif
#define THREADS     (CPUS - FIRST)
#define EVERYBODY   (((1 << THREADS) - 1) << FIRST)
#define bit_of(cpu) (1 << (cpu))

/* Deliberate mistakes that no kernel made; the tests use them to see that an invariant can fail. */
#define DOUBLE_PUT     1                     /* the zap gives its reference back twice */
#define NO_ATTACH_SPIN 2                     /* s390: a CPU that attaches does not wait for a flush in flight */
#define NO_FINISH      3                     /* the gather ends without a flush */
#ifndef MISTAKE
#define MISTAKE 0
#endif

bool pmd = true;                             /* maps the huge zero page, or nothing */
byte tlb = EVERYBODY;                        /* CPUs with an entry for the address */
#if VERSION < 49
#define HOLDERS pmd                          /* one reference per PMD */
#else
bool mm_holds = true;                        /* one per mm: MMF_HUGE_ZERO_PAGE, 6fcb52a56ff6 */
#define HOLDERS mm_holds
#endif

#if ARCH == S390
byte attached = THREADS + ZAPPER_ATTACHED;   /* low half of mm->context.attach_count: CPUs that run the mm */
byte in_flight;                              /* its high half: flushes that have started and not ended */
bool flush_mm;

inline clear_pmd() {                         /* arch/s390/include/asm/pgtable.h:pmdp_huge_get_and_clear_full@v4.6 */
#if FULLMM
    pmd = false                              /* overwritten, and no note: nobody is thought to run the mm */
#else                                        /* arch/s390/mm/pgtable.c:pmdp_flush_lazy@v4.6 */
    d_step { in_flight++; ok = (attached > ZAPPER_ATTACHED) };    /* one access to both halves */
    if
    :: ok -> d_step { pmd = false; tlb = 0 }        /* eager: IDTE changes the entry and purges every TLB */
    :: else -> pmd = false; flush_mm = true         /* lazy: the invalid bit, then a note */
    fi;
    in_flight--
#endif
}
inline finish_flush() {                      /* arch/s390/include/asm/tlbflush.h:__tlb_flush_mm_lazy@v4.6 */
    if
    :: flush_mm -> tlb = 0; flush_mm = false
    :: else
    fi
}
inline be_scheduled_away() {
    attached--;                              /* arch/s390/include/asm/mmu_context.h:switch_mm@v4.6, to another mm */
    attached++;                              /* the same, back to this one */
#if MISTAKE != NO_ATTACH_SPIN
    in_flight == 0;                          /* mmu_context.h:finish_arch_post_lock_switch@v4.6 spins */
#endif
    if
    :: flush_mm -> tlb = 0                   /* the same: __tlb_flush_mm, purges every CPU, leaves the note */
    :: else
    fi
}
#else
byte cpu;
inline flush_tlbs() {                        /* one CPU after the other, in any order */
    do
    :: tlb != 0 ->
       atomic { cpu = FIRST; do :: cpu < CPUS - 1 -> cpu++ :: break od; tlb = tlb & ~bit_of(cpu); cpu = 0 }
    :: else -> break
    od
}
inline clear_pmd() {
#if ARCH == POWERPC                          /* arch/powerpc/mm/pgtable_64.c:hpte_do_hugepage_flush@v4.6 */
    pmd = false; flush_tlbs()                /* arch/sparc/mm/tlb.c:tlb_batch_add_one@v4.6: the same, at once */
#else                                        /* include/asm-generic/pgtable.h:pmdp_huge_get_and_clear_full@v4.6 */
    pmd = false                              /* changes memory, flushes nothing */
#endif
}
inline finish_flush() {                      /* mm/memory.c:tlb_flush_mmu_tlbonly@v4.6 */
#if ARCH == ARM64 && FULLMM                  /* arch/arm64/include/asm/tlb.h:tlb_flush@v4.6: the ASID dies anyway */
    skip
#else
    flush_tlbs()
#endif
}
#endif

inline zap() {                               /* mm/huge_memory.c:zap_huge_pmd@v4.6, then tlb_finish_mmu */
    clear_pmd();
    is_huge_zero_pmd(HZP);
#if ZAP_PUTS
    put_huge_zero_page(HZP);
#endif
#if ZAP_GATHERS && FREES_BEFORE_FLUSH
    free_gathered(HZP);                      /* e.g. arch/s390/include/asm/tlb.h:tlb_remove_page@v4.6 */
#endif
#if MISTAKE != NO_FINISH
    finish_flush();
#endif
#if ZAP_GATHERS && !FREES_BEFORE_FLUSH
    free_gathered(HZP);                      /* mm/memory.c:tlb_flush_mmu_free@v4.6 */
#endif
#if MISTAKE == DOUBLE_PUT
    put_huge_zero_page(HZP);
#endif
}

/* Sets ok if the page is mapped again. Otherwise small pages are, which are nobody's business here. */
inline fault() {                             /* mm/huge_memory.c:do_huge_pmd_anonymous_page@v4.6 */
#if VERSION < 49
    get_huge_zero_page();
#else
    page = huge_zero_page;                   /* mm_get_huge_zero_page@v4.9: the mm has its reference until it ends */
#endif
    remember(ok, page != NULL);
    if
    :: ok ->
       d_step { ok = !pmd; pmd = true };     /* under the page-table lock: set_huge_zero_page@v4.6 */
       if
#if VERSION < 49
       :: !ok -> put_huge_zero_page(page)    /* another thread was first */
#endif
       :: else
       fi;
       ok = true
    :: else
    fi;
    page = NULL
}

inline read_and_end(me) {                    /* a thread reads the address once */
    do
    :: d_step { tlb & bit_of(me) -> must(stale_read, owner[HZP] == ZERO) }; break    /* a user's load */
    :: d_step { !(tlb & bit_of(me)) && pmd -> tlb = tlb | bit_of(me) }               /* the hardware's walk */
#if REFAULTS
    :: !(tlb & bit_of(me)) && !pmd -> fault(); if :: ok :: else -> break fi
#else
    :: !(tlb & bit_of(me)) && !pmd -> break                                          /* a fault: not modelled */
#endif
#if ARCH == S390
    :: be_scheduled_away()
#endif
    od;
#if ARCH == S390
    attached--                               /* it sleeps or ends */
#endif
}

proctype reclaim() {
    SCRATCH;
    do
    :: huge_zero_page != NULL && REFERENCES == 1 ->     /* mm/huge_memory.c:shrink_huge_zero_page_count@v4.6 */
       shrink_huge_zero_page_scan()
    :: atomic { owner[HZP] == FREE -> alloc_block(new, OTHER); new = NULL }     /* somebody else */
    :: break
    od;
#if CPUS == 2
    read_and_end(1)
#endif
}

proctype thread(byte me) {
#if REFAULTS
    SCRATCH;
#endif
    read_and_end(me)
}

init {
    byte i;
    atomic {
        owner[HZP] = ZERO; huge_zero_page = HZP; huge_zero_pfn = HZP; huge_zero_refcount = 2;
#if patched(PAGE_REFCOUNT)
        page_count[HZP] = 2;
#else
        page_count[HZP] = 1;
#endif
        run zapper(); run reclaim();
        for (i : 2 .. CPUS - 1) { run thread(i) }
    }
    _nr_pr == 1;                             /* everybody has ended */
    must(unbalanced, huge_zero_page == NULL || REFERENCES == 1 + HOLDERS)
}
