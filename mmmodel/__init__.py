"""mmmodel: a literate, executable investigation of a Linux kernel regression.

    import mmmodel as mm
    build = mm.Build(version="v4.6", arch="s390", patches=["quick-hack"])
    mm.trace(build, "map-read-unmap").frame
    mm.check(build, "two-mappings")

Names are loaded when first used: importing the package imports neither pandas nor matplotlib nor Jupyter.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import data as data
    from .build.composed import Build as Build
    from .claims import claim as claim
    from .explore.checking import check as check
    from .explore.checking import program as program
    from .explore.checking import scenario as scenario
    from .explore.tracing import trace as trace
    from .explore.verdict import Verdict as Verdict
    from .kernel.machine import Var as Var
    from .kernel.overlay import Patch as Patch
    from .learn.answers import answer as answer
    from .learn.answers import hint as hint
    from .learn.answers import solution as solution
    from .learn.attempts import try_patch as try_patch
    from .learn.predictions import predict as predict
    from .learn.progress import progress as progress
    from .show import figures as figures
    from .show.stepper import stepper as stepper
    from .show.tables import banner as banner
    from .show.toggles import explorer as explorer
    from .study.at_a_glance import presets as presets
    from .study.matrix import matrix as matrix
    from .study.scope import scope as scope
    from .trees.report import audit as audit
    from .words import BuildError as BuildError

__version__ = "0.1.0"

_HOME = {
    "Build": "build.composed", "BuildError": "words", "Patch": "kernel.overlay", "Var": "kernel.machine",
    "Verdict": "explore.verdict", "answer": "learn.answers", "audit": "trees.report", "banner": "show.tables",
    "check": "explore.checking", "claim": "claims", "data": "data", "explorer": "show.toggles",
    "figures": "show.figures", "hint": "learn.answers", "matrix": "study.matrix", "predict": "learn.predictions",
    "presets": "study.at_a_glance", "program": "explore.checking", "progress": "learn.progress",
    "scenario": "explore.checking", "scope": "study.scope", "solution": "learn.answers", "stepper": "show.stepper",
    "trace": "explore.tracing", "try_patch": "learn.attempts",
}  # fmt: skip
"""Where each name of the interface lives, if it is no module itself."""

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Load a name of the interface from its module."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _in_notebooks()
    home = import_module(f"{__name__}.{_HOME[name]}")
    globals()[name] = value = getattr(home, name, home)
    return value


def __dir__() -> list[str]:
    """The interface."""
    return __all__


def _in_notebooks() -> None:
    """In IPython a verdict shows itself as a banner, a run as a table."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        formatter = shell.display_formatter.formatters["text/html"]
        formatter.for_type_by_name(f"{__name__}.explore.verdict", "Verdict", lambda v: str(__getattr__("banner")(v)))
        tables = f"{__name__}.show.tables"
        formatter.for_type_by_name(
            f"{__name__}.explore.tracing", "Trace", lambda t: str(import_module(tables).traced(t))
        )
