"""What a reader sees: HTML, charts, swim lanes, explorers and other widgets.

Here: functions from values to something to look at. Not here: working anything out (study), pages of a run (report).
"""
