"""What happened, in words: the steps of a witness, the calls of an unmap, as rows for `lanes`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from .build import Build
from .checking import MOST_CPUS, check
from .kernel.arches import FLUSHING
from .kernel.machine import KernelBug
from .kernel.mm_types import HUGE_ZERO_PAGE
from .programs import PROGRAMS, on_cpu
from .tables import arrowed
from .tracing import counters
from .verdict import Step, Verdict, kernel_name

Change = tuple[str, Any, Any]
Held = dict[int, bool]
"""The CPUs whose TLB holds a translation of the huge zero page: is it stale?"""
REACHED = "reached"
"""A patch violates an invariant of this name to ask for a run that gets somewhere: an end, but no error."""
OWNERS = {
    None: "page freed",
    HUGE_ZERO_PAGE: "a new huge zero page",
    "somebody else": "somebody gets the page",
}
FIELDS: dict[str, Callable[[Any, Any], str]] = {
    "huge_zero_refcount": lambda was, now: f"HZR {arrowed(was, now)}",
    "page_count": lambda was, now: f"PC {arrowed(was, now)}",
    "huge_zero_page": lambda was, now: f"PTR → {now or 'NULL'}",
    "huge_zero_pfn": lambda was, now: f"PFN → {'none' if now is None else f'{now:#x}'}",
    "pmd": lambda was, now: f"PMD maps the {now.expects}" if now and now.page else "PMD cleared",
    "owner": lambda was, now: OWNERS.get(now, "") if now or was == HUGE_ZERO_PAGE else "",
    "attach_count": lambda was, now: f"CPUs attached: {now % FLUSHING}" + ", flush under way" * (now > FLUSHING),
    "flush_mm": lambda was, now: "flush_mm set: a flush is owed" if now else "flush_mm cleared",
    "MMF_HUGE_ZERO_PAGE": lambda was, now: "the process holds a reference",
    "pins": lambda was, now: "pinned" if len(now) > len(was) else "pin dropped",
}
"""How to say that a word changed, by the field in its name. Of other words nothing is said."""


class Row(NamedTuple):
    """Steps (or calls) `first` to `last` of one lane, and which TLBs hold the page afterwards."""

    first: int
    last: int
    lane: int
    functions: list[str]
    words: list[str]
    held: Held
    caller: int = -1


class Scene:
    """Follows the TLBs through changes of memory, and tells the changes in words."""

    def __init__(self, kernel: Any) -> None:
        self.tlbs: dict[int, dict[str, bool]] = {cpu.id: {} for cpu in kernel.cpus}
        self.pages: set[str] = set()
        self.tell((f"cpu{cpu.id}.tlb", (), cpu.tlb) for cpu in kernel.cpus)

    @property
    def held(self) -> Held:
        """Who holds a translation now."""
        return {cpu: any(stale.values()) for cpu, stale in self.tlbs.items() if stale}

    def tell(self, changes: Iterable[Change]) -> list[str]:
        """Words for changes; a translation is stale once its PMD is cleared or the page freed."""
        words, before = list[str](), self.held
        for change in changes:
            words += self._tell(*change)
        after = self.held
        words += _tlbs("forget", before.keys() - after.keys())
        words += _tlbs("now map", after.keys() - before.keys())
        if {"page freed", "PMD cleared"} & set(words):
            words += _tlbs("still map", after.keys())
        return list(dict.fromkeys(words))

    def _tell(self, word: str, was: Any, now: Any) -> Iterator[str]:
        field = re.sub(r".*\.|\[.*?\]$", "", word)
        if was == now or isinstance(now, dict):
            return
        if field == "pmd":
            self.pages |= {str(pmd.page) for pmd in (was, now) if pmd and pmd.expects == HUGE_ZERO_PAGE}
        if field == "tlb":
            zero = [entry for entry in now if entry.expects == HUGE_ZERO_PAGE]
            cpu, entries = int(word[3:-4]), {f"{mm}.pmd[{slot}]": str(page) for mm, slot, page, *_ in zero}
            self.tlbs[cpu] = {name: self.tlbs[cpu].get(name, False) for name in entries}
            self.pages.update(entries.values())
        elif field == "batches":
            there, here = (sum(str(p) in self.pages for b in batches for p in b) for batches in (was, now))
            if there != here:
                yield "waits in the gather" if here > there else "leaves the gather"
        elif field in FIELDS and (said := FIELDS[field](was, now)):
            for held in self.tlbs.values():
                held.update({name: True for name in held if said == "page freed" or (name == word and not now)})
            yield said


def _tlbs(verb: str, cpus: Iterable[int]) -> list[str]:
    names = [str(cpu) for cpu in sorted(cpus)]
    many = len(names) > 1
    return [f"TLB{'s' * many} of CPU {' and '.join(names)} {verb}{'s' * (not many)} the page"] * bool(names)


def called(function: str) -> str:
    """A function of the model as it is called in a figure."""
    return "user code" if function == "instruction" else f"{kernel_name(function)}()"


# -- a witness


def story(verdict: Verdict) -> tuple[list[str], Held, list[Row]]:
    """Of a witness: each CPU and its program, the TLBs at the start, and rows that hold all steps."""
    kernel, programs = _start(verdict)
    scene = Scene(kernel)
    start, rows, count = scene.held, list[Row](), counters(kernel)[1]
    for number, step in enumerate(verdict.witness, 1):
        words, count = scene.tell(_changes(step, count)), step.page_count
        row = Row(number, number, step.cpu, [called(step.function)], words, scene.held)
        if number == len(verdict.witness):
            words += [f"{'●' if verdict.broken == REACHED else '✗'} {verdict.broken}", verdict.what]
        elif rows and rows[-1].lane == row.lane and not rows[-1].words + words:
            quiet = rows.pop()
            functions = list(dict.fromkeys(quiet.functions + row.functions))
            row = row._replace(first=quiet.first, functions=functions)
        rows.append(row)
    return [f"CPU {cpu}: {program}" for cpu, program in enumerate(programs)], start, rows


def _start(verdict: Verdict) -> tuple[Any, list[str]]:
    """The kernel before the first step, with as many CPUs as give this witness."""
    program, steps = PROGRAMS.get(verdict.scenario), [step[:3] for step in verdict.witness]
    if program is None:
        return verdict.build.boot(), [verdict.scenario]
    numbers = (program.cpus, *range(program.fewest, MOST_CPUS + 1))
    again = ((n, check(verdict.build, program.name, n, max_states=verdict.states).witness) for n in numbers)
    cpus = next((n for n, witness in again if [step[:3] for step in witness] == steps), program.cpus)
    kernel = verdict.build.boot(cpus)
    return kernel, [" · ".join(name for name, _ in operations) for operations in program.set_up(kernel, cpus)]


def _changes(step: Step, count: int | None) -> list[Change]:
    """What a step changed; PC too, if there is a page before and after it."""
    counts = [] if count is None or step.page_count is None else [("page_count", count, step.page_count)]
    return [*(step.more or [(step.word, step.before, step.after)]), *counts]


# -- an unmap

PARTS = {
    "unmap": "zap_huge_pmd pmdp_huge_get_and_clear_full",
    "mmu_gather": "tlb_gather_mmu tlb_remove_page _tlb_remove_page tlb_finish_mmu tlb_flush_mmu "
                  "tlb_flush_mmu_tlbonly tlb_flush_mmu_free",
    "TLBs": "tlb_invalidate pmdp_idte",
    "freeing": "free_page_and_swap_cache free_pages_and_swap_cache release_pages put_page put_huge_zero_page",
}  # fmt: skip
"""The functions that are watched, and in which lane they are shown."""
LANES = {name: lane for lane, names in enumerate(PARTS.values()) for name in names.split()}


class Unmap:
    """CPU 0 unmaps the huge zero page, which all CPUs have in their TLBs: `rows` of the calls that concern it.

    `start`: the TLBs before it. Huge pages are assumed where the arch has none.
    """

    def __init__(self, build: Build, cpus: int = 2) -> None:
        self.kernel = kernel = replace(build, thp=True).boot(cpus)
        for cpu in reversed(range(cpus)):
            on_cpu(kernel, cpu, kernel.init)
        self.page, self.scene = kernel.huge_zero_page.value, Scene(kernel)
        self.start, self.memory = self.scene.held, self.look()
        self.rows: list[Row] = []
        self.stack: list[tuple[Any, int]] = []
        sys.setprofile(self.watch)
        with suppress(KernelBug):
            kernel.munmap(kernel.init, 0, kernel.hpage_nr)
        sys.setprofile(None)

    def look(self) -> dict[str, Any]:
        """The words that matter, as in the changes of a step."""
        k, page = self.kernel, self.page
        words = {"page_count": page.count.value, "page.owner": page.owner}
        shown = (k.init.pmd[0], k.init.flush_mm, k.huge_zero_refcount)
        words |= {var.name: var.value for var in shown if var is not None}
        words |= {f"cpu{cpu.id}.tlb": cpu.tlb for cpu in k.cpus}
        return words | {f"cpu{cpu.id}.batches": cpu.gather.batches for cpu in k.cpus}

    def watch(self, frame: Any, event: str, _: object) -> None:
        """At each call and return of a watched function: note what changed since the last one."""
        if event in ("call", "return") and (name := frame.f_code.co_name) in LANES:
            was, self.memory = self.memory, self.look()
            words = self.scene.tell((word, was[word], now) for word, now in self.memory.items())
            if words and self.stack:
                self.note(words)
            if event == "call" and self.concerned(frame.f_locals):
                self.enter(frame, name)
            elif event == "return" and self.stack and self.stack[-1][0] is frame:
                self.stack.pop()

    def concerned(self, arguments: dict[str, Any]) -> bool:
        """Is the call about the huge zero page? Page tables take some of the same roads."""
        page, pages = arguments.get("page", self.page), arguments.get("pages", (self.page,))
        return page is self.page and self.page in pages

    def enter(self, frame: Any, name: str) -> None:
        """A new row, unless it is the function under way that calls the layer below it."""
        functions, number = [called(name)], len(self.rows) + 1
        caller = self.rows[self.stack[-1][1]] if self.stack else None
        if caller is None or caller.functions != functions:
            nr = frame.f_locals.get("nr")
            words = {
                "free_page_and_swap_cache": ["singular"],
                "free_pages_and_swap_cache": [f"plural, nr = {nr}"],
            }
            lanes = LANES[name], caller.lane if caller else 0
            row = Row(number, number, lanes[0], functions, words.get(name, []), self.scene.held, lanes[1])
            self.stack.append((frame, len(self.rows)))
            self.rows.append(row)

    def note(self, words: list[str]) -> None:
        """Changes by the innermost function under way: in its row, or a new one if others came since."""
        frame, at = self.stack[-1]
        row, number = self.rows[at], len(self.rows)
        if at < number - 1:
            row = row._replace(first=number + 1, last=number + 1, words=[], caller=row.lane)
            self.stack[-1], at = (frame, number), number
            self.rows.append(row)
        self.rows[at] = row._replace(words=row.words + words, held=self.scene.held)

    @property
    def outcome(self) -> tuple[bool, str, int]:
        """Is the right counter dropped, and not before every other TLB forgot the page? And in which row."""
        drops = [(row, w.split()[0]) for row in self.rows for w in row.words if w.startswith(("HZR", "PC"))]
        if not drops:
            return True, "drops no counter", 0
        row, counter = drops[0]
        early = any(row.held.keys() - {0})
        if counter == "PC" and self.kernel.huge_zero_refcount is not None:
            return False, f"drops PC, the wrong counter{', and too early' * early}", row.first
        when = "too early: CPU 1 still reaches the page" if early else "when no other TLB has the page"
        return not early, f"drops {counter} {when}", row.first
