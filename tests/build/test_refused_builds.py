"""A build that cannot be is refused in one line that names what can."""

import pytest
from refusals import assert_one_line

import mmmodel as mm
from mmmodel.kernel.patches import PATCHES
from mmmodel.kernel.versions import VERSIONS


class Typo(mm.Patch):
    """Overrides a function that is spelled otherwise."""

    def free_page_and_swap_cash(self, page):
        pass


class NotAPatch:
    """Forgot the base class."""

    def put_page(self, page):
        pass


class Fine(mm.Patch):
    """Overrides what there is."""

    def put_page(self, page):
        super().put_page(page)


class Unreleased(Fine):
    """For a version that is not modelled."""

    since = "v4.8"


class Finer(PATCHES["q2"]):
    """Derives from question 2."""


class Both(PATCHES["q2"], PATCHES["q4"]):
    """Two patches in one."""


class Named(Fine):
    """Has the name of another patch."""

    name = "q2"


class InTheHeader(PATCHES["q4"]):
    """Derives from a patch of an arch, and lies below it."""

    file = "mm/swap_state.c"


BUILDS = {
    "arch": ({"arch": "s309"}, ["s390", "x86"]),
    "arch of another type": ({"arch": 390}, ["s390"]),
    "arch None": ({"arch": None}, ["s390"]),
    "arch list": ({"arch": ["s390"]}, ["s390"]),
    "upper case": ({"arch": "S390"}, ["s390"]),
    "empty arch": ({"arch": ""}, ["s390"]),
    "version": ({"version": "4.6"}, list(VERSIONS)),
    "version as a number": ({"version": 4.6}, list(VERSIONS)),
    "patch": ({"patches": ["quick-hak"]}, ["did you mean quick-hack", *PATCHES]),
    "patch of another type": ({"patches": [2]}, list(PATCHES)),
    "patches as text": ({"patches": "q2"}, ["list"]),
    "patches as one class": ({"patches": Fine}, ["list"]),
    "patches not a list": ({"patches": 2}, ["list"]),
    "patches None": ({"patches": None}, ["list"]),
    "a patch twice": ({"patches": ["q2", "q3", "q2"]}, ["twice", "q2"]),
    "a patch by name and as a class": ({"patches": ["q2", PATCHES["q2"]]}, ["twice", "q2"]),
    "a patch that overrides no function": ({"patches": [Typo]}, ["did you mean free_page_and_swap_cache", "Typo"]),
    "a patch for an unknown version": ({"patches": [Unreleased]}, ["v4.8", *VERSIONS]),
    "a patch before one it derives from": ({"patches": [Finer, "q2"]}, ["Finer", "q2", "has to come later"]),
    "a patch of patches before one of them": ({"patches": [Both, "q4"]}, ["Both", "q4", "has to come later"]),
    "a patch below one it derives from": ({"patches": ["q4", InTheHeader]}, ["InTheHeader", "over it"]),
    "a patch with the name of another": ({"patches": [Named]}, ["Named", "q2"]),
    "two patches of one name": ({"patches": [Fine, type("Fine", (Fine,), {})]}, ["twice", "Fine"]),
    "the base of all patches": ({"patches": [mm.Patch]}, ["mm.Patch"]),
    "a class that is no patch": ({"patches": [NotAPatch]}, ["NotAPatch", "mm.Patch"]),
    "an instance of a patch": ({"patches": [Fine()]}, ["Fine"]),
    "swap as text": ({"swap": "yes"}, ["True or False"]),
    "swap as a number": ({"swap": 1}, ["True or False"]),
    "swap None": ({"swap": None}, ["True or False"]),
    "thp as text": ({"thp": "y"}, ["True or False"]),
    "debug_vm as a number": ({"debug_vm": 0}, ["True or False"]),
}


@pytest.mark.parametrize(
    ("patches", "names"),
    [
        (["q2", Finer], ["q2", "Finer"]),
        ([Finer], ["Finer"]),
        ([Both], ["Both"]),
        (["q2", Both], ["q2", "Both"]),
        ([Finer, "q4"], ["Finer", "q4"]),
        ([InTheHeader], ["InTheHeader"]),
    ],
    ids=str,
)
def test_patches_of_patches_that_can_be(patches, names):
    """They repair what the ones they derive from repair, and have a name of their own."""
    build = mm.Build(patches=patches)
    assert [patch.name for patch in build.patch_classes] == names
    assert mm.check(build, "two-mappings") or patches == [InTheHeader]
    assert build.without_effect.keys() <= ({"Finer"} if "q4" in patches else {"InTheHeader"})


class Nothing(mm.Patch):
    """An idea without code."""


def test_a_patch_that_changes_nothing_says_so():
    build = mm.Build(patches=[Nothing, "quick-hack"])
    assert build.without_effect == {"Nothing": "it overrides no kernel function"}
    assert mm.trace(build, "fork").rows == mm.trace(mm.Build(patches=["quick-hack"]), "fork").rows
    assert "Nothing" in repr(build)


class Underscores(mm.Patch):
    """Uses the name of the kernel, which Python hides in a class."""

    def __put_page(self, page):
        self.BUG_ON(True, "__put_page")


def test_two_underscores_are_those_of_the_kernel():
    assert Underscores.functions() == ["_put_page"]
    assert mm.check(mm.Build(patches=[Underscores]), "fork").what == "__put_page"


@pytest.mark.parametrize("case", BUILDS)
def test_a_build_that_cannot_be(case):
    toggles, named = BUILDS[case]
    with pytest.raises(mm.BuildError) as error:
        mm.Build(**toggles).boot(memory_mib=16)
    assert_one_line(error, named)
