"""The names in the code of a function. Never its source: a patch may come from a cell, a file or exec."""

from __future__ import annotations

from functools import cache
from types import CodeType, FunctionType
from typing import Any


@cache
def mentioned(code: CodeType) -> frozenset[str]:
    """The names in some code and in the code inside it, also those it could pass to getattr."""
    inside = [mentioned(inner) for inner in code.co_consts if isinstance(inner, CodeType)]
    texts = [text for text in code.co_consts if isinstance(text, str) and text.isidentifier()]
    looks = ["__mro__"] * ("super" in code.co_names and "__class__" not in code.co_freevars)  # super(Some, self)
    return frozenset(code.co_names).union(texts, looks, *inside)


def parts(function: Any) -> list[Any]:
    """The functions behind a property, a static or class method, a partial or a decorated function."""
    names = ("fget", "fset", "fdel", "__func__", "__wrapped__", "func")
    return [part for name in names if (part := getattr(function, name, None)) is not None]


def names_in(function: Any) -> set[str]:
    """All names that a definition mentions: with what it decorates, closes over, and the global functions it calls."""
    found, seen, todo = set[str](), set[int](), [function]
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        todo += parts(item)
        if isinstance(item, FunctionType):
            used = mentioned(item.__code__)
            found |= used
            todo += [value for name in used if isinstance(value := item.__globals__.get(name), FunctionType)]
            todo += [cell.cell_contents for cell in item.__closure__ or () if cell != type(cell)()]
    return found
