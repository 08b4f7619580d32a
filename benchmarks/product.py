"""Run every sequential scenario on the full product of builds; nothing may end in a Python error.

The product is version x arch x SWAP x THP x DEBUG_VM x (no patch or one). A run is deterministic, so it is made once
for the builds in which all it uses means the same (mmmodel/study/sharing.py); some of those are run again, to see that
it is so.

    python benchmarks/product.py                 # one arch of each kind of gather
    python benchmarks/product.py --all-arches
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sys
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

from mmmodel.build.composed import Build
from mmmodel.explore.sequential import SEQUENTIAL
from mmmodel.explore.tracing import run
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS
from mmmodel.study.sharing import shared

KINDS = ["x86", "arm", "ia64", "s390", "sh", "um"]
LONG = "unmap-until-panic"  # 2000 cycles; without THP there is no huge zero page, and 200 must do


class Result(NamedTuple):
    """What became of one scenario on one build."""

    build: Build
    scenario: str
    broken: str
    error: str
    repeated: bool


def product(arches: Iterable[str]) -> Iterator[Build]:
    """Every build that differs in a toggle."""
    both = (False, True)
    stacks: list[tuple[str, ...]] = [(), *((name,) for name in PATCHES)]
    for toggles in itertools.product(VERSIONS, arches, both, both, both, stacks):
        yield Build(*toggles)


def ending(scenario: str, build: Build, kernel_class: type | None = None) -> tuple[str, str]:
    """Run a scenario to its end, broken or not: the invariant that broke first, and the Python error."""
    program = SEQUENTIAL[scenario]
    if scenario == LONG and not build.thp:
        program = program._replace(run=partial(program.run, cycles=200))
    try:
        return run(build, program, journal=False, kernel_class=kernel_class).verdict.broken, ""
    except Exception:
        return "", traceback.format_exc()


def task(scenario: str, builds: list[Build]) -> list[Result]:
    """One scenario on builds with huge pages of one size; what runs alike is run once."""
    endings = zip(builds, shared(builds, partial(ending, scenario)), strict=True)
    return [Result(build, scenario, *end, not made) for build, (end, made) in endings]


def main() -> int:
    """Print the counts; 1 if there was any error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all-arches", action="store_true", help="not only one of each kind of gather")
    parser.add_argument("--recheck", type=int, default=200, help="shared results to run all the same")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    started = time.perf_counter()
    groups: dict[tuple[object, ...], list[Build]] = defaultdict(list)
    for build in product(ARCHES if arguments.all_arches else KINDS):
        groups[build.thp, ARCHES[build.arch]["huge_page_order"]].append(build)
    slow_first = sorted(itertools.product(reversed(SEQUENTIAL), groups), key=lambda task: bool(task[1][0]))
    results: list[Result] = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        futures = [pool.submit(task, scenario, groups[key]) for scenario, key in slow_first]
        for future in futures:
            results += future.result()
        shared = [result for result in results if result.repeated]
        chosen = random.Random(0).sample(shared, min(arguments.recheck, len(shared)))
        own = pool.map(ending, [r.scenario for r in chosen], [r.build for r in chosen], chunksize=10)
        wrong = sum(end != (r.broken, r.error) for r, end in zip(chosen, own, strict=True))
    report(results, time.perf_counter() - started)
    print(f"shared results run again {len(chosen):4}, different {wrong}")
    return int(bool(wrong) or any(result.error for result in results))


def report(results: list[Result], seconds: float) -> None:
    """The counts."""
    per_build: dict[Build, set[str]] = defaultdict(set)
    for result in results:
        per_build[result.build].add(result.broken)
    reasons = Counter(result.broken or "holds" for result in results if not result.error)
    errors = [result for result in results if result.error]
    print(f"builds                {len(per_build):7}")
    print(f"  with a run of its own {len({r.build for r in results if not r.repeated}):5}")
    print(f"  hold in every scenario {sum(b == {''} for b in per_build.values()):4}")
    print(f"scenario runs         {len(results):7}")
    print(f"  distinct            {sum(not result.repeated for result in results):7}")
    for reason, count in reasons.most_common():
        print(f"  {reason:20}{count:7}")
    print(f"errors                {len(errors):7}")
    print(f"seconds               {seconds:7.1f}")
    for text in sorted({result.error for result in errors}):
        first = next(result for result in errors if result.error == text)
        print(f"\n{first.build!r} {first.scenario}\n{text}")


if __name__ == "__main__":
    sys.exit(main())
