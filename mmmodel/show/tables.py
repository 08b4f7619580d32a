"""Tables: figures that are HTML tables, and the words figures share. Used through `figures`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..build.composed import Build
from ..explore.tracing import Trace
from ..explore.verdict import Step, Verdict
from ..kernel.mm_types import HUGE_ZERO_PAGE, Pmd
from ..study.measurements import compare, patch_names, plain
from ..study.references import Entry, counts, due, page_state, play
from ..study.references import ledger as entries
from ..words import VERDICT, arrowed, kernel_name, meaning
from .html import Html, block, code, join, mark, table, tag, unbroken

if TYPE_CHECKING:
    import pandas as pd

Render = Callable[[Any], str]
REUSE = ("map-read-unmap", "unmap-until-panic", "refill-after-unmap", "fork-pressure")


def label(build: Build) -> str:
    """A build in a few words."""
    patches = f" + {patch_names(build, ' + ')}" * bool(build.patches)
    options = {", SWAP off": not build.swap, ", DEBUG_VM": build.debug_vm, ", THP assumed": build.hypothetical}
    return f"{build.arch} {build.version}" + "".join([patches, *(words for words, on in options.items() if on)])


def banner(verdict: Verdict) -> Html:
    """A verdict as a block of HTML: symbol and words, and what broke first."""
    broken = tag("abbr", verdict.broken, title=meaning(verdict.broken))
    what = join(broken, f" broke at {kernel_name(verdict.op)}: {verdict.what}") if verdict.broken else ""
    looked = verdict.reason if verdict.bound else ""
    asked = f"looked at: {', '.join(verdict.invariants)}" * (verdict.status == "holds")
    small = [join(" · ", part) for part in (what, looked, asked, *verdict.build.notes) if part]
    order = f", memory {verdict.memory}" * (verdict.memory != "sc")
    said = (
        tag("b", VERDICT[verdict.holds]),
        f" {verdict.scenario}{order}",
        Html("<br>"),
        tag("small", label(verdict.build), *small),
    )
    return block(verdict.holds, *said)


def agreement(trace: Trace, measured: pd.DataFrame) -> Html:
    """Model and measurement row by row."""
    columns = ["HZR", "HZR measured", "PC", "PC measured"]
    both = compare(trace, measured)
    found = zip(both.step, both.op, plain(both[columns]), both.agree, strict=True)
    shown = [(step, op, *values, mark(same, "same" if same else "differs")) for step, op, values, same in found]
    return table(["step", "operation", *columns, ""], shown)


def traced(trace: Trace) -> Html:
    """A run: the counters after each operation, and what they should be."""
    shown = []
    for row, (held, count), off in zip(trace.rows, trace.due, trace.off, strict=True):
        said = mark(not off, "not as due" if off else "as due") if trace.build.keeps_the_rule else "not known"
        shown.append((row.step, row.op, row.huge_zero_refcount, held, row.page_count, count, said))
    name = f"{trace.scenario} on {label(trace.build)}, {len(trace.steps)} steps"
    return table(["step", "operation", "HZR", "due", "PC", "due", ""], shown, name)


def holders(kernel: Any) -> Html:
    """Who holds a reference to the huge zero page now, beside what the counters say."""
    page = kernel.huge_zero_page.value
    if page is None:
        return tag("p", "There is no huge zero page: PTR is NULL and nobody holds a reference.")
    users = ["the shrinker", *_users(kernel)]
    pins = [f"a pin of {pin}" for pin in kernel.pins if kernel.compound_head(pin) is page]
    sides = {"HZR": users, "PC": ["the allocator", *pins]}
    if kernel.huge_zero_refcount is None:
        sides = {"HZR": [], "PC": [*users, *pins]}
    found = zip(sides.items(), counts(kernel), due(kernel), strict=True)
    shown = [(tag("b", name), "; ".join(who), d, c, _balance(c, d)) for (name, who), c, d in found]
    state = mark(page.owner == HUGE_ZERO_PAGE, page_state(page))
    head = ["counter", "who holds a reference", "due", "is", ""]
    return join(table(head, shown), tag("p", f"PTR names {page}: ", state))


def _users(kernel: Any) -> Iterator[str]:
    """Everybody but the shrinker whose reference counts in HZR."""
    if kernel.reference_per_mm:
        yield from (f"process {mm}" for mm in kernel.mms if mm.huge_zero.value)
        return
    for mm in kernel.mms:
        slots = [i for i, pmd in mm.pmd.items() if pmd.value and pmd.value.expects == HUGE_ZERO_PAGE]
        yield from (f"mapping {mm}[{i}]" for i in slots)
    for cpu in kernel.cpus:
        waiting = [page for batch in cpu.gather.batches for page in batch] if cpu.gather else []
        yield from [f"the gather of CPU {cpu.id}"] * waiting.count(kernel.huge_zero_page.value)


def _balance(count: int | None, right: int | None) -> Html:
    if count is None or right is None:
        return mark(count == right, "no such counter")
    words = f"{abs(count - right)} too {'many' if count > right else 'few'}"
    return mark(count == right, "balanced" if count == right else words)


def ledger(build: Build) -> Html:
    """What each operation does to the two counters, each on a kernel booted for it."""
    if not build.thp:
        return tag("p", f"{label(build)} has no transparent huge pages: no operation meets a huge zero page.")
    head = ["operation", "HZR", "PC", "afterwards"]
    shown = [(e.operation, *map(unbroken, map(arrowed, e.before, e.after)), _entry(e)) for e in entries(build)]
    return table(head, shown)


def _entry(entry: Entry) -> Html:
    found = zip(("HZR", "PC"), entry.after, entry.due, strict=True)
    wrong = [f"{name} should be {right}" for name, is_, right in found if is_ != right]
    return mark(not wrong, ", ".join(wrong) or "balanced")


def frames(build: Build, scenario: str, render: Render = holders) -> tuple[list[str], list[str]]:
    """A run for a stepper: what `render` makes of the kernel after each operation, and the operations."""
    shown = [(render(kernel), op) for op, kernel in play(build, scenario)]
    return [frame for frame, _ in shown], [op for _, op in shown]


def steps_table(steps: Sequence[Step]) -> Html:
    """Steps that changed something: in which function, which word, and the counters where they moved."""
    shown = []
    for number, (before, step) in enumerate(zip([*steps[:1], *steps], steps, strict=False), 1):
        hzr = _moved(before.huge_zero_refcount, step.huge_zero_refcount)
        pc = _moved(before.page_count, step.page_count)
        lost = mark(False, pc) if pc and step.page_count is not None and step.page_count < 1 else pc
        if effect := _effect(step):
            shown.append((number, code(f"{kernel_name(step.function)}()"), effect, hzr, lost))
    return table(["step", "function", "what it does", "HZR", "PC"], shown)


def _moved(before: object, after: object) -> str:
    return "" if before == after else arrowed(before, after)


def _effect(step: Step) -> str:
    """What a step does, in words; nothing for one that only reads."""
    if step.word == "zone.lock":
        return "the allocator works (under zone.lock)"
    if step.word.endswith(".tlb"):
        return "" if step.function in ("load", "store") else f"TLBs forget {step.word.removesuffix('.tlb')}"
    if step.word.endswith("lock"):
        return f"{'takes' if step.before is None else 'releases'} {step.word}"
    return f"{step.word}: {_value(step.before)} → {_value(step.after)}" if step.changed else ""


def _value(value: object) -> str:
    if isinstance(value, Pmd):
        return f"maps {value.expects} ({value.page})" if value.page else "a page table"
    return "empty" if value is None else str(value)


def aftermath(build: Build) -> Html:
    """What the model says of three programs that make the freed page somebody else's."""
    head = ["program", "the page in the end", "reads that found no zeroes but the data of", "what the kernel prints"]
    return table(head, [_aftermath(build, scenario) for scenario in REUSE[1:]])


def _aftermath(build: Build, scenario: str) -> tuple[object, ...]:
    *_, (_, kernel) = play(build, scenario)
    wrong = [what.rpartition("belongs to ")[2] for name, what in kernel.violations if name == "stale-read"]
    reads = mark(not wrong, f"{len(wrong)}: {', '.join(sorted(set(wrong)))}" if wrong else "none")
    page = kernel.huge_zero_page.value
    end = page_state(page) if page else "there is no page"
    return scenario, end, reads, "; ".join(kernel.dmesg) or mark(True, "silent")


def endings(runs: pd.DataFrame) -> Html:
    """Measured runs (of `evidence.runs`): what the freed page became, and how each run ended."""
    shown = []
    for name, memory, debug, owners, symptoms, fatal in runs.sort_values(["debug_vm", "scenario"]).values:
        end = mark(False, "BUG or panic") if fatal else f"went on, {'with messages' if symptoms else 'silent'}"
        shown.append((name, memory, "yes" if debug == "y" else "no", ", ".join(owners) or "–", end))
    return table(["program", "MiB", "DEBUG_VM", "the freed page became", "end"], shown)
