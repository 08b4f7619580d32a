"""Code of a reader's that does not return, or fails: ended, and said in one line of theirs and none of ours."""

from __future__ import annotations

import ctypes
import linecache
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from sysconfig import get_path
from threading import Event, Thread, current_thread, get_ident, local, main_thread
from time import perf_counter, process_time
from traceback import walk_tb
from types import FrameType

from ..build.composed import Build
from ..kernel.machine import KernelBug
from ..words import BuildError, kernel_name
from .scenarios import official
from .verdict import Verdict

PATIENCE = 3.0
"""Seconds of work that one operation, or one piece of it, may take; the model's own take a few milliseconds."""
LOOKS = 10
"""How often the watch looks in that time. One that waits, and does not work, may be seen twice as often."""
OURS = (f"{Path(__file__).parents[1]}{os.sep}", "<frozen", *map(get_path, ("stdlib", "purelib", "platlib")),
        *(path for path in sys.path if path.endswith(".zip")))  # fmt: skip
ENGINE = {"run", "piece"}
"""The functions that call kernel code and scenarios."""


class DoesNotReturn(BaseException):
    """A function does not come to an end."""

    function = ""

    def __str__(self) -> str:
        """What stopped a run, in words."""
        return f"{kernel_name(self.function)} does not return"


class PatchError(BuildError):
    """A Python error in code of the reader's: one line that has theirs."""


class Clock:
    """The operation under way, if there is one: when its work began, how often it was seen at it.

    `watched` has the innermost of each thread: the others stand still meanwhile.
    """

    began: float | None = None
    looks = 0
    watched = local()

    def start(self) -> None:
        """It begins now."""
        self.began, self.looks = process_time(), 0

    def late(self) -> bool:
        """Has it taken too long? Not if it was seen at work a few times only: a collection of garbage, a machine that
        slept."""
        self.looks += self.began is not None
        worked = process_time() - (self.began or process_time())
        return self.looks > 2 * LOOKS or (worked > PATIENCE and self.looks > LOOKS / 2)


@contextmanager
def patience(wanted: bool) -> Iterator[Clock]:
    """Raise DoesNotReturn here when an operation takes too long. The official patches do not need to be watched.

    In the main thread by a signal, which ends waits for the system too; elsewhere between two bytecodes.
    """
    outer, clock = getattr(Clock.watched, "clock", None), Clock()
    Clock.watched.clock = clock
    if outer:
        outer.began = None
    try:
        with _watch(clock) if wanted else nullcontext():
            yield clock
    finally:
        Clock.watched.clock = outer
        if outer:
            outer.start()


@contextmanager
def _watch(clock: Clock) -> Iterator[None]:
    done, thread, main = Event(), get_ident(), current_thread() is main_thread()

    def stop(_: int, frame: FrameType | None) -> None:
        raise does_not_return(frame)

    def look() -> None:
        while not done.wait(PATIENCE / LOOKS):
            if clock.late():
                clock.start()
                if main:
                    signal.pthread_kill(thread, signal.SIGURG)
                else:
                    error = ctypes.py_object(does_not_return(sys._current_frames().get(thread)))
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error)

    before = signal.signal(signal.SIGURG, stop) if main else None
    watch = Thread(target=look, daemon=True)
    with suppress(RuntimeError):  # there are Pythons without threads
        watch.start()
    try:
        yield
    finally:
        clock.began = None
        done.set()
        with suppress(DoesNotReturn):  # one that is on its way is not for who comes next
            if watch.ident:
                watch.join()
            sum(1 for _ in range(1000))
        if main:
            signal.signal(signal.SIGURG, before)


def own(frame: FrameType) -> bool:
    """Is this a frame of the reader's code?"""
    return not frame.f_code.co_filename.startswith(OURS)


def does_not_return(frame: FrameType | None) -> type[DoesNotReturn]:
    """The error for code under way: it names the function of the reader's, or else the innermost one."""
    found = frame
    while found is not None and not own(found) and found.f_code.co_name not in ENGINE:
        found = found.f_back
    shown = found if found is not None and own(found) else frame
    return type("DoesNotReturn", (DoesNotReturn,), {"function": shown.f_code.co_name if shown else "a function"})


def readers(build: Build, function: object) -> str:
    """Whose code besides ours runs: the reader's patches, the reader's scenario."""
    names = [p.__name__ for p in build.patches if isinstance(p, type)]
    return ", ".join(names + ["the scenario"] * (not official(function)))


@contextmanager
def judged(verdict: Verdict, function: object, where: str) -> Iterator[Clock]:
    """Run a scenario's `function`: the verdict tells what ends it early (in `where`, if nothing else is said).

    Raises PatchError for a Python error, in one line that says where it happened in the reader's code.
    """
    began, names = perf_counter(), readers(verdict.build, function)
    try:
        with patience(bool(names)) as clock:
            clock.start()
            yield clock
    except KernelBug as bug:
        verdict.broken, verdict.what, verdict.op = bug.invariant, str(bug), where
    except KeyboardInterrupt:
        verdict.stopped("interrupted", f"stopped in the {where}")
    except DoesNotReturn as error:
        verdict.stopped(str(error), f"stopped in the {where}")
    except (Exception, SystemExit) as error:
        if isinstance(error, BuildError) or not names:
            raise
        raise PatchError(_line(error, names)) from None
    verdict.seconds = perf_counter() - began


def _line(error: BaseException, names: str) -> str:
    frames = [(frame.f_code, number) for frame, number in walk_tb(error.__traceback__) if own(frame)]
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if not frames:
        return f"with {names} the kernel fails: {said}"
    code, number = frames[-1]
    text = linecache.getline(code.co_filename, number).strip()
    return f"{code.co_qualname}, line {number}{f' ({text})' if text else ''}: {said}"
