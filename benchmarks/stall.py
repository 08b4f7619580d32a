"""Run each notebook many times with papermill: how long it takes, and whether it ever hangs.

    python benchmarks/stall.py [--runs 50] [--jobs 2] [--timeout 60] [notebook ...]

A stall is a run in which a cell, or the start of the kernel, used up its timeout. Exit status 1 if there was one, or if
a notebook failed.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tqdm import tqdm

from mmmodel.data import notebooks_dir

STALLS = {"CellTimeoutError", "DeadKernelError", "TimeoutError"}


def run(path: Path, timeout: int) -> tuple[float, str]:
    """Execute a notebook; seconds, and the name of the error if there was one."""
    import papermill

    logging.disable(logging.WARNING)
    started, error = time.perf_counter(), ""
    try:
        papermill.execute_notebook(
            str(path),
            None,
            kernel_name="python3",
            extra_arguments=["--log-level=ERROR"],
            cwd=str(path.parent),
            progress_bar=False,
            execution_timeout=timeout,
            start_timeout=timeout,
            autosave_cell_every=0,
            request_save_on_cell_execute=False,
        )
    except Exception as raised:
        error = type(raised).__name__
        if error == "RuntimeError" and "Kernel didn't respond" in str(raised):
            error = "TimeoutError"
    return time.perf_counter() - started, error


def main() -> int:
    """Print a line for each notebook."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--timeout", type=int, default=60, help="seconds for a cell, and for a kernel to start")
    arguments = parser.parse_args()
    paths = arguments.notebooks or sorted(notebooks_dir().glob("*.ipynb"))
    folders = [str(notebooks_dir().parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, folders))
    print(f"{'notebook (seconds)':28}{'runs':>6}{'min':>8}{'median':>8}{'max':>8}{'stalls':>8}{'failed':>8}")
    bad = 0
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for path in paths:
            futures = [pool.submit(run, path.resolve(), arguments.timeout) for _ in range(arguments.runs)]
            results = [future.result() for future in tqdm(futures, path.stem, leave=False, disable=None)]
            times = [seconds for seconds, _ in results]
            stalls = sum(error in STALLS for _, error in results)
            failed = sum(bool(error) for _, error in results) - stalls
            spread = f"{min(times):8.1f}{statistics.median(times):8.1f}{max(times):8.1f}"
            print(f"{path.stem:28}{len(results):6}{spread}{stalls:8}{failed:8}", flush=True)
            bad += stalls + failed
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
