"""Run notebooks in parallel, each in a process of its own, and always to an end.

A notebook that fails, hangs or loses its kernel costs its own deadline and nothing else: what it did by then
is kept, and the others finish. The executed notebooks are the record; everything else is read off them.
"""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import platform
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from markupsafe import Markup
from tqdm import tqdm

from . import index, report
from .build import Build, BuildError
from .data import notebooks_dir
from .outcome import Failure, Outcome, read, said
from .worker import work

GRACE = 20.0  # seconds to write down what there is, after a deadline or Ctrl-C
PACKAGES = ["mmmodel", "greenlet", "ipykernel", "ipywidgets", "matplotlib", "nbclient", "nbconvert",
            "pandas", "papermill"]  # fmt: skip
TITLE = "mmmodel: what this run found"


class UsageError(ValueError):
    """The run was asked for something that cannot be; nothing has been started."""


@dataclass(frozen=True)
class Report:
    """What a run found; `ok` if every notebook ran to its end and no claim is false."""

    ok: bool
    failures: list[Failure]
    claims: list[dict[str, Any]]
    seconds: float
    index: Path


def run(
    notebooks: Sequence[Path] | None,
    out: Path,
    parameters: Mapping[str, object],
    *,
    jobs: int | None = None,
    execution_timeout: int = 120,
    start_timeout: int = 60,
    deadline: float | None = None,
) -> Report:
    """Run notebooks (None: all) with `parameters`; write pages, claims.csv and .html, run.json, index.html into `out`.

    Seconds: `execution_timeout` for a cell, `deadline` for a notebook (default: start and five such cells).
    Ctrl-C keeps what is done. Raises UsageError, before anything is started, if a notebook, a parameter or
    its type is wrong.
    """
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    deadline = start_timeout + 5 * execution_timeout if deadline is None else deadline
    if min(jobs, start_timeout, execution_timeout, deadline) <= 0:
        raise UsageError("jobs, timeouts and the deadline must be greater than 0")
    paths = sorted(notebooks_dir().glob("*.ipynb")) if notebooks is None else list(notebooks)
    plan = _plan(paths, out, parameters)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} is not a folder, and cannot be made one: {error.strerror}") from None
    for path in plan:  # what an earlier run left is no result of this one
        for suffix in (".ipynb", ".html"):
            (out / f"{path.stem}{suffix}").unlink(missing_ok=True)
    start, clock = datetime.now(UTC), time.monotonic()
    timeouts = {"start_timeout": start_timeout, "execution_timeout": execution_timeout}
    timeouts["iopub_timeout"] = execution_timeout  # papermill makes it an error when output is 4 s late
    not_run = _run_all(list(plan), jobs, deadline, (out.resolve(), dict(parameters), deadline, timeouts))
    outcomes = [_outcome(plan[path], out, path in not_run) for path in plan]
    seconds = round(time.monotonic() - clock, 2)
    claims = [{**said(c["id"]), **c, "notebook": o.name} for o in outcomes for c in o.claims]
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    found: dict[str, Any] = {
        "ok": not failures,
        "start": start.isoformat(timespec="seconds"),
        "end": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": seconds,
        "parameters": dict(parameters),
        "versions": _versions(),
        "notebooks": [asdict(outcome) for outcome in outcomes],
    }
    summary = Markup("".join(notebook.pop("summary") for notebook in found["notebooks"]))
    report.write(out / "claims.csv", index.table(claims))
    report.write(out / "claims.html", index.ledger(claims))
    report.write(out / "run.json", json.dumps(found, indent=1) + "\n")
    page = index.index(found, claims, title=TITLE, failures=failures, summary=summary)
    report.write(out / "index.html", page)
    return Report(not failures, failures, claims, seconds, out / "index.html")


def _plan(paths: Sequence[Path], out: Path, parameters: Mapping[str, object]) -> dict[Path, Outcome]:
    """The notebooks with their outcomes still empty. Raises UsageError for what could only fail."""
    plan: dict[Path, Outcome] = {}
    for path in map(Path, paths):
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            known, outcome = report.parameters_of(cells), Outcome(path.stem, *report.headline(cells))
        except FileNotFoundError:
            there = ", ".join(sorted(other.stem for other in notebooks_dir().glob("*.ipynb")))
            raise UsageError(f"no notebook {path}; there are: {there or 'none'}") from None
        except (OSError, ValueError, KeyError, TypeError, SyntaxError) as error:
            raise UsageError(f"{path} cannot be read as a notebook: {error}") from None
        for name, value in parameters.items():
            _check(path.stem, known, name, value)
        if path.parent.resolve() == out.resolve() or path.stem in {other.name for other in plan.values()}:
            raise UsageError(f"{path} and another file of this run would both be {out / path.name}")
        plan[path.resolve()] = outcome
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


def _run_all(waiting: list[Path], jobs: int, deadline: float, task: tuple[Any, ...]) -> list[Path]:
    """Keep `jobs` processes busy until all notebooks are done. Returns those not begun when Ctrl-C came."""
    context = mp.get_context("forkserver")  # imports papermill once, not once for each notebook
    context.set_forkserver_preload(["papermill", "nbconvert", "bs4", "IPython.lib.lexers", work.__module__])
    running: dict[Path, tuple[Any, float]] = {}
    with tqdm(total=len(waiting), unit="notebook") as bar:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    process = context.Process(target=work, args=(waiting[0], *task))
                    process.start()
                    running[waiting.pop(0)] = process, time.monotonic() + deadline + GRACE
                if (names := ", ".join(path.stem for path in running)) != bar.postfix:
                    bar.set_postfix_str(names)
                wait([process.sentinel for process, _ in running.values()], timeout=1)
                for path, (process, latest) in list(running.items()):
                    if not process.is_alive() or time.monotonic() > latest:
                        process.kill()
                        del running[path]
                        bar.update()
        except KeyboardInterrupt:
            for process, _ in running.values():
                process.terminate()
            for process, _ in running.values():
                process.join(GRACE)
                process.kill()
    return waiting


def _outcome(outcome: Outcome, out: Path, not_run: bool) -> Outcome:
    """What became of a notebook, from the files its process left."""
    if not_run:
        outcome.fail("the run was interrupted before it began", status="not run")
        return outcome
    outcome.page = (out / f"{outcome.name}.html").exists()
    try:
        read(json.loads((out / f"{outcome.name}.ipynb").read_text(encoding="utf-8")), outcome)
    except FileNotFoundError:
        outcome.fail("its process ended without a result")
    if not outcome.page and not outcome.failures:
        outcome.fail("its page could not be written")
    return outcome


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
