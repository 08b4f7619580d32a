/* zap-vs-shrinker: the race that aa88b68c ("thp: keep huge zero page pinned until tlb flush", v4.6) closed.
 *
 * CPU 0, a thread of the mm, zaps the mapping with MADV_DONTNEED, so that the gather holds this one page, while CPU 1
 * reclaims it and the other threads read. Configuration and invariants: huge_zero.pml.
 */
#define ZAPPER_ATTACHED 1
#define FULLMM          0
#define REFAULTS        0
#include "one_mapping.pml"

proctype zapper() {
    SCRATCH;
    zap();
#if VERSION >= 49
    _nr_pr <= 1 + FIRST;                     /* kernel/fork.c:mmput@v4.9: the threads, started last, have ended */
    put_huge_zero_page(HZP); mm_holds = false
#endif
}
