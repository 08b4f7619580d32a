"""What the order of accesses decides about the huge zero page: its publication, and the flag of each mm."""

from functools import cache

from ..build.composed import Build
from ..explore.checking import check
from ..explore.verdict import Verdict
from ..kernel.versions import VERSIONS


@cache
def ordered(build: Build, scenario: str, memory: str, cpus: int | None) -> Verdict:
    """The verdict under an order of accesses; worked out once."""
    return check(build, scenario, cpus, memory=memory)


def publication(arch: str = "arm64", patch: str = "pfn-lock") -> Verdict:
    """v5.13 with the lock of 2026 (`pfn-lock-relaxed`) or the lock and the release: processes fault, and unmap."""
    return ordered(Build("v5.13", arch, patches=(patch,)), "fault-unmap-vs-shrinker", "arch", None)


def flag(version: str = "v6.1.184", arch: str = "arm64", acquire: bool = False) -> Verdict:
    """Two threads of a process fault while the page is given back; from v5.13 on with the fix of 2026."""
    order = list(VERSIONS).index
    lacking = order("v5.13") <= order(version) < order("v6.1.184")
    patches = ("pfn-lock",) * lacking + ("mm-flag-acquire",) * acquire
    return ordered(Build(version, arch, patches=patches), "threads-vs-shrinker", "arch", None)
