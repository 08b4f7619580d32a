"""Where the files of a kernel tree come from: a directory, or a commit of a git repository. Nothing is written."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from posixpath import normpath
from subprocess import DEVNULL, PIPE, Popen
from threading import Timer
from typing import Any, Generic, TypeVar, cast

from ..words import BuildError

T = TypeVar("T")

LIMIT = 2_000_000
"""Bytes of a file that is read; the largest one needed has 211 KB."""


class Unknown(Exception):
    """What the tree does not tell, in words."""


class remembered(Generic[T]):
    """A property that is worked out once, also when it is Unknown."""

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work = work
        self.__doc__ = work.__doc__

    def __get__(self, owner: Any, _: type) -> T:
        known = owner.__dict__.setdefault("_remembered", {})
        if self._work not in known:
            try:
                known[self._work] = self._work(owner)
            except Unknown as reason:
                known[self._work] = reason
            except RecursionError:
                known[self._work] = Unknown("a file is nested too deeply")
        if isinstance(found := known[self._work], Unknown):
            raise found
        return cast(T, found)


def plain(words: str) -> str:
    """Words out of a tree, without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in words)


def bounded(path: str, content: bytes) -> bytes:
    """A file's content.

    Raises Unknown if it goes over the limit.
    """
    if len(content) > LIMIT:
        raise Unknown(f"{path}: larger than {LIMIT // 1_000_000} MB")
    return content


def inside(path: str) -> str:
    """A path below the tree's root, made plain.

    Raises Unknown for one that leads out.
    """
    direct = normpath(path)
    if direct.startswith(("/", "..")) or not direct.isprintable():
        raise Unknown(f"{path!r} is outside the tree")
    return direct


class Directory:
    """A tree as files."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)

    def _real(self, path: str) -> str:
        real = os.path.realpath(os.path.join(self.root, inside(path)))
        if os.path.commonpath((self.root, real)) != self.root:
            raise Unknown(f"{path}: a link that leads out of the tree")
        return real

    def read(self, path: str) -> bytes:
        """A file.

        Raises Unknown if there is no such file, or it is no file, or too large.
        """
        try:
            with open(self._real(path), "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise Unknown(f"{path}: not a regular file")
                return bounded(path, file.read(LIMIT + 1))
        except OSError as error:
            raise Unknown(f"{path}: {error.strerror or error}") from None

    def entries(self, path: str) -> dict[str, bool]:
        """The names in a folder, and whether each is a folder; none if there is no such folder."""
        try:
            names = sorted(os.listdir(self._real(path)))
        except (OSError, Unknown):
            return {}
        return {name: os.path.isdir(os.path.join(self.root, path, name)) for name in names}


class Commit:
    """A tree as a commit, read through one `git cat-file --batch`: no checkout, no hook, no network."""

    def __init__(self, git_dir: str, rev: str) -> None:
        safe = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ALLOW_PROTOCOL": "",
                "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C",
                "PATH": os.environ.get("PATH", os.defpath)}  # fmt: skip
        command = ["git", "-c", "core.fsmonitor=false", f"--git-dir={git_dir}", "cat-file", "--batch"]
        try:
            self.git = Popen(command, env=safe, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        except OSError:
            raise BuildError("reading a revision needs git") from None
        self.rev = rev

    def _object(self, name: str) -> tuple[str, bytes, int]:
        """Kind, content (up to one byte over the limit) and length of a hash of an object; kind is empty for none."""
        assert self.git.stdin
        assert self.git.stdout
        try:
            self.git.stdin.write(name.encode() + b"\n")
            self.git.stdin.flush()
        except OSError:
            return "", b"", 0
        words = self.git.stdout.readline().split()
        if len(words) != 3 or not words[2].isdigit():
            return "", b"", 0
        left = int(words[2]) + 1
        content = self.git.stdout.read(min(left, LIMIT + 1))
        left -= len(content)
        while left > 0 and (more := self.git.stdout.read(min(left, LIMIT))):
            left -= len(more)
        return words[1].decode(), content[: int(words[2])], len(words[0]) // 2

    def read(self, path: str) -> bytes:
        """A file.

        Raises Unknown if the commit has no such file, or it is too large.
        """
        kind, content, _ = self._object(f"{self.rev}:{inside(path)}")
        if kind != "blob":
            raise Unknown(f"{path}: {'Is a directory' if kind else 'No such file or directory'}")
        return bounded(path, content)

    def entries(self, path: str) -> dict[str, bool]:
        """The names in a folder, and whether each is a folder; none if there is no such folder."""
        kind, content, length = self._object(f"{self.rev}:{inside(path)}" if path else f"{self.rev}^{{tree}}")
        found: dict[str, bool] = {}
        while kind == "tree" and b"\0" in content:
            head, _, content = content.partition(b"\0")
            mode, _, name = head.partition(b" ")
            found[name.decode(errors="replace")] = mode == b"40000"
            content = content[length:]
        return found


Tree = Directory | Commit


@contextmanager
def opened(path: str | os.PathLike[str], rev: str | None = None) -> Iterator[Tree]:
    """The tree at a path: files as they are, or with rev (or if the path is a bare git directory, HEAD) a commit.

    Raises BuildError, one line, if there is no tree.
    """
    name = os.fspath(path)
    try:
        root = Path(name)
        if not root.is_dir():
            raise BuildError(f"{name} is {'not a directory' if root.exists() else 'not there'}")
        bare = (root / "HEAD").is_file() and (root / "objects").is_dir()
        git_dir = root if bare else root / ".git"
        if rev is not None and not git_dir.exists():
            raise BuildError(f"{name} is no git repository: a revision cannot be read")
    except BuildError:
        raise
    except (OSError, ValueError) as error:
        raise BuildError(f"{name!r} cannot be read: {error}") from None
    if rev is None and not bare:
        yield Directory(name)
        return
    rev = "HEAD" if rev is None else rev
    commit = Commit(str(git_dir), rev)
    patience = Timer(60, commit.git.kill)
    patience.start()
    try:
        if not rev or not rev.isprintable() or not commit.entries(""):
            raise BuildError(f"{name} has no revision {rev!r}")
        yield commit
    finally:
        patience.cancel()
        commit.git.kill()
        commit.git.communicate()
