"""No combination of toggles makes the model itself fail: a sample in which each two values meet in some build.

benchmarks/product.py runs the full product.
"""

from itertools import combinations

import pytest

import mmmodel as mm
from mmmodel.explore.sequential import SEQUENTIAL
from mmmodel.explore.tracing import run
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS

TOGGLES = {
    "version": list(VERSIONS),
    "arch": ["x86", "arm", "ia64", "s390", "sh", "um"],
    "swap": [True, False],
    "thp": [True, False],
    "debug_vm": [True, False],
    "patches": [(), *((name,) for name in PATCHES)],
}
LONG = "unmap-until-panic"


def pairs(row):
    """The pairs of (toggle, value) that meet in a row; rows may be incomplete."""
    return {frozenset(pair) for pair in combinations(row.items(), 2)}


def covering(toggles):
    """Few rows that together have every pair of values of two different toggles."""
    wanted = {frozenset({(a, x), (b, y)}) for a, b in combinations(toggles, 2) for x in toggles[a] for y in toggles[b]}
    rows = []
    while wanted:
        row = dict(min(wanted, key=lambda pair: sorted(map(repr, pair))))
        for name, values in toggles.items():
            if name not in row:
                row[name] = max(values, key=lambda value: len(pairs({**row, name: value}) & wanted))
        wanted -= pairs(row)
        rows.append({name: row[name] for name in toggles})
    return rows


SAMPLE = [mm.Build(**row) for row in covering(TOGGLES)]


def test_the_sample_covers_every_pair():
    rows = [{name: getattr(build, name) for name in TOGGLES} for build in SAMPLE]
    sizes = [len(values) for values in TOGGLES.values()]
    assert len(set().union(*map(pairs, rows))) == sum(a * b for a, b in combinations(sizes, 2))
    assert len(SAMPLE) < 2 * len(PATCHES) * len(VERSIONS)


@pytest.mark.slow
@pytest.mark.parametrize("build", SAMPLE, ids=repr)
def test_every_scenario_runs_to_an_end(build):
    """Broken or not: the verdict is an invariant's, never a Python error. Without THP there is nothing to break."""
    for scenario in SEQUENTIAL.values():
        program = scenario
        if scenario.name == LONG:
            program = scenario._replace(run=lambda k: SEQUENTIAL[LONG].run(k, cycles=250))
        trace = run(build, program, journal=False)
        assert trace.rows[0].op == "start"
        assert trace.rows[-1].op == "end" or trace.verdict.broken
        assert trace.verdict.holds or build.thp
