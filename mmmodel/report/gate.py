"""Who gets into the meeting: by which name of this machine, with the token, how many; one line for what is refused.

A kernel belongs to a page: it ends with it, or a minute after nobody is connected to it any more.
"""

import asyncio
import logging
import re
from datetime import UTC, datetime
from subprocess import DEVNULL
from typing import Any
from urllib.parse import parse_qsl, urlencode
from weakref import WeakSet, WeakValueDictionary

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.httputil import HTTPHeaders, HTTPServerRequest, split_host_and_port
from tornado.log import access_log
from tornado.web import Application, ErrorHandler, OutputTransform, RequestHandler
from voila.tornado.handler import TornadoVoilaHandler

LOCAL = ("127.0.0.1", "localhost")
MOST = 12
"""Kernels at a time: each takes some 120 MB."""
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'; connect-src 'self'"
)
FULL = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>The meeting is full</title>'
    "<h1>The meeting is full</h1><p>{} pages are open, as many as this machine takes. Load this page again when "
    "somebody has left: a page that was closed is forgotten at once, one that was lost after a minute."
)


class Gate(Application):
    """Answers under the names it is known by (`hosts`), and says in one line what it refuses."""

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Any other name is somebody else's page, which had that name moved to this machine."""
        if split_host_and_port(request.host.lower())[0] in self.settings["hosts"]:
            return super().find_handler(request, **kwargs)
        return self.get_handler_delegate(request, ErrorHandler, {"status_code": 403})

    def log_request(self, handler: RequestHandler) -> None:
        """A line for what is refused; what fails has one of its own. Without the query, in which a token may be."""
        asked, status = handler.request, handler.get_status()
        if 400 <= status < 500:
            access_log.warning(f"refused ({status}): {asked.method} {asked.path[:200]!r} from {asked.remote_ip}")


class Policy(OutputTransform):
    """What a page may load and ask: nothing from elsewhere; its sockets by the name and port it was asked by."""

    def __init__(self, request: HTTPServerRequest) -> None:
        self.host = request.host

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add the headers."""
        named = f" ws://{self.host} wss://{self.host}" * bool(re.fullmatch(r"[\w.:\[\]-]+", self.host))
        headers["Content-Security-Policy"] = POLICY + named
        headers["X-Content-Type-Options"] = "nosniff"
        return status_code, headers, chunk


class Door(TornadoVoilaHandler):  # type: ignore[misc]
    """A notebook, as long as there is room; the token is exchanged for a cookie."""

    async def get(self, path: str | None = None) -> None:
        """The page, or the address without the token, or that there is no room."""
        _ = self.xsrf_token  # sets the cookie without which a page may not end its kernel
        asked = parse_qsl(self.request.query, keep_blank_values=True)
        if (kept := [pair for pair in asked if pair[0] != "token"]) != asked:
            self.redirect(f"{self.request.path}?{urlencode(kept)}".rstrip("?"))
        elif self.kernel_manager.taken >= MOST:
            self.set_status(503)
            self.finish(FULL.format(MOST))
        else:
            await super().get(path)

    def should_use_rendered_notebook(self, known: Any, pool: int, *asked: Any) -> bool:
        """Only a page that is there: one that was put off would have to be waited for."""
        return bool(super().should_use_rendered_notebook(known, self.kernel_manager.waiting(self.path_args[0]), *asked))


class Kernels(AsyncMappingKernelManager):
    """A kernel whose page is lost is kept for a while: the connection may come back.

    The next page is made before it is asked for; its kernel's while begins when somebody has it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self.begun: list[str] = [self.parent.early.id]  # type: ignore[union-attr]
        self.had, self.first = set[str](), WeakSet[Any]()
        self.makers = WeakValueDictionary[str, Any]()

    @property
    def pool(self) -> set[Any]:
        """The pages that Voila makes before they are asked for, also those it puts off."""
        return {page for pages in self._pools.values() for page in pages}  # type: ignore[attr-defined]

    def waiting(self, notebook: str) -> int:
        """How many pages of it wait for somebody, each with its kernel; the first one is soon there."""
        pool = self._pools.get(notebook, ())  # type: ignore[attr-defined]
        return sum(page.done() or page in self.first for page in pool)

    @property
    def taken(self) -> int:
        """How many kernels somebody has: all but those of the pool."""
        pool = self.pool
        return sum(self.makers.get(kernel) not in pool for kernel in self.list_kernel_ids())

    async def start_kernel(self, **options: Any) -> str:  # type: ignore[override]
        """What it complains of is not for the chair's terminal; what fails in a cell is on its page."""
        kernel = options.setdefault("kernel_id", self.begun.pop() if self.begun else self.new_kernel_id())
        self.makers[kernel] = asyncio.current_task()
        return await super().start_kernel(stderr=DEVNULL, **options)

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """Asked of those that somebody has."""
        if kernel_id not in self.had:
            self.had.add(kernel_id)
            self.get_kernel(kernel_id).last_activity = datetime.now(UTC)  # type: ignore[attr-defined]
        await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]

    def notify_disconnect(self, kernel_id: str) -> None:
        """The while begins when the connection ends."""
        super().notify_disconnect(kernel_id)  # type: ignore[no-untyped-call]
        if kernel_id in self:
            self.get_kernel(kernel_id).last_activity = datetime.now(UTC)  # type: ignore[attr-defined]


def in_one_line(record: logging.LogRecord) -> bool:
    """The chair's terminal is no place for tracebacks, nor for the token."""
    error = record.exc_info and record.exc_info[1]
    first = re.sub(r"\?\S*", "", record.getMessage().partition("\n")[0])
    record.msg, record.args = first + (f": {type(error).__name__}: {error}".partition("\n")[0] if error else ""), ()
    record.exc_info = record.exc_text = None
    return True
