"""Which build has the code of an audited tree: the facts of data/version_shapes.csv that both have."""

from typing import Any

from ..data import rows
from ..kernel.versions import VERSIONS
from ..words import BuildError, numbers

FACTS = ("zap", "singular", "flag", "reaper", "pfn")


def nearest_build(report: Any) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Version and patches of the build whose facts are those of a report, or most of them; and what differs.

    Of several, the last one that is not after the tree. report: what mm.audit returns (`version` and `shape`).

    Raises BuildError for something else.
    """
    if not hasattr(report, "shape"):
        raise BuildError(f"report must be what mm.audit returns, not {report!r}")
    tree, found = numbers(report.version), report.shape
    order = list(VERSIONS)

    def distance(row: dict[str, str]) -> tuple[int, bool, int]:
        later, at = numbers(row["version"]) > tree, order.index(row["version"])
        wrong = sum(found[fact] not in (row[fact], "unknown") for fact in FACTS)
        return wrong, later, at if later else -at

    row = min((row for row in rows("version_shapes") if row["version"] in VERSIONS), key=distance)
    differs = [f"{fact}: {found[fact]} in the tree, {row[fact]} here" for fact in FACTS if found[fact] != row[fact]]
    return row["version"], tuple(row["patches"].split()), tuple(differs)
