"""Every exercise that asks for a value: what it takes, what it refuses, and in what words."""

from itertools import pairwise

import pytest
from refusals import told

import mmmodel as mm
from mmmodel.learn.progress import answered
from mmmodel.learn.values import VALUES

HZR_PC = ["HZR", "PC"]
TABLE = {
    "00.1": (["s390"], ["S390", ["s390"], {"s390"}], ["x86", "arm64", "alpha", "s390 x86", "s390, alpha"]),
    "00.2": (["v5.14"], ["5.14", 5.14, "V5.14."], ["v4.5", 4.7, "v4.9", "v5.2", "5.13", "v5.13, v5.14"]),
    "00.3": ([4, 0], ["4 and 0", (4, 0), "HZR=4, PC=0"], [(3, 0), (4, 1), (3, 1), (2, 1), (0, 4)]),
    "01.1": ([3, -1], ["3, -1", "HZR 3, PC −1", ("three", -1.0)], [(1, 1), (3, 1), (3, 0), (2, -1), (1, -1)]),
    "01.2": (["no"], [False, "No.", "n"], ["yes", True, "y", "Yes!", ["yes"]]),
    "01.3": (["revert", "q4"], ["q4, revert", {"Q4", "REVERT"}, "q4 and revert"],
             ["q4", "revert", "quick-hack", ["q2", "q3", "q4"], ["revert", "q4", "q3"]]),
    "02.1": ([7, 3], ["7; 3", ["7", 3], "v4.6: 7, v4.9: three"], [(6, 2), (7, 7), (4, 3), (3, 7), (7, 4)]),
    "02.2": ([4], ["4", "four", 4.0, [4]], [1, 2, 3, 5, 0]),
    "02.3": (["pin dropped by put_page()"], ["Pin dropped by put_page", {"pin dropped by put_page()"}],
             ["pin dropped by release_pages()", "munmap", "fork", "mremap", "pin by get_user_pages()"]),
    "03.1": (["sh", "um"], ["um sh", {"UM", "SH"}, "sh & um"], ["sh", "um", "s390", "ia64", "sh, um, ia64"]),
    "03.2": (["yes", "no"], [(True, False), "yes, no", ["holds", "breaks"]],
             [("no", "no"), ("yes", "yes"), ("no", "yes"), (True, True), (False, True)]),
    "03.3": ([100, 2], ["100 and 2", ["100", "two"], {"ia64": 100, "x86": 2}],
             [(1, 1), (100, 1), (100, 100), (2, 2), (2, 100)]),
    "04.1": ([2, 15], ["2, 15", (2.0, 15), "2 CPUs, 15 steps"], [(3, 14), (2, 14), (1, 15), (4, 15), (2, 16)]),
    "05.1": ([3], ["3", "three", (3,)], [1, 2, 4, 5, 0]),
    "05.2": (["kernel stack", "page table"], [{"page table", "Kernel Stack"}, "kernel stack and page table"],
             ["slab", "kernel stack", "page table", ["slab", "kernel stack"], "page cache"]),
    "05.3": ([11, -3], ["11, -3", "HZR 11, PC −3", [11, "-3"]], [(7, 1), (11, 1), (10, -3), (11, 3), (11, -4)]),
    "06.1": (["swap-cache"], ["swap cache", "4K page in the swap cache too", {"swap-cache"}],
             ["anon", "thp", "pagevec", "zero-page", ["swap-cache", "anon"]]),
    "06.2": (["yes", "no"], [(True, False), "yes no", ["y", "n"]],
             [("no", "no"), ("yes", "yes"), ("no", "yes"), (True, True), (False, True)]),
    "06.3": (["release_pages"], ["release_pages()", {"RELEASE_PAGES"}, "release pages"],
             ["put_page", "put_page()", ["put_page", "release_pages"], "PUT_PAGE", {"put_page"}]),
    "07.2": ([0, 1], ["0, 1", "none, 1", "zero and one"], [(1, 1), (0, 0), (1, 0), (0, 2), (1, 2)]),
    "07.3": ([1], ["1", "one", [1]], [0, 2, 14, 32, 16385]),
    "08.1": ([0, 1], ["0 and 1", (0.0, 1.0), ["zero", "one"]], [(1, 0), (0, 0), (1, 1), (0, 2), (1, 2)]),
    "08.3": ([23], ["23", 23.0, "23 archs"], [0, 8, 22, 24, 31]),
    "09.3": (["sh", "um"], ["um, sh", {"Um", "Sh"}, ("sh", "um")], ["sh", "um", "s390", "ia64", "s390 sh um"]),
    "10.1": (["no"], [False, "No", "n"], ["yes", True, "Y", ["yes"], "true"]),
    "10.2": (["s390"], ["S390", {"s390"}, ("s390",)], ["x86", "arm64", "powerpc", "s390, x86", "mips"]),
    "10.3": (["um", "ia64"], ["ia64, um", {"UM", "IA64"}, "um and ia64"], ["um", "ia64", "s390", "sh", "um ia64 arm"]),
    "11.1": ([5], ["5", "five", 5.0], [1, 4, 6, 9, 0]),
    "11.2": (["arm64", "powerpc"], ["powerpc, arm64", {"ARM64", "PowerPC"}, "arm64 and powerpc"],
             ["arm64", "powerpc", "x86", "s390", "arm64 powerpc x86"]),
    "11.3": (["yes", "no"], [(True, False), "yes no", ["holds", "breaks"]],
             [("no", "no"), ("yes", "yes"), ("no", "yes"), (True, True), (False, True)]),
}  # fmt: skip
"""The answer; the same, written in other ways; answers that are wrong."""
GARBAGE = [
    None,
    "",
    "what?",
    "page",
    "9" * 400,
    1e300,
    {},
    object(),
    3.5,
    float("nan"),
    b"7",
    "7 8 9 10",
    ("a", None),
    "v9.9",
    lambda: 4,
]


def test_every_exercise_is_tested():
    assert TABLE.keys() == VALUES.keys()


@pytest.mark.parametrize("id", TABLE)
def test_takes_the_answer_however_it_is_written(id):
    answer, others, _ = TABLE[id]
    for given in (answer, tuple(answer), *others):
        assert f"{id}: ✓ right" in told(mm.answer(id, given)), given
    assert f"{id}: ✓ right" in told(mm.answer(id, *answer))
    assert answered() == {id: True}


@pytest.mark.parametrize("id", TABLE)
def test_refuses_what_is_wrong_and_says_what_speaks_against_it(id):
    for given in TABLE[id][2]:
        text = told(mm.answer(id, given))
        assert f"{id}: ✗ not what the model finds" in text, given
        assert len(text.split()) > 9, text
    assert answered() == {id: False}


@pytest.mark.parametrize("id", TABLE)
def test_garbage_is_told_what_is_asked_for(id):
    for given in GARBAGE:
        text = told(mm.answer(id, given))
        assert f"{id}: not understood" in text, given
        assert len(text.split()) > 5
    assert answered() == {}


@pytest.mark.parametrize("given", [(), ([],), (...,), (7, ...), ([7, ...],)])
def test_what_is_not_answered_yet_is_no_answer(given):
    assert 'not answered yet In the place of ... comes your answer. Stuck? mm.hint("02.1")' in told(
        mm.answer("02.1", *given)
    )
    assert answered() == {}


def test_hints_come_one_by_one_and_then_the_solution():
    found = [told(mm.hint("02.1")) for _ in range(4)]
    assert all(later.startswith(earlier) for earlier, later in pairwise(found))
    assert 'mm.solution("02.1")' in found[2] == found[3]
    assert "7, 3" in told(mm.solution("02.1"))
    assert "class Leak(mm.Patch):" in told(mm.solution("04.2"))


@pytest.mark.parametrize("call", [mm.answer, mm.try_patch, mm.hint, mm.solution])
@pytest.mark.parametrize("id", ["2.1", "99.9", 2.1, None])
def test_an_exercise_that_does_not_exist_is_refused_in_one_line(call, id):
    with pytest.raises(mm.BuildError, match=r"^unknown exercise .*02\.1") as error:
        call(id)
    assert "\n" not in str(error.value)


def test_values_and_patches_are_told_apart():
    with pytest.raises(mm.BuildError, match=r"04\.2 asks for a patch: mm\.try_patch"):
        mm.answer("04.2", 3)
    with pytest.raises(mm.BuildError, match=r"02\.1 asks for a value: mm\.answer"):
        mm.try_patch("02.1", mm.Patch)
