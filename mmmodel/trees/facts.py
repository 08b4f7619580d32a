"""Facts that hold for a whole tree, each with the places it stands at; what cannot be read raises Unknown."""

from __future__ import annotations

from itertools import islice

from tree_sitter import Node

from ..data import rows
from .c import Definition, Files, arguments, callee, code_of, within
from .flow import Flow
from .names import NAMES
from .release import Fact, Pursuit, names_used
from .tree import Tree, Unknown, plain, remembered
from .unit import Answer, Unit
from .writes import held_at, written

HUGE, OOM, SWAP_STATE = "mm/huge_memory.c", "mm/oom_kill.c", "mm/swap_state.c"
FIXED: dict[str, Answer] = {"CONFIG_MMU": True, "CONFIG_TRANSPARENT_HUGEPAGE": True,
                            "CONFIG_PERSISTENT_HUGE_ZERO_FOLIO": False}  # fmt: skip
"""The configuration that is asked about, besides SWAP and what the arch selects."""

WHOLE = [["0", end] for end in ("-1", "-1UL", "~0", "~0UL", "ULONG_MAX")]
"""The ranges that are a whole mm."""

STEPS = 1000
"""Calls and assignments of a function that are looked at."""


def steps_of(unit: Unit, function: Definition) -> list[Node]:
    """The calls and assignments that a function may reach.

    Raises Unknown if it cannot be parsed, or is longer than any of the kernel's.
    """
    steps = list(islice(Flow(unit, lambda _: None).run(function), STEPS))
    if len(steps) == STEPS:
        raise Unknown(f"{function.place}: too long")
    return steps


def calls_to(unit: Unit, function: Definition, names: frozenset[str], kind: str = "call_expression") -> str:
    """Where a function, or one that it calls, calls one of the names (kind: in what); empty if nowhere."""
    near = [function, *(d for node in within(function.node) for d in unit.definitions.get(callee(node), []))]
    outer = ((one, node) for one in near for node in within(one.node) if node.type == kind)
    return next((one.at(c) for one, node in outer for c in within(node) if callee(c) in names), "")


class Facts:
    """What the audit needs to know of a tree, whatever the arch."""

    def __init__(self, tree: Tree) -> None:
        self.tree, self.files = tree, Files(tree)

    @remembered
    def version(self) -> str:
        """What its Makefile says it is; empty if it does not."""
        said = dict.fromkeys(("VERSION", "PATCHLEVEL", "SUBLEVEL", "EXTRAVERSION"), "")
        for line in self.files.lines("Makefile")[:20] if self.files.has("Makefile") else ():
            name, equals, value = line.partition("=")
            if equals and name.strip() in said:
                said[name.strip()] = plain(value.strip())
        version, level, sub, extra = said.values()
        return f"v{version}.{level}{f'.{sub}' if sub not in ('', '0') else ''}{extra}" if version and level else ""

    @remembered
    def archs(self) -> list[str]:
        """The archs of the tree; of one without, those that data/arches.csv knows; none if it is no kernel tree."""
        found = [name for name, is_folder in self.tree.entries("arch").items() if is_folder and plain(name) == name]
        there = found or self.tree.entries("mm") or self.tree.entries("include/linux")
        return sorted(found or ({row["arch"] for row in rows("arches")} if there else ()))

    def unit(self, path: str) -> Unit:
        """One file in the configuration that is asked about, with SWAP.

        Raises Unknown if it cannot be read.
        """
        unit = Unit(self.files, {**FIXED, "CONFIG_SWAP": True})
        unit.include(path)
        return unit

    @remembered
    def huge(self) -> Unit:
        """mm/huge_memory.c."""
        return self.unit(HUGE)

    def says_nothing_of(self, path: str, later: str, *words: str) -> None:
        """Nothing, if none of the words is in a file that goes as far as what comes `later` (a role) in it.

        Raises Unknown otherwise: then there is something that was not understood.
        """
        source = self.files[path].source
        if not any(name.encode() in source for name in NAMES[later]):
            raise Unknown(f"{path}: no {' or '.join(sorted(NAMES[later]))}")
        if found := [word for word in words if word.encode() in source]:
            raise Unknown(f"{path}: {', '.join(found)} was not understood")

    @remembered
    def there(self) -> Fact:
        """Is there a huge zero page? yes, or no."""
        if get := self.huge.find(NAMES["get"]):
            return Fact("yes", (get.place,))
        self.says_nothing_of(HUGE, "zap", "huge_zero")
        return Fact("no", (f"{self.huge.need(NAMES['zap'], HUGE).place}, no huge zero page",))

    @remembered
    def zap(self) -> Fact:
        """What unmapping does with the huge zero page: puts it (put), hands it to the gather, or none of both."""
        zap, tests = self.huge.need(NAMES["zap"], HUGE), list[str]()

        def known(node: Node) -> Answer:
            if callee(node) in NAMES["tests pmd"]:
                tests.append(zap.at(node))
                return True
            return None

        reached = list(Flow(self.huge, known).run(zap))
        for value, role in (("gather", "hands over"), ("put", "puts mapping")):
            if found := [zap.at(node) for node in reached if callee(node) in NAMES[role]]:
                return Fact(value, tuple(found)) if tests or value == "put" else self._normal_only(zap)
        if not tests:
            raise Unknown(f"{zap.place}: does not tell the huge zero page from others")
        return Fact("none", tuple(dict.fromkeys(tests)))

    def _normal_only(self, zap: Definition) -> Fact:
        """A zap without a test of its own: none, if what it frees comes from a function that leaves the page out."""
        if from_normal := calls_to(self.huge, zap, NAMES["normal page"]):
            memory = self.unit("mm/memory.c")
            for name in sorted(NAMES["normal page"]):
                for normal in memory.definitions.get(name, []):
                    if tests := calls_to(memory, normal, NAMES["tests pmd"], "if_statement"):
                        return Fact("none", (from_normal, tests))
        raise Unknown(f"{zap.place}: does not tell the huge zero page from others")

    @remembered
    def flag(self) -> Fact:
        """Who holds a reference: each mapping, or each mm by a flag, tested with acquire or with no order."""
        if not (get := self.huge.find(NAMES["get for mm"])):
            self.says_nothing_of(HUGE, "zap", *sorted(NAMES["mm flag"]))
            return Fact("mapping", (f"{self.there.where[0]}, no flag of the mm",))
        for node in steps_of(self.huge, get):
            name = callee(node)
            if name and names_used(node) & NAMES["mm flag"] and "set" not in name.split("_"):
                branch = node
                while branch.parent and branch != get.node and branch.type != "if_statement":
                    branch = branch.parent
                barriers = {callee(part) for part in within(branch)} & NAMES["read barrier"]
                acquires = name in NAMES["acquiring test"] or name.endswith("_acquire") or barriers
                return Fact("acquire" if acquires else "no order", (get.at(node),))
        raise Unknown(f"{get.place}: no test of the mm's flag")

    @remembered
    def pfn(self) -> Fact:
        """huge_zero_pfn beside the pointer: none, or written locked (one lock is held at every write) or unlocked."""
        where, held = list[str](), list[set[str]]()
        for role in ("get", "shrink"):
            function = self.huge.need(NAMES[role], HUGE)
            steps = steps_of(self.huge, function)
            numbers, pointers = written(steps, NAMES["number"]), written(steps, NAMES["pointer"])
            if not numbers or not pointers:
                if where or not (numbers or pointers):
                    raise Unknown(f"{function.place}: its writes were not understood")
                return Fact("none", (f"{function.place}, {'no' if pointers else 'only'} huge_zero_pfn",))
            where.append(function.at(numbers[0], "huge_zero_pfn"))
            held += [held_at(steps, write) for write in numbers + pointers]
        return Fact("locked" if set.intersection(*held) else "unlocked", tuple(where))

    @remembered
    def publication(self) -> Fact:
        """The count that publishes pointer and number: set with a release, or with no order."""
        get = self.huge.need(NAMES["get"], HUGE)
        steps = steps_of(self.huge, get)
        setting = NAMES["plain set"] | NAMES["releasing set"]
        sets = [i for i, node in enumerate(steps) if callee(node) in setting and names_used(node) & NAMES["count"]]
        if not sets:
            raise Unknown(f"{get.place}: sets no {', '.join(NAMES['count'])}")
        node = steps[sets[-1]]
        last = max((i for i in range(sets[-1]) if written(steps[i : i + 1], NAMES["number"])), default=0)
        between = {callee(step) for step in steps[last + 1 : sets[-1]]}
        ordered = callee(node) in NAMES["releasing set"] or between & NAMES["write barrier"]
        return Fact("release" if ordered else "no order", (get.at(node),))

    @remembered
    def reaper(self) -> Fact:
        """How the OOM reaper gathers: none (there is no reaper), whole mm, or per vma."""
        unit, gathered = self.unit(OOM), list[Fact]()
        for reaper in (d for name in sorted(NAMES["reaper"]) for d in unit.definitions.get(name, [])):
            for node in steps_of(unit, reaper):
                limits = [code_of(argument) for argument in arguments(node)[2:]]
                if callee(node) in NAMES["gathers"] | NAMES["gathers whole"]:
                    whole = callee(node) in NAMES["gathers whole"] or limits in WHOLE
                    gathered.append(Fact("whole mm" if whole else "per vma", (reaper.at(node),)))
        if gathered:
            return max(gathered)
        self.says_nothing_of(OOM, "after the reaper", "oom_reap")
        return Fact("none", (f"{OOM} no OOM reaper",))

    @remembered
    def singular(self) -> Fact:
        """How mm/swap_state.c frees one page: by its page count, or tested before that."""
        pursuit = Pursuit(self.unit(SWAP_STATE))
        pursuit.call(pursuit.unit.need(NAMES["singular"], SWAP_STATE).name, [0])
        return pursuit.outcome(SWAP_STATE)

    @property
    def shape(self) -> dict[str, str]:
        """The facts that tell versions apart; `unknown` if one is not understood."""
        found = {}
        for name in ("zap", "singular", "flag", "reaper", "pfn"):
            try:
                found[name] = getattr(self, name).value
            except Unknown:
                found[name] = "unknown"
        return found
