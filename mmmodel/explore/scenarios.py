"""Scenarios by their names: sequential ones, which run, and concurrent ones, which are explored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..build.composed import Build
from ..kernel.versions import VERSIONS
from ..words import BuildError

MOST_CPUS = 8
Ops = Iterator[str]
Operation = tuple[str, Callable[[Any], object]]


class Scenario(NamedTuple):
    """A program to run on a booted kernel. `memory_mib`: the machine it is run on."""

    name: str
    says: str
    run: Callable[..., Ops]
    memory_mib: int = 256


class Program(NamedTuple):
    """`set_up(kernel, cpus)` prepares the state and returns each CPU's operations; they share no local variables.

    `needs`: a kernel function without which there is nothing to explore. `fault`: what it is about, if that is another
    fault of the huge zero page than the report's: no fix of the report has to mend it.
    """

    name: str
    says: str
    set_up: Callable[..., list[list[Operation]]]
    cpus: int
    fewest: int
    needs: str = ""
    fault: str = ""

    def lacking(self, build: Build) -> str:
        """Why a build cannot have this scenario; empty if it can."""
        if not self.needs or hasattr(build.kernel_class, self.needs):
            return ""
        first = next(version for version, cls in VERSIONS.items() if hasattr(cls, self.needs))
        return f"{self.name} needs {self.needs}, which {build.version} has not: {first} is the first"

    def operations(self, kernel: Any, cpus: int, **options: Any) -> list[list[Operation]]:
        """Run the set-up; what each CPU does then, as (name, function of the kernel).

        Raises BuildError if it returns anything else, or no operation at all.
        """
        found = self.set_up(kernel, cpus, **options)
        if not isinstance(found, list | tuple) or not all(isinstance(each, list | tuple) for each in found):
            raise BuildError(f"{self.name} must return a list of operations for each CPU, not {found!r}")
        if len(found) > cpus:
            raise BuildError(f"{self.name} returns operations for {len(found)} CPUs, but there are {cpus}")
        for operation in (operation for each in found for operation in each):
            if not isinstance(operation, tuple) or len(operation) != 2 or not callable(operation[1]):
                raise BuildError(f"{self.name}: an operation is (name, function of the kernel), not {operation!r}")
        if not any(found):
            raise BuildError(f"{self.name} has no operations: there is nothing to explore")
        return [list(each) for each in found]


SEQUENTIAL: dict[str, Scenario] = {}
PROGRAMS: dict[str, Program] = {}


def fault(scenario: str) -> str:
    """The fault a scenario is about, if that is another than the report's."""
    return PROGRAMS[scenario].fault if scenario in PROGRAMS else ""


def lacking(scenario: str, build: Build) -> str:
    """Why a build cannot have a scenario; empty if it can."""
    return PROGRAMS[scenario].lacking(build) if scenario in PROGRAMS else ""


def known() -> list[str]:
    """The names of all scenarios there are."""
    return [*SEQUENTIAL, *PROGRAMS]


def official(function: object) -> bool:
    """Is it one of the investigation, and not a reader's?"""
    return str(getattr(function, "__module__", "")).startswith("mmmodel.")


def register(entry: Scenario | Program, function: Any) -> Any:
    """Enter a scenario: a reader's may replace a reader's of that name, as happens when a cell runs again.

    Raises BuildError if it would replace another, or is no function.
    """
    if not callable(function):
        raise BuildError(f"scenario {entry.name} must be a function, not {function!r}")
    there = SEQUENTIAL.get(entry.name) or PROGRAMS.get(entry.name)
    if there and official(there[2]) and not official(function):
        raise BuildError(f"{entry.name} is a scenario of the investigation: give yours another name")
    for registry in (SEQUENTIAL, PROGRAMS):
        registry.pop(entry.name, None)
    home: dict[str, Any] = SEQUENTIAL if isinstance(entry, Scenario) else PROGRAMS
    home[entry.name] = entry._replace(says=(function.__doc__ or "").strip())
    return function


def named(name: object) -> None:
    """Raise BuildError unless this is a name for a scenario."""
    if not isinstance(name, str) or not name.strip():
        raise BuildError(f"a scenario is a function with a name, as in @mm.scenario('mine'), not {name!r}")


def scenario(name: str, memory_mib: int = 256) -> Callable[[Callable[..., Ops]], Callable[..., Ops]]:
    """Register a sequential scenario; its docstring says what it shows.

    The function is a generator: it drives the booted kernel that it gets, and yields the name of each operation after
    it. `memory_mib`: the memory of the machine.

    Raises BuildError for a name or a size that cannot be.
    """
    named(name)
    if not isinstance(memory_mib, int) or not 8 <= memory_mib <= 4096:
        raise BuildError(f"memory_mib of {name} must be 8 to 4096, not {memory_mib!r}")
    return lambda run: register(Scenario(name, "", run, memory_mib), run)


def program(
    name: str, cpus: int = 2, fewest: int = 2, needs: str = "", fault: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a concurrent scenario with its default and smallest number of CPUs; its docstring says what it shows.

    The function sets up a booted kernel, `set_up(kernel, cpus)`, and returns for each CPU the list of its operations,
    (name, function of the kernel). They are explored in every order of their steps, and share no Python variables.
    `needs`: a kernel function; builds without it cannot have the scenario. `fault`: see Program.

    Raises BuildError for a name or a number of CPUs that cannot be.
    """
    named(name)
    if not (isinstance(cpus, int) and isinstance(fewest, int) and 1 <= fewest <= cpus <= MOST_CPUS):
        raise BuildError(f"cpus of {name} must be {fewest} to {MOST_CPUS}, not {cpus!r}")
    return lambda set_up: register(Program(name, "", set_up, cpus, fewest, needs, fault), set_up)
