"""Who is in the meeting: each page hears whether its kernel lives, what the presenter shows, and the minutes."""

import json
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.ioloop import PeriodicCallback
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from .minutes import Minutes

BEAT = 1000
"""Milliseconds between two signs of life; a page that hears none for 2.5 s says so."""


class Meeting:
    """What all pages share. The first visitor presents, until another one takes over."""

    def __init__(self, minutes: Minutes, fixes: list[str]) -> None:
        self.minutes, self.fixes = minutes, fixes
        self.visitors: set[Visitor] = set()
        self.presenter = self.shown = ""

    def tell(self) -> None:
        """Tell everybody how things are."""
        for visitor in self.visitors:
            visitor.hear(
                shown=self.shown,
                presenting=visitor.name == self.presenter,
                visitors=len({other.name for other in self.visitors}),
                minutes=self.minutes.entries,
                fixes=self.fixes,
            )


class Visitor(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """A page; `name` is its own over a reload. Only pages of this server may connect, with the cookie."""

    def initialize(self, meeting: Meeting) -> None:
        """The meeting it is in."""
        self.meeting, self.name = meeting, self.get_query_argument("name", "")

    def set_default_headers(self) -> None:
        """None: this is no page."""

    def open(self, kernel: str) -> None:
        """Somebody came."""
        super().open()
        self.kernel = kernel
        self.meeting.presenter = self.meeting.presenter or self.name
        self.meeting.visitors.add(self)
        self.beat = PeriodicCallback(self.live, BEAT)
        self.beat.start()
        self.meeting.tell()

    def on_close(self) -> None:
        """Somebody went."""
        if self in self.meeting.visitors:
            self.beat.stop()
            self.meeting.visitors.remove(self)
            self.meeting.tell()

    def on_message(self, message: str | bytes) -> None:
        """What a page asks for; what cannot be done is answered with the reason."""
        try:
            self.do(json.loads(message))
        except (AttributeError, TypeError, ValueError) as error:
            self.hear(refused=str(error))
        except OSError as error:
            self.hear(refused=f"{self.meeting.minutes.path} cannot be written: {error.strerror}")

    def do(self, asked: dict[str, Any]) -> None:
        """present: from now on. state: what is shown. add: to the minutes."""
        meeting = self.meeting
        if asked.get("present"):
            meeting.presenter = self.name
        if "state" in asked and self.name == meeting.presenter:
            meeting.shown = str(asked["state"])[:1000]
        if "add" in asked:
            meeting.minutes.add(asked["add"], asked.get("words", {}))
        meeting.tell()

    async def live(self) -> None:
        """A sign of life: of the connection, and of the kernel."""
        kernels = self.kernel_manager
        known = self.kernel in kernels
        self.hear(alive=known and await kernels.get_kernel(self.kernel).is_alive())  # type: ignore[misc]

    def hear(self, **news: Any) -> None:
        """Tell this page; it may just have gone."""
        try:
            self.write_message(news)
        except WebSocketClosedError:
            self.beat.stop()


class Export(JupyterHandler):
    """The minutes as a file."""

    def initialize(self, meeting: Meeting) -> None:
        """The meeting they are of."""
        self.minutes = meeting.minutes

    def get(self, kind: str) -> None:
        """As Markdown or as the text of a mail."""
        self.set_header("Content-Type", f"text/{'markdown' if kind == 'md' else 'plain'}; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="minutes.{kind}"')
        self.finish(self.minutes.markdown() if kind == "md" else self.minutes.mail())
