"""The explorer without a browser: toggles, verdicts, presets, what changed, and the code to paste into a mail."""

from html import escape, unescape

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

import mmmodel as mm
from mmmodel.cli import main
from mmmodel.explore.scenarios import lacking
from mmmodel.explore.sequential import SEQUENTIAL
from mmmodel.show import stepper as widgets
from mmmodel.show import toggles
from mmmodel.show.html import tag
from mmmodel.study import at_a_glance as quick
from mmmodel.study.decision import FIXES

EVERYTHING = dict.fromkeys(("version", "arch", "swap", "thp", "debug_vm", "patches"), True)


class Mine(mm.Patch):
    """Nothing."""


def name_of(build):
    """A view that shows nothing but the build."""
    return tag("i", repr(build))


def live(view=name_of, build=None, verdict=False, presets=False, **offered):
    return toggles.Explorer(view, build or mm.Build(), "20em", offered, verdict, presets)


def banner(explorer):
    """The verdict as a reader sees it."""
    return BeautifulSoup(explorer.top.value, "html.parser").find(class_="mm-verdict").text


def changed(explorer):
    return BeautifulSoup(explorer.top.value, "html.parser").p.text


def holds(explorer):
    return banner(explorer).startswith("✓ holds in all")


@pytest.fixture
def shown(monkeypatch):
    """What would be displayed, in order."""
    found = []
    monkeypatch.setattr(widgets, "display", found.append)
    return found


# -- toggles


@pytest.mark.parametrize(
    ("toggles", "control", "value", "expected"),
    [
        ({"arch": ["s390", "x86"]}, "arch", "x86", mm.Build(arch="x86")),
        ({"version": True}, "version", "v5.14", mm.Build(version="v5.14")),
        ({"swap": True}, "swap", False, mm.Build(swap=False)),
        ({"debug_vm": [True, False]}, "debug_vm", True, mm.Build(debug_vm=True)),
        ({"thp": True}, "thp", False, mm.Build(thp=False)),
    ],
)
def test_a_toggle_changes_the_view(toggles, control, value, expected):
    explorer = live(**toggles)
    before = explorer.right.value
    explorer.controls[control].value = value
    assert explorer.chosen() == expected
    assert name_of(expected) in explorer.right.value != before


def test_patches_are_stacked_in_the_order_ticked():
    explorer = live(patches=["quick-hack", "q4", Mine])
    for patch in ("q4", Mine, "quick-hack"):
        explorer.patches[patch].value = True
    assert explorer.chosen().patches == ("q4", Mine, "quick-hack")
    explorer.patches["q4"].value = False
    assert explorer.chosen().patches == (Mine, "quick-hack")
    assert "patches=[Mine, &#x27;quick-hack&#x27;]" in explorer.top.value


def test_the_view_says_which_patches_change_nothing():
    explorer = live(swap=True, patches=["quick-hack"])
    explorer.patches["quick-hack"].value = True
    assert "changes nothing" not in explorer.top.value
    explorer.controls["swap"].value = False
    assert "quick-hack has no effect: mm/swap_state.c is not compiled" in explorer.top.value


def test_huge_pages_follow_the_arch_until_they_are_toggled():
    explorer = live(arch=["s390", "sh"], thp=True)
    explorer.controls["arch"].value = "sh"
    assert not explorer.chosen().thp
    explorer.controls["thp"].value = True
    assert explorer.chosen().hypothetical
    explorer.controls["arch"].value = "s390"
    assert explorer.chosen() == mm.Build()
    without = live(arch=["s390", "sh"])
    without.controls["arch"].value = "sh"
    assert without.chosen() == mm.Build(arch="sh")


def test_the_parameters_are_always_among_the_choices():
    start = mm.Build(arch="alpha", version="v5.2", patches=["q2"])
    explorer = live(build=start, arch=["s390", "x86"], version=["v4.6"], patches=["q4"])
    assert explorer.controls["arch"].options == ("alpha", "s390", "x86")
    assert set(explorer.patches) == {"q2", "q4"}
    assert explorer.chosen() == start


def test_a_view_that_raises_shows_its_error_and_lives_on():
    def fussy(build):
        if build.arch == "x86":
            raise ValueError("<b>not x86</b> & co")
        return name_of(build)

    explorer = live(fussy, arch=["s390", "x86"])
    explorer.controls["arch"].value = "x86"
    assert escape("ValueError: <b>not x86</b> & co") in explorer.right.value
    explorer.controls["arch"].value = "s390"
    assert name_of(mm.Build()) in explorer.right.value


def test_a_view_that_raises_at_once_fails_the_notebook(shown):
    with pytest.raises(ZeroDivisionError):
        mm.explorer(lambda build: str(1 // 0), arch=["s390"])
    assert not shown


@pytest.mark.parametrize(
    ("toggles", "named"),
    [
        ({"arc": True}, "version, arch, patches"),
        ({"arch": ["s360"]}, "s390"),
        ({"version": ["v4.8"]}, "v4.7, v4.9"),
        ({"patches": ["quick"]}, "quick-hack"),
        ({"arch": "s390"}, "a list"),
        ({"swap": ["yes"]}, "True or False"),
        ({"verdict": "yes"}, "a function"),
        ({"presets": ["q2"]}, "a dictionary"),
        ({"presets": {"mine": ["q22"]}}, "q2"),
    ],
)
def test_unknown_names_and_values_are_refused(toggles, named):
    with pytest.raises(mm.BuildError, match=named):
        mm.explorer(name_of, **toggles)


# -- a stack of patches


def stack(explorer):
    """The order as it is shown."""
    return sorted(t.description for t in explorer.patches.values() if ". " in t.description)


def test_the_order_of_patches_is_shown_and_can_be_changed():
    explorer = live(patches=["quick-hack", "q3", "q4"])
    for patch in ("q4", "q3", "quick-hack"):
        explorer.patches[patch].value = True
    assert stack(explorer) == ["1. q4", "2. q3", "3. quick-hack"]
    explorer.earlier["quick-hack"].click()
    assert stack(explorer) == ["1. q4", "2. quick-hack", "3. q3"]
    assert explorer.chosen().patches == ("q4", "quick-hack", "q3")
    assert "patches q4, q3, quick-hack → q4, quick-hack, q3" in changed(explorer)
    explorer.patches["q4"].value = False
    assert stack(explorer) == ["1. quick-hack", "2. q3"]


def test_only_a_patch_that_follows_another_can_come_earlier():
    explorer = live(patches=["q3", "q4"])
    assert [b.layout.visibility for b in explorer.earlier.values()] == ["hidden", "hidden"]
    explorer.patches["q4"].value = explorer.patches["q3"].value = True
    assert explorer.earlier["q3"].layout.visibility == "visible"
    assert explorer.earlier["q4"].layout.visibility == "hidden"
    assert live(patches=["q4"]).earlier == {}


# -- verdicts


def test_the_banner_says_what_checking_the_same_build_says():
    explorer = live(verdict=True, **EVERYTHING)
    for name, value in (("arch", "x86"), ("version", "v4.5"), ("arch", "s390"), ("version", "v4.7"), ("swap", False),
                        ("arch", "arm64")):  # fmt: skip
        explorer.controls[name].value = value
        build = explorer.chosen()
        found = [
            mm.check(build, scenario, cpus) for scenario, cpus in quick.QUICK.items() if not lacking(scenario, build)
        ]
        assert holds(explorer) == all(found), build
        assert all(v.scenario in banner(explorer) for v in found if not v)
        assert all(v.scenario not in banner(explorer) for v in found if v and not holds(explorer))
        only_the_reaper = {v.scenario for v in found if not v} == {"reaper-vs-shrinker"}
        assert ("right about the report; the OOM reaper stays open" in banner(explorer)) == only_the_reaper
        first = next((f"{v.broken} broke at {v.op} in {v.scenario}" for v in found if not v), "every order")
        assert first in banner(explorer)


def test_a_verdict_is_worked_out_once(monkeypatch):
    asked = []
    monkeypatch.setattr(quick, "check", lambda *args: asked.append(args) or mm.check(*args))
    quick._REMEMBERED.clear()
    explorer = live(verdict=True, arch=["s390", "x86"])
    for arch in ("x86", "s390", "x86"):
        explorer.controls["arch"].value = arch
    assert len(asked) == len(set(asked)) == 2 * len(quick.QUICK)


def test_verdicts_of_the_notebooks_own():
    def two(build):
        return (mm.check(build, name) for name in ("two-mappings", "write-fault"))

    explorer = live(verdict=two, version=["v4.6", "v4.7"])
    assert "✗ does not hold in 1 of 2 scenarios" in banner(explorer)
    explorer.controls["version"].value = "v4.7"
    assert "✓ holds in all of 2 scenarios" in banner(explorer)
    assert "2 runs of one CPU" in banner(explorer)


def test_one_scenario_is_named():
    explorer = live(verdict=lambda build: [mm.check(build, "zap-vs-shrinker", 2)], arch=["s390", "x86"])
    assert "✗ does not hold in zap-vs-shrinker" in banner(explorer)
    explorer.controls["arch"].value = "x86"
    states = mm.check(mm.Build(arch="x86"), "zap-vs-shrinker", 2).states
    assert f"1 explored in every order of their steps: none of {states} states is wrong" in banner(explorer)


def test_a_search_that_was_cut_short_is_no_full_verdict():
    cut = live(verdict=lambda build: [mm.check(build, "zap-vs-shrinker", max_states=50)], build=mm.Build("v4.7"))
    assert banner(cut).startswith("? undecided in zap-vs-shrinker")
    assert "50 states: none of the 51 states seen is wrong" in banner(cut)


def test_a_verdict_that_raises_is_shown_in_its_place():
    def fussy(build):
        return [mm.check(build)] if build.arch == "s390" else [][0]

    explorer = live(verdict=fussy, arch=["s390", "x86"])
    explorer.controls["arch"].value = "x86"
    assert "IndexError" in explorer.top.value
    assert "mm-verdict" not in explorer.top.value
    assert name_of(mm.Build(arch="x86")) in explorer.right.value
    explorer.controls["arch"].value = "s390"
    assert "✗ does not hold" in banner(explorer)
    with pytest.raises(ValueError, match="at least one"):
        live(verdict=lambda build: [])


def test_a_screen_reader_hears_a_verdict_that_was_asked_for():
    explorer = live(verdict=True, arch=True)
    assert "aria-live" not in explorer.first + explorer.top.value
    assert "✗ does not hold" in explorer.first
    explorer.controls["arch"].value = "x86"
    page = BeautifulSoup(explorer.top.value, "html.parser")
    assert page.find(attrs={"aria-live": "polite"}).text.startswith("✓ holds")


@pytest.mark.slow
def test_the_quick_scenarios_tell_what_all_scenarios_tell():
    """Over the presets: a build that does not hold somewhere does not hold in one of the quick ones."""
    rest = [name for name in SEQUENTIAL if name not in quick.QUICK]
    for label, build in mm.presets().items():
        if all(quick.quick_verdicts(build)):
            assert all(mm.check(build, name) for name in rest), label


# -- what changed


def test_what_the_last_toggle_changed():
    explorer = live(verdict=True, build=mm.Build(), version=True, arch=True, swap=True)
    assert changed(explorer) == "Nothing has been toggled yet."
    explorer.controls["version"].value = "v4.7"
    assert changed(explorer).startswith("changed: version v4.6 → v4.7. Verdicts: did not hold, now holds: ")
    assert "two-mappings" in changed(explorer)
    assert "write-fault" not in changed(explorer)
    explorer.controls["arch"].value = "x86"
    assert changed(explorer) == "changed: arch s390 → x86. Verdicts: did not hold, now holds: reaper-vs-shrinker"
    explorer.controls["version"].value = "v4.9"
    assert changed(explorer) == "changed: version v4.7 → v4.9. Verdicts: no verdict changed"
    explorer.controls["version"].value = "v4.5"
    assert "held, now does not: zap-vs-shrinker" in changed(explorer)
    explorer.controls["arch"].value = "alpha"
    assert changed(explorer).startswith("changed: arch x86 → alpha; thp on → off.")
    explorer.controls["swap"].value = False
    assert "swap on → off" in changed(explorer)


def test_a_verdict_that_breaks_otherwise_has_changed():
    before, after = (quick.quick_verdicts(mm.Build(v, "um", thp=True)) for v in ("v4.6", "v4.7"))
    assert "breaks in another way: zap-vs-shrinker (references-balance → stale-read)" in quick.verdict_changes(
        before, after
    )


# -- presets


def test_a_preset_sets_every_toggle_and_shows_it_once():
    shown = []
    explorer = live(lambda build: shown.append(build) or "", verdict=True, presets=True, **EVERYTHING)
    for label, build in mm.presets().items():
        if build == explorer.chosen():
            continue
        shown.clear()
        explorer.preset.label = label
        assert shown == [explorer.chosen()] == [build]
        assert explorer.controls["swap"].value == build.swap
        assert [p for p, tick in explorer.patches.items() if tick.value] == sorted(
            build.patches, key=list(explorer.patches).index
        )


def test_the_presets_are_different_builds_and_one_of_them_is_shown_as_chosen():
    assert len(set(mm.presets().values())) == len(mm.presets())
    explorer = live(presets=True, **EVERYTHING)
    assert explorer.preset.label == "the reported kernel"
    explorer.controls["version"].value = "v4.7"
    assert explorer.preset.label == "the merged fix"
    explorer.controls["debug_vm"].value = True
    assert explorer.preset.label == "your own choice"


def test_a_fix_has_one_name_in_the_decision_and_among_the_presets():
    ready = mm.presets() | {"nothing": mm.presets()["the reported kernel"]}
    assert {fix: ready[fix].patches for fix in FIXES} == FIXES


def test_presets_reach_what_is_not_offered():
    explorer = live(presets={"here": ["q3", Mine], "there": mm.Build("v4.9", "sh", swap=False)}, arch=["s390", "x86"])
    explorer.preset.label = "there"
    assert explorer.chosen() == mm.Build("v4.9", "sh", swap=False)
    explorer.controls["arch"].value = "x86"
    assert explorer.chosen() == mm.Build("v4.9", "x86", swap=False)
    explorer.preset.label = "here"
    assert explorer.chosen() == mm.Build(patches=["q3", Mine])


# -- to paste into a mail


@pytest.mark.parametrize(
    "build", [*mm.presets().values(), mm.Build(arch="um", thp=True), mm.Build(thp=False)], ids=repr
)
def test_the_code_line_and_the_command_line_make_the_same_build(build):
    page = BeautifulSoup(live(build=build, verdict=True).top.value, "html.parser")
    lines = page.pre.text.splitlines()
    assert "user-select:all" in page.pre["style"]
    assert eval(lines[0], {"mm": mm}) == build
    assert lines[1].startswith("# ✓ holds" if "✓" in page.text else "# ✗ does not hold")
    asked = lines[2].removeprefix("# mmmodel ").split()
    row = CliRunner().invoke(main, [*asked, "--sequential", "--format", "json"])
    assert row.exit_code in (0, 1)
    verdicts = {v.scenario: v.holds for v in quick.quick_verdicts(build)}
    for found in unescape(row.stdout).split("},"):
        for name, good in verdicts.items():
            if f'"scenario": "{name}"' in found:
                assert f'"holds": {str(good).lower()}' in found


def test_a_patch_of_the_notebook_is_named_and_has_no_command_line():
    explorer = live(verdict=True, patches=[Mine])
    explorer.patches[Mine].value = True
    text = BeautifulSoup(explorer.top.value, "html.parser").pre.text
    assert "patches=[Mine])" in text
    assert "# Mine: a patch defined in this notebook" in text
    assert "mmmodel verdict" not in text
