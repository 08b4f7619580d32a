"""The build that has the code of an audited tree, and what it has otherwise."""

from types import SimpleNamespace

import pytest

import mmmodel as mm
from mmmodel.data import rows
from mmmodel.kernel.versions import VERSIONS

FACTS = ("zap", "singular", "flag", "reaper", "pfn")
MODELLED = [row for row in rows("version_shapes") if row["version"] in VERSIONS]


def report(version, row, **changed):
    return SimpleNamespace(version=version, shape={fact: row[fact] for fact in FACTS} | changed)


@pytest.mark.parametrize("row", MODELLED, ids=lambda row: f"{row['version']} {row['patches']}".strip())
def test_each_shape_is_found_again(row):
    build = mm.Build.from_audit(report(row["version"], row), "s390", swap=False)
    found = (build.version, build.patches, build.arch, build.swap)
    assert found == (row["version"], tuple(row["patches"].split()), "s390", False)
    assert build.differs == ()
    assert build.without_effect == {}


def test_every_version_has_its_shape():
    assert {row["version"] for row in rows("version_shapes")} >= set(VERSIONS)


def test_a_backport_counts_for_more_than_the_number():
    v5_13 = next(row for row in MODELLED if row["version"] == "v5.13")
    assert mm.Build.from_audit(report("v5.10.198", v5_13), "x86").version == "v5.13"


def test_what_differs_is_said():
    v4_9 = next(row for row in MODELLED if row["version"] == "v4.9")
    build = mm.Build.from_audit(report("v4.9", v4_9, zap="put", pfn="unknown"), "arm64")
    assert build.differs == ("zap: put in the tree, gather here", "pfn: unknown in the tree, none here")
    assert build.notes == list(build.differs)
    assert build == mm.Build("v4.9", "arm64")


def test_an_arch_that_is_not_modelled():
    with pytest.raises(mm.BuildError, match="riscv came with"):
        mm.Build.from_audit(report("v6.1", MODELLED[-1]), "riscv")
