"""Does a build hold in a scenario, and if not, which invariant breaks first?"""

from __future__ import annotations

from inspect import signature
from typing import Any

from ..build.composed import Build, given
from ..kernel.arches import ARCHES
from ..words import BuildError, choose
from .bounds import BOUNDS, Bounds
from .concurrent import PROGRAMS
from .interleavings import explore
from .scenarios import MOST_CPUS, known
from .scenarios import program as program
from .scenarios import scenario as scenario
from .sequential import ALONE, SEQUENTIAL
from .tracing import run
from .verdict import Verdict

MEMORY = ("sc", "tso", "weak", "arch")
OPTIONS = ("max_states", "max_seconds", "max_memory", "progress", "kernel_class", "use_zero_page", "memory", "symmetry")
SCENARIOS = (*ALONE, *PROGRAMS)
"""Those of the investigation, which are checked when none is named. A reader's are found by their names."""


def check(
    build: Build | None = None, scenario: str = "map-read-unmap", cpus: int | None = None, **options: Any
) -> Verdict:
    """Does an invariant break? A sequential scenario is run, a concurrent one explored in every interleaving.

    cpus: of a concurrent scenario; by default as many as it needs to be interesting. options: max_states, max_seconds,
    max_memory (MiB) and progress (called with the number of states, a `bounds.Seen`) of an exploration. Ctrl-C gives
    a partial verdict. memory: sc (the steps as they come), tso, weak, or arch, what the build's arch has. `release` of
    pin-vs-zap is put_page or release_pages, `pinned` head or tail. use_zero_page: what sysfs says in any scenario; with
    False no read fault maps the huge zero page. symmetry: with False CPUs that run the same are told apart (memory sc).

    Raises BuildError for an unknown scenario or option, naming those there are, or a number of CPUs it cannot have.
    """
    build = given(build)
    choose("scenario", scenario, known())
    more = signature(PROGRAMS[scenario].set_up).parameters if scenario in PROGRAMS else ()
    for option in options:
        choose("option", option, (*OPTIONS, *list(more)[2:]))
    for option in ("use_zero_page", "symmetry"):
        if not isinstance(value := options.get(option, True), bool):
            raise BuildError(f"{option} must be True or False, not {value!r}")
    Bounds(**{name: options[name] for name in BOUNDS if name in options})
    choose("memory", options.get("memory", "sc"), MEMORY)
    if options.get("memory") == "arch":
        options["memory"] = ARCHES[build.arch]["memory"]
        if options["memory"] not in MEMORY:
            raise BuildError(f"in what order {build.arch} makes its accesses is not known: name tso or weak")
    if scenario in PROGRAMS:
        program = PROGRAMS[scenario]
        if reason := program.lacking(build):
            raise BuildError(reason)
        number = program.cpus if cpus is None else cpus
        if not isinstance(number, int) or not program.fewest <= number <= MOST_CPUS:
            raise BuildError(f"{scenario} takes {program.fewest} to {MOST_CPUS} CPUs, not {number!r}")
        return explore(build, program, number, **options)[0]
    if cpus not in (None, 1):
        raise BuildError(f"{scenario} is sequential: it takes 1 CPU; with several: {', '.join(PROGRAMS)}")
    limits = {name: options[name] for name in ("kernel_class", "max_seconds", "use_zero_page") if name in options}
    verdict = run(build, SEQUENTIAL[scenario], journal=False, stop=True, **limits).verdict
    with_steps = verdict.replay() if verdict.broken else verdict
    return with_steps if with_steps.broken or with_steps.bound == "interrupted" else verdict
