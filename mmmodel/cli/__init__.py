"""The command line: one file for the verdicts, one for the notebooks.

Here: options, exit codes, output formats. Not here: anything a notebook could want too.
"""

from .commands import main as main
