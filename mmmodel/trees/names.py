"""What the kernel calls the things the audit looks for, over the years: data/audit_names.csv, by role."""

from ..data import rows

NAMES: dict[str, frozenset[str]] = {
    role: frozenset(row["name"] for row in rows("audit_names") if row["role"] == role)
    for role in {row["role"] for row in rows("audit_names")}
}
