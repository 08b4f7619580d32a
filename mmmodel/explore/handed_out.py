"""The kernel as a scenario sees it: pages that it asks for are its own until it gives them back, and only once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..kernel.mm_types import Page

GIVING_BACK = {"put_page", "release_pages", "unpin", "_free_pages", "_free_pages_ok", "free_hot_cold_page",
               "free_page_and_swap_cache", "free_pages_and_swap_cache"}  # fmt: skip


@dataclass(frozen=True, repr=False)
class Held:
    """A page as who asked for it knows it: `life` tells the page from itself when it is given out once more."""

    page: Page
    life: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    def __repr__(self) -> str:
        return str(self.page)


class Front:
    """Hands everything on to the kernel; pages go out as Held and come back as pages."""

    def __init__(self, kernel: Any) -> None:
        vars(self)["kernel"] = kernel

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.kernel, name)
        if not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            named = {key: self.handed_in(name, arg) for key, arg in kwargs.items()}
            page = value(*(self.handed_in(name, arg) for arg in args), **named)
            if name != "alloc_pages" or page is None:
                return page
            page.life, page.holder = page.life + 1, page.owner
            return Held(page, page.life)

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.kernel, name, value)

    def handed_in(self, function: str, argument: Any) -> Any:
        """An argument as the kernel takes it. Who gives a page back has no claim to it any more."""
        if isinstance(argument, list | tuple) and any(isinstance(item, Held) for item in argument):
            return tuple(self.handed_in(function, item) for item in argument)
        if not isinstance(argument, Held):
            return argument
        page = argument.page
        if page.life != argument.life:
            self.kernel.violate("one-owner", f"{page} was given back, is used again, and belongs to {page.owner}")
        elif function in GIVING_BACK:
            page.holder = None
        return page
