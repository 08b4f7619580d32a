"""Facts read off a tree, each with the places it stands at; what cannot be read raises Unknown."""

from __future__ import annotations

from functools import cached_property

from tree_sitter import Node

from ..data import rows
from .c import Definition, Files, arguments, below, callee, text
from .flow import Flow
from .kconfig import THP, Selected, lines, selected
from .names import NAMES
from .release import Fact, Pursuit, mentioned
from .tree import Tree, Unknown
from .unit import Answer, Unit

HUGE, OOM, SWAP_STATE = "mm/huge_memory.c", "mm/oom_kill.c", "mm/swap_state.c"
FIXED: dict[str, Answer] = {"CONFIG_MMU": True, "CONFIG_TRANSPARENT_HUGEPAGE": True,
                            "CONFIG_PERSISTENT_HUGE_ZERO_FOLIO": False}  # fmt: skip
"""The configuration that is asked about, besides SWAP and what the arch selects."""


class Facts:
    """What the audit needs to know of a tree."""

    def __init__(self, tree: Tree) -> None:
        self.tree, self.files = tree, Files(tree)
        self._units: dict[tuple[str, bool], Unit] = {}
        self._selected: dict[str, dict[str, Selected]] = {}

    @cached_property
    def version(self) -> str:
        """What its Makefile says it is; empty if it does not."""
        said = dict.fromkeys(("VERSION", "PATCHLEVEL", "SUBLEVEL", "EXTRAVERSION"), "")
        for line in lines(self.tree, "Makefile")[:20]:
            name, equals, value = line.partition("=")
            if equals and name.strip() in said:
                said[name.strip()] = value.strip()
        version, level, sub, extra = said.values()
        return f"v{version}.{level}{f'.{sub}' if sub not in ('', '0') else ''}{extra}" if version and level else ""

    @cached_property
    def archs(self) -> list[str]:
        """The archs of the tree; of one without, those that data/arches.csv knows."""
        found = [name for name, is_folder in self.tree.entries("arch").items() if is_folder]
        there = found or any(self.tree.entries(folder) for folder in ("mm", "include/linux"))
        return sorted(found or ({row["arch"] for row in rows("arches")} if there else ()))

    # -- mm/huge_memory.c

    @cached_property
    def huge(self) -> Unit:
        """mm/huge_memory.c with THP."""
        unit = Unit(self.files, FIXED)
        unit.include(HUGE)
        return unit

    @cached_property
    def there(self) -> Fact:
        """Is there a huge zero page? yes, or no."""
        if get := self.huge.find(NAMES["get"]):
            return Fact("yes", (f"{HUGE}:{get.line} {get.name}",))
        zap = self.huge.need(NAMES["zap"], HUGE)
        if b"huge_zero" in self.files[HUGE].source or not self.files[HUGE].whole:
            raise Unknown(f"{HUGE}: no {' or '.join(sorted(NAMES['get']))}")
        return Fact("no", (f"{HUGE}:{zap.line} no huge zero page",))

    @cached_property
    def zap(self) -> Fact:
        """What unmapping does with the huge zero page: puts it, hands it to the gather, or none of both."""
        zap = self.huge.need(NAMES["zap"], HUGE)
        tests = list[str]()

        def known(node: Node) -> Answer:
            if callee(node) in NAMES["tests pmd"]:
                tests.append(f"{zap.at(node)} {callee(node)}")
                return True
            return None

        reached = [node for node in Flow(self.huge, known).run(zap) if node.type == "call_expression"]
        for value, role in (("gather", "hands over"), ("put", "puts mapping")):
            if found := [f"{zap.at(node)} {callee(node)}" for node in reached if callee(node) in NAMES[role]]:
                return self._only_others(zap) if not tests and value == "gather" else Fact(value, tuple(found))
        if not tests:
            raise Unknown(f"{HUGE}:{zap.line} {zap.name}: does not tell the huge zero page from others")
        return Fact("none", tuple(dict.fromkeys(tests)))

    def _only_others(self, zap: Definition) -> Fact:
        """A zap without a test frees only what is a normal page, which the huge zero page is not; or Unknown."""
        for name in (zap.name, *(callee(node) for node in below(zap.node))):
            for helper in self.huge.definitions.get(name, []):
                for node in below(helper.node):
                    if callee(node) in NAMES["normal page"]:
                        memory = Unit(self.files, FIXED)
                        memory.include("mm/memory.c")
                        for normal in (d for n in NAMES["normal page"] for d in memory.definitions.get(n, [])):
                            for test in below(normal.node):
                                if callee(test) in NAMES["tests pmd"]:
                                    return Fact("none", (f"{helper.at(node)} {callee(node)}",
                                                         f"{normal.at(test)} {callee(test)}"))  # fmt: skip
        raise Unknown(f"{HUGE}:{zap.line} {zap.name}: does not tell the huge zero page from others")

    @cached_property
    def flag(self) -> Fact:
        """Who holds a reference: each mapping, or each mm by a flag; tested with acquire or without order."""
        if not (get := self.huge.find(NAMES["get for mm"])):
            if any(name.encode() in self.files[HUGE].source for name in NAMES["mm flag"]) or not self.files[HUGE].whole:
                raise Unknown(f"{HUGE}: no {' or '.join(sorted(NAMES['get for mm']))}")
            return Fact("mapping", (*self.there.where, f"{HUGE} no flag of the mm"))
        for node in Flow(self.huge, lambda _: None).run(get):
            if callee(node) and mentioned(node) & NAMES["mm flag"] and not ordered_update(callee(node)):
                here = (f"{get.at(node)} {callee(node)}",)
                branch = node
                while branch.parent and branch.type != "if_statement":
                    branch = branch.parent
                after = [callee(part) for part in below(branch)]
                acquires = callee(node) in NAMES["acquiring test"] or callee(node).endswith("_acquire")
                return Fact("acquire" if acquires or NAMES["read barrier"] & {*after} else "no order", here)
        raise Unknown(f"{HUGE}:{get.line} {get.name}: no test of the mm's flag")

    @cached_property
    def pfn(self) -> Fact:
        """huge_zero_pfn beside the pointer: none, or written locked or unlocked."""
        where, locked = list[str](), True
        for role in ("get", "shrink"):
            function = self.huge.need(NAMES[role], HUGE)
            steps = list(Flow(self.huge, lambda _: None).run(function))
            numbers, pointers = written(steps, NAMES["number"]), written(steps, NAMES["pointer"])
            if not numbers or not pointers:
                other = "no huge_zero_pfn" if pointers else "one word alone"
                if where or not (numbers or pointers):
                    raise Unknown(f"{HUGE}:{function.line} {function.name}: writes not understood")
                return Fact("none", (f"{HUGE}:{function.line} {function.name} {other}",))
            where.append(f"{function.at(numbers[0])} {text(numbers[0])[:60]}")
            locked &= all(held(steps, write) for write in numbers + pointers)
        return Fact("locked" if locked else "unlocked", tuple(where))

    @cached_property
    def publication(self) -> Fact:
        """The count that publishes pointer and number: set with a release, or without order."""
        get = self.huge.need(NAMES["get"], HUGE)
        steps = list(Flow(self.huge, lambda _: None).run(get))
        sets = [(i, node) for i, node in enumerate(steps) if callee(node) in NAMES["plain set"] | NAMES["releasing set"]
                and mentioned(node) & NAMES["count"]]  # fmt: skip
        if not sets:
            raise Unknown(f"{HUGE}:{get.line} {get.name}: sets no {', '.join(NAMES['count'])}")
        at, node = sets[-1]
        last = max((i for i, step in enumerate(steps[:at]) if written([step], NAMES["number"])), default=0)
        between = {callee(step) for step in steps[last + 1 : at]}
        ordered = callee(node) in NAMES["releasing set"] or between & (NAMES["full barrier"] | NAMES["write barrier"])
        return Fact("release" if ordered else "no order", (f"{get.at(node)} {callee(node)}",))

    @cached_property
    def reaper(self) -> Fact:
        """How the OOM reaper gathers: none (there is no reaper), whole mm, or per vma."""
        unit = Unit(self.files, FIXED)
        unit.include(OOM)
        gathered = []
        for reaper in (d for name in sorted(NAMES["reaper"]) for d in unit.definitions.get(name, [])):
            for node in Flow(unit, lambda _: None).run(reaper):
                here = (f"{reaper.at(node)} {text(node)[:60]}",)
                if callee(node) in NAMES["gathers whole"]:
                    gathered.append(Fact("whole mm", here))
                elif callee(node) in NAMES["gathers"]:
                    limits = [text(argument) for argument in arguments(node)[2:]]
                    whole = limits[:1] == ["0"] and limits[1:] in (["-1"], ["~0"], ["~0UL"], ["-1UL"], ["ULONG_MAX"])
                    gathered.append(Fact("whole mm" if whole else "per vma", here))
        if gathered:
            return max(gathered)
        if b"oom_reap" in self.files[OOM].source or not self.files[OOM].whole:
            raise Unknown(f"{OOM}: the OOM reaper was not understood")
        return Fact("none", (f"{OOM} no OOM reaper",))

    @cached_property
    def singular(self) -> Fact:
        """How mm/swap_state.c frees one page: by its page count, or tested before that."""
        unit = Unit(self.files, {**FIXED, "CONFIG_SWAP": True})
        unit.include(SWAP_STATE)
        pursuit = Pursuit(unit)
        pursuit.call(unit.need(NAMES["singular"], SWAP_STATE).name, [0])
        return pursuit.outcome(SWAP_STATE)

    @property
    def shape(self) -> dict[str, str]:
        """The facts that tell versions apart; `unknown` if one is not understood."""
        found = {}
        for name in ("zap", "singular", "flag", "reaper", "pfn"):
            try:
                found[name] = getattr(self, name).value
            except (Unknown, RecursionError):
                found[name] = "unknown"
        return found

    # -- of an arch

    def symbols(self, arch: str) -> dict[str, Selected]:
        """What an arch selects.

        Raises Unknown if it has no Kconfig.
        """
        if arch not in self._selected:
            self._selected[arch] = selected(self.tree, arch)
        return self._selected[arch]

    def thp(self, arch: str) -> Fact:
        """Can the arch have THP? yes (the condition is in `where`), or no."""
        found = self.symbols(arch).get(THP)
        return Fact("yes", (found.where,)) if found else Fact("no", (f"arch/{arch}/Kconfig no {THP}",))

    def gather_files(self, arch: str) -> list[str]:
        """The arch's gather, and where the generic one is.

        Raises Unknown if the arch has no asm/tlb.h and does not take the generic one.
        """
        own, generic = f"arch/{arch}/include/asm/tlb.h", "include/asm-generic/tlb.h"
        if not self.files.has(own):
            kbuild = lines(self.tree, f"arch/{arch}/include/asm/Kbuild") + lines(self.tree, "include/asm-generic/Kbuild")
            if not any(line.split()[-1:] == ["tlb.h"] for line in kbuild):
                raise Unknown(f"{own}: No such file or directory")
            own = generic
        where = "mm/mmu_gather.c" if self.files.has("mm/mmu_gather.c") else "mm/memory.c"
        return [own, where]

    def unit(self, arch: str, swap: bool) -> Unit:
        """The gather and what it frees through, as a configuration of the arch compiles it.

        Raises Unknown if a file is missing.
        """
        if (arch, swap) not in self._units:
            names = ("MMU_GATHER_NO_GATHER", "HAVE_MMU_GATHER_NO_GATHER")
            symbols = self.symbols(arch)
            chosen = {f"CONFIG_{name}": True if name in symbols else False for name in names}
            unit = Unit(self.files, {**FIXED, **chosen, "CONFIG_SWAP": swap}, arch)
            swap_files = ["include/linux/swap.h", *[SWAP_STATE] * swap, "mm/swap.c"]
            for path in [*self.gather_files(arch), *swap_files]:
                unit.include(path)
            self._units[arch, swap] = unit
        return self._units[arch, swap]

    def pursuit(self, arch: str, swap: bool) -> Pursuit:
        """The huge zero page, or any page where zap hands none over, followed through the arch's gather."""
        unit = self.unit(arch, swap)
        called = {place.rpartition(" ")[2] for place in self.zap.where} & NAMES["hands over"]
        pursuit = Pursuit(unit)
        for name in sorted(called or NAMES["hands over"]):
            pursuit.call(name, [1])
        if pursuit.stored:
            headers = [path for path in unit.paths() if not path.startswith(("mm/swap", "include/linux/"))]
            pursuit.flush(headers)
        return pursuit

    def release(self, arch: str, swap: bool) -> Fact:
        """How the gather of an arch frees the huge zero page: by its page count, or tested before that."""
        return self.pursuit(arch, swap).outcome(f"arch/{arch}/include/asm/tlb.h")

    def memory(self, arch: str) -> Fact:
        """In what order CPUs of the arch see accesses: tso, weak."""
        for table in ("arches", "memory_order"):
            for row in rows(table):
                if row["arch"] == arch and row["memory"] != "unknown":
                    return Fact(row["memory"], (f"{arch} is {row['memory']}",))
        raise Unknown(f"the memory order of {arch} is not known here")


def ordered_update(name: str) -> bool:
    """Does a function of the flag write it (and is thereby fully ordered)?"""
    return "set" in name.split("_") or "clear" in name.split("_")


def written(steps: list[Node], names: frozenset[str]) -> list[Node]:
    """The steps that write one of the variables: an assignment, or a macro or atomic that takes it first."""
    found = []
    for node in steps:
        if node.type == "assignment_expression":
            target = text(node.child_by_field_name("left"))
        else:
            target = text(arguments(node)[0]).lstrip("&") if callee(node) in NAMES["writes"] and arguments(node) else ""
        if target in names:
            found.append(node)
    return found


def held(steps: list[Node], write: Node) -> bool:
    """Is a lock held at a write? Only what leads to it counts, not a branch that unlocks and leaves."""
    lock = ""
    for node in steps[: steps.index(write)]:
        given = text(arguments(node)[0]) if callee(node) and arguments(node) else ""
        if callee(node) in NAMES["locks"]:
            lock = given
        elif callee(node) in NAMES["unlocks"] and given == lock and not leaves_before(node, write):
            lock = ""
    return bool(lock)


def leaves_before(node: Node, later: Node) -> bool:
    """Is a node in a block that ends in a jump, and that the later one is not in?"""
    block = node
    while block.parent and block.type != "compound_statement":
        block = block.parent
    inside = block.start_byte <= later.start_byte < block.end_byte
    last = block.named_children[-1].type if block.named_children else ""
    return not inside and last in ("return_statement", "goto_statement", "continue_statement", "break_statement")
