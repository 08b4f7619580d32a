"""The machine under the kernel: memory words, atomic operations, locks, CPUs with TLBs.

Everything two CPUs can both see is reached through the operations below, and each of them is one *step*:
the only places where another CPU can get in between. The kernel functions above do not know whether they run
alone (a trace) or against every interleaving (an exploration).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, TypeVar

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def marked(step: str) -> Callable[[F], F]:
    """A decorator that says how an exploration takes a function."""

    def mark(function: F) -> F:
        function.__dict__["step"] = step
        return function

    return mark


primitive = marked("primitive")
"""One access to shared memory: a step wherever it is called, also inside a patch."""
one_step = marked("one step")
"""Accesses one shared word, or holds a lock of its own; what a patch puts in its place has steps inside."""
set_up_only = marked("set-up only")
"""Runs in traces and in set-ups only: in an exploration page tables come from nowhere, and go there."""


class KernelBug(Exception):
    """A BUG_ON or VM_BUG_ON fired: the CPU that ran into it is gone."""

    invariant = "no-bug"


class Deadlock(KernelBug):
    """A CPU waits for what nobody will ever do."""

    invariant = "no-deadlock"


def c_int(value: int) -> int:
    """What a 32-bit int keeps of a sum."""
    return value if -0x80000000 <= value < 0x80000000 else (value + 0x80000000) % 0x100000000 - 0x80000000


class Var:
    """One word of shared memory. `kind` names the cost counter its atomic operations add to."""

    __slots__ = ("kind", "name", "value")

    def __init__(self, name: str, value: Any = None, kind: str = "") -> None:
        self.name, self.value, self.kind = name, value, kind

    def __repr__(self) -> str:
        return f"{self.name}={self.value}"


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


class Machine:
    """Primitives. `observer(var, function)` is told before each step; `costs` counts what they cost."""

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

    # -- atomic operations: include/asm-generic/atomic.h, cmpxchg.h

    @primitive
    def atomic_read(self, var: Var) -> Any:
        """Read one word."""
        self.step(var)
        return var.value

    READ_ONCE = atomic_read

    @primitive
    def atomic_set(self, var: Var, value: Any) -> None:
        """Write one word; a number is a C int."""
        self.step(var)
        var.value = c_int(value) if type(value) is int else value

    WRITE_ONCE = atomic_set

    @primitive
    def atomic_add(self, i: int, var: Var) -> None:
        """Add `i`."""
        self.step(var)
        self.costs[var.kind] += 1
        var.value = c_int(var.value + i)

    @primitive
    def atomic_add_return(self, i: int, var: Var) -> int:
        """Add `i`; return the sum."""
        self.step(var)
        var.value = c_int(var.value + i)
        return int(var.value)

    @primitive
    def atomic_inc(self, var: Var) -> None:
        """Add one."""
        self.step(var)
        self.costs[var.kind] += 1
        var.value = c_int(var.value + 1)

    @primitive
    def atomic_dec_and_test(self, var: Var) -> bool:
        """Subtract one; true when that gave zero."""
        self.step(var)
        self.costs[var.kind] += 1
        var.value = c_int(var.value - 1)
        return bool(var.value == 0)

    @primitive
    def atomic_inc_not_zero(self, var: Var) -> bool:
        """Add one unless the word is zero; true when it was added."""
        self.step(var)
        self.costs[var.kind] += 1
        if var.value == 0:
            return False
        var.value = c_int(var.value + 1)
        return True

    @primitive
    def cmpxchg(self, var: Var, old: Any, new: Any) -> Any:
        """Store `new` if the word holds `old`; return what it held."""
        self.step(var)
        self.costs[var.kind] += 1
        was = var.value
        if was == old:
            var.value = new
        return was

    atomic_cmpxchg = cmpxchg

    @primitive
    def xchg(self, var: Var, new: Any) -> Any:
        """Store `new`; return what the word held."""
        self.step(var)
        self.costs[var.kind] += 1
        was, var.value = var.value, new
        return was

    # -- locks

    @primitive
    def spin_lock(self, lock: Var) -> None:
        """Take a lock; the exploration runs this step only while the lock is free."""
        self.step(lock)
        self.costs[f"{lock.kind} {sys._getframe(1).f_code.co_name}"] += 1
        if lock.value is not None:
            what = f"{lock.name} is already held by CPU {lock.value}, and CPU {self.cpu.id} waits for it"
            self.oops(Deadlock(what))
        lock.value = self.cpu.id
        self.locks[lock] = None

    @primitive
    def spin_unlock(self, lock: Var) -> None:
        """Release a lock."""
        self.step(lock)
        if lock.value is None:
            self.complain(f"BUG: spinlock already unlocked: {lock.name}, by CPU {self.cpu.id}")
        lock.value = None

    @primitive
    def spin_trylock(self, lock: Var) -> bool:
        """Take a lock if it is free; say whether it was taken."""
        self.step(lock)
        if lock.value is not None:
            return False
        lock.value = self.cpu.id
        self.locks[lock] = None
        return True

    @primitive
    def wait_below(self, var: Var, limit: int) -> None:
        """Spin until the word is below a limit; the exploration runs this step only then."""
        self.step(var)
        if var.value >= limit:
            self.oops(Deadlock(f"{var.name} never falls below {limit}, and CPU {self.cpu.id} waits for it"))

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
            cpu.tlb = tuple(e for e in cpu.tlb if e.mm is not mm or (index is not None and e.index != index))

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
