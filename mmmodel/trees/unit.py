"""What a configuration compiles of some files: the preprocessor's conditions, decided as far as they can be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from posixpath import basename

from tree_sitter import Node

from .c import Definition, Files, arguments, callee, code_of, parts
from .tree import Unknown

Answer = bool | None


def negated(value: Answer) -> Answer:
    """Not."""
    return None if value is None else not value


def combined(operator: str, left: Answer, right: Answer) -> Answer:
    """`&&` or `||` of two answers, either of which may be open."""
    decides = operator == "||"
    if left is decides or right is decides:
        return decides
    return None if left is None or right is None else not decides


def truth(node: Node, known: Callable[[Node], Answer]) -> Answer:
    """Is a condition true? known: answers for what is no operator."""
    kids = parts(node)
    operator = code_of(node.child_by_field_name("operator"))
    if node.type == "parenthesized_expression" and len(kids) == 1:
        return truth(kids[0], known)
    if node.type == "unary_expression" and operator == "!" and kids:
        return negated(truth(kids[0], known))
    if node.type == "binary_expression" and operator in ("&&", "||") and len(kids) == 2:
        return combined(operator, truth(kids[0], known), truth(kids[1], known))
    if callee(node) in ("likely", "unlikely") and len(arguments(node)) == 1:
        return truth(arguments(node)[0], known)
    if node.type == "number_literal":
        return code_of(node).strip("0xXuUlL") != ""
    return known(node)


class Unit:
    """The definitions of some files in a configuration, by name. Where a condition is open, both branches count.

    config: answers for CONFIG_ symbols; one that is not there is open. arch: whose headers <asm/...> names.
    """

    def __init__(self, files: Files, config: Mapping[str, Answer], arch: str = "") -> None:
        self.files, self.config, self.arch = files, config, arch
        self.definitions: dict[str, list[Definition]] = {}
        self._defined: set[str] = {"__KERNEL__"}
        self._branches: dict[int, Answer] = {}
        self._included: set[str] = set()

    def include(self, path: str) -> None:
        """Read a file, and the gather's headers it includes.

        Raises Unknown if one of them cannot be read.
        """
        if path in self._included:
            return
        self._included.add(path)
        for under, definition in self.files[path].items:
            if all(self.taken(node) in (None, wanted) for node, wanted in under):
                self._enter(definition)

    def _enter(self, definition: Definition) -> None:
        node, name = definition.node, definition.name
        if node.type == "preproc_include":
            included = code_of(node.child_by_field_name("path")).strip('<>"')
            if included == "asm-generic/tlb.h":
                self.include("include/asm-generic/tlb.h")
            elif included.startswith("asm/tlb") and basename(included) not in ("tlbflush.h", "tlb.h"):
                path = f"arch/{self.arch}/include/{included}"
                if self.files.has(path):
                    self.include(path)
        elif node.type == "preproc_call":
            if code_of(node.child_by_field_name("directive")) == "#undef":
                self._defined.discard(code_of(node.child_by_field_name("argument")).strip())
        elif name:
            if definition.is_macro:
                self._defined.add(name)
            if definition.stands_for != name:
                self.definitions.setdefault(name, []).append(definition)

    def taken(self, node: Node) -> Answer:
        """Is a conditional directive's own branch compiled? Decided when it is first met, as the preprocessor does."""
        if node.id not in self._branches:
            name = node.child_by_field_name("name")
            condition = node.child_by_field_name("condition")
            if name:
                there = self.defined(code_of(name))
                plain = code_of(node.children[0]) in ("#ifdef", "#elifdef")
                self._branches[node.id] = there if plain else negated(there)
            else:
                self._branches[node.id] = truth(condition, self._known) if condition else None
        return self._branches[node.id]

    def defined(self, symbol: str) -> Answer:
        """Is a name of the preprocessor defined? The compiler's own names (lower case) are open."""
        if symbol.startswith("CONFIG_"):
            return self.config.get(symbol.removesuffix("_MODULE"))
        return True if symbol in self._defined else None if symbol.islower() and symbol[:2] == "__" else False

    def _known(self, node: Node) -> Answer:
        """What a condition of the preprocessor says of one name."""
        if node.type == "preproc_defined":
            return self.defined(code_of(parts(node)[0])) if parts(node) else None
        if callee(node) in ("IS_ENABLED", "IS_BUILTIN", "IS_REACHABLE") and arguments(node):
            return self.defined(code_of(arguments(node)[0]))
        return None

    def enabled(self, node: Node) -> Answer:
        """What a condition of C says of a configuration: IS_ENABLED(CONFIG_...)."""
        return self._known(node) if node.type == "call_expression" else None

    def paths(self) -> list[str]:
        """The files that were read."""
        return sorted(self._included)

    def find(self, names: Iterable[str]) -> Definition | None:
        """The first definition of any of the names."""
        return next((found for name in names for found in self.definitions.get(name, [])), None)

    def need(self, names: Iterable[str], where: str) -> Definition:
        """The same.

        Raises Unknown if there is none.
        """
        if found := self.find(names):
            return found
        raise Unknown(f"{where}: no {' or '.join(sorted(names))}")
