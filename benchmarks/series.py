"""The whole series: `mmmodel run`, with pages and claims, against papermill run on one notebook after the other.

    python benchmarks/series.py [--rounds 1]

Both in the same run, in turn, each as a person would call it: papermill with its defaults, but no progress bar.
Prints seconds and the ratio for each round, and the slowest cells.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mmmodel.data import notebooks_dir

PAPERMILL = [sys.executable, "-m", "papermill", "--no-progress-bar", "--kernel", "python3"]


def timed(*command: str | Path) -> float:
    """Seconds of a command that must succeed."""
    started = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, capture_output=True, cwd=notebooks_dir())
    return time.perf_counter() - started


def slowest(report: Path, number: int = 5) -> list[tuple[float, str]]:
    """The slowest cells of a report: seconds, notebook and cell id."""
    found = []
    for path in report.glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            seconds = cell["metadata"].get("papermill", {}).get("duration") or 0
            found.append((round(seconds, 2), f"{path.stem}: {cell['id']}"))
    return sorted(found, reverse=True)[:number]


def main() -> None:
    """Print a line for each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    notebooks = sorted(notebooks_dir().glob("*.ipynb"))
    for _ in range(parser.parse_args().rounds):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            ours = timed(sys.executable, "-m", "mmmodel.cli", "run", "-o", out / "report")
            plain = sum(timed(*PAPERMILL, path, out / path.name) for path in notebooks)
            times = f"mmmodel run {ours:.1f} s, papermill {plain:.1f} s, ratio {ours / plain:.2f}"
            print(f"{len(notebooks)} notebooks: {times}")
            for seconds, cell in slowest(out / "report"):
                print(f"  {seconds:6.2f} s  {cell}")


if __name__ == "__main__":
    main()
