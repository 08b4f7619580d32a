"""What the investigation works out: model beside measurement, costs, blast radius, page kinds, decision, litmus tests.

Here: functions that return values and frames. Not here: HTML (show), the exploration itself (explore).
"""

from ..words import modules_of

__getattr__ = modules_of(__name__)
