"""Is this a patch that the kernel can run with? If not, one line says what to do."""

from __future__ import annotations

from functools import cache
from inspect import Parameter, Signature, iscoroutinefunction, isgeneratorfunction, signature
from types import FunctionType, ModuleType
from typing import Any

from ..kernel.arches import ARCH_CODE
from ..kernel.mentions import names_in
from ..kernel.overlay import Patch, is_function
from ..kernel.patches import PATCHES
from ..kernel.versions import V4_5, VERSIONS
from ..words import BuildError, choose, near


@cache
def kernel_definitions() -> dict[str, Any]:
    """The names of all versions and archs, each with its oldest definition."""
    classes = (*ARCH_CODE, *reversed(VERSIONS.values()))
    layers = [layer for cls in classes for layer in reversed(cls.__mro__[:-1])]
    return {name: value for layer in layers for name, value in vars(layer).items() if name[:2] != "__"}


def accepted(patch: Any) -> type[Patch]:
    """A patch by name, or a class after a look at what it overrides.

    Raises BuildError for what is none.
    """
    if isinstance(patch, Patch):
        raise BuildError(f"{type(patch).__name__}() is an instance of a patch: give the class, {type(patch).__name__}")
    if isinstance(patch, ModuleType) or (callable(patch) and not isinstance(patch, type)):
        kind, name = type(patch).__name__, getattr(patch, "__name__", "")
        raise BuildError(f"a patch is a name or a class derived from mm.Patch, not the {kind} {name}".rstrip())
    if not isinstance(patch, type):
        own = isinstance(patch, str) and patch.isidentifier() and not near(patch, PATCHES)
        return PATCHES[choose("patch", patch, PATCHES, " (a class of your own: without quotes)" if own else None)]
    fits(patch)
    return patch


@cache
def fits(patch: type[Patch]) -> None:
    """Nothing, for a class that can be applied.

    Raises BuildError for one that cannot.
    """
    name = patch.__name__
    if not issubclass(patch, Patch) or patch is Patch:
        raise BuildError(f"{name} is not a patch: derive it from mm.Patch")
    if issubclass(patch, V4_5):
        raise BuildError(f"{name} is a whole kernel: derive it from mm.Patch alone; super() reaches the version")
    if not isinstance(patch.name, str) or not isinstance(patch.file, str):
        raise BuildError(f"name and file of {name} must be text, not {patch.name!r} and {patch.file!r}")
    if PATCHES.get(patch.name, patch) is not patch:
        raise BuildError(f"{name} has the name of another patch: {patch.name}")
    for version in (patch.since, patch.until):
        choose(f"version of {patch.name}", version, VERSIONS, "")
    known, used = kernel_definitions(), reached(patch)
    for function in [f for f in patch.functions() if f not in used]:
        what = f"the kernel has no such function, and {name} does not call it{near(function, known)}"
        raise BuildError(f"{name}.{function}: {what}")
    for layer in patch.layers():
        for function, value in vars(layer).items():
            if function in known and (wrong := misfit(function, value, known[function])):
                raise BuildError(f"{layer.__name__}.{wrong}")


def overridden(patch: type[Patch]) -> set[str]:
    """The names of a patch that the kernel itself looks up: those it has too, and special methods."""
    defined = [item for layer in patch.layers() for item in vars(layer).items()]
    return {n for n, v in defined if n in kernel_definitions() or (n[:2] == "__" and hasattr(v, "__code__"))}


def reached(patch: type[Patch]) -> set[str]:
    """What the kernel looks up in a patch, and the helpers that this reaches."""
    layers = [vars(layer) for layer in patch.layers()]
    found, todo = set[str](), overridden(patch) | vars(Patch).keys()
    while todo:
        found.add(name := todo.pop())
        mentions = set[str]().union(*(names_in(layer[name]) for layer in layers if name in layer))
        todo |= {other for other in mentions - found if any(other in layer for layer in layers)}
    return found


def misfit(name: str, value: Any, kernel: Any) -> str:
    """Why a definition cannot stand in the place of the kernel's, beginning with its name; empty if it can."""
    if not isinstance(kernel, FunctionType):
        reads = f"{name}: the kernel reads a value there, it calls nothing (@property makes a function one)"
        return reads if isinstance(value, FunctionType) else ""
    calls = shown(signature(kernel), 1)
    if isinstance(value, property) or not is_function(value):
        return f"{name}: the kernel calls {name}{calls}, so it has to be a function"
    function = getattr(value, "__func__", value)
    try:
        own = signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return ""  # a callable that cannot say
    if isgeneratorfunction(function) != isgeneratorfunction(kernel) or iscoroutinefunction(function):
        return f"{name}: the kernel calls {name}{calls} and takes what it returns; it has no use for a generator"
    bound = hasattr(value, "__get__") and not isinstance(value, staticmethod)
    if binds(own, [None] * bound, signature(kernel)):
        return ""
    return f"{name}{shown(own)}: the kernel calls {name}{calls}"


def shown(found: Signature, skip: int = 0) -> Signature:
    """A signature without annotations."""
    parameters = [p.replace(annotation=Parameter.empty) for p in found.parameters.values()]
    return Signature(parameters[skip:])


def binds(own: Signature, me: list[None], kernel: Signature) -> bool:
    """Does a function accept the calls that the kernel may make of its own: short, with keywords, with all by place?"""
    parameters = list(kernel.parameters.values())[1:]
    required = [None for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    keywords = {p.name: None for p in parameters if p.default is not p.empty}
    by_place = [None for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    more = [None for p in parameters if p.kind is p.VAR_POSITIONAL] * 2
    try:
        own.bind(*me, *required)
        own.bind(*me, *required, **keywords)
        own.bind(*me, *by_place, *more)
    except TypeError:
        return False
    return True
