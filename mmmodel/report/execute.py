"""The process one notebook is executed in."""

import json
import logging
import multiprocessing as mp
import os
import signal
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.provisioning import local_provisioner

from ..study.kept import FOLDER
from . import environment
from . import page as report
from .forked import Forked
from .notebooks import one_line, ours, promised
from .outcome import Outcome, read

INTERRUPTED = "the run was interrupted"
STARTS = 3  # of a kernel: now and then one comes up and never answers, as when another program took a port of its
VERDICTS = "verdicts"  # folder of what one notebook of ours worked out and the others need not
KEPT = 200_000  # characters from the beginning, and as many from the end, of what a cell printed


def work(
    path: Path,
    out: Path,
    parameters: dict[str, Any],
    deadline: float,
    timeouts: dict[str, int],
    home: Path,
    search: list[str],
    site: Any,
    say: Any,
) -> None:
    """The life of a process: execute one notebook, write it down, and as a page; `say` what prevents that."""
    os.setsid()  # a Ctrl-C in the terminal is for the run, which stops its processes
    if search:
        vars(local_provisioner)["launch_kernel"] = Forked(search).launch
    stage = ""
    try:
        threading.Thread(target=_follow_parent, daemon=True).start()
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGALRM, _stop)
        signal.setitimer(signal.ITIMER_REAL, deadline)
        environment.isolate(home)
        if path in ours():  # they change nothing of the model
            os.environ[FOLDER] = str(home / VERDICTS)
        nb = _execute(path, parameters, timeouts)
        _no_more_signals()
        stage = "its result could not be written: "
        if mp.parent_process().is_alive():  # type: ignore[union-attr]
            _write(nb, path, out, parameters, site)
    except (Exception, KeyboardInterrupt) as error:
        say.send(stage + one_line(error))
    finally:
        for kernel in psutil.Process().children(recursive=True):  # one that was just being started
            with suppress(psutil.Error):
                kernel.kill()


def _write(nb: Any, path: Path, out: Path, parameters: dict[str, object], site: Any) -> None:
    """The executed notebook, and its page."""
    report.write(out / f"{path.stem}.ipynb", json.dumps(nb, indent=1, ensure_ascii=False) + "\n")
    failures = read(nb, Outcome(path.stem, "", "", promised(path))).failures
    report.write(out / f"{path.stem}.html", report.page(nb, path, parameters, failures, site))


def _follow_parent() -> None:
    """A process does not outlive the run it belongs to."""
    if parent := mp.parent_process():
        parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(number: int, frame: object) -> None:
    """End the notebook, once."""
    _no_more_signals()
    warnings.simplefilter("ignore", RuntimeWarning)  # of coroutines that now nobody waits for
    raise KeyboardInterrupt("the deadline passed" if number == signal.SIGALRM else INTERRUPTED)


def _no_more_signals() -> None:
    """From here on finishing is quicker than stopping."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _execute(path: Path, parameters: dict[str, object], timeouts: dict[str, int]) -> Any:
    """Execute a notebook with papermill; what stops it becomes an error output of the cell it stopped in."""
    from nbformat.v4 import new_output
    from papermill import PapermillExecutionError, execute_notebook
    from papermill.engines import NBClientEngine, papermill_engines

    class Keeping(NBClientEngine):  # type: ignore[misc]
        """papermill's engine; papermill alone loses a notebook that times out."""

        nb: Any = None

        @classmethod
        def execute_managed_notebook(cls, manager: Any, kernel_name: str, **options: Any) -> None:
            cls.nb = manager.nb
            super().execute_managed_notebook(manager, kernel_name, **options)

    papermill_engines.register("keeping", Keeping)
    logging.getLogger("papermill").disabled = True  # what it has to say is in the notebook
    fixed = {"engine_name": "keeping", "kernel_name": "python3", "language": "python", "progress_bar": False}
    quick = {"request_save_on_cell_execute": False, "autosave_cell_every": 0}
    # A graceful shutdown loses 4 s now and then; ipykernel warns about its transport each time it starts.
    kernel = {"shutdown_kernel": "immediate", "extra_arguments": ["--log-level=ERROR"]}
    options = {"cwd": str(path.parent), **fixed, **quick, **kernel, **timeouts}
    escaped = str(path).replace("{", "{{").replace("}", "}}")  # papermill takes it for a format string
    for start in range(1, STARTS + 1):
        try:
            execute_notebook(escaped, None, parameters, **options)
        except PapermillExecutionError:
            pass
        except (Exception, KeyboardInterrupt) as error:
            if Keeping.nb is None:
                raise
            code = [cell for cell in Keeping.nb.cells if cell.cell_type == "code"]
            begun = [cell for cell in code if cell.metadata.papermill.start_time]
            if type(error) is RuntimeError and not begun and start < STARTS:  # jupyter_client, of a kernel
                continue
            name, text = type(error).__name__, next(iter(str(error).splitlines()), "")
            words = new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"])
            [*code[:1], *begun][-1].outputs.append(words)
        break
    nb = Keeping.nb
    nb.cells = [cell for cell in nb.cells if "papermill-error-cell-tag" not in cell.metadata.tags]
    nb.metadata.papermill.input_path = path.name
    for cell in [cell for cell in nb.cells if cell.cell_type == "code"]:
        cell.outputs = _shortened(cell.outputs)
    return nb


def _shortened(outputs: list[Any]) -> list[Any]:
    """Outputs without the middle of what was printed, if it is long."""
    streams = [output for output in outputs if output.output_type == "stream"]
    total, seen = sum(len(output.text) for output in streams), 0
    for output in streams if total > 2 * KEPT else ():
        start, seen = seen, seen + len(output.text)
        words = f"\n[{total - 2 * KEPT:,} characters are left out here]\n" * (start <= KEPT < seen)
        output.text = output.text[: max(0, KEPT - start)] + words + output.text[max(0, total - KEPT - start) :]
    return [output for output in outputs if output.get("text", "...")]
