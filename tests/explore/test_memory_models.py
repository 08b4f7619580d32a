"""What CPUs can see when they do not see each other's accesses in order."""

import pytest

import mmmodel as mm
from mmmodel.explore.concurrent import PROGRAMS
from mmmodel.study.litmus import BEYOND, litmus
from mmmodel.study.story import story

UNMAP, THREADS = "fault-unmap-vs-shrinker", "threads-vs-shrinker"


def check(scenario, version, arch, *patches, **options):
    return mm.check(mm.Build(version, arch, patches=patches), scenario, **options)


# -- the machine, by the tests that the kernel documents


def test_litmus_tests_of_the_kernel():
    weak = litmus("weak")
    assert len(weak) == 34
    assert tuple(weak[weak.documented != weak.found].test) == BEYOND
    assert set(weak[weak.test.isin(BEYOND)].found) == {"Never"}


def test_of_these_three_are_seen_with_store_buffers():
    tso = litmus("tso")
    allowed = {"SB+poonceonces", "SB+rfionceonce-poonceonces", "R+poonceonces"}
    assert set(tso[tso.found == "Sometimes"].test) == allowed


def test_and_none_in_the_order_of_the_steps():
    assert set(litmus("sc").found) == {"Never"}


# -- the huge zero page


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "patch", "broken"), [
    ("tso", "pfn-lock-relaxed", ""), ("tso", "pfn-lock", ""),
    ("weak", "pfn-lock-relaxed", "recognised"), ("weak", "pfn-lock", ""),
])  # fmt: skip
def test_the_lock_alone_does_not_help_who_takes_none(memory, patch, broken):
    verdict = check(UNMAP, "v5.13", "arm64", patch, memory=memory)
    assert verdict.broken == broken
    assert verdict.complete


@pytest.mark.slow
@pytest.mark.parametrize(("version", "memory", "patches", "broken"), [
    ("v6.1", "weak", (), "recognised"), ("v6.1", "weak", ("pfn-lock-relaxed",), "recognised"),
    ("v6.1", "weak", ("pfn-lock",), ""), *[("v6.1.184", memory, (), "") for memory in ("sc", "tso", "weak")],
])  # fmt: skip
def test_the_fix_as_it_was_merged(version, memory, patches, broken):
    verdict = check(UNMAP, version, "arm64", *patches, memory=memory)
    assert verdict.broken == broken
    assert verdict.complete


@pytest.mark.slow
@pytest.mark.parametrize(("version", "patches", "broken"), [
    ("v4.6", (), ""), ("v4.9", (), "recognised"), ("v4.9", ("mm-flag-acquire",), ""),
    ("v5.14", ("pfn-lock",), "recognised"), ("v5.14", ("pfn-lock", "mm-flag-acquire"), ""),
    ("v6.1.184", (), "recognised"), ("v6.1.184", ("mm-flag-acquire",), ""),
])  # fmt: skip
def test_the_flag_of_the_mm_is_read_without_order(version, patches, broken):
    verdict = check(THREADS, version, "arm64", *patches, memory="weak")
    assert verdict.broken == broken
    assert verdict.complete


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["x86", "s390"])
@pytest.mark.parametrize(
    ("version", "patches"), [("v4.6", ()), ("v4.9", ()), ("v5.14", ("pfn-lock",)), ("v6.1.184", ())]
)
def test_who_has_store_buffers_only_is_safe(arch, version, patches):
    fix = ("quick-hack",) * (arch == "s390" and version == "v4.6")
    verdict = check(THREADS, version, arch, *patches, *fix, memory="arch")
    assert verdict.holds
    assert verdict.memory == "tso"


@pytest.mark.parametrize(("version", "broken"), [("v4.5", "stale-read"), ("v4.6", "")])
def test_the_race_of_the_commit_is_no_matter_of_order(version, broken):
    assert check("zap-vs-shrinker", version, "arm64", memory="weak").broken == broken


def test_a_witness_says_what_was_missed_and_runs_again():
    verdict = check(THREADS, "v4.9", "arm64", memory="weak")
    missed = [step.missed for step in verdict.witness if step.missed]
    assert len(missed) == 1
    assert [str(part) for part in missed[0][:3]] == ["reads", "huge_zero_page", "page 0x400"]
    assert "huge_zero_page: reads page 0x400, and misses page 0x" in "; ".join(s.changed for s in verdict.witness)
    assert any(
        words.startswith("✗ reads PTR = page 0x400, misses page 0x") for r in story(verdict)[2] for words in r.words
    )
    again = verdict.replay()
    assert (again.broken, again.memory) == (verdict.broken, "weak")
    assert [step.changed for step in again.witness] == [step.changed for step in verdict.witness]
    assert "(memory weak)" in str(verdict)


@pytest.mark.usefixtures("no_scenarios_left")
def test_a_readers_own_words_are_raced_for():
    @mm.program("meeting")
    def meeting(k, cpus):
        """Two CPUs that each store, and look whether the other has: only a store buffer lets both see nothing."""
        k.first, k.second, k.alone = mm.Var("first", 0), mm.Var("second", 0), 0

        def meet(mine, other):
            def run(k):
                k.WRITE_ONCE(getattr(k, mine), 1)
                alone = k.READ_ONCE(getattr(k, other)) == 0
                k.smp_mb()
                k.alone += alone
                k.BUG_ON(k.alone == 2, "both saw nothing")

            return run

        return [[("meet", meet("first", "second"))], [("meet", meet("second", "first"))]]

    found = [check("meeting", "v4.7", "x86", memory=memory).broken for memory in ("sc", "tso", "weak")]
    assert found == ["", "no-bug", "no-bug"]


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["tso", "weak"])
@pytest.mark.parametrize("scenario", [name for name in PROGRAMS if name not in (UNMAP, THREADS)])
def test_no_other_verdict_changes(scenario, memory):
    """On the kernels around the report, and those of the CVE, the order of accesses decides nothing else."""
    for version, arch in (("v4.5", "x86"), ("v4.6", "s390"), ("v4.6", "arm64"), ("v4.7", "s390"), ("v5.13", "arm64")):
        if not PROGRAMS[scenario].lacking(mm.Build(version, arch)):
            cpus = PROGRAMS[scenario].fewest
            verdicts = [check(scenario, version, arch, memory=order, cpus=cpus) for order in ("sc", memory)]
            assert verdicts[0].status == verdicts[1].status, (version, arch)
            assert verdicts[0].complete
            assert verdicts[1].complete


def test_wrong_orders_are_refused():
    with pytest.raises(mm.BuildError, match="allowed: sc, tso, weak, arch"):
        check("zap-vs-shrinker", "v4.6", "x86", memory="strong")
    with pytest.raises(mm.BuildError, match="in what order arc makes its accesses is not known"):
        check("zap-vs-shrinker", "v4.6", "arc", memory="arch")
