"""Concurrent scenarios: a set-up that runs alone, then one list of operations per CPU, interleaved in every way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..words import BuildError
from .registry import check_name, enter

MOST_CPUS = 8
Operation = tuple[str, Callable[[Any], object]]


class Program(NamedTuple):
    """`set_up(kernel, cpus)` prepares the state and returns each CPU's operations; they share no local variables."""

    name: str
    says: str
    set_up: Callable[..., list[list[Operation]]]
    cpus: int
    fewest: int

    def operations(self, kernel: Any, cpus: int, **options: Any) -> list[list[Operation]]:
        """Run the set-up; what each CPU does then, as (name, function of the kernel).

        Raises BuildError if it returns anything else, or operations that share Python variables somebody could change.
        """
        found = self.set_up(kernel, cpus, **options)
        if not isinstance(found, list | tuple) or not all(isinstance(each, list | tuple) for each in found):
            raise BuildError(f"{self.name} must return a list of operations for each CPU, not {found!r}")
        if len(found) > cpus:
            raise BuildError(f"{self.name} returns operations for {len(found)} CPUs, but there are {cpus}")
        for operation in (operation for each in found for operation in each):
            if not isinstance(operation, tuple) or len(operation) != 2 or not callable(operation[1]):
                raise BuildError(f"{self.name}: an operation is (name, function of the kernel), not {operation!r}")
            for name, value in shared_variables(operation[1]):
                raise BuildError(
                    f"{self.name}: operation {operation[0]} uses the Python variable {name}, a {type(value).__name__}: "
                    f"keep what is to be remembered on the kernel (k.{name}), where every CPU finds it"
                )
        return [list(each) for each in found]


PROGRAMS: dict[str, Program] = {}


def shared_variables(function: Any) -> Iterator[tuple[str, Any]]:
    """The variables of an enclosing function that are lists, dictionaries or sets."""
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None) or ()
    for name, cell in zip(code.co_freevars if code else (), cells, strict=True):
        if isinstance(cell.cell_contents, list | dict | set):
            yield name, cell.cell_contents


def program(name: str, cpus: int = 2, fewest: int = 2) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a concurrent scenario with its default and smallest number of CPUs; its docstring says what it shows.

    The function sets up a booted kernel, `set_up(kernel, cpus)`, and returns for each CPU the list of its operations,
    (name, function of the kernel). They are explored in every order of their steps, and share no Python variables.

    Raises BuildError for a name or a number of CPUs that cannot be.
    """
    check_name(name)
    if not (isinstance(cpus, int) and isinstance(fewest, int) and 1 <= fewest <= cpus <= MOST_CPUS):
        raise BuildError(f"cpus of {name} must be {fewest} to {MOST_CPUS}, not {cpus!r}")

    def register(set_up: Callable[..., Any]) -> Callable[..., Any]:
        enter(PROGRAMS, name, set_up, Program(name, (set_up.__doc__ or "").strip(), set_up, cpus, fewest))
        return set_up

    return register


def on_cpu(k: Any, cpu: int, mm: Any) -> None:
    """The CPU runs `mm`, has it mapped at slot 0, and holds a live translation of it."""
    k.cpu = k.cpus[cpu]
    if not mm.vmas:
        k.mmap(mm, 0, k.hpage_nr)
        k.pmd_alloc(mm, 0)
    else:
        mm.mm_users += 1
    k.load(mm, 0)


def munmap(mm: Any) -> Operation:
    """Unmap slot 0."""
    return "munmap", lambda k: k.munmap(mm, 0, k.hpage_nr)


def read(mm: Any) -> Operation:
    """Read slot 0."""
    return "read", lambda k: k.load(mm, 0)


RECLAIM: list[Operation] = [
    ("shrink_count", lambda k: k.shrink_huge_zero_page_count()),
    ("shrink_scan", lambda k: k.shrink_huge_zero_page_scan()),
]
REUSE: Operation = ("reuse", lambda k: k.alloc_pages(k.hpage_order, "somebody else"))


@program("zap-vs-shrinker", cpus=3)
def zap_vs_shrinker(k: Any, cpus: int) -> list[list[Operation]]:
    """CPU 0 unmaps, CPU 1 reclaims and gives the block to somebody else, the others read through live TLB entries.

    A reader then runs something else and comes back to read again. With two CPUs, CPU 1 is the reader too.
    """
    leave: Operation = ("leave", lambda k: k.leave_mm())
    for cpu in [0, *range(2 if cpus > 2 else 1, cpus)]:
        on_cpu(k, cpu, k.init)
    readers = [[read(k.init), leave, read(k.init)] for _ in range(2, cpus)]
    return [[munmap(k.init)], [*RECLAIM, REUSE, *([read(k.init)] if cpus == 2 else [])], *readers]


@program("fault-vs-shrinker", cpus=3)
def fault_vs_shrinker(k: Any, cpus: int) -> list[list[Operation]]:
    """A huge zero page nobody maps any more: CPU 0 shrinks it while the others, each with its own mm, read-fault."""
    mms = processes(k, cpus - 1)
    if k.get_huge_zero_page() is not None:
        k.put_huge_zero_page()
    return [RECLAIM, *([read(mm)] for mm in mms)]


def processes(k: Any, number: int) -> list[Any]:
    """Processes with an empty mapping at slot 0; the last one's CPU is the last."""
    mms = [k.new_mm(f"mm{i}") for i in range(number)]
    for mm in mms:
        k.mmap(mm, 0, k.hpage_nr)
        k.pmd_alloc(mm, 0)
    return mms


@program("fault-vs-fault", cpus=2)
def fault_vs_fault(k: Any, cpus: int) -> list[list[Operation]]:
    """No huge zero page yet: threads of one process (and a process of their own from CPU 2 up) fault at once."""
    mms = processes(k, max(cpus - 1, 1))
    owners = [mms[0], *mms][:cpus]
    return [[read(mm)] for mm in owners]


@program("zap-vs-zap", cpus=2)
def zap_vs_zap(k: Any, cpus: int) -> list[list[Operation]]:
    """Every CPU unmaps the mapping of its own process."""
    mms = processes(k, cpus)
    for cpu, mm in enumerate(mms):
        on_cpu(k, cpu, mm)
    return [[munmap(mm)] for mm in mms]


@program("pin-vs-zap", cpus=3)
def pin_vs_zap(k: Any, cpus: int, release: str = "put_page") -> list[list[Operation]]:
    """CPU 0 unmaps while CPU 1 pins the page and releases it, and (from 3 CPUs) CPU 2 reclaims."""
    for cpu in (0, 1):
        on_cpu(k, cpu, k.init)
    pin: list[Operation] = [
        ("pin", lambda k: k.get_user_page(k.init, 0)),
        ("unpin", lambda k: [k.unpin(page, release) for page in k.pins]),
    ]
    return [[munmap(k.init)], pin, *(RECLAIM for _ in range(2, cpus))]
