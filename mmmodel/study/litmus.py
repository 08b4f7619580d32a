"""The litmus tests that the kernel documents its memory model by, as programs on the primitives of the model.

`litmus(memory)` says of each whether the outcome that it asks for can be reached. What the machine of `explore.views`
cannot do is declared: nothing is promised, so a write is never seen before it is made (BEYOND).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..build.composed import Build
from ..data import as_frame, rows
from ..explore.interleavings import explore
from ..explore.scenarios import Operation, Program
from ..kernel.machine import Var

if TYPE_CHECKING:
    import pandas as pd

BEYOND = ("LB+poonceonces",)
"""Load buffering: allowed by the memory model, and left out here."""
REGISTERS = {f"r{number}" for number in range(10)}
COLUMNS = ("test", "documented", "memory", "found", "states")


def litmus(memory: str = "weak") -> pd.DataFrame:
    """Each test with what is documented for it, and what is found: columns COLUMNS."""
    return as_frame([(row["test"], row["lkmm"], memory, *found(row, memory)) for row in rows("litmus")], COLUMNS)


def found(row: dict[str, str], memory: str) -> tuple[str, int]:
    """Is the outcome of a test reached, Sometimes or Never? And how many states were looked at."""
    texts = [text.split(";") for text in row["programs"].split("||")]

    def set_up(k: Any, cpus: int) -> list[list[Operation]]:
        steps = [step.split() for text in texts for step in text]
        given = dict(part.split("=") for part in row["init"].split(";") if part)
        names = {name for verb, *names in steps if verb != "if" for name in names[:1] if name not in REGISTERS}
        locks = {names[0] for verb, *names in steps if verb == "lock"}
        k.words = {name: Var(name, None if name in locks else 0) for name in sorted({*names, *given.values()})}
        for name, value in given.items():
            k.words[name].value = value
        k.registers = {}
        return [
            [("program", partial(run, cpu, text, row["outcome_asked"], len(texts)))] for cpu, text in enumerate(texts)
        ]

    program = Program(row["test"], "", set_up, len(texts), len(texts))
    verdict, _ = explore(Build("v4.6", "arm64"), program, len(texts), memory=memory)
    assert verdict.broken in ("", "asked"), verdict
    return ("Sometimes" if verdict.broken else "Never"), verdict.states


def run(cpu: int, text: list[str], asked: str, cpus: int, k: Any) -> None:
    """What one CPU does. The last to end looks whether the outcome was reached."""
    registers: dict[str, Any] = {}
    for verb, *args in (step.split() for step in text):
        if verb == "if" and not registers[args[0].strip("()")]:
            break
        if verb != "if":
            instruction(k, registers, verb, *args)
    k.smp_mb()
    k.registers |= {f"{cpu}:{name}": value for name, value in registers.items()} | {f"ended {cpu}": True}
    ended = all(f"ended {other}" in k.registers for other in range(cpus))
    if ended and all(came_true(k, *part.split("=")) for part in asked.split(" and ")):
        k.violate("asked", asked)


def instruction(k: Any, registers: dict[str, Any], verb: str, *args: str) -> None:
    """One instruction of a test, by the primitive that it stands for."""
    if verb in ("mb", "mb-after-lock", "rmb", "wmb"):
        {"rmb": k.smp_rmb, "wmb": k.smp_wmb}.get(verb, k.smp_mb)()
        return
    word = k.words[registers.get(args[0], args[0])]
    if verb in ("W", "Wrel"):
        value = args[1][1:] if args[1][0] == "&" else int(args[1])
        (k.WRITE_ONCE if verb == "W" else k.smp_store_release)(word, value)
    elif verb in ("lock", "unlock"):
        (k.spin_lock if verb == "lock" else k.spin_unlock)(word)
    elif verb == "islocked":
        registers[args[1]] = int(k.READ_ONCE(word) is not None)
    else:  # a read on which others depend comes before them, as with acquire
        registers[args[1]] = (k.READ_ONCE if verb == "R" else k.smp_load_acquire)(word)


def came_true(k: Any, name: str, value: str) -> bool:
    """Has a register, or a word, a value?"""
    there = k.registers.get(name) if ":" in name else k.words[name].value
    return str(there) == value
