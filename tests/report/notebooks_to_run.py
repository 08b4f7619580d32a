"""Notebooks for runs to execute, and what the runs leave of them."""

import os
import time

import nbformat
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = "arch = 's390'\nswap: bool = True\npatches: list[str] = []\nsteps: int | None = None\ndepth = 1 + 1"
CLAIM = "from mmmodel.claims import claim\n"
STUCK = "import os; open('pid', 'w').write(str(os.getpid()))\nwhile True: pass"
SUMMARY = """
from mmmodel.claims import claim
claim("M09", True)
HTML('<p>The <em>answer</em>, in <a href="good.ipynb">good</a>. <script>1</script></p>'
     '<p id="proof"><a href="#proof">proved</a>, <a href="#nowhere">or not</a></p>')
"""


def notebook(path, *code):
    title = f"# The title\n\n**Why** is `{path.stem}` here? See [the next](next.ipynb#there).\n\nMore prose."
    first = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell(title), first, *(new_code_cell(source) for source in code)]
    for cell in cells:
        if cell.source == SUMMARY:
            cell.metadata.tags = ["summary"]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def alive(pid):
    """Whether a process runs; a killed one takes a moment to go."""
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True


def failure(found, name):
    """The first one of a notebook: its cause."""
    return next(failure for failure in found.failures if failure.notebook == name)


def page(out, name):
    return BeautifulSoup((out / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
