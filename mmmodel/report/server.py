"""Where the processes of a run are forked from: a server that is made warm once (see `warm`)."""

import json
import multiprocessing as mp
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any

from . import environment
from .notebooks import UsageError

WHICH = "import json, mmmodel, sys; print(json.dumps([mmmodel.__file__, sys.path]))"


def start_server() -> tuple[Any, list[str]]:
    """Where processes are forked from, made warm once; the search path of a new interpreter, for kernels forked there.

    Another mmmodel, which a new interpreter would find, is kept out of it, and options of this one are not for kernels:
    then there is no path. What stops the run does not stop the server first.
    """
    context = mp.get_context("forkserver")
    try:
        with environment.clean(), stopping(signal.SIG_IGN):  # both inherited, so for a moment also ours
            file, search = found_anew()
            warm = Path(file).parent == Path(__file__).parents[1] and not (sys.flags.optimize or sys.warnoptions)
            context.set_forkserver_preload([f"{__package__}.warm" if warm else "papermill"])
            ensure_running()
    except OSError as error:
        raise UsageError(f"no process could be started: {error.strerror or error}") from None
    return context, search if warm else []


@cache
def found_anew() -> tuple[str, list[str]]:
    """Where a new interpreter finds mmmodel, and its search path."""
    new = subprocess.run([sys.executable, "-c", WHICH], capture_output=True, text=True, check=False)
    file, search = json.loads(next(reversed(new.stdout.splitlines()), '["", []]'))
    return file, search


@contextmanager
def stopping(instead: Any = None) -> Iterator[list[int]]:
    """The signals that ask to stop, as they come; meanwhile they do nothing else (or `instead`)."""
    came: list[int] = []
    mine = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    note = instead or (lambda number, _: came.append(number))
    before = {number: signal.signal(number, note) for number in mine}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
