"""Imported where the processes of a run are forked from: what each would import and compile is paid once, for all.

For pages that is papermill, and what nbconvert, Beautiful Soup and Pygments look up at their first use; for kernels
ipykernel, pandas and matplotlib.
"""

import gc
import os
from pathlib import Path

from .environment import preload, without_grammars
from .page import page


def _first_page() -> None:
    without_grammars()
    import papermill.engines  # noqa: F401
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    result = new_output("execute_result", {"text/html": "<p>&nbsp;</p>", "text/plain": "\x1b[1m1"})
    code = new_code_cell("def f(x):\n    return f'{x}'", outputs=[result])
    python = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    page(new_notebook(cells=[new_markdown_cell("# A *title*, $x$"), code], metadata=python), Path(), {}, [])


_first_page()
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # or what is forked has half of its threads
preload("ipywidgets", "mmmodel.show.charts")  # of a run nobody asks for a widget from outside
del os.environ["OPENBLAS_NUM_THREADS"]
gc.freeze()  # what is here now stays: no process looks at it again
gc.set_threshold(1_000_000, 20, 100)  # a notebook's process ends soon: its memory is hardly worth looking through
