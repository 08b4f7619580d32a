"""Run notebooks in parallel, each in a process of its own, and always to an end.

A notebook that fails, hangs or loses its kernel costs its own deadline and nothing else: what it did by then
is kept, and the others finish. The executed notebooks are the record; everything else is read off them.
"""

from __future__ import annotations

import json
import logging
import multiprocessing as mp
import os
import platform
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from tqdm import tqdm

from . import report
from .claims import MIME, sentence
from .data import notebooks_dir, rows

SLOW = 10.0  # seconds; slower cells are named in run.json
GRACE = 20.0  # seconds to write down what there is, after a deadline or Ctrl-C
PACKAGES = ["mmmodel", "greenlet", "ipykernel", "ipywidgets", "matplotlib", "nbclient", "nbconvert",
            "pandas", "papermill"]  # fmt: skip
TITLE = "mmmodel: what this run found"
STATUS = {"CellTimeoutError": "timed out", "KeyboardInterrupt": "stopped"}


class UsageError(ValueError):
    """The run was asked for something that cannot be; nothing has been started."""


@dataclass(frozen=True)
class Failure:
    """What went wrong, and where: `cell` counts the code cells of the notebook from 1."""

    notebook: str
    error: str
    cell: int | None = None
    claim: str = ""

    def __str__(self) -> str:
        """Place and error in one line."""
        return f"{self.notebook}{f', cell {self.cell}' if self.cell else ''}: {self.error}"


@dataclass
class Outcome:
    """What became of one notebook; `page` says whether NAME.html exists."""

    name: str
    title: str
    question: str
    status: str = "not run"
    start: str = ""
    end: str = ""
    seconds: float = 0.0
    page: bool = False
    slow_cells: dict[int, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)

    def fail(self, error: str, cell: int | None = None, claim: str = "", status: str = "failed") -> None:
        """Note a failure."""
        self.failures.append(Failure(self.name, error, cell, claim))
        self.status = status


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
    summary_html: str = "",
) -> Report:
    """Run notebooks (None: all) with `parameters`; write pages, claims.csv, run.json, index.html into `out`.

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
    out.mkdir(parents=True, exist_ok=True)
    for path in plan:  # what an earlier run left is no result of this one
        for suffix in (".ipynb", ".html"):
            (out / f"{path.stem}{suffix}").unlink(missing_ok=True)
    start, clock = datetime.now(UTC), time.monotonic()
    timeouts = {"start_timeout": start_timeout, "execution_timeout": execution_timeout}
    timeouts["iopub_timeout"] = execution_timeout  # papermill makes it an error when output is 4 s late
    not_run = _run_all(list(plan), jobs, deadline, (out.resolve(), dict(parameters), deadline, timeouts))
    outcomes = [_outcome(plan[path], out, path in not_run) for path in plan]
    seconds = round(time.monotonic() - clock, 2)
    claims = [{**_said(c["id"]), **c, "notebook": o.name} for o in outcomes for c in o.claims]
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    found = {
        "ok": not failures,
        "start": start.isoformat(timespec="seconds"),
        "end": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": seconds,
        "parameters": dict(parameters),
        "versions": _versions(),
        "notebooks": [asdict(outcome) for outcome in outcomes],
    }
    report.write(out / "claims.csv", report.table(claims))
    report.write(out / "run.json", json.dumps(found, indent=1) + "\n")
    page = report.index(found, claims, title=TITLE, failures=failures, summary_html=summary_html)
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
    if not plan or (out.exists() and not out.is_dir()):
        raise UsageError("no notebooks to run" if not plan else f"{out} is not a folder")
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
    context.set_forkserver_preload(["papermill", "nbconvert", "bs4", "IPython.lib.lexers", __name__])
    running: dict[Path, tuple[Any, float]] = {}
    with tqdm(total=len(waiting), unit="notebook") as bar:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    process = context.Process(target=_work, args=(waiting[0], *task))
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


def _work(
    path: Path, out: Path, parameters: dict[str, object], deadline: float, timeouts: dict[str, int]
) -> None:
    """The life of a process: execute one notebook, write it down, and as a page."""
    os.setsid()  # a Ctrl-C in the terminal is for the run, which stops its processes
    threading.Thread(target=_follow_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, deadline)
    nb = _execute(path, parameters, timeouts)
    _no_more_signals()
    report.write(out / f"{path.stem}.ipynb", json.dumps(nb, indent=1, ensure_ascii=False) + "\n")
    failures = _read(nb, Outcome(path.stem, "", "")).failures
    report.write(out / f"{path.stem}.html", report.page(nb, path.parent, parameters, failures))


def _follow_parent() -> None:
    """A process does not outlive the run it belongs to."""
    if parent := mp.parent_process():
        parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(number: int, frame: object) -> None:
    """End the notebook, once."""
    _no_more_signals()
    raise KeyboardInterrupt("the deadline passed" if number == signal.SIGALRM else "the run was interrupted")


def _no_more_signals() -> None:
    """From here on finishing is quicker than stopping."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _execute(path: Path, parameters: dict[str, object], timeouts: dict[str, int]) -> Any:
    """Execute a notebook with papermill; what stops it becomes an error output of the cell it stopped in."""
    from nbformat.v4 import new_output
    from papermill import PapermillExecutionError, execute_notebook
    from papermill.engines import NBClientEngine, papermill_engines

    class Keeping(NBClientEngine):
        """papermill's engine; papermill alone loses a notebook that times out."""

        nb: Any = None

        @classmethod
        def execute_managed_notebook(cls, manager: Any, kernel_name: str, **options: Any) -> None:
            cls.nb = manager.nb
            super().execute_managed_notebook(manager, kernel_name, **options)

    # The kernel imports the package that runs it, installed or not.
    folders = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, folders))
    papermill_engines.register("keeping", Keeping)
    logging.getLogger("papermill").disabled = True  # what it has to say is in the notebook
    fixed = {"engine_name": "keeping", "kernel_name": "python3", "language": "python", "progress_bar": False}
    quick = {"request_save_on_cell_execute": False, "autosave_cell_every": 0}
    # A graceful shutdown loses 4 s now and then; ipykernel warns about its transport each time it starts.
    kernel = {"shutdown_kernel": "immediate", "extra_arguments": ["--log-level=ERROR"]}
    escaped = str(path).replace("{", "{{").replace("}", "}}")  # papermill takes it for a format string
    try:
        execute_notebook(
            escaped, None, parameters, cwd=str(path.parent), **fixed, **quick, **kernel, **timeouts
        )
    except PapermillExecutionError:
        pass
    except (Exception, KeyboardInterrupt) as error:
        code = [cell for cell in Keeping.nb.cells if cell.cell_type == "code"]
        cell = [*code[:1], *(cell for cell in code if cell.metadata.papermill.start_time)][-1]
        name, text = type(error).__name__, next(iter(str(error).splitlines()), "")
        cell.outputs.append(new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"]))
    nb = Keeping.nb
    nb.cells = [cell for cell in nb.cells if "papermill-error-cell-tag" not in cell.metadata.tags]
    nb.metadata.papermill.input_path = path.name
    return nb


def _outcome(outcome: Outcome, out: Path, not_run: bool) -> Outcome:
    """What became of a notebook, from the files its process left."""
    if not_run:
        outcome.fail("the run was interrupted before it began", status="not run")
        return outcome
    outcome.page = (out / f"{outcome.name}.html").exists()
    try:
        _read(json.loads((out / f"{outcome.name}.ipynb").read_text(encoding="utf-8")), outcome)
    except FileNotFoundError:
        outcome.fail("its process ended without a result")
    if not outcome.page and not outcome.failures:
        outcome.fail("its page could not be written")
    return outcome


def _read(nb: Mapping[str, Any], outcome: Outcome) -> Outcome:
    """Read times, claims and failures off an executed notebook."""
    times = nb["metadata"]["papermill"]
    outcome.status, outcome.start, outcome.end = "ok", times["start_time"], times["end_time"]
    outcome.seconds = round(times["duration"], 2)
    for number, cell in report.numbered(nb["cells"]):
        if (seconds := cell["metadata"]["papermill"]["duration"] or 0) > SLOW:
            outcome.slow_cells[number] = round(seconds, 2)
        for output in cell["outputs"]:
            if claim := output.get("data", {}).get(MIME):
                outcome.claims.append({**claim, "cell": number})
                if not claim["holds"]:
                    outcome.fail(sentence(_said(claim["id"]), False, claim["how"]), number, claim["id"])
            elif output["output_type"] == "error":
                name, text = output["ename"], next(iter(output["evalue"].splitlines()), "")
                if name in STATUS:
                    outcome.fail(text, number, status=STATUS[name])
                elif name != "ClaimFailed" or not outcome.failures:
                    outcome.fail(f"{name}: {text}", number)
    return outcome


def _said(id: str) -> dict[str, str]:
    unknown = {"id": id, "statement": "not in data/claims.csv", "we_check": ""}
    return next((row for row in rows("claims") if row["id"] == id), unknown)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
