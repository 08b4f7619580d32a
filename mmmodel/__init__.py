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
    from .build import Build as Build
    from .build import BuildError as BuildError
    from .checking import check as check
    from .checking import matrix as matrix
    from .claims import claim as claim
    from .data import scope as scope
    from .kernel.machine import Var as Var
    from .kernel.patches import Patch as Patch
    from .programs import program as program
    from .scenarios import scenario as scenario
    from .tracing import trace as trace
    from .verdict import Verdict as Verdict

__version__ = "0.1.0"

_HOME = {
    "Build": "build", "BuildError": "build", "Patch": "kernel.patches", "Var": "kernel.machine", "trace": "tracing",
    "check": "checking", "matrix": "checking", "scenario": "scenarios", "program": "programs", "Verdict": "verdict",
    "scope": "data", "claim": "claims", "explorer": "toggles", "presets": "quick",
    "stepper": "widgets", "reveal": "widgets", "banner": "widgets", "data": "", "figures": "",
}  # fmt: skip

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Load a name of the interface from its module."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME[name]
    _in_notebooks()
    value = import_module(f"{__name__}.{home or name}")
    globals()[name] = value = getattr(value, name) if home else value
    return value


def __dir__() -> list[str]:
    """The interface."""
    return __all__


def _in_notebooks() -> None:
    """In IPython a verdict shows itself as a banner."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        formatter = shell.display_formatter.formatters["text/html"]
        formatter.for_type_by_name(f"{__name__}.verdict", "Verdict", lambda v: str(__getattr__("banner")(v)))
