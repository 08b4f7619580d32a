"""Real kernel trees: which of the five faults of the huge zero page are in one, read with tree-sitter (extra: audit).

Here: where files come from, C and Kconfig as they are read, facts with their lines, verdicts. The names that the
kernel gave things over the years are in data/audit_names.csv. Not here: the model, and what a notebook shows.
"""

from .report import audit as audit
