"""A build: version, arch, configuration and patches; what a patch may be, and what of it has an effect.

Here: from what a reader asks for to a booted kernel. Not here: kernel functions (kernel), running them (explore).
"""

from .composed import Build as Build
