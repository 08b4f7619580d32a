"""Calls of kernel functions, as they happen: the one place that listens to a booted kernel."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any


def listen(
    kernel: Any,
    names: Iterable[str],
    enter: Callable[[str, tuple[Any, ...]], object],
    leave: Callable[[str], object] = lambda name: None,
) -> None:
    """From now on tell `enter` of each call of these functions, with its arguments, and `leave` of its end.

    The functions are wrapped, not changed: super() inside a patch is no new call.
    """

    def heard(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            enter(name, args)
            try:
                return getattr(type(kernel), name)(kernel, *args, **kwargs)
            finally:
                leave(name)

        return call

    vars(kernel).update({name: heard(name) for name in names})


def count(kernel: Any, names: Iterable[str]) -> Counter[str]:
    """How often each of these functions is called from now on; `release_pages_items`: how many pages that was given."""
    counts: Counter[str] = Counter()

    def enter(name: str, args: tuple[Any, ...]) -> None:
        counts[name] += 1
        if name == "release_pages":
            counts["release_pages_items"] += args[1]

    listen(kernel, names, enter)
    return counts
