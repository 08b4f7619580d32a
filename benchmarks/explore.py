"""Time and memory to the verdict of zap-vs-shrinker: mmmodel, and SPIN on the independent model of tests/explore/spin.

mmmodel is timed from the start of a Python process to its verdict, and without what comes before the exploration. SPIN
is timed from the model to its verdict (generate, compile with -O2, run, with its partial order reduction), with -O0,
which is sooner done for a small search, and without what comes before the search. Medians; the two take turns. The
verdicts have to be the same. From 7 CPUs on each is run once, and not with -O0.

    python benchmarks/explore.py --cpus 2 3 4 5 6 7 8 --write --plot explore.svg
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import NamedTuple

import mmmodel as mm

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/explore/spin"))
from spin import run, search

BUILDS = {"s390 v4.7": mm.Build("v4.7", "s390"), "x86 v4.6": mm.Build("v4.6", "x86")}
OURS = """
import json, resource, mmmodel as mm
v = mm.check({build!r}, "zap-vs-shrinker", {cpus}, max_states=1e9, max_seconds=1e9)
assert v.complete, v.bound
print(json.dumps([v.holds, v.states, v.seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
TIMES = {
    "ours": "mmmodel, whole process",
    "exploration": "mmmodel, exploration",
    "spin": "SPIN, generate, compile, run",
    "spin -O0": "SPIN, the same with -O0",
    "search": "SPIN, search",
}
FILE = Path(__file__).parent.parent / "data" / "exploration_times.csv"
COLUMNS = ("build", "cpus", "states", "spin_states", "seconds", "exploration_seconds", "mib", "spin_seconds",
           "spin_o0_seconds", "spin_search_seconds", "spin_mib", "date", "source", "how")  # fmt: skip


class Case(NamedTuple):
    """A line of the table. `mib`: the most memory of our process, and of SPIN's search."""

    build: str
    cpus: int
    holds: bool
    states: tuple[int, int]
    seconds: dict[str, float]
    mib: tuple[float, float]

    def row(self) -> list[object]:
        """The case as a row of the file."""
        ours, exploration, spin, plain, search = (round(self.seconds.get(k, 0), 3) or "" for k in TIMES)
        mine, theirs = (round(mib) for mib in self.mib)
        times = [ours, exploration, mine, spin, plain, search, theirs]
        return [self.build, self.cpus, *self.states, *times, date.today(), "benchmarks/explore.py", "measured"]


def measure(name: str, cpus: int, repeat: int) -> Case:
    """Medians of one build and number of CPUs."""
    build, times = BUILDS[name], defaultdict[str, list[float]](list)
    holds, states, mib, large = True, (0, 0), (0.0, 0.0), cpus > 6
    for _ in range(1 if large else repeat):
        started = time.perf_counter()
        code = OURS.format(build=build, cpus=cpus)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        times["ours"].append(time.perf_counter() - started)
        holds, ours, seconds, mine = json.loads(done.stdout)
        times["exploration"].append(seconds)
        for option, total in (("-O2", "spin"), ("-O0", "spin -O0"))[: 1 if large else 2]:
            search.cache_clear()
            arch = "generic" if build.arch == "x86" else build.arch
            result = run("zap-vs-shrinker", version=build.version, arch=arch, cpus=cpus, pan_options=[option])
            times[total].append(result.seconds_total)
            if option == "-O2":
                times["search"].append(result.seconds_run)
            assert result.holds == holds, (build, cpus, result)
        states, mib = (ours, result.states), (mine, result.memory)
    return Case(name, cpus, holds, states, {kind: statistics.median(found) for kind, found in times.items()}, mib)


def plot(cases: list[Case], file: Path) -> None:
    """Time over CPUs, a panel for each build."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(BUILDS), figsize=(10, 4.2), sharey=True, layout="constrained")
    for panel, name in zip(axes, BUILDS, strict=True):
        mine = [case for case in cases if case.build == name]
        for (kind, label), style in zip(TIMES.items(), ("o-", "o--", "s-", "s:", "s--"), strict=True):
            colour = "C0" if label.startswith("mmmodel") else "C1"
            seconds = [c.seconds.get(kind) for c in mine]
            panel.plot([c.cpus for c in mine], seconds, style, color=colour, label=label)
        panel.set(yscale="log", title=name, xlabel="CPUs", xticks=[case.cpus for case in mine])
        panel.grid(alpha=0.3)
    axes[0].set_ylabel("seconds to the verdict")
    axes[0].legend(fontsize="small")
    figure.savefig(file)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpus", type=int, nargs="+", default=[2, 3, 4, 5], choices=range(2, 9))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--plot", type=Path, metavar="FILE")
    parser.add_argument("--write", action="store_true", help="Write data/exploration_times.csv.")
    arguments, cases = parser.parse_args(), list[Case]()
    print(*COLUMNS[:-3], sep=",")
    for name in BUILDS:
        for cpus in arguments.cpus:
            cases.append(measure(name, cpus, arguments.repeat))
            print(*cases[-1].row()[:-3], sep=",", flush=True)
    if arguments.plot:
        plot(cases, arguments.plot)
    if arguments.write:
        with FILE.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *(case.row() for case in cases)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
