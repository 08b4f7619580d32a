"""A kernel that is forked from a warm process, before its notebook begins, instead of a new interpreter."""

import multiprocessing as mp
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from jupyter_client.launcher import launch_kernel

from . import environment


class Forked:
    """A process that waits to be launched as a kernel; then for jupyter_client what a Popen of it would be.

    search: the search path of a new interpreter.
    """

    stdin = stdout = stderr = None

    def __init__(self, search: Sequence[str]) -> None:
        ear, self.mouth = mp.Pipe(duplex=False)
        self.process = mp.get_context("fork").Process(target=_become, args=(ear, self.mouth, search))
        self.process.start()
        self.pid: int = self.process.pid  # type: ignore[assignment]
        os.setpgid(self.pid, self.pid)  # what is for the kernel is not for the process that it came from
        ear.close()

    def launch(self, command: list[str], **options: Any) -> Any:
        """Become the kernel of this command line; a second one is a new interpreter."""
        if self.mouth.closed:
            return launch_kernel(command, **options)
        with self.mouth:
            self.mouth.send((command, options.get("cwd") or os.getcwd(), options["env"]))
        return self

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        return self.process.exitcode

    def wait(self) -> None:
        """Until it has ended."""
        self.process.join()

    def send_signal(self, number: int) -> None:
        """To it alone."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.process.terminate()

    def kill(self) -> None:
        """End it."""
        self.process.kill()


def _become(ear: Connection, mouth: Any, search: Sequence[str]) -> None:
    """Wait for a command line, and be its kernel."""
    mouth.close()
    try:
        command, cwd, variables = ear.recv()
    except EOFError:
        return
    ear.close()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    # ipykernel looked for its parent when it was imported.
    sys.argv = [*command[command.index("-f") - 1 :], f"--IPKernelApp.parent_handle={os.getppid()}"]
    sys.path[:] = search
    environment.start()
