"""Runs shared between builds: only where everything a run used means the same; and as often as that is so."""

import random
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proposals import OverX, OverY

import mmmodel as mm
from mmmodel.explore.answer_tree import find, insert
from mmmodel.explore.checking import SCENARIOS, check
from mmmodel.explore.scenarios import lacking
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS
from mmmodel.study.matrix import verdicts
from mmmodel.study.sharing import Meaning, noting, shared

SIZE = {arch: facts["huge_page_order"] for arch, facts in ARCHES.items()}


def builds(archs=ARCHES, versions=VERSIONS, swap=(True, False), patches=((),)):
    """Every combination."""
    every = product(versions, archs, swap, patches)
    return [mm.Build(version, arch, on, patches=tuple(stack)) for version, arch, on, stack in every]


class Twin(mm.Patch):
    """What the kernel does anyway, in code of its own."""

    def free_page_and_swap_cache(self, page):
        super().free_page_and_swap_cache(page)


class AsksForItsBuild(Twin):
    """What it does depends on the name of the arch."""

    def free_page_and_swap_cache(self, page):
        if self.build.arch == "arc":
            self.BUG_ON(True, "on arc")
        super().free_page_and_swap_cache(page)


class AsksForAName(Twin):
    """What it does depends on a name that some kernels do not have."""

    def free_page_and_swap_cache(self, page):
        self.BUG_ON(hasattr(self, "pmdp_idte"), "there is a pmdp_idte")
        super().free_page_and_swap_cache(page)


class AnotherBySuper(Twin):
    """Reaches a function below the one in force, by the super() of another."""

    def free_page_and_swap_cache(self, page):
        super().put_page(page)

    def put_page(self, page):
        page = self.compound_head(page)
        if self.put_page_testzero(page):
            self._put_page(page)


class Constant(Twin):
    """Code that looks at a constant of its class."""

    limit = 1

    def put_page(self, page):
        self.BUG_ON(self.limit > 1, "above the limit")
        super().put_page(page)


class OtherConstant(Constant):
    """The same code, another constant."""

    limit = 2


def results(group, scenario="exit-mmap"):
    """Each build's verdict when shared, and whether it was made for the build."""
    found = shared(group, lambda build, cls: check(build, scenario, kernel_class=cls).what)
    return [*found]


@pytest.mark.parametrize(
    ("patches", "archs"),
    [
        ([AsksForItsBuild], ["powerpc", "arc"]),
        ([AsksForAName], ["arc", "powerpc", "s390"]),
        ([AsksForAName], ["s390", "arc"]),
    ],
    ids=str,
)
def test_what_a_patch_asks_for_is_part_of_what_is_shared(patches, archs):
    group = [mm.Build("v4.7", arch, swap=True, patches=patches) for arch in archs]
    assert [what for what, _ in results(group)] == [check(build, "exit-mmap").what for build in group]


@pytest.mark.parametrize("stack", [[Constant], [OtherConstant]], ids=str)
def test_a_constant_is_part_of_what_is_shared(stack):
    group = [mm.Build("v4.7", patches=[Constant]), mm.Build("v4.7", patches=stack)]
    assert [what for what, _ in results(group)] == [check(build, "exit-mmap").what for build in group]


def test_what_super_of_another_function_reaches_is_part_of_what_is_shared():
    """Only the lower one of two functions differs, and only super() of another one calls it."""

    class Below(mm.Patch):
        def put_page(self, page):
            self.BUG_ON(True, "below")

    group = [mm.Build("v4.7", patches=[AnotherBySuper]), mm.Build("v4.7", patches=[Below, AnotherBySuper])]
    (one, _), (other, _) = results(group)
    assert "below" not in one
    assert other == "below"


def test_builds_that_differ_in_nothing_that_is_used_share_a_run():
    alike = [mm.Build("v4.5", "mips"), mm.Build("v4.5", "x86"), mm.Build("v4.5", "mips", patches=["q2"])]
    assert [made for _, made in results(alike)] == [True, False, False]
    assert [made for _, made in results([mm.Build("v4.5"), mm.Build("v4.6"), mm.Build(patches=[Twin])])] == [True] * 3


class AllKinds(mm.Patch):
    """Attributes in every way there is, some named like those of the machinery."""

    first, noted, used = 1, [0], None

    def boot_huge_memory(self):
        super().boot_huge_memory()
        self.first, self.used, self.drained = 2, True, 0
        del self.used

    @property
    def drained(self):
        return self.times

    @drained.setter
    def drained(self, value):
        self.times = value

    def lru_add_drain(self):
        self.drained += self.first if self.used is None and not hasattr(super(), "nothing_like_it") else 0
        self.BUG_ON(self.drained > 4, f"drained {self.drained}, {self.noted}")
        super().lru_add_drain()


class Slower(AllKinds):
    """The same with another constant, and a setter of its own."""

    noted = (1,)
    drained = property(lambda self: self.times, lambda self, value: setattr(self, "times", value / 2))


def test_attributes_of_every_kind_are_part_of_what_is_shared():
    group = [mm.Build("v4.7", patches=[patch]) for patch in (AllKinds, Slower, AllKinds)]
    found = results(group)
    assert [what for what, _ in found] == [check(build, "exit-mmap").what for build in group]
    assert [made for _, made in found] == [True, True, False]
    assert found[0] != found[1]


def test_a_noting_kernel_runs_as_any_other():
    build, used = mm.Build(patches=["quick-hack"]), []
    kernel = build.boot(kernel_class=noting(build.kernel_class, [*Meaning(build), "nothing_like_it"], used))
    assert not hasattr(kernel, "nothing_like_it")
    assert used[-1] == "nothing_like_it"
    assert {"boot_huge_memory", "hpage_order"} <= set(used)
    assert len(used) == len(set(used))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_verdicts_in_common_are_those_of_each_build(scenario):
    """A sample of all builds with huge pages of a size, in an order of its own for each scenario."""
    chosen = random.Random(scenario)
    stacks = [(), *((patch,) for patch in PATCHES)]
    size = chosen.choice(sorted(set(SIZE.values())))
    group = [b for b in builds(patches=stacks) if SIZE[b.arch] == size and not lacking(scenario, b)]
    chosen.shuffle(group)
    group = group[: 100 if scenario in ("fault-unmap-vs-shrinker", "threads-vs-shrinker") else None]  # many states
    rows = verdicts(group, scenario)
    for at in chosen.sample(range(len(group)), 12):
        v = check(group[at], scenario)
        assert rows[at] == (v.status, v.holds, v.broken, v.op, v.what, v.states), group[at]


def test_a_tree_of_decisions():
    tree = insert(None, "ab", {"a": 1, "b": 2}, "first")
    tree = insert(tree, "ac", {"a": 2, "c": 5}, "second")
    assert find(tree, {"a": 1, "b": 2, "c": 0}) == "first"
    assert find(tree, {"a": 2, "c": 5}) == "second"
    assert find(tree, {"a": 2, "c": 6}) is None
    assert find(None, {}) is None
    with pytest.raises(RuntimeError, match="after the same answers"):
        insert(tree, "bc", {"b": 1, "c": 1}, "third")


def test_a_result_that_does_not_fit_leaves_the_tree_as_it_was():
    tree = insert(None, "ab", {"a": 1, "b": 2}, "first")
    for questions in ("", "a", "abc"):
        with pytest.raises(RuntimeError, match="after the same answers"):
            insert(tree, questions, {"a": 1, "b": 2, "c": 3}, "other")
    assert find(tree, {"a": 1, "b": 2}) == "first"


# -- any patches, in any order of the rows


@pytest.mark.parametrize("rows", [*permutations([(), (OverX, OverY), (OverY, OverX), (OverX,), (OverY,)])][::17])
def test_super_reaches_what_lies_below_and_nothing_else(rows):
    table = mm.matrix(["s390"], ["v4.6"], [True], rows, ["map-read-unmap"])
    holds = dict(zip(table["patches"], table["holds"], strict=True))
    assert holds == {"": False, "OverX": False, "OverY": True, "OverX+OverY": False, "OverY+OverX": True}


def test_a_run_that_asks_something_else_after_the_same_answers_is_shared_with_nobody():
    names = ["put_page", "free_page_and_swap_cache"]

    def result(build, cls):
        names.reverse()
        return [getattr(cls, name) for name in names]

    group = [mm.Build(), mm.Build(patches=[Twin]), mm.Build(patches=["q2"]), mm.Build("v4.5")]
    found = list(shared(group, result))
    assert [made for _, made in found] == [True, True, True, False]
    assert all(
        set(values) == {getattr(b.kernel_class, n) for n in names} for b, (values, _) in zip(group, found, strict=True)
    )


FILES = ("mm", "include/linux/swap.h", "arch/s390/mm/pgtable.c")
CALLS = {
    "free_pages_and_swap_cache(pages, nr)": ("release_pages(pages, nr)",),
    "free_page_and_swap_cache(page)": ("free_pages_and_swap_cache((page,), 1)", "release_pages((page,), 1)",
                                       "put_page(page)", "put_huge_zero_page()"),
    "release_pages(pages, nr)": ("put_page(pages[0])", "put_huge_zero_page()"),
    "put_page(page)": ("put_page_testzero(page)", "put_huge_zero_page()"),
    "put_huge_zero_page()": (),
}  # fmt: skip
"""What each function may call besides the function of its name below it: never one that could call it again."""
FORMS = ("self.{}", "super().{}", "getattr(super(), '{0}'){1}", "super({cls}, self).{}", "ask(super()).{}",
         "(self if isinstance(self, mm.Patch) else 0).{}")  # fmt: skip


@st.composite
def functions(draw):
    """Definitions that override each other's callees, some by way of super(), some for the huge zero page only."""
    lines = []
    for function in draw(st.sets(st.sampled_from(sorted(CALLS)), min_size=1, max_size=3)):
        name, arguments = function[:-1].split("(")
        below = f"return super().{function}"
        call = draw(st.sampled_from(["pass", below, *CALLS[function]]))
        if call in CALLS[function]:
            form, (callee, _, rest) = draw(st.sampled_from(FORMS)), call.partition("(")
            call = form.replace("{}", call).format(callee, f"({rest}", cls="{cls}")
        page = {"page": "page", "pages, nr": "pages[0]"}.get(arguments)
        only = page and draw(st.booleans())
        body = [f"if not self.is_huge_zero_page({page}): {below}"] * bool(only) + [call]
        lines += [f"    def {name}(self, {arguments}):", *(f"        {line}" for line in body)]
    return "\n".join(lines)


def made(number, body, file):
    """A patch without a source."""
    names = {"mm": mm, "ask": lambda kernel: kernel}
    exec(f"class P{number}(mm.Patch):\n    file = {file!r}\n" + body.replace("{cls}", f"P{number}"), names)
    return names[f"P{number}"]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(functions(), st.sampled_from(FILES)), min_size=2, max_size=3), st.randoms())
def test_a_matrix_says_what_each_check_says_in_any_order_of_the_rows(drawn, chosen):
    patches = [made(number, *parts) for number, parts in enumerate(drawn)]
    stacks = [(), *(stack for n in (1, 2) for stack in permutations(patches, n))]
    toggles = [["v4.6", "v4.9"], ["s390"], [True, False], stacks, ["map-read-unmap", "two-mappings"]]
    for items in toggles:
        chosen.shuffle(items)
    versions, archs, swap, stacks, scenarios = toggles
    table = mm.matrix(archs, versions, swap, stacks, scenarios)
    wanted = list(builds(archs, versions, swap, stacks))
    rows = iter(table[["broken", "op", "what"]].itertuples(index=False, name=None))
    for build in wanted:
        for scenario in scenarios:
            v = check(build, scenario)
            assert next(rows) == (v.broken, v.op, v.what), (build, scenario, *drawn)
