"""Imported where the processes of a run are forked from: what the first page of a process costs is paid once, for all.

That is papermill, and what nbconvert, Beautiful Soup and Pygments look up or compile at their first use.
"""

import gc
from pathlib import Path

from .environment import without_grammars
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
gc.freeze()  # what is here now stays: no process looks at it again
gc.set_threshold(100_000, 20, 100)
