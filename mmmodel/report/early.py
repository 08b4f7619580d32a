"""The first kernel of a meeting begins before its server is imported, and meanwhile imports what it will need.

Its command line is that of any other; its variables and its folder it hears when the server launches it.
"""

import json
import os
import shutil
import tempfile
from contextlib import suppress
from subprocess import DEVNULL, PIPE, Popen
from typing import Any
from uuid import uuid4

from . import environment


class Early:
    """A kernel that waits: its `id`, and the `folder` in which the server keeps what its kernels are reached by."""

    def __init__(self) -> None:
        self.id, self.folder = str(uuid4()), tempfile.mkdtemp(prefix="voila_")
        self.command = [*environment.COMMAND, "-f", os.path.join(self.folder, f"kernel-{self.id}.json")]
        with environment.clean():
            own = {environment.WAITS: "1", "MMMODEL_PATH": environment.search_path()}
            variables = {**os.environ, **own, "JPY_PARENT_PID": str(os.getpid())}
            streams: dict[str, Any] = {"stdin": PIPE, "stderr": DEVNULL, "text": True}
            self.process = Popen(self.command, env=variables, start_new_session=True, **streams)

    def launch(self, command: list[str], **options: Any) -> Any:
        """For jupyter_client: this kernel, if it is the one to be launched and still waits; else a new one."""
        from jupyter_client.launcher import launch_kernel

        mouth: Any = self.process.stdin
        if command == self.command and not mouth.closed:
            with suppress(BrokenPipeError), mouth:
                json.dump([options["env"], options.get("cwd") or os.getcwd()], mouth)
            if self.process.poll() is None:
                return self.process
        return launch_kernel(command, **options)

    def end(self) -> None:
        """Nobody launches it any more."""
        if not self.process.stdin.closed:  # type: ignore[union-attr]
            self.process.kill()
            self.process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)
