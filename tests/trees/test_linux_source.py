"""Debian's 6.1 kernel: a whole tree, after the fix of CVE-2026-74632."""

import subprocess
from pathlib import Path

import pytest

import mmmodel as mm

SOURCE = Path("/usr/src/linux-source-6.1.tar.xz")
NEEDED = [f"linux-source-6.1/{path}" for path in ("Makefile", "mm", "include/linux", "include/asm-generic", "arch")]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The audit of what it reads of the tree."""
    if not SOURCE.exists():
        pytest.skip("install the Debian package linux-source-6.1")
    folder = tmp_path_factory.mktemp("linux")
    subprocess.run(["tar", "xJf", SOURCE, "-C", folder, "--strip-components=1", *NEEDED], check=True)
    return mm.audit(folder)


def archs(report, fault, verdict):
    return {row.arch for row in report.rows if (row.fault, row.verdict) == (fault, verdict)}


@pytest.mark.slow
def test_what_is_in_it(report):
    assert report.version.startswith("v6.1.")
    every = {row.arch for row in report.rows}
    assert len(report.rows) == len(every) * 2 * 5
    for fault in ("singular-put", "reaper-fullmm", "pfn-race", "pfn-order"):
        assert archs(report, fault, "not affected") == every
    assert archs(report, "mm-flag-order", "affected") == {"arm", "arm64", "loongarch", "mips", "powerpc", "riscv"}
    assert archs(report, "mm-flag-order", "not affected") == {"s390", "sparc", "x86"}
    assert archs(report, "mm-flag-order", "unknown") == {"arc", "csky", "parisc"}


@pytest.mark.slow
def test_the_build_that_has_its_code(report):
    build = mm.Build.from_audit(report, "s390")
    assert build.differs == ()
    assert build.version.startswith("v6.1") or build.patches == ("pfn-lock",)
