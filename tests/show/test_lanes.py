"""Swim lanes and sequences: they show what the model did, all of it, and nothing it did not do."""

import re
import sys
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

import mmmodel as mm
from mmmodel.explore.concurrent import PROGRAMS
from mmmodel.kernel.arches import ARCHES
from mmmodel.kernel.versions import VERSIONS
from mmmodel.show import lanes
from mmmodel.study.story import Scene, folded, story
from mmmodel.study.unmap import Unmap

BREAKING = {
    "zap-vs-shrinker": mm.Build(version="v4.5", arch="x86"),
    "fault-vs-shrinker": mm.Build(version="v5.13", arch="x86"),
    "fault-vs-fault": None,
    "zap-vs-zap": mm.Build(version="v4.6", arch="s390"),
    "pin-vs-zap": mm.Build(version="v4.5", arch="x86"),
    "fault-unmap-vs-shrinker": mm.Build(version="v4.6", arch="s390"),
    "threads-vs-shrinker": mm.Build(version="v4.6", arch="s390"),
    "pin-fast-vs-zap": mm.Build(version="v4.5", arch="x86"),
    "reaper-vs-shrinker": mm.Build(version="v4.7", arch="s390"),
}


class Freed(mm.Patch):
    """Ask for a run in which the huge zero page is freed."""

    def _free_pages_ok(self, page, order):
        ours = page.owner == "huge zero page"
        super()._free_pages_ok(page, order)
        if ours:
            self.violate("reached", "there it goes")


class Slow(mm.Patch):
    """Drop the reference twice: a broken kernel for scenarios that no other build breaks."""

    def set_huge_zero_page(self, pgtable, mm, index, zero_page):
        self.put_huge_zero_page()
        return super().set_huge_zero_page(pgtable, mm, index, zero_page)


def verdict_of(scenario):
    return mm.check(BREAKING[scenario] or mm.Build(arch="x86", patches=[Slow]), scenario)


@pytest.fixture(scope="module")
def race():
    return verdict_of("zap-vs-shrinker")


def drawing(html):
    soup = BeautifulSoup(html, "html.parser").svg
    assert soup["role"] == "img"
    assert soup["aria-label"] == soup.desc.text
    assert soup.title.text in soup.desc.text
    return soup


def texts(html):
    return [text.text for text in drawing(html).select("text")]


def numbers(html):
    """The steps that a figure shows."""
    found = []
    for first, last in re.findall(r"^(\d+)(?:–(\d+))?$", "\n".join(texts(html)), re.MULTILINE):
        found += range(int(first), int(last or first) + 1)
    return found


# -- swim lanes


@pytest.mark.parametrize("scenario", PROGRAMS)
def test_every_step_appears_once_in_order(scenario):
    verdict = verdict_of(scenario)
    assert not verdict.holds
    assert numbers(lanes.swim_lanes(verdict)) == list(range(1, len(verdict.witness) + 1))
    rows = story(verdict)[2]
    assert all(step.cpu == row.lane for row in rows for step in verdict.witness[row.first - 1 : row.last])


@pytest.mark.parametrize("scenario", PROGRAMS)
def test_the_description_has_the_message(scenario):
    verdict = verdict_of(scenario)
    said = drawing(lanes.swim_lanes(verdict)).desc.text
    assert said.startswith(f"✗ {scenario} on {verdict.build.arch} {verdict.build.version}")
    assert verdict.broken in said
    assert verdict.what in said


@pytest.mark.parametrize("scenario", PROGRAMS)
@pytest.mark.parametrize("arch", ["s390", "x86", "sh"])
@pytest.mark.parametrize("version", VERSIONS)
def test_works_for_every_build(scenario, arch, version):
    build = mm.Build(version=version, arch=arch, thp=True)
    if PROGRAMS[scenario].lacking(build):
        return
    verdict = mm.check(build, scenario)
    html = lanes.swim_lanes(verdict)
    frames, steps = lanes.frames(verdict)
    assert len(frames) == len(steps) == len(verdict.witness) + 1
    assert frames[-1] == html
    assert ("✓" in html and f"none of the {verdict.states} states" in html) == verdict.holds
    assert ("<svg" in html) != verdict.holds


def test_only_what_changed_in_human_words(race):
    words = [word for row in story(race)[2] for word in row.words]
    assert words[0] == "PMD cleared"
    assert {"HZR 2 → 1", "HZR 1 → 0", "PTR → NULL", "page freed"} < set(words)
    assert words.count("TLBs of CPU 0 and 2 still map the page") == 2
    assert not [word for word in words if re.search(r"free_area|flags|deposit|lock|gather\.", word)]


def test_the_race_is_read_through_a_stale_translation(race):
    rows = story(race)[2]
    cleared = next(i for i, row in enumerate(rows) if "PMD cleared" in row.words)
    assert [row.held for row in rows] == [{0: i >= cleared, 2: i >= cleared} for i in range(len(rows))]
    assert texts(lanes.swim_lanes(race)).count("STALE") == 2
    assert rows[-1].lane == 2
    assert "✗ stale-read" in rows[-1].words


def test_stale_is_marked_only_when_it_is():
    flushed = mm.check(mm.Build(version="v4.5", arch="s390", patches=[Freed]), "zap-vs-shrinker")
    shown = texts(lanes.swim_lanes(flushed))
    assert "STALE" not in shown
    assert shown.count("TLB") == 2
    assert "● reached" in shown
    untouched = texts(lanes.swim_lanes(verdict_of("fault-vs-shrinker")))
    assert not [words for words in untouched if "TLB" in words or "STALE" in words]


def test_a_lane_for_each_cpu_it_was_explored_with(race):
    for cpus, broken in ((2, True), (3, True), (2, False)):
        build = race.build if broken else mm.Build(arch="s390")
        heads, start, rows = story(mm.check(build, "zap-vs-shrinker", cpus=cpus))
        assert [head.split(":")[0] for head in heads] == [f"CPU {cpu}" for cpu in range(cpus)]
        assert set(start) == {0, cpus - 1}
        assert rows[-1].lane < cpus


def test_a_verdict_that_holds_says_of_how_many():
    build = mm.Build(arch="x86")
    assert "none of the 332 states breaks" in lanes.swim_lanes(mm.check(build, "zap-vs-shrinker", cpus=3))
    bounded = mm.check(build, "zap-vs-shrinker", max_states=50)
    assert "is undecided on x86 v4.6:</b> 50 states: none of the 51 states seen is wrong" in lanes.swim_lanes(bounded)
    assert "no huge zero page" in lanes.swim_lanes(mm.check(mm.Build(arch="sh"), "zap-vs-shrinker"))


def test_frames_show_no_future_and_do_not_jump(race):
    frames, steps = lanes.frames(race)
    assert steps[0] == "start"
    assert steps[-1] == "CPU 2, user code"
    assert {drawing(frame)["viewbox"] for frame in frames} == {drawing(frames[-1])["viewbox"]}
    rows = story(race)[2]
    for step, frame in enumerate(frames):
        begun = [row for row in rows if row.first <= step]
        assert numbers(frame) == list(range(1, begun[-1].last + 1 if begun else 1))
        assert ("✗ stale-read" in texts(frame)) == (step == len(race.witness))


@pytest.mark.parametrize("scenario", PROGRAMS)
def test_a_witness_fits_a_screen_and_none_of_its_steps_is_lost(scenario):
    verdict = verdict_of(scenario)
    html = BeautifulSoup(lanes.swim_lanes(verdict), "html.parser")
    _, _, width, height = map(float, html.svg["viewbox"].split())
    wide = 16 * float(re.search(r"max-width:(\d+)rem", html.svg["style"])[1])
    assert height / width * wide <= 560
    assert min(float(size["font-size"]) for size in html.svg.select("[font-size]")) * wide / width >= 11
    whole = html.select_one("details svg")
    shown = (whole or html.svg).get_text(" ").replace("_ ", "_")
    rows = story(verdict)[2]
    assert all(name in shown for row in rows for name in row.functions)


def test_steps_that_lead_somewhere_are_folded(race):
    told, rows = folded(story(race)[2]), story(race)[2]
    assert [(row.first, row.last, row.lane) for row in told] == [
        (1, 5, 0),
        (6, 8, 0),
        (9, 11, 1),
        (12, 13, 1),
        (14, 14, 2),
    ]
    assert [word for row in told for word in row.words] == [word for row in rows for word in row.words]
    for until in range(len(rows)):
        prefix = folded(rows[:until])
        assert [row.first for row in prefix] == [row.first for row in told[: len(prefix)]], "frames do not jump"


def test_a_sequential_witness_is_one_lane():
    verdict = mm.check(mm.Build(), "map-read-unmap")
    html = lanes.swim_lanes(verdict)
    assert numbers(html) == list(range(1, len(verdict.witness) + 1))
    assert "HZR 0 → 2" in texts(html)
    assert "PC 1 → 0" in texts(html)


# -- the sequence of an unmap


def functions(build, cpus=2):
    return [row.functions[0] for row in Unmap(build, cpus).rows]


def test_s390_frees_at_once_through_the_singular_function():
    build = mm.Build(version="v4.6", arch="s390")
    shown, called = lanes.gather_sequence(build), functions(build)
    assert "free_page_and_swap_cache()" in drawing(shown).desc.text
    assert not [name for name in called if "free_pages" in name or name == "release_pages()"]
    assert called.index("pmdp_idte()") < called.index("free_page_and_swap_cache()") < called.index("tlb_finish_mmu()")
    assert drawing(shown).title.text == "✗ One unmap on s390 v4.6: drops PC, the wrong counter"


def test_x86_frees_after_the_flush_through_the_plural_function():
    build = mm.Build(version="v4.6", arch="x86")
    shown, called = drawing(lanes.gather_sequence(build)).desc.text, functions(build)
    assert called.index("tlb_invalidate()") < called.index("free_pages_and_swap_cache()")
    assert shown.index("tlb_invalidate()") < shown.index("free_pages_and_swap_cache()")
    assert "free_page_and_swap_cache()" not in shown


@pytest.mark.parametrize(
    ("arch", "version", "outcome"),
    [
        ("x86", "v4.5", "drops HZR too early: CPU 1 still reaches the page"),
        ("x86", "v4.6", "drops HZR when no other TLB has the page"),
        ("s390", "v4.5", "drops HZR when no other TLB has the page"),
        ("s390", "v4.7", "drops HZR when no other TLB has the page"),
        ("ia64", "v4.6", "drops PC, the wrong counter"),
        ("sh", "v4.6", "drops PC, the wrong counter, and too early"),
        ("um", "v4.7", "drops HZR too early: CPU 1 still reaches the page"),
        ("s390", "v4.9", "drops no counter"),
        ("x86", "v5.14", "drops no counter"),
    ],
)
def test_outcomes(arch, version, outcome):
    assert Unmap(mm.Build(version=version, arch=arch)).outcome[1] == outcome


def test_where_the_page_count_is_the_counter_it_is_not_the_wrong_one():
    assert Unmap(mm.Build(patches=["page-refcount"])).outcome[:2] == (True, "drops PC when no other TLB has the page")


def test_s390_alone_owes_a_flush():
    rows = Unmap(mm.Build(version="v4.7", arch="s390"), cpus=1).rows
    words = [word for row in rows for word in row.words]
    assert words.index("flush_mm set: a flush is owed") < words.index("HZR 2 → 1") < words.index("flush_mm cleared")


@pytest.mark.parametrize("arch", ARCHES)
def test_the_bars_end_as_the_tlbs_do(arch):
    for version in VERSIONS:
        unmap = Unmap(mm.Build(version=version, arch=arch, swap=False))
        assert unmap.rows[-1].held == Scene(unmap.kernel).held == {}
        assert [row.first for row in unmap.rows] == list(range(1, len(unmap.rows) + 1))
        assert unmap.start == {0: False, 1: False}
    assert sys.getprofile() is None


def test_what_frees_the_page_is_what_was_read_in_the_source():
    for arch, facts in ARCHES.items():
        called = functions(mm.Build(version="v4.6", arch=arch))
        assert next(name for name in called if name.startswith("free_page")) == facts["frees_through"] + "()"


def test_side_by_side_in_the_order_given():
    builds = [mm.Build(version="v4.7", arch=arch) for arch in ("x86", "s390", "sh")]
    html = BeautifulSoup(lanes.gathers_side_by_side(builds), "html.parser")
    assert len(html.find_all("svg", role="img")) == 3
    shown = [text.text for text in html.find_all("text")]
    assert [name for name in shown if name in ("✓ x86", "✓ s390", "✗ sh")] == ["✓ x86", "✓ s390", "✗ sh"]
    assert "v4.7, THP assumed" in shown
    assert shown.count("STALE") == 2


def test_figures_are_made_anew_from_the_build():
    build = mm.Build(version="v4.6", arch="x86")
    assert lanes.gather_sequence(build) == lanes.gather_sequence(replace(build, swap=True))
    assert lanes.gather_sequence(build) != lanes.gather_sequence(replace(build, version="v4.5"))


def test_figures_need_no_network(race):
    for html in (lanes.swim_lanes(race), lanes.gather_sequence(mm.Build()), lanes.gathers_side_by_side([mm.Build()])):
        assert not re.search(r"https?:|<script|<image|url\(", html)
