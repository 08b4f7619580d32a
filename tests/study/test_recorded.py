"""Recorded audits in short, and what the CVE did on a real kernel."""

import pandas as pd

from mmmodel.data import rows
from mmmodel.study import audits, pfn_race
from mmmodel.words import numbers


def test_an_audit_in_short():
    found = pd.DataFrame(
        [(arch, swap, fault, verdict, "a.c:1 f; b.c:2 g")
         for arch, bad in (("s390", "n"), ("arm64", ""), ("x86", "yn")) for swap in "yn"
         for fault, verdict in (("one", "affected" if swap in bad else "not affected"), ("two", "not affected"))],
        columns=["arch", "swap", "fault", "verdict", "where"],
    )  # fmt: skip
    short = {(row.fault, row.verdict): (row.archs, row.place) for row in audits.shortened(found).itertuples()}
    assert short == {
        ("one", "affected"): ("s390 (SWAP=n), x86", "a.c:1 f"),
        ("one", "not affected"): ("the others", "a.c:1 f"),
        ("two", "not affected"): ("all", "a.c:1 f"),
    }


def test_recorded_trees_are_told_by_version():
    found = audits.recorded()
    versions = list(dict.fromkeys(found.version))
    assert versions == sorted(versions, key=numbers)
    for _, tree in found.groupby("tree"):
        assert set(tree.fault) == {"singular-put", "reaper-fullmm", "pfn-race", "pfn-order", "mm-flag-order"}
        assert tree.date.nunique() == 1
    assert all(row["place"] for row in rows("audits"))


def test_the_fixed_kernel_did_nothing_of_it():
    for variant in pfn_race.OPERATIONS:
        for swap in (True, False):
            assert pfn_race.happened(variant, swap)
            fixed = pfn_race.boot(variant, swap, "fixed")
            assert len(fixed) > 10
            assert set(fixed.page_count.dropna()) == {1}
            assert set(fixed.nonzero_words) <= {"", "0"}


def test_one_byte_is_seen_by_others():
    for swap in (True, False):
        assert "another process reads what was written" in pfn_race.happened("write-fault", swap)
    assert pfn_race.FREED not in pfn_race.happened("write-fault", True)
    assert pfn_race.FREED in pfn_race.happened("write-fault", False)
    assert all(pfn_race.stops(variant) for variant in pfn_race.OPERATIONS)
