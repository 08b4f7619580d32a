"""What a reader sees: HTML, charts, swim lanes, explorers and other widgets.

Here: functions from values to something to look at. Not here: working anything out (study), pages of a run (report).
"""

from ..words import modules_of

__getattr__ = modules_of(__name__)
