"""Imported where the processes of a run are forked from: what each would import and compile is paid once, for all.

For pages that is papermill, and what nbconvert, Beautiful Soup and Pygments look up at their first use; for kernels
ipykernel, pandas and matplotlib.
"""

import gc
import os
from importlib import import_module
from pathlib import Path

from .environment import without_grammars
from .page import page

IN_KERNELS = (
    "ipykernel.debugger", "ipykernel.ipkernel", "ipykernel.kernelapp", "ipykernel.zmqshell", "ipywidgets", "pandas",
    "matplotlib.backends.backend_svg", "matplotlib.figure", "mmmodel.show.charts", "mmmodel.show.decision_view",
)  # fmt: skip


def _first_page() -> None:
    without_grammars()
    import papermill.engines  # noqa: F401
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    result = new_output("execute_result", {"text/html": "<p>&nbsp;</p>", "text/plain": "\x1b[1m1"})
    code = new_code_cell("def f(x):\n    return f'{x}'", outputs=[result])
    python = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    page(new_notebook(cells=[new_markdown_cell("# A *title*, $x$"), code], metadata=python), Path(), {}, [])


def _kernel() -> None:
    """As in a kernel: no user's settings; and one thread, or what is forked has half of a library's."""
    own = {"MATPLOTLIBRC": os.devnull, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    own |= {"OPENBLAS_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}  # the second: ipykernel's debugger
    os.environ.update(own)
    for name in IN_KERNELS:
        import_module(name)
    for name in own:
        del os.environ[name]


_first_page()
_kernel()
gc.freeze()  # what is here now stays: no process looks at it again
gc.set_threshold(1_000_000, 20, 100)  # a notebook's process ends soon: its memory is hardly worth looking through
