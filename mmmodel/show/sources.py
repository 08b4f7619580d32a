"""Kernel functions as the model has them: their source, beside each other."""

from __future__ import annotations

import inspect
import re
from textwrap import dedent

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from pygments.style import Style
from pygments.token import Comment, Keyword, Name, String

from ..build.composed import Build
from ..kernel.arches import own_gather
from ..study.blast import SEAMS
from ..words import kernel_name
from .html import GOOD, HZR, MONO, Html, join, tag
from .tables import label

FILE = r"[\w-]+/[\w/.-]+\.[ch]\b"
CODE = f"white-space:pre-wrap;font:.85em/1.45 {MONO};color:inherit;background:none;margin:.2em 0 1em"


class OnAnyGround(Style):  # type: ignore[misc]
    """Few colours, each readable on white and on black; all else has the colour of the text."""

    styles = {Keyword: f"bold {HZR}", Name.Function: "bold", String: GOOD, Comment: f"italic {GOOD}"}  # noqa: RUF012


def beside(*columns: tuple[Build, *tuple[str, ...]]) -> Html:
    """Functions as they are compiled: for each build a column, with the functions that are named after it.

    Raises AttributeError for a function that the model does not have.
    """
    shown = [tag("b", label(build)) + join(*(_listing(build, name) for name in names)) for build, *names in columns]
    style = "display:flex;flex-wrap:wrap;gap:0 2em;margin:.5em 0"
    return tag("div", *(tag("div", Html(column), style="flex:1 1 24em;min-width:0") for column in shown), style=style)


def place(build: Build, name: str) -> str:
    """What a function stands for: file:function@version. The file is the one that docstrings (or the patch) name."""
    owners: list[type] = [cls for cls in build.kernel_class.__mro__ if name in vars(cls)]
    arch = own_gather(build.arch, build.version)
    own = [arch] if arch and owners[0].__module__.endswith(("arches", "mmu_gather")) else []
    said = [] if own else [vars(owners[0])[name].__doc__]
    for cls in (*own, *owners):
        given = getattr(cls, "instead", None) or getattr(cls, "file", None)
        said += [given, cls.__doc__, inspect.getdoc(inspect.getmodule(cls))]
    file = next(found[0] for words in said if (found := re.search(FILE, words or "")))
    return f"{file}:{kernel_name(SEAMS.get(name, name))}@{build.version}"


def _listing(build: Build, name: str) -> Html:
    source = dedent(inspect.getsource(getattr(build.kernel_class, name)))
    coloured = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True, noclasses=True, style=OnAnyGround))
    lines = [_line(*pair) for pair in zip(source.splitlines(), coloured.splitlines(), strict=True)]
    head = tag("figcaption", tag("code", place(build, name)))
    return tag("figure", head, tag("pre", *lines, style=CODE), style="margin:.3em 0")


def _line(plain: str, coloured: str) -> Html:
    """A line that is indented further where it has to be broken."""
    indent = len(plain) - len(plain.lstrip()) + 4
    return tag("span", Html(coloured or " "), style=f"display:block;padding-left:{indent}ch;text-indent:-{indent}ch")
