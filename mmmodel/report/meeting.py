"""Meeting mode: notebooks served as dashboards, code hidden, to one machine, to those who have the token.

Voila runs here, in this process. It is told which socket to use, so that the address can be printed before anybody
else takes it, and its pages are kept from fetching anything from the network.
"""

import logging
import os
import secrets
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
from jupyter_client.provisioning import local_provisioner
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from traitlets.config import Config
from voila.app import Voila
from voila.request_info_handler import RequestInfoSocketHandler
from voila.tornado.handler import TornadoVoilaHandler

from ..data import rows
from ..show.glossary import link_words
from ..study.kept import FOLDER, cache
from . import environment
from .early import Early
from .gate import LOCAL, Door, Gate, Kernels, Policy, in_one_line
from .minutes import Minutes
from .notebooks import UsageError, find, load
from .page import parameters_of, template
from .visitors import Export, Meeting, Visitor

HOST = LOCAL[0]
OURS = {TornadoVoilaHandler: Door}
LEFT_OUT = (RequestInfoSocketHandler,)
"""It tells anybody what was asked for."""
LOGS = ("tornado.application", "tornado.general", "asyncio")


class Dashboard(Voila):  # type: ignore[misc]
    """Voila on a socket that is already there."""

    def __init__(self, listener: socket.socket, meeting: Meeting, early: Early, **options: Any) -> None:
        super().__init__(**options)
        self.listener, self.port, self.meeting, self.early = listener, listener.getsockname()[1], meeting, early

    def init_handlers(self) -> list[Any]:
        """Voila's, with pages of our own."""
        known, ours = super().init_handlers(), {"meeting": self.meeting}
        return [
            (r"/mmmodel/visit/([\w-]+)", Visitor, ours),
            (r"/mmmodel/minutes\.(md|txt)", Export, ours),
            *((path, OURS.get(handler, handler), *more) for path, handler, *more in known if handler not in LEFT_OUT),
        ]

    def start(self) -> None:
        """Serve until Ctrl-C or SIGTERM; then end the kernels."""
        self.connection_dir = self.early.folder
        vars(local_provisioner)["launch_kernel"] = self.early.launch
        self.app = Gate(transforms=[Policy], **self.init_settings(), **self.tornado_settings)
        kernels = self.app.settings["kernel_manager"]
        kernels.first.update(kernels.pool)
        self.notebook_path = None  # named so far because a page of it, and of no other, is made before it is asked for
        self.voila_configuration.prelaunch_hook = _linked  # now; Voila thinks that a page made before can have none
        self.app.add_handlers(".*$", self.init_handlers())
        HTTPServer(self.app, max_body_size=1_000_000).add_socket(self.listener)
        self.ioloop = IOLoop.current()
        try:
            self.ioloop.start()
        except KeyboardInterrupt:
            print("Stopping.", file=sys.stderr)
        finally:
            logging.disable()  # what was still running is cut off
            self.stop()


def with_parameters(notebook: Path, parameters: Mapping[str, object], folder: Path) -> Path:
    """Copies of a notebook and of those beside it, so that links work, with other parameters. Returns that of it.

    Raises UsageError for a parameter that the notebook does not have, or if it cannot be read.
    """
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    for path in notebook.parent.glob("*.ipynb"):
        try:
            known = parameters_of(load(path)["cells"])
        except (UsageError, SyntaxError, ValueError) as error:
            if path == notebook:
                raise UsageError(f"{path.stem}: {error}") from None
            print(f"note: {path.stem} is left out: {error}", file=sys.stderr)
            continue
        if path == notebook and (unknown := [name for name in parameters if name not in known]):
            raise UsageError(f"{path.stem} has no parameter {unknown[0]}; known: {', '.join(known) or 'none'}")
        mine = {name: value for name, value in parameters.items() if name in known}
        changed = parameterize_notebook(load_notebook_node(str(path)), mine)
        nbformat.write(changed, folder / path.name)
    return folder / notebook.name


def serve(
    name: str,
    parameters: Mapping[str, object],
    port: int,
    browser: bool,
    theme: str,
    early: Early,
    hosts: Sequence[str] = (),
    minutes: Path = Path("minutes.json"),
) -> None:
    """Serve a notebook, and those beside it, until Ctrl-C. Port 0 is a free one; hosts: other names of this machine.

    early: the first kernel.

    Raises UsageError, before anything is started, for a notebook, a parameter, a port or minutes that cannot be.
    """
    load(notebook := find(name))
    meeting = Meeting(Minutes(minutes), [row["called"] for row in rows("patches") if row["called"]])
    with tempfile.TemporaryDirectory(prefix="mmmodel-") as temporary:
        folder = Path(temporary)
        parts = dict.fromkeys(("shown.html", "meeting.js", "meeting.css")) | {"index.html.j2": "dashboard.html"}
        for part, file in parts.items():
            (folder / part).write_text(template(file or part), encoding="utf-8")
        environment.isolate(folder / "jupyter")
        if parameters:
            notebook = with_parameters(notebook, parameters, folder)
        try:
            listener = socket.create_server((HOST, port))
        except OSError as error:
            raise UsageError(f"port {port} cannot be used: {error}") from None
        with listener:
            listener.setblocking(False)
            token = secrets.token_urlsafe(24)
            os.environ[FOLDER] = str(cache())  # what one kernel worked out, the others need not
            config = _config(token, notebook, theme, hosts)
            app = Dashboard(listener, meeting, early, config=config, config_file_paths=[])
            app.initialize([])
            app.template_paths.insert(0, temporary)
            for log in (app.log, *map(logging.getLogger, LOGS)):
                log.addFilter(in_one_line)
            logging.getLogger("tornado.general").setLevel(logging.ERROR)  # it warns about Jupyter's time between pings
            url = f"http://{HOST}:{app.port}/voila/render/{quote(notebook.name)}?token={token}"
            print(
                f"{notebook.stem}, to whoever has this address; minutes in {minutes}; Ctrl-C ends it.\n\n    {url}\n",
                flush=True,
            )
            if browser:
                _open(url, folder / "open.html")
            app.start()


def _config(token: str, notebook: Path, theme: str, hosts: Sequence[str]) -> Config:
    """What Voila is told; the token is not on a command line, where others could read it."""
    voila: dict[str, Any] = {
        "ip": HOST,
        "token": token,
        "root_dir": str(notebook.parent),
        "notebook_path": str(notebook),
        "open_browser": False,
        "log_level": "ERROR",
        "tornado_settings": {"hosts": {*LOCAL, *hosts}},
    }
    page: dict[str, Any] = {"theme": theme, "strip_sources": True, "show_tracebacks": True, "preheat_kernel": True}
    page["multi_kernel_manager_class"] = Kernels
    # Kernels behind sockets in a private folder, not ports; the path of a socket may have about 100 characters.
    kernel = {"transport": "ipc" if len(tempfile.gettempdir()) < 30 else "tcp", "shutdown_wait_time": 1.0}
    kernel["autorestart"] = False  # it would know nothing of what its page shows
    # The next page is not made while the one before may still be.
    kernels = {"cull_idle_timeout": 60, "cull_interval": 10, "fill_delay": 15.0}
    cookies = {"cookie_options": {"samesite": "Lax"}}
    return Config(Voila=voila, VoilaConfiguration=page, KernelManager=kernel, Kernels=kernels, IdentityProvider=cookies)


def _linked(request: object, notebook: Any, cwd: str) -> Any:
    """Each word is a link to its explanation where it is first used."""
    link_words(notebook.cells)
    return notebook


def _open(url: str, page: Path) -> None:
    """Open a browser with windows, if there is one; by way of a page, so that no list of processes has the token."""
    if not (sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & set(os.environ)):
        return
    page.write_text(f'<meta http-equiv="refresh" content="0; url={url}">', encoding="utf-8")
    webbrowser.open(page.as_uri())
