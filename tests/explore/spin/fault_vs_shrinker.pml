/* fault-vs-shrinker: get_huge_zero_page() against shrink_huge_zero_page_scan().
 *
 * CPU 0 runs the shrinker, over and over, and is also everybody else: it takes and returns free blocks. Every other
 * CPU read-faults one address, reads it, and may unmap it and exit. From v5.13 the page has a second name,
 * huge_zero_pfn (3b77e8c8cde5), written by a separate step; CVE-2026-74632 is what that allows.
 * Left to SPIN: whether the CPUs are one process with one PMD or have one each; whether an earlier process has left
 * a huge zero page behind. Configuration and invariants: huge_zero.pml.
 */
#ifndef BLOCKS
#define BLOCKS 3                              /* of huge page size; in the whole machine */
#endif
#include "huge_zero.pml"

byte pmd[CPUS] = NULL;                        /* by address space: the CPU's own, or the one they share (1) */
byte mm_users[CPUS];
bool mm_holds[CPUS];                          /* MMF_HUGE_ZERO_PAGE, from v4.9 */

inline get_for(mm) {
#if VERSION < 49
    get_huge_zero_page()
#else                                         /* mm/huge_memory.c:mm_get_huge_zero_page@v4.9 */
    remember(ok, mm_holds[mm]);
    if
    :: ok -> page = huge_zero_page
    :: else ->
       get_huge_zero_page();
       if
       :: page != NULL ->
          d_step { ok = mm_holds[mm]; mm_holds[mm] = true };
          if :: ok -> put_huge_zero_page(page) :: else fi;
          page = huge_zero_page
       :: else
       fi
    fi
#endif
}

proctype user(byte mm) {
    SCRATCH;
    get_for(mm);                              /* mm/huge_memory.c:do_huge_pmd_anonymous_page@v4.6 */
    if
    :: page != NULL ->
       /* under the page-table lock: mm/huge_memory.c:set_huge_zero_page@v4.6 */
       d_step { ok = (pmd[mm] == NULL); if :: ok -> pmd[mm] = page :: else fi };
       if
#if VERSION < 49
       :: !ok -> put_huge_zero_page(page)
#endif
       :: else
       fi
    :: else                                   /* no memory: the fault falls back to small pages */
    fi;
    d_step { must(stale_read, pmd[mm] == NULL || owner[pmd[mm]] == ZERO) };     /* a user's load through the PMD */
    if
    :: goto lives_on                          /* keeps what is mapped */
    :: true
    fi;
    d_step { page = pmd[mm]; pmd[mm] = NULL };    /* mm/huge_memory.c:zap_huge_pmd@v4.6 */
    if
    :: page != NULL ->
       is_huge_zero_pmd(page);
#if ZAP_PUTS
       put_huge_zero_page(page)
#elif ZAP_GATHERS
       free_gathered(page)                    /* the flush before or after it is one_mapping.pml's subject */
#endif
    :: else
    fi;
#if VERSION >= 49
    d_step { mm_users[mm]--; ok = (mm_users[mm] == 0 && mm_holds[mm]) };     /* kernel/fork.c:mmput@v4.9 */
    if
    :: ok -> put_huge_zero_page(page); mm_holds[mm] = false
    :: else
    fi;
#endif
lives_on:
    page = NULL
}

proctype shrinker() {
    SCRATCH;
    byte taken = NULL;
    do
    :: shrink_huge_zero_page_scan()
    :: taken == NULL -> alloc_block(taken, OTHER)
    :: taken != NULL -> put_page(taken); taken = NULL
    :: break
    od
}

init {
    byte i, holders;
    bool shared;
    atomic {
        if :: shared = true :: CPUS > 2 -> shared = false fi;
        if
        :: true                               /* nobody has used it since boot */
        :: owner[0] = ZERO; page_count[0] = 1; huge_zero_page = 0; huge_zero_pfn = 0; huge_zero_refcount = 1
        fi;
        run shrinker();
        for (i : 1 .. CPUS - 1) { mm_users[(shared -> 1 : i)]++; run user((shared -> 1 : i)) }
    }
    _nr_pr == 1;                              /* everybody has ended */
    for (i : 1 .. CPUS - 1) {
#if VERSION < 49
        holders = holders + (pmd[i] != NULL)
#else
        holders = holders + mm_holds[i]
#endif
    }
    must(unbalanced, huge_zero_page == NULL || REFERENCES == 1 + holders)
}
