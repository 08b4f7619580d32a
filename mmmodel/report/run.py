"""Run notebooks in parallel, each in a process of its own, and always to an end.

A notebook that fails, hangs or loses its kernel costs its own deadline and nothing else: what it did by then
is kept, and the others finish. The executed notebooks are the record; everything else is read off them.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from ..build.composed import Build
from ..show.contents import headline
from ..study.kept import leave
from ..words import BuildError
from . import environment
from . import page as report
from .execute import INTERRUPTED, STARTS, VERDICTS, work
from .notebooks import UsageError, find, load, ours, promised
from .outcome import Failure, Outcome, read
from .results import Results
from .server import start_server, stopping
from .site import OWN, Site
from .slides import has_slides, write_slides

GRACE = 20.0  # seconds to write down what there is, after a deadline or Ctrl-C
HERE = ["nbclient", "nbconvert", "papermill"]  # what works outside the kernels
NOT_BEGUN = f"{INTERRUPTED} before it began"


@dataclass(frozen=True)
class Report:
    """What a run found; `ok` if it came to its end, each cell ran, each claim was checked and is true.

    `interrupted`: by this signal, or 0.
    """

    ok: bool
    failures: list[Failure]
    claims: list[dict[str, Any]]
    seconds: float
    index: Path
    interrupted: int = 0


def run(
    notebooks: Sequence[str | Path] | None,
    out: Path,
    parameters: Mapping[str, object],
    *,
    jobs: int | None = None,
    execution_timeout: int = 120,
    start_timeout: int = 20,
    deadline: float | None = None,
    junit: Path | None = None,
    summary: Path | None = None,
    slides: bool = False,
) -> Report:
    """Run notebooks (paths, names or numbers; None: all) with `parameters`; write the report into the folder `out`.

    That is: pages, claims.csv and .html, run.json, index.html; if asked for, JUnit XML, a Markdown summary, slides.
    Seconds: `execution_timeout` for a cell, `start_timeout` for a kernel to answer (one that does not is started
    again, twice), `deadline` for a notebook (default: three starts and five cells).
    Ctrl-C and SIGTERM keep what is done. Raises UsageError, before anything is started, if a notebook, a parameter or
    its type is wrong, or the report cannot be written; also if it cannot be written in the end.
    """
    jobs = (os.cpu_count() or 1) + 1 if jobs is None else jobs  # each waits now and then, as for its kernel
    deadline = STARTS * start_timeout + 5 * execution_timeout if deadline is None else deadline
    if min(jobs, start_timeout, execution_timeout, deadline) <= 0:
        raise UsageError("jobs, timeouts and the deadline must be greater than 0")
    context, search = start_server()
    plan = _plan([find(name) for name in (ours() if notebooks is None else notebooks)], out, parameters)
    if slides and not any(has_slides(load(path)["cells"]) for path in plan):
        raise UsageError(f"no cell of {', '.join(o.name for o in plan.values())} is tagged slide")
    timeouts = {"start_timeout": start_timeout, "execution_timeout": execution_timeout}
    timeouts["iopub_timeout"] = execution_timeout  # papermill makes it an error when output is 4 s late
    pages = {"run.json", "claims.csv", *(f"{name}.html" for name in (*OWN, *(o.name for o in plan.values())))}
    for file in (files := [file.resolve() for file in (junit, summary) if file]):
        taken = (file.parent == out.resolve() and file.name in pages) or files.count(file) > 1
        if taken or file.suffix.lower() == ".ipynb":
            raise UsageError(f"{file} is a notebook, or another file of this run: it would be written over")
    written = Results(out, dict(parameters), junit, summary)
    with _writable(out), _alone(out), stopping() as stopped, TemporaryDirectory(prefix="mmmodel-") as home:
        earlier = _earlier(out)
        killed = [replace(o, failures=[Failure(o.name, "the run did not come to its end")]) for o in plan.values()]
        written.write(killed)  # what is to be read if the run is killed
        _remove(out, earlier | {outcome.name for outcome in plan.values()})
        (out / "slides.html").unlink(missing_ok=True)
        task = (out.resolve(), dict(parameters), deadline, timeouts, Path(home), search, Site.of(plan.values()))
        longest_first = sorted(plan, key=lambda path: -path.stat().st_size) if jobs > 1 else list(plan)
        for path, words in _run_all(context, longest_first, jobs, deadline, task, stopped):
            _read(plan[path], out, words)
        outcomes = [*plan.values()]
        leave(Path(home) / VERDICTS)
        kernel = environment.facts(Path(home))
        kernel |= {"versions": kernel.get("versions", {}) | environment.versions(HERE)}
        if slides:
            write_slides([out / f"{outcome.name}.ipynb" for outcome in outcomes], out)
        interrupted = signal.Signals(stopped[0]).name if stopped else ""
        found = written.write(outcomes, ended=True, interrupted=interrupted, **kernel)
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    return Report(found["ok"], failures, found["claims"], found["seconds"], out / "index.html", next(iter(stopped), 0))


def _plan(paths: Sequence[Path], out: Path, parameters: Mapping[str, object]) -> dict[Path, Outcome]:
    """The notebooks with their outcomes still empty. Raises UsageError for what could only fail."""
    plan: dict[Path, Outcome] = {}
    for path in paths:
        cells = load(path)["cells"]
        try:
            known = report.parameters_of(cells)
        except (ValueError, SyntaxError) as error:
            raise UsageError(f"{path} has parameters that cannot be read: {error}") from None
        for name, value in parameters.items():
            _check(path.stem, known, name, value)
        taken = {other.name for other in plan.values()} | {*OWN}
        if path.parent.resolve() == out.resolve() or path.stem in taken:
            raise UsageError(f"{path} and another file of this run would both be {out / path.stem}, .ipynb or .html")
        plan[path] = Outcome(path.stem, *headline(cells), promised(path))
    if not plan:
        raise UsageError("no notebooks to run")
    toggles: dict[str, Any] = {f.name: parameters[f.name] for f in fields(Build) if f.name in parameters}
    try:
        Build(**toggles)
    except BuildError as error:
        raise UsageError(str(error)) from None
    return plan


def _check(notebook: str, known: Mapping[str, object], name: str, value: object) -> None:
    """Raise UsageError unless the notebook has the parameter and the value is of its default's type."""
    if name not in known:
        near = "".join(f"did you mean {near}? " for near in get_close_matches(name, known, n=1))
        raise UsageError(f"unknown parameter {name} of {notebook}; {near}known: {', '.join(known) or 'none'}")
    default = known[name]
    if default is not None and default is not ... and type(value) is not type(default):
        kinds = f"{type(default).__name__}, for example {default!r}, not {type(value).__name__} {value!r}"
        raise UsageError(f"parameter {name} of {notebook} must be {kinds}")


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    """Make the folder; a system that refuses what a run needs is bad usage."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} is not a folder, and cannot be made one: {error.strerror}") from None
    try:
        yield
    except OSError as error:
        raise UsageError(f"{error.filename or out}: {error.strerror or error}") from None
    except EOFError:
        raise UsageError("no process could be started") from None


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder; what holds it ends with the process. Where the file system cannot do that, go without."""
    held = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise UsageError(f"another run is writing into {out}") from None
    except OSError:
        pass
    try:
        yield
    finally:
        os.close(held)


def _earlier(out: Path) -> set[str]:
    """The notebooks of the run that wrote into the folder before, by its own record."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        return {str(notebook["name"]) for notebook in json.loads((out / "run.json").read_text("utf-8"))["notebooks"]}
    return set()


def _remove(out: Path, names: Iterable[str]) -> None:
    """Pages of earlier runs are no result of this one; nothing outside the folder is touched, whatever the names."""
    for name in names:
        for file in (f"{name}.ipynb", f"{name}.html"):
            if file == Path(file).name and name not in OWN:
                (out / file).unlink(missing_ok=True)


def _read(outcome: Outcome, out: Path, words: str) -> None:
    """What became of a notebook, from the files its process left, and its last words."""
    if words == NOT_BEGUN:
        outcome.fail(words, status="not run")
        return
    outcome.page = (out / f"{outcome.name}.html").exists()
    try:
        read(json.loads((out / f"{outcome.name}.ipynb").read_text(encoding="utf-8")), outcome)
    except FileNotFoundError:
        words = words or "its process ended without a result"
        outcome.fail(words, status="stopped" if words == INTERRUPTED else "failed")
    else:
        if not outcome.page:
            outcome.fail(words or "its page could not be written")


def _run_all(
    context: Any, waiting: list[Path], jobs: int, deadline: float, task: tuple[Any, ...], stopped: Sequence[int]
) -> Iterator[tuple[Path, str]]:
    """Keep `jobs` processes busy until all notebooks are done, or something comes in `stopped`.

    Of each notebook, when it has ended: what its process had to say, or that it was not begun.
    """
    running = dict[Path, tuple[Any, Any, float]]()

    def end(path: Path) -> tuple[Path, str]:
        process, ear, _ = running.pop(path)
        process.kill()
        with suppress(EOFError):
            return path, ear.recv() if ear.poll() else INTERRUPTED * bool(stopped)
        return path, ""

    with tqdm(total=len(waiting), unit="notebook") as bar:
        while (waiting or running) and not stopped:
            while waiting and len(running) < jobs:
                ear, mouth = context.Pipe(duplex=False)
                process = context.Process(target=work, args=(waiting[0], *task, mouth))
                process.start()
                mouth.close()
                running[waiting.pop(0)] = process, ear, time.monotonic() + deadline + GRACE
            if (names := ", ".join(path.stem for path in running)) != getattr(bar, "postfix", ""):  # TQDM_DISABLE
                bar.set_postfix_str(names)
            wait([process.sentinel for process, _, _ in running.values()], timeout=0.2)
            for path, (process, _, latest) in list(running.items()):
                if not process.is_alive() or time.monotonic() > latest:
                    yield end(path)
                    bar.update()
    latest = time.monotonic() + GRACE
    while any(process.is_alive() for process, _, _ in running.values()) and time.monotonic() < latest:
        for process, _, _ in running.values():
            process.terminate()  # again and again: one that has only just begun does not hear it
        wait([process.sentinel for process, _, _ in running.values()], timeout=0.2)
    yield from map(end, list(running))
    yield from ((path, NOT_BEGUN) for path in waiting)
