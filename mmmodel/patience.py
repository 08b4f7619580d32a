"""Code of a reader's that does not return, or fails: ended, and said in one line of theirs and none of ours."""

from __future__ import annotations

import ctypes
import linecache
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from sysconfig import get_path
from time import monotonic, process_time
from types import FrameType, TracebackType
from typing import Any

from .build import BuildError
from .verdict import kernel_name

PATIENCE = 3.0
"""Seconds of work (or twice as many by the clock on the wall) that one operation, or one piece of it, may take; the
model's own take a few milliseconds."""
LOOKS = 10
"""How often the watch looks in that time."""
OURS = (str(Path(__file__).parent), "<frozen", *(get_path(name) for name in ("stdlib", "purelib", "platlib")))
ENGINE = {"run", "piece"}
"""The functions that call kernel code and scenarios."""


class DoesNotReturn(BaseException):
    """A function does not come to an end: its name, or what the traceback tells."""

    def __str__(self) -> str:
        """What stopped a run, in words."""
        function = self.args[0] if self.args else innermost(last(self.__traceback__))
        return f"{kernel_name(function)} does not return"


class PatchError(BuildError):
    """A Python error in code of the reader's: one line that has theirs."""


class Clock:
    """When the operation under way began, if there is one."""

    began: tuple[float, float] | None = None
    looks = 0

    def start(self) -> None:
        """It begins now."""
        self.began, self.looks = (process_time(), monotonic()), 0

    def late(self) -> bool:
        """Has it taken too long? Not if it was seen at work a few times only: a collection of garbage, a machine that
        slept."""
        self.looks += 1
        worked, waited = self.began or (process_time(), monotonic())
        long = process_time() - worked > PATIENCE or monotonic() - waited > 2 * PATIENCE
        return long and self.looks > LOOKS / 2


@contextmanager
def patience(wanted: bool) -> Iterator[Clock]:
    """Raise DoesNotReturn here when an operation takes too long. The official patches do not need to be watched."""
    clock = Clock()
    if not wanted:
        yield clock
        return
    done, thread, ended = threading.Event(), ctypes.c_ulong(threading.get_ident()), list[Clock]()

    def look() -> None:
        while not done.wait(PATIENCE / LOOKS):
            if clock.late():
                ended.append(clock)
                clock.start()
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(DoesNotReturn))

    watch = threading.Thread(target=look, daemon=True)
    with suppress(RuntimeError):  # there are Pythons without threads
        watch.start()
    try:
        yield clock
    finally:
        clock.began = None
        done.set()
        with suppress(DoesNotReturn):  # one that is on its way is not for who comes next
            if watch.ident:
                watch.join()
            sum(1 for _ in range(1000 * len(ended)))


def last(trace: TracebackType | None) -> FrameType | None:
    """The innermost frame of a traceback."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame if trace else None


def own(frame: FrameType) -> bool:
    """Is this a frame of the reader's code?"""
    return not frame.f_code.co_filename.startswith(OURS)


def innermost(frame: FrameType | None) -> str:
    """The function of the reader's that is under way in a frame, or else the function itself."""
    found = frame
    while found is not None and not own(found) and found.f_code.co_name not in ENGINE:
        found = found.f_back
    shown = found if found is not None and own(found) else frame
    return shown.f_code.co_name if shown else "a function"


@contextmanager
def blamed(names: str) -> Iterator[None]:
    """Turn a Python error into one line: where it happened in the reader's code (`names`: their patches).

    Raises PatchError.
    """
    try:
        yield
    except BuildError:
        raise
    except Exception as error:
        if not names:
            raise
        raise PatchError(_line(error, names)) from None


def _line(error: Exception, names: str) -> str:
    frames, trace = list[Any](), error.__traceback__
    while trace is not None:
        if own(trace.tb_frame):
            frames.append((trace.tb_frame.f_code, trace.tb_lineno))
        trace = trace.tb_next
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if not frames:
        return f"with {names} the kernel fails: {said}"
    code, number = frames[-1]
    text = linecache.getline(code.co_filename, number).strip()
    return f"{code.co_qualname}, line {number}{f' ({text})' if text else ''}: {said}"
