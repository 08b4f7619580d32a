"""Verdicts: does a build hold in a scenario, and if not, which invariant breaks first?"""

from __future__ import annotations

from .build import Build, choose
from .scenarios import SEQUENTIAL
from .tracing import Verdict, run


def check(build: Build | None = None, scenario: str = "map-read-unmap") -> Verdict:
    """Run a scenario until an invariant breaks.

    Raises BuildError for an unknown scenario, naming those there are.
    """
    build = build or Build()
    program = SEQUENTIAL[choose("scenario", scenario, SEQUENTIAL)]
    verdict = run(build, program, journal=False, stop=True).verdict
    return verdict if verdict.holds else run(build, program, journal=True, stop=True).verdict
