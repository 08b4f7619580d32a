"""Run the Promela models of this directory through SPIN.

>>> run("zap-vs-shrinker", version="v4.5", arch="generic").violation
'stale-read'
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
MODELS = ("zap-vs-shrinker", "reaper-vs-shrinker", "fault-vs-shrinker")
VERSIONS = ("v4.5", "v4.6", "v4.7", "v4.9", "v5.2", "v5.13", "v5.14", "v6.1", "v6.1.184")
ARCHS = ("generic", "s390", "ia64", "arm", "sh", "um", "arm64", "powerpc")
PATCHES = ("none", "quick-hack", "q2", "q3", "q4", "page-refcount", "revert", "pfn-lock",
           "nr1-shortcut", "nr1-shortcut-guarded", "swapn-macro", "reaper-per-vma")  # fmt: skip
INVARIANTS = ("stale-read", "freed-under-ptr", "unbalanced", "bug-on", "unrecognised")
MISTAKES = ("double-put", "no-attach-spin", "no-finish")


@dataclass(frozen=True)
class Result:
    """What SPIN found: the verdict, the invariant that broke, and how much was searched before that."""

    holds: bool
    violation: str | None  # one of INVARIANTS, or "deadlock"
    states: int
    transitions: int
    depth: int
    seconds_total: float  # generate, compile and run
    seconds_run: float
    memory: float  # MiB, of the run


def _macro(name: str, allowed: tuple[str, ...]) -> str:
    if name not in allowed:
        raise ValueError(f"unknown {name!r}, expected one of {', '.join(allowed)}")
    return name.upper().replace("-", "_")


def _call(*command: str, cwd: str | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    output = done.stdout + done.stderr
    if done.returncode or "Error:" in output:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{output}")
    return output


def _number(pattern: str, output: str) -> int:
    found = re.search(pattern, output)
    if found is None:
        raise RuntimeError(f"unexpected output of pan:\n{output}")
    return int(float(found[1]))


def _reduced(text: str) -> str:
    """The same model without the inlines that nobody uses, so that builds which differ in these only are alike."""
    for inline in re.finditer(r"^inline (\w+)\(.*?^}\n", text, re.MULTILINE | re.DOTALL):
        if len(re.findall(rf"\b{inline[1]}\b", text)) == 1:
            return _reduced(text.replace(inline[0], ""))
    return text


def run(
    model: str, *, version: str, arch: str, swap: bool = True, patch: str = "none", cpus: int = 3,
    blocks: int | None = None, ignore: Iterable[str] = (), mistake: str | None = None,
    pan_options: Iterable[str] = ("-O2",), compiler: str = "gcc", limits: tuple[str, ...] = ("-m1000000", "-w20"),
) -> Result:  # fmt: skip
    """Search every interleaving of one model.

    `arch="generic"` stands for every architecture with the asm-generic gather; `patch` may be a stack such as
    "q2+nr1-shortcut"; `blocks` is the memory of fault-vs-shrinker. `ignore` names invariants to leave out,
    `mistake` adds a deliberate error: both serve to see that each invariant can fail. `pan_options` go to the
    `compiler` of the generated program: tcc compiles at once, and what it makes is slower. `limits`: the
    depth and the size of the hash table, which take time to make, too. Two builds that give the
    same text after the preprocessor, but for inlines that are not used, are searched once, also by processes that
    share a folder $SPIN_RESULTS; without one `search.cache_clear()` forgets. Raises FileNotFoundError without SPIN
    or gcc, MemoryError for a search that needs more than a -DMEMLIM (MiB) among the options.
    """
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            raise FileNotFoundError(f"{tool} is not installed: install the Debian packages spin and gcc")
    if model not in MODELS:
        raise ValueError(f"unknown {model!r}, expected one of {', '.join(MODELS)}")
    _macro(version, VERSIONS)
    options = [
        f"-DVERSION={re.sub(r'^v6[.]', '60', version).strip('v').replace('.', '')}",
        f"-DARCH={_macro(arch, ARCHS)}",
        f"-DSWAP={int(swap)}",
        f"-DPATCH={'+'.join(_macro(name, PATCHES) for name in patch.split('+'))}",
        f"-DCPUS={cpus}",
        f"-DIGNORE={'+'.join(['0', *(_macro(name, INVARIANTS) for name in ignore)])}",
        f"-DMISTAKE={_macro(mistake, MISTAKES) if mistake else 0}",
    ]
    if blocks is not None:
        options.append(f"-DBLOCKS={blocks}")
    source = str(HERE / f"{model.replace('-', '_')}.pml")
    return search(_reduced(_call("gcc", "-E", "-P", "-x", "c", *options, source)), (compiler, *pan_options), limits)


@cache
def search(text: str, compiler: tuple[str, ...], limits: tuple[str, ...]) -> Result:
    """Search a model, if no process that shares the folder of results did."""
    folder = os.environ.get("SPIN_RESULTS")
    if folder is None:
        return _search(text, compiler, limits)
    name = hashlib.sha256(repr((text, compiler, limits)).encode()).hexdigest()
    with Path(folder, name).open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed: who comes second waits for the result
        file.seek(0)
        if known := file.read():
            return Result(**json.loads(known))
        result = _search(text, compiler, limits)
        file.write(json.dumps(asdict(result)))
        return result


def _search(text: str, compiler: tuple[str, ...], limits: tuple[str, ...]) -> Result:
    """Generate, compile and run the program that searches a model."""
    with tempfile.TemporaryDirectory(prefix="spin-") as scratch:
        start = time.perf_counter()
        Path(scratch, "model.pml").write_text(text)
        _call("spin", "-a", "model.pml", cwd=scratch)
        _call(*compiler, "-DSAFETY", "-o", "pan", "pan.c", cwd=scratch)
        compiled = time.perf_counter()
        output = _call("./pan", *limits, cwd=scratch)
        end = time.perf_counter()
    if "-DMEMLIM bound" in output:
        raise MemoryError("the search needs more than MEMLIM")
    if "max search depth too small" in output or "out of memory" in output:
        raise RuntimeError(f"the search is not complete:\n{output}")
    broken = re.search(r"pan:\d+: (?:assertion violated \(+(\w+)|invalid end state)", output)
    holds = _number(r"errors: (\d+)", output) == 0
    if holds != (broken is None):
        raise RuntimeError(f"an error that is not an invariant:\n{output}")
    return Result(
        holds=holds,
        violation=None if broken is None else (broken[1] or "deadlock").replace("_", "-"),
        states=_number(r"([\d.e+]+) states, stored", output),
        transitions=_number(r"([\d.e+]+) transitions", output),
        depth=_number(r"depth reached (\d+)", output),
        seconds_total=end - start,
        seconds_run=end - compiled,
        memory=float(found[1]) if (found := re.search(r"([\d.]+)\s+total actual memory usage", output)) else 0.0,
    )
