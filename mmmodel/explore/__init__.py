"""Running a kernel: scenarios, traces, invariants, and every interleaving of several CPUs.

Here: whatever decides a verdict. Not here: measurements and tables of verdicts (study), how anything looks (show).
"""

from ..words import modules_of

__getattr__ = modules_of(__name__)
