"""The names in the code of a function. Never its source: a patch may come from a cell, a file or exec."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from types import CodeType, FunctionType
from typing import Any

WRAPPED = ("fget", "fset", "fdel", "__func__", "__wrapped__", "func")
"""Where properties, static and class methods, decorated functions and partials keep the functions they are made of."""


@cache
def mentioned(code: CodeType) -> frozenset[str]:
    """The names in some code and in the code inside it, also those it could pass to getattr."""
    inside = [mentioned(inner) for inner in code.co_consts if isinstance(inner, CodeType)]
    texts = [text for text in code.co_consts if isinstance(text, str) and text.isidentifier()]
    looks = ["__mro__"] * ("super" in code.co_names and "__class__" not in code.co_freevars)  # super(Some, self)
    return frozenset(code.co_names).union(texts, looks, *inside)


def renamed(code: CodeType, prefix: str) -> CodeType:
    """The code with an underscore for a prefix of names, inside it too."""
    names = tuple(f"_{name.removeprefix(prefix)}" if name.startswith(prefix) else name for name in code.co_names)
    constants = tuple(renamed(c, prefix) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_names=names, co_consts=constants)


def functions_in(value: Any, called: bool = False) -> Iterable[FunctionType]:
    """The Python functions in a definition, those it closes over, and (if asked) the global ones these may call."""
    found, seen, todo = dict[FunctionType, None](), set[int](), [value]
    while todo:
        item = todo.pop()
        if id(item) in seen or type(item).__module__ not in ("builtins", "functools") or isinstance(item, type):
            continue
        seen.add(id(item))
        todo += [part for name in WRAPPED if (part := getattr(item, name, None)) is not None]
        if isinstance(item, FunctionType):
            found[item] = None
            todo += [cell.cell_contents for cell in item.__closure__ or () if cell != type(cell)()]
            todo += [item.__globals__.get(name) for name in mentioned(item.__code__) if called]
    return found


def names_in(value: Any) -> set[str]:
    """All names that a definition mentions, and the functions it is made of or calls outside its class."""
    return set[str]().union(*(mentioned(function.__code__) for function in functions_in(value, called=True)))
