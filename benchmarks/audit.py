"""How long an audit of a whole kernel tree takes, and how much memory, beside a search with spatch (coccinelle).

python benchmarks/audit.py TREE [--rev REV] [--runs 5]

The search of spatch is the nearest it can do: who puts a page in the files that the audit reads. It follows no call
and knows no configuration. TREE is a directory; with --rev a repository, which only the audit reads.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

PUTS = """@@
expression page;
@@
(
* free_page_and_swap_cache(page)
|
* put_page(page)
|
* put_huge_zero_page(...)
)
"""
FILES = ("mm/huge_memory.c", "mm/memory.c", "mm/mmu_gather.c", "mm/swap.c", "mm/swap_state.c", "mm/oom_kill.c")


def measured(command: Sequence[str]) -> tuple[float, float]:
    """Seconds and MB (the most that was resident) of a command whose output nobody reads."""
    started = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    _, _, usage = os.wait4(process, 0)
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def show(name: str, command: Sequence[str], runs: int) -> None:
    """A line of the table: a run that does not count, then the best, the median and the worst of several."""
    measured(command)
    times, sizes = zip(*(measured(command) for _ in range(runs)), strict=True)
    print(f"{name:28}{min(times):8.2f}{statistics.median(times):8.2f}{max(times):8.2f}{max(sizes):8.0f}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--rev")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(f"{'':28}{'best':>8}{'median':>8}{'worst':>8}{'MB':>8}   (seconds)")
    rev = ["--rev", options.rev] if options.rev else []
    audit = [sys.executable, "-m", "mmmodel.cli", "audit", str(options.tree), *rev, "--format", "csv"]
    show("mmmodel audit, all archs", audit, options.runs)
    if not shutil.which("spatch") or options.rev:
        print("spatch: install the Debian package coccinelle and give a directory")
        return
    with tempfile.NamedTemporaryFile("w", suffix=".cocci") as rule:
        rule.write(PUTS)
        rule.flush()
        files = [options.tree / name for name in FILES] + sorted(options.tree.glob("arch/*/include/asm/tlb.h"))
        there = [str(path) for path in files if path.exists()]
        show(
            f"spatch, the same {len(there)} files",
            ["spatch", "--very-quiet", "--sp-file", rule.name, *there],
            options.runs,
        )


if __name__ == "__main__":
    main()
