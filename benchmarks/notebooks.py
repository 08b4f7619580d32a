"""Execute every notebook for every combination of its parameters: do they run, and stay true?

    python benchmarks/notebooks.py [--jobs 2] [--every 1] [notebook ...]

Arch: those with a gather of their own and x86; every version; SWAP on and off; no patch and each patch. The code cells
are run by IPython in a process that remembers verdicts and traces, which are functions of their arguments; a new kernel
for each of them would take most of a day. `--every N` takes each N-th combination. Exit status 1 if a cell fails.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache, wraps
from itertools import product
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mmmodel.data import notebooks_dir
from mmmodel.kernel.arches import OWN_GATHER
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS

Parameters = dict[str, Any]


def combinations() -> Iterator[Parameters]:
    """Every combination of parameters."""
    stacks = [(), *((patch,) for patch in PATCHES)]
    for version, arch, swap, patches in product(VERSIONS, (*OWN_GATHER, "x86"), (True, False), stacks):
        yield {"version": version, "arch": arch, "swap": swap, "patches": list(patches)}


def frozen(value: Any) -> Any:
    """What a result is remembered by: a class that a notebook defines by its name, bases and code, which are the same
    in each run of it (and must not read what depends on the parameters)."""
    if isinstance(value, type) and value.__module__ == "__main__":
        body = [(name, getattr(of, "__code__", of)) for name, of in vars(value).items() if name[:2] != "__"]
        return frozen([value.__name__, value.__bases__, body])
    return tuple(map(frozen, value)) if type(value) in (list, tuple) else value


def remembering(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, computing each result once."""
    known: dict[Any, Any] = {}

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        asked = frozen((*args, *sorted(kwargs.items())))
        if asked not in known:
            known[asked] = function(*args, **kwargs)
        return known[asked]

    return call


def remember() -> None:
    """Let this process remember what is a pure function of a build."""
    import mmmodel as mm
    from mmmodel.learn.predictions import RIGHT
    from mmmodel.study import blast, means, proposal
    from mmmodel.study import measurements as evidence

    ours = [(mm, name) for name in ("check", "trace", "matrix")]
    ours += [(evidence, "run"), (proposal, "matrix"), (means, "found_in"), (blast, "behaviour")]
    for home, name in ours:
        setattr(home, name, remembering(getattr(home, name)))
    RIGHT.update({question: cache(answer) for question, answer in RIGHT.items()})


def source(cell: dict[str, Any], parameters: Parameters) -> str:
    """A code cell, with these parameters after its own."""
    given = parameters if "parameters" in cell["metadata"].get("tags", []) else {}
    return "\n".join(["".join(cell["source"]), *(f"{name} = {value!r}" for name, value in given.items())])


def execute(path: Path, share: list[Parameters]) -> list[tuple[str, Parameters, str]]:
    """Run a notebook for some combinations; the failures: cell, parameters, error."""
    from IPython.core.interactiveshell import InteractiveShell

    remember()
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    failures = []
    os.chdir(path.parent)
    for parameters in share:
        shell = InteractiveShell.instance()
        shell.reset(new_session=True)
        for cell in cells:
            with contextlib.redirect_stdout(io.StringIO()):
                result = shell.run_cell(source(cell, parameters))
            if not result.success:
                failures.append((f"{path.stem}: {cell['id']}", parameters, repr(result.error_in_exec)))
                break
    return failures


def main() -> int:
    """Print what failed, and a line of counts for each notebook."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    paths = [path.resolve() for path in arguments.notebooks] or sorted(notebooks_dir().glob("*.ipynb"))
    wanted, size, started = list(combinations())[:: arguments.every], 91, time.perf_counter()
    ran, failed = Counter[str](), list[tuple[str, Parameters, str]]()
    with ProcessPoolExecutor(arguments.jobs, max_tasks_per_child=1) as pool:
        shares = [(path, wanted[i : i + size]) for path in paths for i in range(0, len(wanted), size)]
        futures = {pool.submit(execute, path, share): (path.stem, len(share)) for path, share in shares}
        for future in tqdm(as_completed(futures), total=len(futures), unit="share"):
            name, number = futures[future]
            ran[name] += number
            failed += future.result()
    for where, parameters, error in failed:
        print(f"FAILED {where} with {parameters}: {error}")
    for name, number in sorted(ran.items()):
        print(f"{name:32} {number:6} combinations")
    print(f"{sum(ran.values())} runs, {len(failed)} failures, {time.perf_counter() - started:.0f} s")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
