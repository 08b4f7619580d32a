"""The kernel: one module for each file it stands for; versions, architectures, configurations and patches as classes.

From the ground up: atomics, machine, mm_types, page_alloc, swap, swap_state, mmu_gather, pgtable, huge_memory, memory,
gup, process, oom_kill; over them config, versions, arches, patches. `mmmodel.build` composes them.
"""

from ..words import modules_of

__getattr__ = modules_of(__name__)
