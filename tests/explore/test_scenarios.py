"""Scenarios of a reader's own: found by their name wherever one is named, or refused in one line."""

import pytest

import mmmodel as mm
from mmmodel.explore import tracing
from mmmodel.explore.sequential import SEQUENTIAL

pytestmark = pytest.mark.usefixtures("no_scenarios_left")


def test_a_scenario_of_ones_own_is_checked_traced_and_replaced():
    @mm.scenario("mine")
    def mine(k):
        """One unmap."""
        yield "start"
        k.mmap(k.init, 0, k.hpage_nr)
        k.load(k.init, 0)
        yield "read"
        k.munmap(k.init, 0, k.hpage_nr)
        yield "unmap"

    assert mm.check(mm.Build(), "mine").op == "unmap"
    assert list(mm.trace(mm.Build("v4.7"), "mine").frame.op) == ["start", "read", "unmap"]
    assert list(mm.matrix(["s390"], ["v4.6", "v4.7"], scenarios=["mine"]).status) == [
        "broken",
        "broken",
        "holds",
        "broken",
    ]
    assert "mine" not in set(mm.matrix(["s390"], ["v4.7"], [True]).scenario)

    @mm.program("mine", cpus=2)
    def again(k, cpus):
        """The cell ran again, with several CPUs."""
        k.note = []
        return [[("note", lambda k: k.note.append(k.cpu.id))] for _ in range(cpus)]

    assert mm.check(mm.Build(), "mine").cpus == 2
    with pytest.raises(mm.BuildError, match="unknown sequential scenario"):
        mm.trace(mm.Build(), "mine")


@pytest.mark.slow
def test_a_program_may_fork_exit_and_unmap_parts():
    @mm.program("family", cpus=2)
    def family(k, cpus):
        k.mmap(k.init, 0, k.hpage_nr)
        k.load(k.init, 0)
        return [
            [("fork", lambda k: k.fork(k.init, "child")), ("exit", lambda k: k.exit(k.mms[-1]))],
            [
                ("half", lambda k: k.munmap(k.init, 0, k.hpage_nr // 2)),
                ("shrink", lambda k: k.shrink_huge_zero_page_scan()),
            ],
        ]

    assert mm.check(mm.Build("v4.7"), "family")
    verdict = mm.check(mm.Build(), "family")
    assert verdict.broken == "references-balance"
    assert verdict.replay().broken == verdict.broken


def not_a_generator(k):
    return ["start"]


def yields_numbers(k):
    yield 1


def yields_none(k):
    yield "start"
    yield None


def yields_rounds(k):
    yield ""
    yield ""


@pytest.mark.parametrize(("make", "words"), [
    (lambda: mm.scenario("fork")(yields_numbers), "scenario of the investigation"),
    (lambda: mm.program("fork")(yields_numbers), "scenario of the investigation"),
    (lambda: mm.scenario(yields_numbers), "scenario is a function with a name"),
    (lambda: mm.scenario("mine")(3), "must be a function"),
    (lambda: mm.scenario("mine", memory_mib=0), "memory_mib"),
    (lambda: mm.program("mine", cpus=99), "2 to 8"),
    (lambda: mm.check(mm.Build(), mm.scenario("mine")(not_a_generator) and "mine"), "generator"),
    (lambda: mm.check(mm.Build(), mm.scenario("mine")(yields_numbers) and "mine"), "name of each operation"),
    (lambda: mm.check(mm.Build(), mm.scenario("mine")(yields_none) and "mine"), "name of each operation"),
    (lambda: mm.check(mm.Build(), mm.scenario("mine")(yields_rounds) and "mine"), "nothing to judge"),
    (lambda: mm.check(mm.Build(), mm.program("mine")(lambda k, cpus: 3) and "mine"), "list of operations for each CPU"),
    (lambda: mm.check(mm.Build(), mm.program("mine")(lambda k, cpus: [[], [], []]) and "mine"), "there are 2"),
    (lambda: mm.check(mm.Build(), mm.program("mine")(lambda k, cpus: [["op"]]) and "mine"), "function of the kernel"),
    (lambda: mm.check(mm.Build(), "mine"), "unknown scenario"),
])  # fmt: skip
def test_a_scenario_that_cannot_be_says_why(make, words):
    with pytest.raises(mm.BuildError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def shares(k, cpus):
    box = []
    return [[("put", lambda k: box.append(1))], [("get", lambda k: box.pop())]]


def test_a_run_says_after_which_operation_a_counter_is_not_what_is_due():
    reported, right = mm.trace(mm.Build(), "two-mappings"), mm.trace(mm.Build("v4.7"), "two-mappings")
    assert repr(reported).endswith("; after munmap_A HZR is 3, due 2; PC is 0, due 1>")
    assert not any(right.off)
    assert right.due[1:3] == [(2, 1), (3, 1)]
    assert len(right.due) == len(right.rows)


def test_what_is_due_is_not_known_of_a_patch_that_does_not_say():
    class CountsItsWay(mm.Patch):
        def put_page(self, page):
            super().put_page(page)

    trace = mm.trace(mm.Build(patches=[CountsItsWay]), "two-mappings")
    assert set(trace.due) == {(None, None)}
    assert not any(trace.off)


def test_what_is_due_is_never_said_of_a_run_that_wrote_nothing_down():
    found = tracing.run(mm.Build(), SEQUENTIAL["map-read-unmap"], journal=False)
    assert "after" not in repr(found)
    with pytest.raises(ValueError, match="zip"):
        print(found.off)
