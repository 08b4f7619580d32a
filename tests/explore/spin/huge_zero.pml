/* The huge zero page and its counters, mm/huge_memory.c v4.5 to v6.1.184, shared by the scenarios.
 *
 * Every access to shared memory is one step: a bare statement, a d_step or an atomic block. Comments name the
 * function a step stands for, as file:function@version, the version being the one whose source was read.
 *
 *   -DVERSION=45|46|47|49|52|513|514|601|601184   -DARCH=GENERIC|S390|IA64|ARM|SH|UM|ARM64|POWERPC
 *   -DSWAP=1|0   -DCPUS=2..6
 *   -DPATCH=NONE or a sum, such as Q2+NR1_SHORTCUT   -DIGNORE=the sum of invariants to leave out
 */
#define GENERIC 1
#define S390    2
#define IA64    3
#define ARM     4
#define SH      5
#define UM      6
#define ARM64   7
#define POWERPC 8            /* and sparc64: the TLBs are flushed when the entry is cleared */

#define NONE                 1
#define QUICK_HACK           2
#define Q2                   4
#define Q3                   8
#define Q4                   16
#define PAGE_REFCOUNT        32
#define REVERT               64
#define PFN_LOCK             128
#define NR1_SHORTCUT         256
#define NR1_SHORTCUT_GUARDED 512
#define SWAPN_MACRO          1024
#define REAPER_PER_VMA       2048
#define patched(p)           ((PATCH) & (p))

#ifndef SWAP
#define SWAP 1
#endif
#ifndef PATCH
#define PATCH NONE
#endif
#ifndef CPUS
#define CPUS 3
#endif
#if VERSION < 45 || ARCH < GENERIC || ARCH > POWERPC || (PATCH) < 1 || CPUS < 2 || CPUS > 8
#error "VERSION, ARCH, PATCH or CPUS is missing or unknown"
#endif
#if (VERSION > 47 && patched(QUICK_HACK + PAGE_REFCOUNT + REVERT)) || ((VERSION < 513 || VERSION > 601) && patched(PFN_LOCK)) || \
    ((VERSION < 46 || VERSION > 49) && patched(REAPER_PER_VMA))
#error "this patch was not written for this version"
#endif

/* Which release function the gather of an architecture ends in, and whether before or after the flush:
 * arch/{s390,sh,um,ia64}/include/asm/tlb.h@v4.6; from v5.2 s390 alone keeps a way of its own. Before aa88b68c,
 * the zap itself gives the reference back; from v5.14 the page never reaches the gather. */
#define ZAP_PUTS          (VERSION < 46 || patched(REVERT))
#define ZAP_GATHERS       (!ZAP_PUTS && VERSION < 514)
#define LOCKED            (VERSION > 601 || patched(PFN_LOCK))
#define FREES_BEFORE_FLUSH (ARCH == S390 || (VERSION < 52 && (ARCH == SH || ARCH == UM)))
#define FREES_ONE_BY_ONE  ((FREES_BEFORE_FLUSH || (VERSION < 52 && ARCH == IA64)) && \
                           !(ARCH == S390 && patched(Q4)))

/* Invariants. SPIN prints the text of a failed assertion, so its first word is the invariant's name. */
#ifndef IGNORE
#define IGNORE 0
#endif
#define STALE_READ      1    /* a TLB entry or a PMD leads to a page that is free or somebody else's */
#define FREED_UNDER_PTR 2    /* the final free of the page that huge_zero_page names */
#define UNBALANCED      4    /* at the end: references and their holders disagree */
#define BUG_ON          8    /* a BUG_ON() of the kernel fires */
#define UNRECOGNISED    16   /* is_huge_zero_pmd() denies a PMD that maps the huge zero page */
bool stale_read = (IGNORE & STALE_READ) != 0, freed_under_ptr = (IGNORE & FREED_UNDER_PTR) != 0;
bool unbalanced = (IGNORE & UNBALANCED) != 0, bug_on = (IGNORE & BUG_ON) != 0;
bool unrecognised = (IGNORE & UNRECOGNISED) != 0;
#define must(name, holds) assert(name || (holds))

#define NULL BLOCKS          /* no block, both for huge_zero_page and for huge_zero_pfn */
mtype = { FREE, ZERO, OTHER };
mtype owner[BLOCKS] = FREE;  /* ZERO: allocated as a huge zero page; OTHER: somebody else's data */
short page_count[BLOCKS];
short huge_zero_refcount;
byte  huge_zero_page = NULL, huge_zero_pfn = NULL;
bool  huge_zero_lock;

#if patched(PAGE_REFCOUNT)
#define REFERENCES page_count[huge_zero_page]
#else
#define REFERENCES huge_zero_refcount
#endif

#define SCRATCH bool last, ok; byte page = NULL, new = NULL    /* registers of one CPU */
#define remember(x, condition) d_step { x = (condition) }

inline alloc_block(b, who) {            /* mm/page_alloc.c@v4.6: any free block, or NULL */
    atomic {
        b = 0;
        do
        :: b < NULL -> b++
        :: b < NULL && owner[b] == FREE -> owner[b] = who; page_count[b] = 1; break
        :: b == NULL -> break
        od
    }
}

inline put_page(b) {                    /* include/linux/mm.h:put_page@v4.6; also __free_pages, the same two steps */
    d_step { page_count[b]--; last = (page_count[b] == 0); must(freed_under_ptr, !last || b != huge_zero_page) };
    if
    :: last -> owner[b] = FREE          /* mm/swap.c:__put_compound_page@v4.6 -> __free_pages_ok */
    :: else
    fi
}

inline put_huge_zero_page(b) {          /* mm/huge_memory.c:put_huge_zero_page@v4.6 */
#if patched(PAGE_REFCOUNT)
    put_page(b)
#else
    d_step { huge_zero_refcount--; must(bug_on, huge_zero_refcount != 0) }
#endif
}

/* The test that release_pages (aa88b68c, v4.6) and free_page_and_swap_cache (v4.7) learned. From v4.9
 * (6fcb52a56ff6) both only skip the page: its reference belongs to the mm. */
inline put_or_skip(b) {
    remember(ok, b == huge_zero_page);  /* include/linux/huge_mm.h:is_huge_zero_page@v4.6 */
    if
#if VERSION < 49
    :: ok -> put_huge_zero_page(b)
#else
    :: ok
#endif
    :: else -> put_page(b)
    fi
}

inline release_pages(b) {               /* mm/swap.c:release_pages@v4.6, nr == 1 */
#if patched(NR1_SHORTCUT + PAGE_REFCOUNT) || VERSION < 46
    put_page(b)
#else
    put_or_skip(b)                      /* the guarded shortcut comes after the test: nothing changes */
#endif
}

inline free_page_and_swap_cache(b) {    /* mm/swap_state.c@v4.6; SWAP=n: a macro of include/linux/swap.h */
#if SWAP && patched(Q2 + Q3)
    release_pages(b)
#elif ((SWAP && (VERSION > 46 || patched(QUICK_HACK))) || patched(SWAPN_MACRO)) && !patched(PAGE_REFCOUNT)
    put_or_skip(b)
#else
    put_page(b)
#endif
}

inline free_gathered(b) {               /* what tlb_remove_page() ends in, now or after the flush */
#if FREES_ONE_BY_ONE
    free_page_and_swap_cache(b)
#else
    release_pages(b)                    /* mm/swap_state.c:free_pages_and_swap_cache@v4.6, and its macro */
#endif
}

inline is_huge_zero_pmd(b) {            /* include/linux/huge_mm.h:is_huge_zero_pmd@v4.6; @v5.14: by number */
#if VERSION < 513
    must(unrecognised, b == huge_zero_page)
#else
    must(unrecognised, b == huge_zero_pfn)
#endif
}

/* Sets page; NULL if there is no memory. */
inline get_huge_zero_page() {                 /* mm/huge_memory.c:get_huge_zero_page@v4.6 */
    do
    ::
#if patched(PAGE_REFCOUNT)                    /* in no kernel: a speculative reference, then look again */
       page = huge_zero_page;
       if
       :: page != NULL ->
          d_step { ok = (page_count[page] != 0); if :: ok -> page_count[page]++ :: else fi };
          if
          :: ok -> remember(ok, page == huge_zero_page); if :: ok -> break :: else -> put_page(page) fi
          :: else
          fi
       :: else ->
          alloc_block(page, ZERO);
          if :: page == NULL -> break :: else fi;
          page_count[page]++;                 /* one for the caller, one for the shrinker */
          d_step { ok = (huge_zero_page == NULL); if :: ok -> huge_zero_page = page :: else fi };
          if :: ok -> break :: else -> page_count[page]--; put_page(page) fi
       fi
#else
       d_step { ok = (huge_zero_refcount != 0); if :: ok -> huge_zero_refcount++ :: else fi };
       if :: ok -> page = huge_zero_page; break :: else fi;
       alloc_block(new, ZERO);
       if :: new == NULL -> page = NULL; break :: else fi;
#if LOCKED                                    /* the fix of CVE-2026-74632 */
       d_step { !huge_zero_lock -> huge_zero_lock = true };
       remember(ok, huge_zero_page == NULL);
       if
       :: ok -> huge_zero_page = new; huge_zero_pfn = new; huge_zero_refcount = 2; huge_zero_lock = false
       :: else -> huge_zero_refcount++; huge_zero_lock = false; put_page(new)
       fi;
       page = huge_zero_page; break
#else
       d_step { ok = (huge_zero_page == NULL); if :: ok -> huge_zero_page = new :: else fi };    /* cmpxchg */
       if
       :: ok ->
#if VERSION >= 513
          huge_zero_pfn = new;
#endif
          huge_zero_refcount = 2; page = huge_zero_page; break
       :: else -> put_page(new)               /* lost: give the block back and start over */
       fi
#endif
#endif
    od;
    new = NULL
}

inline shrink_huge_zero_page_scan() {   /* mm/huge_memory.c:shrink_huge_zero_page_scan@v4.6 */
#if patched(PAGE_REFCOUNT)              /* an idea of the thread (Hugh Dickins), in no kernel: freeze, hide, free */
    page = huge_zero_page;
    d_step { ok = false; if :: page != NULL && page_count[page] == 1 -> page_count[page] = 0; ok = true :: else fi };
    if
    :: ok -> huge_zero_page = NULL; owner[page] = FREE
    :: else
    fi;
#else
#if LOCKED
    d_step { !huge_zero_lock -> huge_zero_lock = true };
#endif
    d_step { ok = (huge_zero_refcount == 1); if :: ok -> huge_zero_refcount = 0 :: else fi };
    if
    :: ok ->
        d_step { page = huge_zero_page; huge_zero_page = NULL; must(bug_on, page != NULL) };
#if VERSION >= 513
        huge_zero_pfn = NULL;
#endif
#if LOCKED
        huge_zero_lock = false;
#endif
        put_page(page)
    :: else
#if LOCKED
        -> huge_zero_lock = false
#endif
    fi;
#endif
    page = NULL
}
