/* reaper-vs-shrinker: the OOM reaper (v4.6) zaps a victim whose threads still run as if its mm were dead.
 *
 * CPU 0 is the reaper, a kernel thread. It takes mmap_sem for reading, so threads may fault meanwhile, and opens one
 * gather for the whole mm, which means that nobody runs it; from v4.15 (687cb0884a71) one for each VMA. The victim
 * does not end here. Configuration and invariants: huge_zero.pml.
 */
#define ZAPPER_ATTACHED 0
#define FULLMM          (VERSION < 52 && !patched(REAPER_PER_VMA))
#define REFAULTS        1
#include "one_mapping.pml"

#if VERSION < 46
#error "there is no OOM reaper before v4.6"
#endif

proctype zapper() {                          /* mm/oom_kill.c:__oom_reap_task@v4.6: the one private VMA */
    SCRATCH;
    zap()
}
