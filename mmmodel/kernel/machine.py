"""The machine under the kernel: CPUs with their TLBs, over words of memory and what is done to them (`atomics`).

Everything two CPUs can both see is reached through the operations here and there, and each of them is one *step*:
the only places where another CPU can get in between. The kernel functions above do not know whether they run
alone (a trace) or against every interleaving (an exploration).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, TypeVar

from .atomics import Atomics, Deadlock, KernelBug, Var, c_int, one_step, orders, primitive, set_up_only

__all__ = ["Atomics", "Cpu", "Deadlock", "KernelBug", "Machine", "TlbEntry", "Var", "c_int", "one_step", "orders",
           "primitive", "set_up_only"]  # fmt: skip

T = TypeVar("T")


class TlbEntry(NamedTuple):
    """A translation held by one CPU. `expects` is whose data the mapping was made for."""

    mm: Any
    index: int  # type: ignore[assignment]
    page: Any
    write: bool
    expects: str


class Cpu:
    """One CPU: its TLB, the mm it runs, its mmu_gather and its lru_add pagevec."""

    __slots__ = ("__dict__", "active_mm", "gather", "id", "lru_add_pvec", "tlb")

    def __init__(self, id: int) -> None:
        self.id = id
        self.tlb: tuple[TlbEntry, ...] = ()
        self.active_mm: Any = None
        self.gather: Any = None
        self.lru_add_pvec: tuple[Any, ...] = ()


class Machine(Atomics):
    """CPUs, their TLBs, and what goes wrong. `observer(var, function)` is told before each step; `costs` counts."""

    observer: Callable[[Var, str], None] | None = None
    user: Any = None
    """What the user program remembers from one operation to the next."""
    quiet = True
    """Is every CPU outside the kernel now?"""

    def __init__(self, cpus: int = 1) -> None:
        self.cpus = [Cpu(i) for i in range(cpus)]
        self.cpu = self.cpus[0]
        self.costs: Counter[str] = Counter()
        self.violations: list[tuple[str, str]] = []
        self.locks: dict[Var, None] = {}
        self.dmesg: list[str] = []

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def struct(self, kind: type[T], *args: Any) -> T:
        """A new structure in memory."""
        return kind(*args)

    @primitive
    def step(self, var: Var) -> None:
        """Another CPU may run here, before `var` is accessed."""
        if self.observer is not None:
            self.observer(var, sys._getframe(2).f_code.co_name)

    def retry(self) -> Literal[True]:
        """The head of a retry loop: nothing computed in an earlier round is used after it. Always true."""
        return True

    def call_rcu_sched(self, callback: Callable[..., object], *args: object) -> None:
        """Run a callback after a grace period, in a softirq. Here the grace period is over at once."""
        callback(*args)

    # -- the TLBs

    def tlb_fill(self, entry: TlbEntry) -> TlbEntry:
        """Remember a translation on this CPU."""
        self.cpu.tlb = (*self.cpu.tlb, entry)
        return entry

    def tlb_lookup(self, mm: Any, index: int, write: bool = False) -> TlbEntry | None:
        """The translation this CPU holds for a huge-page slot of `mm`, if it allows the access."""
        for entry in self.cpu.tlb:
            if entry.mm is mm and entry.index == index and entry.write >= write:
                return entry
        return None

    @one_step
    @orders("mb")
    def tlb_invalidate(self, mm: Any, index: int | None = None, cpus: list[Cpu] | None = None) -> None:
        """Drop the translations of `mm` (of one slot, if given) on the given CPUs: all of them by default.

        An exploration runs a flush of all only while no CPU relies on having interrupts off (see `gup`).
        """
        self.step(mm.tlb_word)
        self.drop_translations(mm, index, cpus)

    def drop_translations(self, mm: Any, index: int | None = None, cpus: list[Cpu] | None = None) -> None:
        """What a flush does, as part of a step."""
        self.costs["tlb_flush"] += 1
        for cpu in self.cpus if cpus is None else cpus:
            cpu.tlb = tuple([e for e in cpu.tlb if e.mm is not mm or (index is not None and e.index != index)])

    # -- what goes wrong

    def BUG_ON(self, condition: bool, what: str) -> None:
        """Unconditional assertion of the kernel. Raises KernelBug."""
        if condition:
            self.dmesg.append(f"kernel BUG: {what}")
            self.oops(KernelBug(what))

    def VM_BUG_ON_PAGE(self, condition: bool, what: str) -> None:
        """Assertion compiled only with CONFIG_DEBUG_VM. Raises KernelBug."""
        if condition and self.debug_vm:
            self.BUG_ON(condition, f"VM_BUG_ON_PAGE({what})")

    def oops(self, bug: KernelBug) -> NoReturn:
        """Raises the bug, which is on record: this CPU goes no further."""
        self.violate(bug.invariant, str(bug))
        raise bug

    def complain(self, what: str) -> None:
        """What the kernel prints when it finds something broken, and goes on."""
        self.dmesg.append(what)
        self.violate("no-complaint", what)

    def violate(self, invariant: str, what: str) -> None:
        """Record that `invariant` was broken by the access made just now."""
        self.violations.append((invariant, what))
