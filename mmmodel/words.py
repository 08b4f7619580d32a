"""The words of the interface: BuildError for one that does not exist, and what to say instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BuildError(ValueError):
    """A toggle that does not exist; the message names those that do."""


def near(word: object, words: Iterable[str], cutoff: float = 0.6) -> str:
    """A hint in parentheses, if one of the words is close."""
    found = difflib.get_close_matches(str(word), words, 1, cutoff)
    return f" (did you mean {found[0]}?)" if found else ""


def choose(what: str, value: object, allowed: Iterable[str], hint: str | None = None) -> str:
    """`value` if it is one of `allowed`. hint: in place of the nearest of them.

    Raises BuildError, one line, naming the allowed values.
    """
    names = list(allowed)
    if isinstance(value, str) and value in names:
        return value
    hint = near(value, names) if hint is None else hint
    raise BuildError(f"unknown {what} {value!r}{hint}; allowed: {', '.join(names)}")
