"""A verdict shows itself in a notebook."""

import subprocess
import sys


def test_a_verdict_shows_itself_in_a_notebook():
    code = """
from IPython.core.interactiveshell import InteractiveShell
show = InteractiveShell.instance().display_formatter.format
import mmmodel as mm
for options in {}, {"max_states": 9}:
    print(show(mm.check(mm.Build("v4.7"), "zap-vs-shrinker", **options))[0]["text/html"])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "✓ holds" in out
    assert "looked at: references-balance" in out
    assert "? undecided" in out
