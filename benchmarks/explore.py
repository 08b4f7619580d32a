"""Time to the verdict of zap-vs-shrinker: mmmodel, and SPIN on the independent model of tests/explore/spin.

mmmodel is timed from the start of a Python process to its verdict, and without what comes before the exploration. SPIN
is timed from the model to its verdict (generate, compile with -O2, run), with -O0, which is sooner done for a small
search, and without what comes before the search. Medians; the two take turns. The verdicts have to be the same.

    python benchmarks/explore.py --cpus 2 3 4 5 6 --plot explore.svg
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import mmmodel as mm

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/explore/spin"))
from spin import run, search

BUILDS = {"s390 v4.7": mm.Build("v4.7", "s390"), "x86 v4.6": mm.Build("v4.6", "x86")}
OURS = """
import json, mmmodel as mm
v = mm.check({build!r}, "zap-vs-shrinker", {cpus})
assert v.complete, v.bound
print(json.dumps([v.holds, v.states, v.seconds]))
"""
TIMES = {
    "ours": "mmmodel, whole process",
    "exploration": "mmmodel, exploration",
    "spin": "SPIN, generate, compile, run",
    "spin -O0": "SPIN, the same with -O0",
    "search": "SPIN, search",
}


class Case(NamedTuple):
    """A line of the table."""

    build: str
    cpus: int
    holds: bool
    states: tuple[int, int]
    seconds: dict[str, float]


def measure(name: str, cpus: int, repeat: int) -> Case:
    """Medians of one build and number of CPUs."""
    build, times = BUILDS[name], defaultdict[str, list[float]](list)
    holds, states = True, (0, 0)
    for _ in range(repeat):
        started = time.perf_counter()
        code = OURS.format(build=build, cpus=cpus)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        times["ours"].append(time.perf_counter() - started)
        holds, ours, seconds = json.loads(done.stdout)
        times["exploration"].append(seconds)
        for option, total in (("-O2", "spin"), ("-O0", "spin -O0")):
            search.cache_clear()
            arch = "generic" if build.arch == "x86" else build.arch
            result = run("zap-vs-shrinker", version=build.version, arch=arch, cpus=cpus, pan_options=[option])
            times[total].append(result.seconds_total)
            if option == "-O2":
                times["search"].append(result.seconds_run)
            assert result.holds == holds, (build, cpus, result)
        states = ours, result.states
    return Case(name, cpus, holds, states, {kind: statistics.median(times[kind]) for kind in TIMES})


def plot(cases: list[Case], file: Path) -> None:
    """Time over CPUs, a panel for each build."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(BUILDS), figsize=(10, 4.2), sharey=True, layout="constrained")
    for panel, name in zip(axes, BUILDS, strict=True):
        mine = [case for case in cases if case.build == name]
        for (kind, label), style in zip(TIMES.items(), ("o-", "o--", "s-", "s:", "s--"), strict=True):
            colour = "C0" if label.startswith("mmmodel") else "C1"
            panel.plot([c.cpus for c in mine], [c.seconds[kind] for c in mine], style, color=colour, label=label)
        panel.set(yscale="log", title=name, xlabel="CPUs", xticks=[case.cpus for case in mine])
        panel.grid(alpha=0.3)
    axes[0].set_ylabel("seconds to the verdict")
    axes[0].legend(fontsize="small")
    figure.savefig(file)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpus", type=int, nargs="+", default=[2, 3, 4, 5], choices=range(2, 7))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--plot", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    columns = ("build", "CPUs", "verdict", "states", "SPIN's", *TIMES, "spin / ours")
    print(("{:11}{:>4} {:8}{:>9}{:>9}" + "{:>12}" * (len(TIMES) + 1)).format(*columns))
    cases = []
    for name in BUILDS:
        for cpus in arguments.cpus:
            case = measure(name, cpus, arguments.repeat)
            cases.append(case)
            verdict, seconds = "holds" if case.holds else "breaks", case.seconds.values()
            ratio = case.seconds["spin"] / case.seconds["ours"]
            print(f"{name:11}{cpus:4} {verdict:8}{case.states[0]:9}{case.states[1]:9}"
                  + "".join(f"{s:12.3f}" for s in seconds) + f"{ratio:12.1f}", flush=True)  # fmt: skip
    if arguments.plot:
        plot(cases, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
