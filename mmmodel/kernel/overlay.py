"""What a patch is: a class that lies over the layers of a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .mentions import functions_in, mentioned, renamed
from .versions import V4_5, VERSIONS

if TYPE_CHECKING:
    Kernel = V4_5
else:
    Kernel = object


class Patch(Kernel):
    """Base of all patches: define the kernel functions you change; the first line of the docstring is the idea.

    `name` is that of the class unless it gives another. `file` is the source file the patch edits (default: some file
    under mm/). `since` and `until` are the versions it can be applied to; in others it changes nothing, for the reason
    in `outside`. A leading double underscore of a function counts as a single one.
    """

    name = ""
    file = "mm"
    since, until = next(iter(VERSIONS)), next(reversed(VERSIONS))
    outside = ""
    needs_debug_vm = False
    """Is it nothing but assertions, which are compiled with CONFIG_DEBUG_VM only?"""

    def __init_subclass__(cls) -> None:
        if issubclass(cls, V4_5):  # no patch: a kernel that has some
            return
        cls.name = vars(cls).get("name") or cls.__name__
        mangled = f"_{cls.__name__.lstrip('_')}__"
        for name, value in list(vars(cls).items()):
            for function in functions_in(value):
                if any(word.startswith(mangled) for word in mentioned(function.__code__)):
                    function.__code__ = renamed(function.__code__, mangled)
            if name.startswith(mangled):
                setattr(cls, f"_{name.removeprefix(mangled)}", value)
                delattr(cls, name)

    @classmethod
    def level(cls) -> int:
        """0 for mm/*.c, 1 for a configuration header, 2 for an arch: higher ones lie over lower ones."""
        return 2 if cls.file.startswith("arch/") else 1 if cls.file.startswith("include/linux/swap.h") else 0

    @classmethod
    def layers(cls) -> list[type]:
        """The class itself, and the patches and mixins it derives from."""
        return [c for c in cls.__mro__ if c not in Patch.__mro__]

    @classmethod
    def functions(cls) -> list[str]:
        """The functions it defines: those of the kernel that it overrides, and its helpers."""
        defined = [(name, value) for c in cls.layers() for name, value in vars(c).items() if name[:2] != "__"]
        return list(dict.fromkeys(name for name, value in defined if is_function(value)))


def is_function(value: Any) -> bool:
    """Is this what a kernel function can be overridden with: a function, property, static method, partial?"""
    return (callable(value) or hasattr(value, "__get__")) and not isinstance(value, type)
