"""C as tree-sitter reads it: the definitions of a file, each with the conditions of the preprocessor around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import tree_sitter_c
from tree_sitter import Language, Node, Parser

from .tree import Tree, Unknown

Conditions = tuple[tuple[Node, bool], ...]
"""Conditional directives, and whether their own branch or the one after it is meant."""

IFS = ("preproc_if", "preproc_ifdef")
INSIDE = (*IFS, "preproc_elif", "preproc_elifdef", "preproc_else")
MUCH, TRIES, LARGE = 20, 8, 500_000
"""Lines in an error that is worth another try, or before its cause; how many tries a file of that many bytes gets."""

AROUND = ("linkage_specification", "declaration_list", "ERROR")


@cache
def parser() -> Parser:
    """A parser of C."""
    return Parser(Language(tree_sitter_c.language()))


def code_of(node: Node | None) -> str:
    """The source of a node."""
    return "" if node is None or node.text is None else node.text.decode(errors="replace")


def parts(node: Node) -> list[Node]:
    """Its children that mean something."""
    return [child for child in node.named_children if child.type != "comment"]


def within(node: Node) -> Iterator[Node]:
    """A node and everything in it, in the order of the source."""
    todo = [node]
    while todo:
        yield (here := todo.pop())
        todo.extend(reversed(here.named_children))


def callee(node: Node) -> str:
    """The name that a call calls; empty for no call by name."""
    return code_of(node.child_by_field_name("function")) if node.type == "call_expression" else ""


def arguments(call: Node) -> list[Node]:
    """The arguments of a call."""
    given = call.child_by_field_name("arguments")
    return parts(given) if given else []


@dataclass(frozen=True, eq=False)
class Definition:
    """A function or a macro."""

    name: str
    file: str
    node: Node

    @property
    def is_macro(self) -> bool:
        """Is it one of the preprocessor's?"""
        return self.node.type.startswith("preproc")

    @cached_property
    def params(self) -> list[str]:
        """Names of its parameters."""
        if self.is_macro:
            listed = self.node.child_by_field_name("parameters")
            return [code_of(part) for part in parts(listed)] if listed else []
        declared = self.node.child_by_field_name("declarator")
        while declared and declared.type != "function_declarator":
            declared = declared.child_by_field_name("declarator")
        listed = declared.child_by_field_name("parameters") if declared else None
        return [declared_name(part) for part in parts(listed)] if listed else []

    @property
    def stands_for(self) -> str:
        """The other name that a macro without parameters is."""
        value = code_of(self.node.child_by_field_name("value")).strip()
        return value if self.node.type == "preproc_def" and value.isidentifier() else ""

    @cached_property
    def body(self) -> Node | None:
        """What it does; the text of a macro is parsed as the body of a function.

        Raises Unknown if it cannot be parsed.
        """
        whole = self.node
        if self.is_macro:
            value = code_of(self.node.child_by_field_name("value"))
            whole = parser().parse(f"void m(void) {{{value}\n;}}".encode()).root_node
        function = whole.children[0] if self.is_macro else whole
        if damaged(whole) or (self.is_macro and whole.child_count != 1):
            raise Unknown(f"{self.place}: cannot be parsed")
        return function.child_by_field_name("body")

    @property
    def place(self) -> str:
        """Where it begins: file:line name."""
        return f"{self.file}:{self.node.start_point[0] + 1} {self.name}"

    def at(self, node: Node, what: str = "") -> str:
        """The place of a node in its body: file:line, and what is there (of a call, its name)."""
        value = self.node.child_by_field_name("value") if self.is_macro else None
        line = node.start_point[0] + 1 + (value.start_point[0] if value else 0)
        return f"{self.file}:{line} {what or callee(node)}".rstrip()


def declared_name(node: Node | None) -> str:
    """The name that a declaration declares."""
    while node and node.type != "identifier":
        node = node.child_by_field_name("declarator")
    return code_of(node)


def damaged(node: Node) -> bool:
    """Is there an error in it that matters? A loop by a macro lacks a `;`, a macro before a type is a lone word."""
    if not node.has_error:
        return False
    todo = [node]
    while todo:
        here = todo.pop()
        if (here.is_missing and here.type != ";") or (here.type == "ERROR" and not code_of(here).isidentifier()):
            return True
        todo.extend(child for child in here.children if child.has_error or child.is_missing)
    return False


Item = tuple[Conditions, Definition]
"""What a file says at its top: a definition or directive that matters, and the conditions around it."""


class File(NamedTuple):
    """A file of C."""

    source: bytes
    items: list[Item]


def items(node: Node, path: str, under: Conditions = ()) -> Iterator[Item]:
    """The definitions and directives in a node that is a file, or a branch of it."""
    fields = [node.child_by_field_name(name) for name in ("condition", "name", "alternative")]
    for part in parts(node):
        if part in fields and node.type in INSIDE:
            continue
        if part.type in IFS:
            yield from items(part, path, (*under, (part, True)))
        elif part.type in AROUND:
            yield from items(part, path, under)
        elif part.type == "function_definition":
            yield under, Definition(declared_name(part), path, part)
        elif part.type in ("preproc_def", "preproc_function_def", "preproc_include", "preproc_call"):
            yield under, Definition(code_of(part.child_by_field_name("name")), path, part)
    if fields[2] and node.type in INSIDE:
        base = (*under[:-1], (node, False))
        yield from items(fields[2], path, base if fields[2].type == "preproc_else" else (*base, (fields[2], True)))


def parsed(source: bytes) -> Node:
    """The tree of a file. Directives that cut an expression in two, so that the rest is lost, are read as open.

    That is: they are left out, and both branches stay; but only if then nothing is lost.
    """
    first = root = parser().parse(source).root_node
    lines = source.split(b"\n")
    for _ in range(TRIES if len(source) < LARGE else 0):
        lost = [node for node in (root, *root.children) if node.type == "ERROR"]
        rows = [node.start_point[0] for node in lost if node.end_point[0] - node.start_point[0] > MUCH]
        if not rows:
            return root
        near = (at for at in range(rows[0], min(rows[0] + MUCH, len(lines))) if directive(lines[at]) == "if")
        if (at := next(near, None)) is None:
            return first
        leave_out(lines, at)
        root = parser().parse(b"\n".join(lines)).root_node
    return first


def directive(line: bytes) -> str:
    """What a line is: if, el (se, if), endif; or nothing of that."""
    mark, word = line.lstrip()[:1], line.lstrip()[1:].lstrip()
    return next((kind for kind in ("if", "el", "endif") if mark == b"#" and word.startswith(kind.encode())), "")


def leave_out(lines: list[bytes], at: int) -> None:
    """Empty the line of an `#if`, and those that belong to it."""
    depth = 0
    for number in range(at, len(lines)):
        kind = directive(lines[number])
        depth += kind == "if"
        if depth == 1 and kind:
            lines[number] = b""
        depth -= kind == "endif"
        if not depth:
            return


class Files:
    """The files of a tree, each read and parsed once."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._read: dict[str, bytes | Unknown] = {}
        self._parsed: dict[str, File] = {}

    def __getitem__(self, path: str) -> File:
        """A file.

        Raises Unknown if it cannot be read, or is no C.
        """
        if path not in self._parsed:
            source = self.source(path)
            if b"\0" in source:
                raise Unknown(f"{path}: binary")
            self._parsed[path] = File(source, list(items(parsed(source), path)))
        return self._parsed[path]

    def source(self, path: str) -> bytes:
        """What is in a file.

        Raises Unknown if it cannot be read.
        """
        if path not in self._read:
            try:
                self._read[path] = self.tree.read(path)
            except Unknown as reason:
                self._read[path] = reason
        if isinstance(found := self._read[path], Unknown):
            raise found
        return found

    def has(self, path: str) -> bool:
        """Is there such a file, and can it be read?"""
        with suppress(Unknown):
            self.source(path)
        return isinstance(self._read[path], bytes)

    def lines(self, path: str) -> list[str]:
        """The lines of a file that is no C.

        Raises Unknown if it cannot be read.
        """
        return self.source(path).decode(errors="replace").splitlines()
