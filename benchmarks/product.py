"""Run every sequential scenario on the full product of builds; nothing may end in a Python error.

The product is version x arch x SWAP x THP x DEBUG_VM x (no patch or one). A run is deterministic, so it need not be
repeated on a build that resolves every kernel function the run called to the same code: such a build shares its result.

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
from dataclasses import fields
from functools import cache, partial
from typing import Any, NamedTuple

from mmmodel.arches import ARCHES
from mmmodel.build import Build
from mmmodel.patches import PATCHES, Patch
from mmmodel.scenarios import SEQUENTIAL
from mmmodel.tracing import run
from mmmodel.versions import VERSIONS

KINDS = ["x86", "arm", "ia64", "s390", "sh", "um"]
FACTS = ["huge_page_order", "page_kib", "word_bits", "page_tables"]
LONG = "unmap-until-panic"  # 2000 cycles; without THP there is no huge zero page, and 200 must do
ABOUT_PATCHES = {name for name in vars(Patch) if not name.startswith("__")}

Chain = tuple[Any, ...]


class Result(NamedTuple):
    """What became of one scenario on one build."""

    build: Build
    scenario: str
    broken: str
    error: str
    repeated: bool


class Known(NamedTuple):
    """A run: what it called, whether DEBUG_VM would have made a difference, and how it ended."""

    called: dict[str, Chain]
    debug_vm: bool | None
    broken: str
    error: str


def product(arches: Iterable[str]) -> Iterator[Build]:
    """Every build that differs in a toggle."""
    both = (False, True)
    stacks: list[tuple[str, ...]] = [(), *((name,) for name in PATCHES)]
    for toggles in itertools.product(VERSIONS, arches, both, both, both, stacks):
        yield Build(*toggles)


def chain(cls: type, name: str) -> Chain:
    """What a name of a kernel means: its definitions, from the first one down as far as they call super()."""
    found: list[Any] = []
    for base in cls.__mro__:
        if name in vars(base) and base is not Patch:
            found.append(vars(base)[name])
            if "super" not in getattr(getattr(found[-1], "__code__", None), "co_names", ()):
                break
    return tuple(found)


@cache
def meaning(cls: Any) -> dict[str, Chain]:
    """All names of a kernel."""
    return {name: chain(cls, name) for name in dir(cls) if name[:2] != "__" and name not in ABOUT_PATCHES}


class Noting:
    """A name of the kernel that writes down its first use, then gets out of the way."""

    def __init__(self, name: str, used: set[str]) -> None:
        self.name, self.used = name, used

    def __get__(self, kernel: Any, cls: type) -> Any:
        self.used.add(self.name)
        delattr(cls, self.name)
        return getattr(cls if kernel is None else kernel, self.name)


class Noted(Build):
    """A build whose kernel writes down which of its names are used."""

    def note(self, names: Iterable[str]) -> tuple[set[str], list[str]]:
        """From now on; returns the names used, and the VM_BUG_ONs that DEBUG_VM=y would stop at."""
        used: set[str] = set()
        fired: list[str] = []
        cls: Any = type("Kernel", (super().kernel_class,), {name: Noting(name, used) for name in names})

        def VM_BUG_ON_PAGE(kernel: Any, condition: bool, what: str) -> None:
            if condition:
                fired.append(what)
            cls.__mro__[1].VM_BUG_ON_PAGE(kernel, condition, what)

        cls.VM_BUG_ON_PAGE = VM_BUG_ON_PAGE
        object.__setattr__(self, "noting", cls)
        return used, fired

    @property
    def kernel_class(self) -> Any:
        """The class that takes notes."""
        return vars(self).get("noting") or super().kernel_class


def ending(build: Build, scenario: str) -> tuple[str, str]:
    """Run a scenario to its end, broken or not: the invariant that broke first, and the Python error."""
    program = SEQUENTIAL[scenario]
    if scenario == LONG and not build.thp:
        program = program._replace(run=partial(program.run, cycles=200))
    try:
        return run(build, program, journal=False).verdict.broken, ""
    except Exception:
        return "", traceback.format_exc()


def explore(build: Build, names: dict[str, Chain], scenario: str) -> Known:
    """Run a scenario and write down which names of the kernel it used."""
    noted = Noted(**{field.name: getattr(build, field.name) for field in fields(build)})
    used, fired = noted.note(names)
    broken, error = ending(noted, scenario)
    return Known({name: names[name] for name in used}, build.debug_vm if fired else None, broken, error)


def task(scenario: str, builds: list[Build]) -> list[Result]:
    """One scenario on builds with the same facts; what is known to run alike is run once."""
    known: list[Known] = []
    results = []
    for build in builds:
        kernel_class: Any = build.kernel_class
        names = meaning(kernel_class)
        same = (
            k
            for k in known
            if k.debug_vm in (None, build.debug_vm) and all(names.get(name) == what for name, what in k.called.items())
        )
        found = next(same, None)
        if not found:
            known.append(explore(build, names, scenario))
        end = found or known[-1]
        results.append(Result(build, scenario, end.broken, end.error, found is not None))
    return results


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
        groups[build.thp, *(ARCHES[build.arch][fact] for fact in FACTS)].append(build)
    slow_first = sorted(itertools.product(reversed(SEQUENTIAL), groups), key=lambda task: bool(task[1][0]))
    results: list[Result] = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        futures = [pool.submit(task, scenario, groups[key]) for scenario, key in slow_first]
        for future in futures:
            results += future.result()
        shared = [result for result in results if result.repeated]
        chosen = random.Random(0).sample(shared, min(arguments.recheck, len(shared)))
        own = pool.map(ending, [r.build for r in chosen], [r.scenario for r in chosen], chunksize=10)
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
