"""Names of scenarios: whose they are, and in which registry."""

from __future__ import annotations

from typing import Any

from ..words import BuildError

HOMES: dict[str, dict[str, Any]] = {}
"""Which registry has the scenario of a name: SEQUENTIAL, or PROGRAMS of `programs`."""


def official(function: object) -> bool:
    """Is it one of the investigation, and not a reader's?"""
    return getattr(function, "__module__", "").startswith("mmmodel.")


def check_name(name: object) -> None:
    """Raise BuildError unless this is a name for a scenario."""
    if not isinstance(name, str) or not name.strip():
        raise BuildError(f"a scenario is a function with a name, as in @mm.scenario('mine'), not {name!r}")


def enter(registry: dict[str, Any], name: str, function: Any, entry: Any) -> None:
    """Enter a scenario: a reader's may replace a reader's of that name, as happens when a cell runs again.

    Raises BuildError if it would replace another, or is no function with a name.
    """
    if not callable(function):
        raise BuildError(f"scenario {name} must be a function, not {function!r}")
    home = HOMES.get(name, {})
    if name in home and official(home[name][2]) and not official(function):
        raise BuildError(f"{name} is a scenario of the investigation: give yours another name")
    home.pop(name, None)
    HOMES[name], registry[name] = registry, entry
