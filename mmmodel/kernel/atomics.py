"""Words of shared memory and the operations on them: include/asm-generic/atomic.h, cmpxchg.h, barrier.h; locks.

Each operation is one *step*, and says what it orders for the CPU that does it, as the kernel's memory model has it
(tools/memory-model). In an exploration with `memory="sc"` that makes no difference.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def marked(name: str, value: str) -> Callable[[F], F]:
    """A decorator that says something about a function."""

    def mark(function: F) -> F:
        function.__dict__[name] = value
        return function

    return mark


primitive = marked("step", "primitive")
"""One access to shared memory: a step wherever it is called, also inside a patch."""
one_step = marked("step", "one step")
"""Accesses one shared word, or holds a lock of its own; what a patch puts in its place has steps inside."""
set_up_only = marked("step", "set-up only")
"""Runs in traces and in set-ups only: in an exploration page tables come from nowhere, and go there."""


def orders(kind: str) -> Callable[[F], F]:
    """A decorator that says what an operation does to memory, and what it orders.

    read, write, rmw: of one word, in no order with others; with `acquire` (what comes later stays later), `release`
    (what came before is seen before) or `full` (both, and for all CPUs alike; a read-modify-write that fails orders
    nothing). mb, rmb, wmb: barriers. lock: takes and releases a lock of its own.
    """
    return marked("order", kind)


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


BARRIER = Var("barrier")
"""What a barrier is a step of: no word."""


class Atomics:
    """Primitives: what kernel functions do to words that several CPUs see."""

    costs: Counter[str]
    cpu: Any
    locks: dict[Var, None]

    step: Callable[[Var], None]
    oops: Callable[[KernelBug], NoReturn]
    complain: Callable[[str], None]

    # -- atomic operations: include/asm-generic/atomic.h, cmpxchg.h

    @primitive
    @orders("read")
    def atomic_read(self, var: Var) -> Any:
        """Read one word."""
        self.step(var)
        return var.value

    READ_ONCE = atomic_read

    @primitive
    @orders("write")
    def atomic_set(self, var: Var, value: Any) -> None:
        """Write one word; a number is a C int."""
        self.step(var)
        var.value = c_int(value) if type(value) is int else value

    WRITE_ONCE = atomic_set

    @primitive
    @orders("write release")
    def atomic_set_release(self, var: Var, value: Any) -> None:
        """Write one word; who reads it with acquire sees all that was written before."""
        self.atomic_set(var, value)

    smp_store_release = atomic_set_release

    @primitive
    @orders("read acquire")
    def smp_load_acquire(self, var: Var) -> Any:
        """Read one word before anything that comes after."""
        return self.atomic_read(var)

    @primitive
    @orders("rmw")
    def atomic_add(self, i: int, var: Var) -> None:
        """Add `i`."""
        self.step(var)
        self.costs[var.kind] += 1
        var.value = c_int(var.value + i)

    @primitive
    @orders("rmw full")
    def atomic_add_return(self, i: int, var: Var) -> int:
        """Add `i`; return the sum."""
        self.step(var)
        var.value = c_int(var.value + i)
        return int(var.value)

    @primitive
    @orders("rmw")
    def atomic_inc(self, var: Var) -> None:
        """Add one."""
        self.step(var)
        self.costs[var.kind] += 1
        var.value = c_int(var.value + 1)

    @primitive
    @orders("rmw full")
    def atomic_dec_and_test(self, var: Var) -> bool:
        """Subtract one; true when that gave zero."""
        self.step(var)
        self.costs[var.kind] += 1
        var.value = c_int(var.value - 1)
        return bool(var.value == 0)

    @primitive
    @orders("rmw full")
    def atomic_inc_not_zero(self, var: Var) -> bool:
        """Add one unless the word is zero; true when it was added."""
        self.step(var)
        self.costs[var.kind] += 1
        if var.value == 0:
            return False
        var.value = c_int(var.value + 1)
        return True

    @primitive
    @orders("rmw full")
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
    @orders("rmw full")
    def xchg(self, var: Var, new: Any) -> Any:
        """Store `new`; return what the word held."""
        self.step(var)
        self.costs[var.kind] += 1
        was, var.value = var.value, new
        return was

    # -- barriers: include/asm-generic/barrier.h

    @primitive
    @orders("mb")
    def smp_mb(self) -> None:
        """All that came before is before all that comes after, for every CPU."""
        self.step(BARRIER)

    @primitive
    @orders("rmb")
    def smp_rmb(self) -> None:
        """Reads before it are before reads after it."""
        self.step(BARRIER)

    @primitive
    @orders("wmb")
    def smp_wmb(self) -> None:
        """Writes before it are seen before writes after it."""
        self.step(BARRIER)

    # -- locks

    @primitive
    @orders("rmw acquire")
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
    @orders("write release")
    def spin_unlock(self, lock: Var) -> None:
        """Release a lock."""
        self.step(lock)
        if lock.value is None:
            self.complain(f"BUG: spinlock already unlocked: {lock.name}, by CPU {self.cpu.id}")
        lock.value = None

    @primitive
    @orders("rmw acquire")
    def spin_trylock(self, lock: Var) -> bool:
        """Take a lock if it is free; say whether it was taken."""
        self.step(lock)
        if lock.value is not None:
            return False
        lock.value = self.cpu.id
        self.locks[lock] = None
        return True

    @primitive
    @orders("read")
    def wait_below(self, var: Var, limit: int) -> None:
        """Spin until the word is below a limit; the exploration runs this step only then."""
        self.step(var)
        if var.value >= limit:
            self.oops(Deadlock(f"{var.name} never falls below {limit}, and CPU {self.cpu.id} waits for it"))
