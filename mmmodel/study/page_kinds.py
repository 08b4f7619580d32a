"""What the freeing functions do to each kind of page: data/page_kinds.csv, found by running the model.

For each kind a kernel is booted with one page of it and a reference to be dropped. One of the FUNCTIONS drops it, and a
Record says what happened.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from ..build.composed import Build
from ..data import rows
from ..explore.sequential import map_read
from ..kernel.machine import KernelBug
from ..kernel.mm_types import HUGE_ZERO_PAGE, Page
from ..kernel.swap import HUGETLB_POOL
from .calls import count
from .references import due

FUNCTIONS: dict[str, Callable[[Any, Page], None]] = {
    "free_page_and_swap_cache": lambda k, page: k.free_page_and_swap_cache(page),
    "free_pages_and_swap_cache": lambda k, page: k.free_pages_and_swap_cache((page,), 1),
    "put_page": lambda k, page: k.put_page(page),
    "release_pages": lambda k, page: k.release_pages((page,), 1),
}
SINGULAR, PLURAL = list(FUNCTIONS)[:2]
COUNTER, PAGEVEC, DEVICE, ACTIVE = "huge zero page counter", "this CPU's pagevec", "ZONE_DEVICE reference", "PG_active"
WAYS = (COUNTER, PAGEVEC, DEVICE, ACTIVE)
"""The ways in which two functions can differ on a page. A difference of any other sort is called by what it is in."""


class Kind(NamedTuple):
    """A kind of page. `set_up(kernel)` returns one; `needs` is the option of a build without which there is none."""

    name: str
    says: str
    needs: str
    set_up: Callable[[Any], Page]


def new_page(k: Any, owner: str, *flags: str, order: int = 0) -> Page:
    """A page (or compound page) with one reference and these flags."""
    page: Page = k.alloc_pages(order, owner, movable=True, compound=order > 0)
    page.flags |= set(flags)
    return page


def shared(k: Any, page: Page, pin: bool = False) -> Page:
    """The page with a reference more, which may be a get_user_pages pin."""
    k.get_page(page)
    k.pins += (page,) * pin
    return page


def queued(k: Any, cpu: int) -> Page:
    """A new page of a process that waits in the pagevec of a CPU."""
    page = new_page(k, "init", "anon")
    k.cpu = k.cpus[cpu]
    k.lru_cache_add(page)
    k.cpu = k.cpus[0]
    return page


def zero_page(k: Any) -> Page:
    """The huge zero page, and the reference of a mapping that was just cleared."""
    map_read(k, k.init)
    k.zap_deposited_table(k.init, 0)
    k.init.pmd[0].value = None
    page: Page = k.huge_zero_page.value
    return page


def zero_page_pin(k: Any, addr: int) -> Page:
    """A pin of one 4K page of the huge zero page."""
    map_read(k, k.init)
    page: Page = k.get_user_page(k.init, addr)
    return page


KINDS = {
    kind.name: kind
    for kind in (
        Kind("anon", "4K page of a process, on the LRU", "", lambda k: new_page(k, "init", "anon", "lru")),
        Kind("swap-cache", "4K page in the swap cache too", "swap",
             lambda k: shared(k, new_page(k, "init", "anon", "lru", "swapcache"))),
        Kind("pagevec", "4K page waiting in this CPU's pagevec", "", lambda k: queued(k, 0)),
        Kind("other-pagevec", "4K page waiting in another CPU's pagevec", "", lambda k: queued(k, 1)),
        Kind("page-cache", "page of a file, in the page cache", "",
             lambda k: shared(k, new_page(k, "page cache", "lru"))),
        Kind("thp", "real huge page", "thp", lambda k: new_page(k, "init", "anon", "lru", order=k.hpage_order)),
        Kind("hzp-mapping", "huge zero page, a mapping's reference", "thp", zero_page),
        Kind("hzp-pin", "huge zero page, a pin of its head", "thp", lambda k: zero_page_pin(k, 0)),
        Kind("hzp-tail-pin", "huge zero page, a pin of a tail", "thp", lambda k: zero_page_pin(k, 1)),
        Kind("hugetlb", "huge page of hugetlbfs", "", lambda k: new_page(k, "init", "hugetlb", order=k.hpage_order)),
        Kind("driver", "compound page of a driver", "", lambda k: new_page(k, "driver", order=2)),
        Kind("slab", "page of the slab allocator, by mistake", "", lambda k: new_page(k, "slab", "slab")),
        Kind("page-table", "page table", "", lambda k: new_page(k, "page table")),
        Kind("zone-device", "device memory (ZONE_DEVICE), a pin", "",
             lambda k: shared(k, k.devm_memremap_pages("device"), pin=True)),
        Kind("zero-page", "the small zero page, a pin", "",
             lambda k: shared(k, new_page(k, "kernel", "reserved"), pin=True)),
        Kind("active", "4K page with PG_active, not on the LRU", "", lambda k: new_page(k, "init", "anon", "active")),
    )
}  # fmt: skip
"""In the order of the table."""


# -- dropping one reference


class State(NamedTuple):
    """A page at one moment. `hzr`: for the huge zero page; `pgmap`: references on its device, for device memory."""

    pc: int
    hzr: int | None
    pgmap: int | None
    place: str
    flags: frozenset[str]
    queued: bool


class Record(NamedTuple):
    """One reference dropped: the page before, after, and `later`, when every pagevec has been drained.

    `wrong`: counters that are not what the remaining references add up to, and what the kernel printed. `costs`:
    calls of lru_add_drain, and what the kernel counts (see machine.Machine).
    """

    kind: str
    function: str
    before: State
    after: State
    later: State
    wrong: tuple[str, ...]
    costs: Counter[str]


def state(k: Any, page: Page, head: Page) -> State:
    """What there is to see of a page. After the free a tail no longer finds its head: so both are given."""
    hzr = k.huge_zero_refcount if head is k.huge_zero_page.value else None
    pgmap = k.pgmap.get(page.pfn >> k.hpage_order)
    places = {None: "free", HUGETLB_POOL: "in its pool"}
    owner = "set aside" if str(head.owner).startswith("set aside") else "in use"
    queued = any(page in cpu.lru_add_pvec for cpu in k.cpus)
    values = (hzr and hzr.value, pgmap and pgmap.value, places.get(head.owner, owner))
    return State(head.count.value, *values, head.flags, queued)


@cache
def drop(build: Build, name: str, function: str) -> Record | None:
    """Drop one reference of a page of this kind through this function; None where the build has no such page."""
    found = KINDS[name]
    if found.needs and not getattr(build, found.needs):
        return None
    k = build.boot(cpus=2)
    k.lru_add_drain()
    page = found.set_up(k)
    head, drain, drains = k.compound_head(page), k.lru_add_drain, count(k, ["lru_add_drain"])
    k.costs.clear()
    before = state(k, page, head)
    with suppress(KernelBug):  # dmesg has it
        FUNCTIONS[function](k, page)
    k.pins = tuple(pin for pin in k.pins if pin is not page)
    after, costs = state(k, page, head), Counter(k.costs + drains)
    wrong = tuple(_wrong(k, head, after))
    for cpu in k.cpus:
        k.cpu = cpu
        drain()
    return Record(name, function, before, after, state(k, page, head), wrong, costs)


def _wrong(k: Any, head: Page, after: State) -> Iterator[str]:
    """What is not as it should be, now that the reference is gone and no other was taken."""
    if head is k.huge_zero_page.value:
        is_ = (k.huge_zero_refcount and k.huge_zero_refcount.value, head.count.value)
        found = zip(("HZR", "PC"), is_, due(k), strict=True)
        yield from (f"{name} is {value}, should be {right}" for name, value, right in found if value != right)
        if head.owner != HUGE_ZERO_PAGE:
            yield "PTR names a free page"
    if after.pgmap not in (None, 1):
        yield f"{after.pgmap} references on the device, should be 1"
    yield from k.dmesg


def records(build: Build) -> dict[str, dict[str, Record | None]]:
    """Every kind of page through every function: kind -> function -> record."""
    return {name: {function: drop(build, name, function) for function in FUNCTIONS} for name in KINDS}


# -- reading the records


def way(one: Record, other: Record) -> str:
    """How two records of one kind differ in what they did, one of WAYS; empty if they do not. Costs do not count."""
    said = [[words for words in record.wrong if "Bad page" in words] for record in (one, other)]
    if (one.after, said[0]) == (other.after, said[1]):
        return ""
    if (one.later, said[0]) == (other.later, said[1]):
        return PAGEVEC
    if one.before.hzr is not None:
        return COUNTER
    if one.later.pgmap != other.later.pgmap:
        return DEVICE
    if "active" in str(said):
        return ACTIVE
    values = zip(State._fields, one.later, other.later, strict=True)
    return ", ".join(field for field, a, b in values if a != b)


def differences(build: Build) -> dict[str, str]:
    """Kinds of page on which the singular and the plural function differ, and how."""
    pairs = [(drop(build, name, SINGULAR), drop(build, name, PLURAL)) for name in KINDS]
    ways = {one.kind: way(one, other) for one, other in pairs if one and other}
    return {name: how for name, how in ways.items() if how}


def locks(record: Record) -> int:
    """How often the LRU lock was taken, by whomever."""
    return sum(n for name, n in record.costs.items() if name.startswith("lru_lock "))


def effects(record: Record) -> str:
    """A record in the notation of data/page_kinds.csv: counters, what became of the page, costs."""
    before, after = record.before, record.after
    numbers = zip(("PC", "HZR", "pgmap"), before[:3], after[:3], strict=True)
    words = [f"{name}{b - a:+d}" for name, a, b in numbers if a is not None and b is not None and a != b]
    fate = {"free": "freed", "set aside": "bad", "in its pool": "pool", "in use": ""}[after.place]
    gone = before.flags - after.flags if fate != "bad" else frozenset()
    words += [fate, "slot" * ("swapcache" in gone), "off-lru" * ("lru" in gone), "queued" * after.queued]
    costs = {"drain": record.costs["lru_add_drain"], "lock": locks(record)}
    words += [f"{name}*{n}" if n > 1 else name * n for name, n in costs.items()]
    return " ".join(filter(None, words))


COLUMNS = {
    "free_page_and_swap_cache_SWAPy": (SINGULAR, True),
    "free_page_and_swap_cache_SWAPn": (SINGULAR, False),
    "free_pages_and_swap_cache_nr1": (PLURAL, True),
    "put_page": ("put_page", True),
    "release_pages_nr1": ("release_pages", True),
}


class Cell(NamedTuple):
    """A cell of the table: its words, the effects they say (none: they say nothing), and those of the run."""

    kind: str
    column: str
    words: str
    said: str
    found: str

    @property
    def agrees(self) -> bool:
        """Does the run do what the words say?"""
        return self.said in ("", self.found)


def compare(build: Build | None = None) -> list[Cell]:
    """data/page_kinds.csv cell by cell beside a run; the table is about v4.6.2."""
    cells = []
    for row in rows("page_kinds"):
        for column, (function, swap) in COLUMNS.items():
            record = drop(replace(build or Build(), swap=swap), row["kind"], function)
            found = effects(record) if record else "none"
            cells.append(Cell(row["kind"], column, row[column], row[f"effects_{column}"], found))
    return cells
