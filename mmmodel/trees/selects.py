"""Kconfig, as far as the audit needs it: which symbols an arch selects, and does that depend on something?"""

from __future__ import annotations

from .c import Files
from .tree import Unknown

THP = "HAVE_ARCH_TRANSPARENT_HUGEPAGE"
"""What an arch says when it supports transparent huge pages."""

FILES = 400
"""Kconfig files of an arch that are read at most (arm has 80)."""


class Kconfig:
    """The Kconfig files of an arch, with those they source from below arch/.

    Raises Unknown if there is none.
    """

    def __init__(self, files: Files, arch: str) -> None:
        self.files, self.arch = files, arch
        self._said: list[tuple[str, str, list[str]]] = []  # file:line, the symbol whose entry it is, the statement
        self._missing = ""
        folder = f"arch/{arch}"
        todo = [f"{folder}/{name}" for name in files.tree.entries(folder) if name.startswith("Kconfig")]
        if not todo:
            raise Unknown(f"{folder}: no Kconfig")
        seen = set[str]()
        while todo and len(seen) < FILES:
            if (path := todo.pop()) not in seen:
                seen.add(path)
                todo += self._read(path)
        self._missing = todo[0] if todo else self._missing

    def _read(self, path: str) -> list[str]:
        """Take a file's statements; the files that it sources."""
        symbol, sourced = "", list[str]()
        try:
            lines = self.files.lines(path)
        except Unknown:
            self._missing, lines = path, []
        for number, line in enumerate(lines, 1):
            match line.split("#")[0].split():
                case ["config" | "menuconfig", symbol]:
                    pass
                case ["source" | "orsource", *rest]:
                    name = "".join(rest).strip("\"'").replace("$(HEADER_ARCH)", "x86").replace("$(SRCARCH)", self.arch)
                    sourced += [name.replace("$SRCARCH", self.arch)] * name.startswith("arch/")
                case ["select" | "def_bool" | "default" | "depends", *_] as words:
                    self._said.append((f"{path}:{number}", symbol, words))
        return sourced

    def selects(self, wanted: str) -> tuple[bool | None, str]:
        """Does the arch have a symbol (None: not known), and where that stands, with the condition.

        A select in the entry of another symbol than the arch itself is a condition. Raises Unknown for THP, if a file
        that may select it could not be read.
        """
        plain = {symbol for _, symbol, words in self._said if words == ["def_bool", "y"]} | {self.arch.upper()}
        found = list[tuple[bool, str]]()
        for where, symbol, words in self._said:
            if words[:2] == ["select", wanted]:
                condition = " ".join(words[3:]) or ("" if symbol in plain else symbol)
            elif symbol == wanted and words[0] in ("def_bool", "default") and words[1:2] == ["y"]:
                depends = [" ".join(w[2:]) for _, other, w in self._said if other == wanted and w[0] == "depends"]
                condition = " && ".join([" ".join(words[3:])] * (len(words) > 3) + depends)
            else:
                continue
            found.append((bool(condition), f"{where} {wanted}" + f" if {condition}" * bool(condition)))
        if found:
            return True, min(found)[1]
        if self._missing and wanted == THP:
            raise Unknown(f"{self._missing}: cannot be read, and may select {THP}")
        return None if self._missing else False, f"arch/{self.arch} no {wanted}"
