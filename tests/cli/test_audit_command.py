"""mmmodel audit: columns, exit status, what the table is followed by, and what is said without the extra."""

import csv
import io
import json
import subprocess
import sys

from click.testing import CliRunner
from small_trees import HUGE, LOCKED, OOM, PER_VMA, SWAP_STATE, TESTED, ZAP, plant

from mmmodel.cli import main

FIXED = {HUGE: LOCKED + ZAP.replace("tlb_remove_page", "keep"), OOM: PER_VMA, SWAP_STATE: TESTED}
COLUMNS = ["arch", "swap", "fault", "verdict", "where"]


def audit(*words):
    return CliRunner().invoke(main, ["audit", *map(str, words)])


def test_csv_and_json_are_the_rows_alone(tmp_path):
    result = audit(plant(tmp_path), "--format", "csv", "--arch", "s390", "--arch", "x86")
    rows = list(csv.reader(io.StringIO(result.stdout)))
    assert rows[0] == COLUMNS
    assert [row[:3] for row in rows[1:7]] == [
        *(
            ["s390", "y", fault]
            for fault in ("singular-put", "reaper-fullmm", "pfn-race", "pfn-order", "mm-flag-order")
        ),
        ["s390", "n", "singular-put"],
    ]
    assert len(rows) == 1 + 2 * 2 * 5
    assert result.exit_code == 1
    said = json.loads(audit(tmp_path, "--format", "json", "--arch", "s390", "--arch", "x86").stdout)
    assert [list(row.values()) for row in said] == rows[1:]


def test_the_table_is_followed_by_what_it_rests_on_and_the_nearest_version(tmp_path):
    result = audit(plant(tmp_path))
    assert result.stdout.split()[:5] == COLUMNS
    assert "puts it by its page count" in result.stdout
    assert "  affected: arm64, s390" in result.stdout
    assert "nearest model version: v4.6\n" in result.stdout


def test_a_tree_without_a_fault_exits_with_0(tmp_path):
    result = audit(plant(tmp_path, FIXED))
    assert result.exit_code == 0, result.output
    assert "  affected" not in result.stdout


def test_bad_usage_is_one_line(tmp_path):
    for words in ([tmp_path / "nope"], [plant(tmp_path), "--arch", "nope"], [tmp_path, "--rev", "HEAD"]):
        result = audit(*words)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1


def test_help_has_an_example():
    assert "Example: mmmodel audit" in audit("--help").stdout


def test_without_the_extra_one_line_says_what_to_install(tmp_path):
    code = "import sys; sys.modules['tree_sitter'] = None; from mmmodel.cli import main; main()"
    found = subprocess.run([sys.executable, "-c", code, "audit", tmp_path], capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr == "Error: an audit needs the extra: pip install 'mmmodel[audit]'\n"
