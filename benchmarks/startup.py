"""How long importing the package takes, beside a bare Python and pandas; and how long a trace takes.

python benchmarks/startup.py [--runs 20]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

STATEMENTS = {
    "bare python": "pass",
    "import mmmodel": "import mmmodel",
    "mm.Build()": "import mmmodel as mm; mm.Build()",
    "mm.trace()": "import mmmodel as mm; mm.trace()",
    "import pandas": "import pandas",
    "mm.trace().frame": "import mmmodel as mm; mm.trace().frame",
}


def milliseconds(function: Callable[[], object], runs: int) -> list[float]:
    """How long each of several calls takes, after one that does not count."""
    function()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - started))
    return times


def show(name: str, times: list[float]) -> None:
    """A line of the table."""
    print(f"{name:32}{min(times):9.1f}{statistics.median(times):9.1f}{max(times):9.1f}")


def main() -> None:
    """Print a table of milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    print(f"{'milliseconds, ' + str(runs) + ' runs':32}{'min':>9}{'median':>9}{'max':>9}")
    print("a new process:")
    for name, statement in STATEMENTS.items():
        command = [sys.executable, "-c", statement]
        show(f"  {name}", milliseconds(lambda command=command: subprocess.run(command, check=True), runs))  # type: ignore[misc]

    import mmmodel as mm

    print("in a running process:")
    for scenario in ("map-read-unmap", "two-mappings", "split"):
        for version in ("v4.6", "v4.7"):
            build = mm.Build(version=version)
            times = milliseconds(lambda build=build, scenario=scenario: mm.trace(build, scenario), runs)  # type: ignore[misc]
            show(f"  trace {scenario} {version}", times)


if __name__ == "__main__":
    main()
