"""The five faults: which facts make each, and so the verdict for an arch with or without SWAP."""

from __future__ import annotations

from collections.abc import Callable

from .flushing import flush_of_whole_mm
from .per_arch import Arch
from .release import Fact
from .tree import Unknown

Finding = tuple[bool, tuple[str, ...]]
"""Is the fault in the code of this arch? And the places that say so."""


def singular_put(arch: Arch, swap: bool) -> Finding:
    """Zap hands the huge zero page to a gather whose free function puts it by its page count."""
    try:
        zap = arch.facts.zap
    except Unknown:
        freed = arch.release(swap)  # if it looks for the page, it does not matter what zap hands over
        if freed.value == "count":
            raise
        return False, freed.where
    if zap.value != "gather":
        return False, zap.where
    freed = arch.release(swap)
    return freed.value == "count", (*zap.where[:1], *freed.where)


def reaper_fullmm(arch: Arch, swap: bool) -> Finding:
    """The OOM reaper gathers a live mm as a whole, which the arch does not flush, and drops a mapping's reference."""
    reaper, flag = arch.facts.reaper, arch.facts.flag
    if reaper.value != "whole mm":
        return False, reaper.where
    if flag.value != "mapping":
        return False, (*reaper.where, *flag.where)
    flush = flush_of_whole_mm(arch, swap)
    return flush.value == "left out", (*reaper.where, *flush.where)


def pfn_race(arch: Arch, swap: bool) -> Finding:
    """CVE-2026-74632: pointer and huge_zero_pfn are written one after the other without a lock."""
    return arch.facts.pfn.value == "unlocked", arch.facts.pfn.where


def pfn_order(arch: Arch, swap: bool) -> Finding:
    """The count that publishes huge_zero_pfn is set without a release."""
    if arch.facts.pfn.value == "none":
        return False, arch.facts.pfn.where
    return on_weak(arch, arch.facts.publication)


def mm_flag_order(arch: Arch, swap: bool) -> Finding:
    """The mm's flag is tested without acquire before the pointer is read."""
    return on_weak(arch, arch.facts.flag)


def on_weak(arch: Arch, fact: Fact) -> Finding:
    """A missing order matters where CPUs see accesses in another order."""
    if fact.value != "no order":
        return False, fact.where
    memory = arch.memory
    return memory.value == "weak", (*fact.where, *memory.where)


FAULTS: dict[str, Callable[[Arch, bool], Finding]] = {
    "singular-put": singular_put,
    "reaper-fullmm": reaper_fullmm,
    "pfn-race": pfn_race,
    "pfn-order": pfn_order,
    "mm-flag-order": mm_flag_order,
}


def verdict_of(arch: Arch, fault: str, swap: bool) -> tuple[str, tuple[str, ...]]:
    """The verdict (affected, latent, not affected or unknown), and the places or the reason it rests on."""
    try:
        if arch.facts.there.value == "no":
            return "not affected", arch.facts.there.where
        present, where = FAULTS[fault](arch, swap)
        if not present:
            return "not affected", where
        return "affected" if arch.thp.value == "yes" else "latent", (*where, *arch.thp.where)
    except Unknown as reason:
        return "unknown", (str(reason),)
    except RecursionError:
        return "unknown", ("a file is nested too deeply",)
