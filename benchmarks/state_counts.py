"""State counts of the exploration: data/state_counts.csv, which tests/explore explores again and compares.

A change of the model that nobody meant shows there, even if it changes no verdict. One that was meant is written down:

    python benchmarks/state_counts.py            # what differs from the file
    python benchmarks/state_counts.py --write    # write the file
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import mmmodel as mm
from mmmodel.explore.checking import check
from mmmodel.explore.concurrent import JUDGED, PROGRAMS
from mmmodel.explore.scenarios import Program
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS

FILE = Path(__file__).parent.parent / "data" / "state_counts.csv"
SOURCE = "benchmarks/state_counts.py"
COLUMNS = ("scenario", "cpus", "version", "arch", "swap", "thp", "patches", "holds", "broken",
           "states", "transitions", "depth", "source", "how")  # fmt: skip
ARCHES = ("s390", "x86", "powerpc", "sh", "um", "ia64")
Case = tuple[str, int, mm.Build]


def cpus(program: Program) -> int:
    """As many as a scenario needs to be interesting; fewer in those about the order of accesses, which cost most."""
    return program.cpus if program.name in JUDGED else program.fewest


def cases() -> Iterator[Case]:
    """Every scenario on every version; the patches where the regression is; more CPUs."""
    for (name, program), version, arch, swap in product(PROGRAMS.items(), VERSIONS, ARCHES, (True, False)):
        if not program.lacking(build := mm.Build(version, arch, swap, thp=True)):
            yield name, cpus(program), build
    for (name, program), patch, arch in product(PROGRAMS.items(), PATCHES, ("s390", "x86")):
        version = max("v4.6", PATCHES[patch].since, key=list(VERSIONS).index)
        yield name, cpus(program), mm.Build(version, arch, patches=(patch,))
    for (version, arch), number in product((("v4.5", "x86"), ("v4.6", "x86"), ("v4.7", "s390")), (2, 4, 5)):
        yield "zap-vs-shrinker", number, mm.Build(version, arch)


def row(scenario: str, cpus: int, build: mm.Build) -> dict[str, str]:
    """Explore one case."""
    v = check(build, scenario, cpus, symmetry=False)
    names = "+".join(patch.name for patch in build.patch_classes)
    values = (scenario, cpus, build.version, build.arch, "ny"[build.swap], "ny"[bool(build.thp)], names,
              "ny"[v.holds], v.broken, v.states, v.transitions, v.depth, SOURCE, "explored")  # fmt: skip
    return dict(zip(COLUMNS, map(str, values), strict=True))


def main() -> int:
    """Compare with the file, or write it; 1 if there is a difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    started = time.perf_counter()
    rows = [row(*case) for case in cases()]
    print(
        f"{len(rows)} explorations, {sum(int(r['states']) for r in rows)} states, {time.perf_counter() - started:.1f} s"
    )
    if arguments.write:
        with FILE.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return 0
    with FILE.open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    different = [r for r in rows if r not in written] + [r for r in written if r not in rows]
    for r in different:
        print("now " if r in rows else "file", *r.values())
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
