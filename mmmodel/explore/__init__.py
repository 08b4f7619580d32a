"""Running a kernel: scenarios, traces, invariants, every interleaving of several CPUs, in any order of memory.

Here: whatever decides a verdict. Not here: measurements and tables of verdicts (study), how anything looks (show).
"""

from ..words import modules_of

__getattr__ = modules_of(__name__)
