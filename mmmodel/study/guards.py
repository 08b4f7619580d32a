"""Assertions as detectors: at which operation does one stop a program, and was there anything wrong?"""

from dataclasses import replace

from ..build.composed import Build
from ..kernel.machine import KernelBug
from ..kernel.patches import Q1Guard, Q1GuardPutPage
from .references import ACTS, counts, due

GUARDS = ("", Q1Guard.name, Q1GuardPutPage.name)
PROGRAMS = {
    "map, read, unmap": "read munmap",
    "take a pin, put it": "read pin put-pin",
    "unmap while pinned, put the pin": "read pin munmap put-pin",
    "unmap while pinned, shrink, put the pin": "read pin munmap shrink put-pin",
}
"""Programs a kernel must survive, as operations of `evidence.ACTS`."""


def guarded(build: Build, guard: str = "") -> Build:
    """The build with DEBUG_VM and a guard of GUARDS; the first of them is DEBUG_VM's own checks and nothing else."""
    others = tuple(p for p in build.patches if p not in GUARDS)
    return replace(build, debug_vm=True, patches=(*others, guard) if guard else others)


def stops_at(build: Build, program: str, checked: bool = False) -> str:
    """The operation that runs into a BUG, or (if `checked`) after which a counter is not due; empty if none does."""
    kernel = build.boot()
    for act in program.split():
        try:
            ACTS[act](kernel)
        except KernelBug:
            return act
        if checked and counts(kernel) != due(kernel):
            return act
    return ""


def goes_wrong_at(build: Build, program: str) -> str:
    """The first operation after which a counter is not what the references add up to, with no check at all."""
    return stops_at(replace(guarded(build), debug_vm=False), program, True)
