"""A verdict shows itself in a notebook."""

import subprocess
import sys

from bs4 import BeautifulSoup


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


def test_a_run_shows_itself_beside_what_is_due():
    code = """
from IPython.core.interactiveshell import InteractiveShell
show = InteractiveShell.instance().display_formatter.format
import mmmodel as mm
print(show(mm.trace(mm.Build(), "two-mappings"))[0]["text/html"])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    rows = [[cell.text for cell in row.find_all("td")] for row in BeautifulSoup(out, "html.parser").select("tbody tr")]
    assert rows[2] == ["2", "map_read_B", "3", "3", "1", "1", "✓ as due"]
    assert rows[5] == ["5", "munmap_A", "3", "2", "0", "1", "✗ not as due"]
