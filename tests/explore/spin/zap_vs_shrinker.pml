/* zap-vs-shrinker: the race that aa88b68c ("thp: keep huge zero page pinned until tlb flush", v4.6) closed.
 *
 * One mm, one PMD that maps the huge zero page, and it is the only mapping in the system. CPU 0 zaps it
 * (MADV_DONTNEED: the gather holds this one page), CPU 1 reclaims memory and hands the block to somebody else,
 * CPUs 2 and up run threads of the same mm, hold a live TLB entry for the page and read the address once. With two
 * CPUs, CPU 1 is such a thread too: first it reclaims, then it reads.
 * Configuration and invariants: huge_zero.pml.
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
byte attached = THREADS + 1;                 /* low half of mm->context.attach_count: CPUs that run the mm */
byte in_flight;                              /* its high half: flushes that have started and not ended */
bool flush_mm;

inline clear_pmd() {                         /* arch/s390/mm/pgtable.c:pmdp_flush_lazy@v4.6 */
    d_step { in_flight++; ok = (attached > 1) };    /* atomic_add_return: one access to both halves */
    if
    :: ok -> d_step { pmd = false; tlb = 0 }        /* eager: IDTE changes the entry and purges every TLB */
    :: else -> pmd = false; flush_mm = true         /* lazy: the invalid bit, then a note */
    fi;
    in_flight--
}
inline flush_tlbs() {                        /* arch/s390/include/asm/tlbflush.h:__tlb_flush_mm_lazy@v4.6 */
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
/* include/asm-generic/pgtable.h:pmdp_huge_get_and_clear_full@v4.6: changes memory, flushes nothing */
inline clear_pmd() { pmd = false }
inline flush_tlbs() {                        /* mm/memory.c:tlb_flush_mmu_tlbonly@v4.6: interrupts, in any order */
    do
    :: tlb != 0 ->
       atomic { cpu = FIRST; do :: cpu < CPUS - 1 -> cpu++ :: break od; tlb = tlb & ~bit_of(cpu); cpu = 0 }
    :: else -> break
    od
}
#endif

proctype zapper() {                          /* mm/huge_memory.c:zap_huge_pmd@v4.6, then tlb_finish_mmu */
    SCRATCH;
    clear_pmd();
    is_huge_zero_pmd(HZP);
#if ZAP_PUTS
    put_huge_zero_page(HZP);
#endif
#if ZAP_GATHERS && FREES_BEFORE_FLUSH
    free_gathered(HZP);                      /* e.g. arch/s390/include/asm/tlb.h:tlb_remove_page@v4.6 */
#endif
    flush_tlbs();
#if ZAP_GATHERS && !FREES_BEFORE_FLUSH
    free_gathered(HZP);                      /* mm/memory.c:tlb_flush_mmu_free@v4.6 */
#endif
#if MISTAKE == DOUBLE_PUT
    put_huge_zero_page(HZP);
#endif
#if VERSION >= 49
    _nr_pr <= 1 + FIRST;                     /* kernel/fork.c:mmput@v4.9: the threads, started last, have ended */
    put_huge_zero_page(HZP); mm_holds = false
#endif
}

inline read_and_end(me) {                    /* a thread reads the address once */
    do
    :: d_step { tlb & bit_of(me) -> must(stale_read, owner[HZP] == ZERO) }; break    /* a user's load */
    :: d_step { !(tlb & bit_of(me)) && pmd -> tlb = tlb | bit_of(me) }               /* the hardware's walk */
    :: !(tlb & bit_of(me)) && !pmd -> break                                          /* a fault: not modelled */
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

proctype thread(byte me) { read_and_end(me) }

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
