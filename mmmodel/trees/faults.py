"""The five faults: which facts make each, and so the verdict for an arch with or without SWAP."""

from __future__ import annotations

from collections.abc import Callable

from .facts import Facts
from .flushing import left_out
from .release import Fact
from .tree import Unknown

Finding = tuple[bool, tuple[str, ...]]
"""Is the fault in the code of this arch? And the places that say so."""


def singular_put(facts: Facts, arch: str, swap: bool) -> Finding:
    """Zap hands the huge zero page to a gather whose free function puts it by its page count."""
    try:
        zap = facts.zap
    except Unknown:
        freed = facts.release(arch, swap)  # if it looks for the page, it does not matter what zap hands over
        if freed.value == "count":
            raise
        return False, freed.where
    if zap.value != "gather":
        return False, zap.where
    freed = facts.release(arch, swap)
    return freed.value == "count", (*zap.where[:1], *freed.where)


def reaper_fullmm(facts: Facts, arch: str, swap: bool) -> Finding:
    """The OOM reaper gathers a live mm as a whole, for which the arch flushes nothing, and a mapping's reference goes."""
    reaper, flag = facts.reaper, facts.flag
    if reaper.value != "whole mm":
        return False, reaper.where
    if flag.value != "mapping":
        return False, (*reaper.where, *flag.where)
    flush = left_out(facts, arch, swap)
    return flush.value == "no flush", (*reaper.where, *flush.where)


def pfn_race(facts: Facts, arch: str, swap: bool) -> Finding:
    """CVE-2026-74632: pointer and huge_zero_pfn are written one after the other without a lock."""
    return facts.pfn.value == "unlocked", facts.pfn.where


def pfn_order(facts: Facts, arch: str, swap: bool) -> Finding:
    """The count that publishes huge_zero_pfn is set without a release."""
    if facts.pfn.value == "none":
        return False, facts.pfn.where
    return on_weak(facts, arch, facts.publication)


def mm_flag_order(facts: Facts, arch: str, swap: bool) -> Finding:
    """The mm's flag is tested without acquire before the pointer is read."""
    return on_weak(facts, arch, facts.flag)


def on_weak(facts: Facts, arch: str, fact: Fact) -> Finding:
    """A missing order matters where CPUs see accesses in another order."""
    if fact.value != "no order":
        return False, fact.where
    memory = facts.memory(arch)
    return memory.value == "weak", (*fact.where, *memory.where)


FAULTS: dict[str, Callable[[Facts, str, bool], Finding]] = {
    "singular-put": singular_put,
    "reaper-fullmm": reaper_fullmm,
    "pfn-race": pfn_race,
    "pfn-order": pfn_order,
    "mm-flag-order": mm_flag_order,
}


def judged(facts: Facts, fault: str, arch: str, swap: bool) -> tuple[str, tuple[str, ...]]:
    """The verdict (affected, latent, not affected or unknown), and the places or the reason it rests on."""
    try:
        if facts.there.value == "no":
            return "not affected", facts.there.where
        present, where = FAULTS[fault](facts, arch, swap)
        if not present:
            return "not affected", where
        thp = facts.thp(arch)
        return "affected" if thp.value == "yes" else "latent", (*where, *thp.where)
    except Unknown as reason:
        return "unknown", (str(reason),)
    except RecursionError:
        return "unknown", ("nested too deeply",)
