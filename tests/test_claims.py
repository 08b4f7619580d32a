"""claim(): what it shows, what it records, what it refuses."""

import subprocess
import sys

import numpy as np
import pytest

from mmmodel.claims import ClaimFailed, badge, claim
from mmmodel.data import notebooks_dir, rows
from mmmodel.report.index import RELATIONS

CLAIMS = {row["id"]: row for row in rows("claims")}
KINDS = {"cited", "derived", "modelled", "explored", "measured"}
NOTEBOOKS = {
    *(
        "00-start-here",
        "01-the-report",
        "02-counting-references",
        "03-two-ways-to-gather",
        "04-why-the-commit",
    ),
    *(
        "05-the-regression",
        "06-q1-why-so-different",
        "07-q2-nr1",
        "08-q3-release-pages",
        "09-q4-fix-the-arch",
    ),
    *("10-the-decision", "11-aftermath", "12-your-fix"),
}


@pytest.mark.parametrize("holds", [True, np.True_, np.array(True)])
def test_a_true_claim_is_shown(holds, capsys):
    claim("M09", holds, "counted\nin arches.csv")
    shown = capsys.readouterr().out
    assert shown == f"✓ M09 holds: {CLAIMS['M09']['we_check']} (counted in arches.csv)\n"


@pytest.mark.parametrize("holds", [False, np.False_])
def test_a_false_claim_is_shown_and_raises(holds, capsys):
    with pytest.raises(ClaimFailed, match=r"^M02 does not hold: .*aa88b68c.* \(by hand\)$") as raised:
        claim("M02", holds, "by hand")
    assert isinstance(raised.value, AssertionError)
    assert capsys.readouterr().out.startswith("✗ M02 does not hold")


@pytest.mark.parametrize("holds", [1, 0, None, "yes", [], np.array([True]), np.int64(1)])
def test_only_booleans_are_verdicts(holds, capsys):
    with pytest.raises(TypeError, match=r"M01: holds must be True or False, not \w+"):
        claim("M01", holds)
    assert not capsys.readouterr().out


def test_what_is_undecided_is_no_claim():
    with pytest.raises(TypeError, match="what is undecided is no claim"):
        claim("M01", None)


def test_an_unknown_id_names_its_neighbours():
    with pytest.raises(ValueError, match=r"unknown claim 'm09'; did you mean M09"):
        claim("m09", True)
    with pytest.raises(ValueError, match=r"unknown claim '\?'; known: M01, .*A19"):
        claim("?", True)


def test_the_badge_has_symbol_and_word_and_escapes():
    row = {**CLAIMS["M09"], "said_by": "<i>"}
    html = badge(row, False, "<script>alert('how')</script>")
    assert "✗ does not hold" in html
    assert "✓ holds" in badge(row, True, "")
    assert "<script" not in html
    assert "<i>" not in html
    assert "cited, modelled" in html


def test_importing_claims_is_light():
    code = "import sys, mmmodel.claims; sys.exit(bool({'IPython', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_table_of_claims_is_complete():
    assert len(CLAIMS) == len(rows("claims"))
    for row in CLAIMS.values():
        assert row["said_by"]
        assert row["source"]
        assert set(row["kind"].split(";")) <= KINDS
        assert set(row["notebooks"].split(";")) <= NOTEBOOKS
        sentences = [row["statement"], row["we_check"] or row["statement"]]
        assert all(sentence.endswith((".", "?")) for sentence in sentences)
        assert not row["statement"].endswith("?") or row["we_check"]
        assert bool(row["we_check"]) == bool(row["relation"])
        assert row["relation"] in RELATIONS
    assert "verdict" not in CLAIMS["M01"]


def test_claims_are_checked_where_the_table_says():
    listed = {(id, name) for id, row in CLAIMS.items() for name in row["notebooks"].split(";")}
    there = {path.stem: path.read_text(encoding="utf-8") for path in notebooks_dir().glob("*.ipynb")}
    used = {(id, name) for name, source in there.items() for id in CLAIMS if f'\\"{id}\\"' in source}
    assert used == {(id, name) for id, name in listed if name in there}
