"""What happened, in words: changes of memory, and the steps of a witness as rows of swim lanes."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..explore.concurrent import PROGRAMS
from ..explore.tracing import counters
from ..explore.verdict import Step, Verdict
from ..kernel.arches import FLUSHING
from ..kernel.mm_types import HUGE_ZERO_PAGE
from ..words import arrowed, kernel_name
from .blast import SEAMS

Change = tuple[str, Any, Any]
Reach = dict[int, bool]
"""The CPUs whose TLB holds a translation of the huge zero page: is it stale?"""
REACHED = "reached"
"""A patch violates an invariant of this name to ask for a run that gets somewhere: an end, but no error."""
TAKERS = {None: "page freed", HUGE_ZERO_PAGE: "a new huge zero page", "somebody else": "somebody gets the page"}
FIELDS: dict[str, Callable[[Any, Any], str]] = {
    "huge_zero_refcount": lambda was, now: f"HZR {arrowed(was, now)}",
    "page_count": lambda was, now: f"PC {arrowed(was, now)}",
    "huge_zero_page": lambda was, now: f"PTR → {NAMES['huge_zero_page'][1](now)}",
    "huge_zero_pfn": lambda was, now: f"PFN → {NAMES['huge_zero_pfn'][1](now)}",
    "pmd": lambda was, now: f"PMD maps the {now.expects}" if now and now.page else "PMD cleared",
    "owner": lambda was, now: TAKERS.get(now, "") if now or was == HUGE_ZERO_PAGE else "",
    "attach_count": lambda was, now: f"CPUs attached: {now % FLUSHING}" + ", flush under way" * (now > FLUSHING),
    "flush_mm": lambda was, now: "flush_mm set: a flush is owed" if now else "flush_mm cleared",
    "MMF_HUGE_ZERO_PAGE": lambda was, now: "the process holds a reference",
    "pins": lambda was, now: "pinned" if len(now) > len(was) else "pin dropped",
}
"""How to say that a word changed, by the field in its name. Of other words nothing is said."""


NAMES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "huge_zero_refcount": ("HZR", str),
    "huge_zero_page": ("PTR", lambda page: str(page or "NULL")),
    "huge_zero_pfn": ("PFN", lambda pfn: "none" if pfn is None else f"{pfn:#x}"),
    "MMF_HUGE_ZERO_PAGE": ("the flag", lambda on: "set" if on else "clear"),
}
"""How words that CPUs race for, and their values, are called."""


class Event(NamedTuple):
    """Steps (or calls) `first` to `last` of one lane, and which TLBs hold the page afterwards."""

    first: int
    last: int
    lane: int
    functions: list[str]
    words: list[str]
    held: Reach
    caller: int = -1


class Scene:
    """Follows the TLBs through changes of memory, and tells the changes in words."""

    def __init__(self, kernel: Any) -> None:
        self.tlbs: dict[int, dict[str, bool]] = {cpu.id: {} for cpu in kernel.cpus}
        self.pages: set[str] = set()
        self.tell((f"cpu{cpu.id}.tlb", (), cpu.tlb) for cpu in kernel.cpus)

    @property
    def held(self) -> Reach:
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
    """A function of the model as it is called in a figure: a seam by the kernel function it is a line of."""
    return "user code" if function == "instruction" else f"{kernel_name(SEAMS.get(function, function))}()"


def story(verdict: Verdict) -> tuple[list[str], Reach, list[Event]]:
    """Of a witness: each CPU and its program, the TLBs at the start, and rows that hold all steps."""
    kernel: Any = verdict.build.boot(verdict.cpus)
    programs: Any = [[(verdict.scenario, None)]]
    if verdict.scenario in PROGRAMS:
        programs = PROGRAMS[verdict.scenario].set_up(kernel, verdict.cpus)
    scene = Scene(kernel)
    start, rows, count = scene.held, list[Event](), counters(kernel)[1]
    for number, step in enumerate(verdict.witness, 1):
        words, count = [*scene.tell(_changes(step, count)), *_missed(step)], step.page_count
        row = Event(number, number, step.cpu, [called(step.function)], words, scene.held)
        if number == len(verdict.witness):
            words += [f"{'●' if verdict.broken == REACHED else '✗'} {verdict.broken}", verdict.what]
        elif rows and rows[-1].lane == row.lane and not rows[-1].words + words:
            quiet = rows.pop()
            functions = list(dict.fromkeys(quiet.functions + row.functions))
            row = row._replace(first=quiet.first, functions=functions)
        rows.append(row)
    heads = [f"CPU {cpu}: {' · '.join(name for name, _ in program)}" for cpu, program in enumerate(programs)]
    return heads, start, rows


def folded(rows: Iterable[Event]) -> list[Event]:
    """Fewer rows for the same steps: what changed nothing leads to the next one, a function that goes on is one."""
    found = list[Event]()
    for row in rows:
        row = row._replace(functions=row.functions[-1:])
        before = found[-1] if found and found[-1].lane == row.lane else None
        if before and (not before.words or before.functions == row.functions):
            found[-1] = row._replace(first=before.first, words=before.words + row.words)
        else:
            found.append(row)
    return found


def _missed(step: Step) -> Iterator[str]:
    """The value that a step found, or wrote, where others see a newer one."""
    if step.missed:
        verb, word, value, newest = step.missed
        field = re.sub(r".*\.", "", word)
        short, shown = NAMES.get(field, (field, str))
        yield f"✗ {verb} {short} = {shown(value)}, misses {shown(newest)}"


def _changes(step: Step, count: int | None) -> list[Change]:
    """What a step changed; PC too, if there is a page before and after it."""
    counts = [] if count is None or step.page_count is None else [("page_count", count, step.page_count)]
    return [*(step.more or [(step.word, step.before, step.after)]), *counts]
