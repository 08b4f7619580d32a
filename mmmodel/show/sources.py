"""Kernel functions as the model has them: their source, beside each other."""

import ast
import inspect
import re
from difflib import ndiff
from textwrap import dedent
from typing import Any

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from pygments.style import Style
from pygments.token import Comment, Keyword, Name, String

from ..build.composed import Build
from ..kernel.arches import own_gather
from ..kernel.overlay import Patch
from ..study.blast import SEAMS
from ..words import kernel_name
from .html import GOOD, HZR, MONO, WRAPPED, Html, code, join, table, tag
from .tables import label

FILE = r"[\w-]+/[\w/.-]+\.[ch]\b"
CODE = f"{WRAPPED};font:.85em/1.45 {MONO};color:inherit;background:none;margin:.2em 0 1em"


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
    said = [] if own and owners[0].__module__.endswith("mmu_gather") else [vars(owners[0])[name].__doc__]
    for cls in (*own, *owners):
        given = getattr(cls, "instead", None) or getattr(cls, "file", None)
        said += [given, cls.__doc__, inspect.getdoc(inspect.getmodule(cls))]
    file = next((found[0] for words in said if (found := re.search(FILE, words or ""))), "what a program does")
    return f"{file}:{kernel_name(SEAMS.get(name, name))}@{build.version}"


def functions(build: Build) -> Html:
    """What a patch can override or call on a build: by source file, with signature and what it is for."""
    names = {n for cls in build.kernel_class.__mro__[:-1] for n, v in vars(cls).items() if inspect.isfunction(v)}
    files: dict[str, list[tuple[Html, str]]] = {}
    for name in sorted(n for n in names if not n.startswith(("__", "boot_"))):
        function = getattr(build.kernel_class, name)
        below = function.__module__.endswith(("machine", "atomics"))
        file = "single steps: atomic operations, barriers, locks, TLBs" if below else place(build, name).split(":")[0]
        said = (inspect.getdoc(function) or "").partition("\n")[0]
        files.setdefault(file, []).append((code(f"{name}{_signature(function)}"), said))
    ordered = sorted(files.items(), key=lambda item: (not item[0].startswith("mm/"), item[0]))
    return join(*(tag("details", tag("summary", f"{f} ({len(r)})"), table(["define", ""], r)) for f, r in ordered))


def _signature(function: Any) -> inspect.Signature:
    found = inspect.signature(function)
    bare = [p.replace(annotation=p.empty) for p in found.parameters.values()]
    return inspect.Signature(bare)


def diff(patch: str | type[Patch], version: str = "v4.6") -> Html:
    """A patch as the lines it takes away and adds, docstrings left out, on a version; of a long one the first six.

    Where it calls super() the lines of before stay, in that place.
    Raises BuildError for a name that does not exist.
    """
    build = Build(version, patches=(patch,))
    cls, lines = build.patch_classes[0], list[str]()
    stock: Any = Build(version, "s390" if cls.level() else "x86").kernel_class
    for name in [n for n in cls.functions() if not n.startswith(("boot_", "references"))]:
        was, now = (_body(getattr(c, name, None)) for c in (stock, cls))
        signs = "+" if any("super()" in line for line in now) else "+-"
        lines += [f"@@ {kernel_name(name)}()", *(line for line in ndiff(was, now) if line[0] in signs)]
    more = [f"… and {len(lines) - 7} lines more"] * (len(lines) > 7)
    return tag("pre", "\n".join([*lines[:7], *more]), style=CODE)


def _body(function: Any) -> list[str]:
    """The statements of a function, as they are written, without its docstring."""
    if function is None:
        return []
    node: Any = ast.parse(text := dedent(inspect.getsource(function))).body[0]
    return [line[4:] for line in text.splitlines()[node.body[0].end_lineno :]]


def _listing(build: Build, name: str) -> Html:
    source = dedent(inspect.getsource(getattr(build.kernel_class, name)))
    coloured = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True, noclasses=True, style=OnAnyGround))
    coloured = re.sub("color: (#[0-9A-F]{6})", r"color:color-mix(in srgb,\1 72%,currentColor)", coloured)
    lines = [_line(*pair) for pair in zip(source.splitlines(), coloured.splitlines(), strict=True)]
    head = tag("figcaption", tag("code", place(build, name)))
    return tag("figure", head, tag("pre", *lines, style=CODE), style="margin:.3em 0")


def _line(plain: str, coloured: str) -> Html:
    """A line that is indented further where it has to be broken."""
    indent = len(plain) - len(plain.lstrip()) + 4
    return tag("span", Html(coloured or " "), style=f"display:block;padding-left:{indent}ch;text-indent:-{indent}ch")
