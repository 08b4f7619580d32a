"""What of a patch has no effect in a build, and why. Each function is judged by itself."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from ..kernel.arches import ARCH_CODE
from ..kernel.config import NoSwap, NoThp
from ..kernel.mentions import names_in
from ..kernel.overlay import Patch
from ..kernel.versions import VERSIONS
from .accepted import kernel_definitions, overridden

if TYPE_CHECKING:
    from .composed import Build


@cache
def mentions(layer: type, name: str) -> set[str]:
    """The names in a definition."""
    return names_in(vars(layer)[name])


@cache
def entries() -> set[str]:
    """What a kernel is called by from outside: what none of its other functions mentions."""
    layers = {c for cls in (*VERSIONS.values(), *ARCH_CODE, NoSwap, NoThp) for c in cls.__mro__[:-1]}
    called = [mentions(layer, name) - {name} for layer in layers for name in vars(layer)]
    return kernel_definitions().keys() - set[str]().union(*called)


@cache
def live(cls: Any) -> set[tuple[type, str]]:
    """The definitions (layer and name) that code of a kernel can reach: by name, or by super() of a layer above."""
    defined: dict[str, list[type]] = {}
    for layer in cls.__mro__[:-1]:
        for name in vars(layer):
            defined.setdefault(name, []).append(layer)
    found, order = set[tuple[type, str]](), cls.__mro__.index
    todo = [(defined[name][0], name) for name in defined if name in entries() or name[:2] == "__"]
    while todo:
        layer, name = here = todo.pop()
        if here not in found:
            found.add(here)
            names = mentions(layer, name)
            for other in names & defined.keys():
                below = [c for c in defined[other] if order(c) > order(layer)] if "super" in names else []
                todo += [(c, other) for c in (defined[other][0], *below[: None if "__mro__" in names else 1])]
    return found


def lost(build: Build, patch: type[Patch]) -> tuple[str, bool]:
    """Why functions of a patch have no effect, empty if all have; and: are these all of its functions?"""
    cls, reasons = cast(Any, build.kernel_class), dict[str, list[str]]()
    layers = [c for c in cls.__mro__ if c in patch.layers()]
    names = [n for n in dict.fromkeys(n for c in layers for n in vars(c)) if n in overridden(patch) and n[:2] != "__"]
    for name in names:
        if not any((layer, name) in live(cls) for layer in layers):
            reasons.setdefault(why(build, layers, name), []).append(name)
    said = "; ".join(reason.format(", ".join(functions)) for reason, functions in reasons.items())
    return said, sum(map(len, reasons.values())) == len(names)


def why(build: Build, layers: list[type], name: str) -> str:
    """Why a function of a patch is never reached, as a sentence to put names into."""
    first = next((v for v, cls in VERSIONS.items() if hasattr(cls, name)), "")
    if not any(name in vars(c) for c in build.kernel_class.__mro__ if c not in layers and not issubclass(c, Patch)):
        return f"{build.version} has no {{}} ({first} is the first)" if first else f"{build.arch} has no {{}}"
    for over in reversed(build.kernel_class.__mro__[: build.kernel_class.__mro__.index(layers[0])]):
        if name in vars(over) and not {"super", name} <= mentions(over, name):
            if issubclass(over, Patch):
                return f"{over.name} replaces {{}} without calling it by super()"
            return f"{over.instead} for {{}}" if hasattr(over, "instead") else f"{build.arch} has its own {{}}"
    return "nothing calls {} here"
