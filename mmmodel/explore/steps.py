"""What is one step: the kernel class of an exploration, whose steps ask the explorer first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..kernel.machine import Machine
from ..kernel.mm_types import PageTable
from ..kernel.patches import Patch
from .shared_memory import ABSENT

PRIMITIVES = (
    "atomic_read", "READ_ONCE", "atomic_set", "WRITE_ONCE", "atomic_add", "atomic_add_return", "atomic_inc",
    "atomic_dec_and_test", "atomic_inc_not_zero", "cmpxchg", "atomic_cmpxchg", "xchg", "spin_lock", "spin_unlock",
    "spin_trylock", "wait_below", "step",
)  # fmt: skip
FUNCTIONS = (
    "tlb_invalidate", "pmdp_idte", "instruction", "alloc_pages", "_free_pages_ok", "put_page_testzero", "get_page",
    "get_page_unless_zero", "page_freeze_refs", "is_huge_zero_page", "is_huge_zero_pmd",
)  # fmt: skip
"""Kernel functions that are one step as a whole: each accesses one shared word, or holds a lock of its own. A patch
that overrides one may do more: then its steps are those inside it."""

OUTSIDE = {"build", "costs", "cpu", "cpus", "dmesg", "explorer", "mem_map", "observer", "quiet", "violations"}
"""Of a kernel: what is no word of its memory."""


def assign(kernel: Any, name: str, value: Any) -> None:
    """Set an attribute of a kernel: a word of its memory, from the first time on."""
    if name in OUTSIDE or isinstance(getattr(type(kernel), name, None), property):
        object.__setattr__(kernel, name, value)
        return
    memory = kernel.explorer.memory
    if (id(kernel), name) not in memory.slots:
        memory.word(kernel, name, name, getattr(kernel, name, ABSENT))
    memory.assign(kernel, name, value)


def explored_class(cls: type) -> type:
    """The kernel class whose steps ask the explorer first."""

    def asking(name: str) -> Callable[..., Any]:
        def step(self: Any, *args: Any, **kwargs: Any) -> Any:
            return self.explorer.step(getattr(cls, name), name, self, args, kwargs)

        return step

    patches = [vars(layer) for layer in cls.__mro__ if issubclass(layer, Patch) and not issubclass(layer, Machine)]
    whole = [name for name in FUNCTIONS if not any(name in patch for patch in patches)]
    body: dict[str, Any] = {name: asking(name) for name in (*PRIMITIVES, *whole)}
    body["pte_alloc_one"] = lambda self, mm: self.struct(PageTable, self.page(0))
    body["pte_free"] = body["pte_free_tlb"] = lambda self, mm, table: None
    body["__setattr__"] = assign
    body["struct"] = lambda self, kind, *args: self.explorer.struct(kind, args)
    body["retry"] = lambda self: self.explorer.retry()
    body["violate"] = lambda self, invariant, what: self.explorer.events.append((invariant, what))
    return type("Explored", (cls,), body)
