"""Widgets without a browser: what is shown, what a toggle changes, what goes wrong. And the figures they show."""

import subprocess
import sys

import ipywidgets
import pytest
from bs4 import BeautifulSoup
from matplotlib import pyplot
from matplotlib.figure import Figure

import mmmodel as mm
from mmmodel.show import figures
from mmmodel.show import stepper as widgets
from mmmodel.show.html import tag
from mmmodel.show.tables import label
from mmmodel.study import measurements as evidence
from mmmodel.study import references
from mmmodel.study.unmap import Unmap


def name_of(build):
    """A view that shows nothing but the build."""
    return tag("i", repr(build))


@pytest.fixture
def shown(monkeypatch):
    """What would be displayed, in order."""
    found = []
    monkeypatch.setattr(widgets, "display", found.append)
    return found


def everything_in(box):
    yield box
    for child in getattr(box, "children", ()):
        yield from everything_in(child)


def test_a_static_copy_comes_first(shown):
    mm.explorer(name_of, mm.Build(arch="x86"), arch=["s390", "x86"], swap=True)
    static, box = shown
    assert "mm.Build(version=&#x27;v4.6&#x27;, arch=&#x27;x86&#x27;)" in static
    assert isinstance(box, ipywidgets.HBox)


def test_a_live_widget_hides_the_static_copy_and_only_its_own(shown):
    for _ in range(2):
        mm.explorer(name_of, arch=["s390", "x86"])
    ids = [BeautifulSoup(static, "html.parser").div["id"] for static in shown[::2]]
    assert len(set(ids)) == 2
    for id, box in zip(ids, shown[1::2], strict=True):
        assert any(f"#{id}{{display:none}}" in getattr(part, "value", "") for part in box.children)


def test_nothing_that_stalls_headless_runs(shown):
    mm.explorer(name_of, arch=True, version=True, swap=True, thp=True, debug_vm=True, patches=True, verdict=True)
    mm.stepper(["a", "b"], ["A", "B"])
    mm.predict("00.a")
    parts = [part for box in shown[1::2] for part in everything_in(box)]
    assert not [p for p in parts if isinstance(p, ipywidgets.Output | ipywidgets.interactive)]
    assert not [p for p in parts if getattr(p, "continuous_update", False)]
    assert sum(isinstance(p, ipywidgets.HTML) and p.layout.min_height is not None for p in parts) == 4


def test_the_stepper_shows_one_frame_at_a_time(shown):
    mm.stepper(["<b>first</b>", "<b>second</b>", "<b>third</b>"], ["a < b", "b", "c"], key=(0, -1, 7))
    static, box = shown
    few, fold = BeautifulSoup(static, "html.parser").div.find_all(recursive=False)
    assert [bold.text for bold in few.find_all("b")] == ["first", "third"]
    assert [bold.text for bold in fold.find_all("b")] == ["first", "second", "third"]
    assert fold.name == "details"
    assert "a &lt; b" in static
    slider, right, _ = box.children
    slider.value = 1
    assert "<b>second</b>" in right.value
    assert "first" not in right.value


@pytest.mark.parametrize(("frames", "labels"), [([], []), (["a"], []), (["a"], ["A", "B"])])
def test_the_stepper_wants_a_label_for_each_frame(frames, labels):
    with pytest.raises(ValueError, match="one label for each frame"):
        mm.stepper(frames, labels)


def test_a_banner_says_it_in_words():
    good, bad = (str(mm.banner(mm.check(mm.Build(version=v), "two-mappings"))) for v in ("v4.7", "v4.6"))
    assert "✓ holds" in good
    assert "✗ does not hold" in bad
    assert "broke at munmap_A" in bad


def test_importing_the_package_imports_no_widgets():
    code = "import sys, mmmodel; print({'ipywidgets', 'pandas', 'matplotlib', 'IPython'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


# -- figures

BUILDS = [
    mm.Build(),
    mm.Build(version="v4.7", swap=False),
    mm.Build(version="v5.14", arch="arm64"),
    mm.Build(arch="alpha", version="v4.9"),
    mm.Build(arch="ia64", thp=True),
    mm.Build(arch="x86", patches=["page-refcount"]),
    mm.Build(debug_vm=True),
]
FIGURES = {
    "the_bug": figures.the_bug,
    "first_look": lambda build: figures.first_look() + figures.first_look(after=True),
    "beside": lambda build: figures.beside(build, "two-mappings"),
    "ledger": figures.ledger,
    "steps": lambda build: figures.steps_table(references.unmap_steps(build, 2)),
    "holders": lambda build: "".join(figures.frames(build, "fork")[0]),
}


@pytest.mark.parametrize("build", BUILDS, ids=repr)
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_well_formed_and_described(name, build):
    html = BeautifulSoup(FIGURES[name](build), "html.parser")
    assert html.get_text(strip=True)
    for drawing in html.find_all("svg"):
        assert drawing["role"] == "img"
        assert drawing["aria-label"] == drawing.desc.text
        assert "nan" not in str(drawing)
        assert "None" not in str(drawing)
    assert not html.find_all(["script", "link"])


def test_the_picture_of_the_bug():
    words = BeautifulSoup(figures.the_bug(mm.Build()), "html.parser").svg["aria-label"]
    assert "x86 v4.6: HZR 3 → 2, PC 1; the page is the huge zero page" in words
    assert (
        "s390 v4.6: HZR 3, should be 2, PC 1 → 0, should be 1; the page is free, and the other process still maps it"
        in words
    )


def test_a_long_stack_of_patches_stays_in_the_picture():
    stack = ["quick-hack", "q1-guard", "q2", "q3", "nr1-shortcut-guarded", "swapn-macro", "reaper-per-vma"]
    drawing = BeautifulSoup(figures.the_bug(build := mm.Build(patches=stack)), "html.parser").svg
    title = [text.text for text in drawing.find_all("text", recursive=False) if text["x"] == "465"]
    assert " ".join(title) == label(build)
    assert max(map(len, title)) <= 30
    height, down = float(drawing["viewbox"].split()[3]), float(drawing.g["transform"].split()[1][:-1])
    assert down == 18 * (len(title) - 1) > 0
    assert max(float(text["y"]) for text in drawing.g.find_all("text")) + down < height


def test_the_first_look_says_who_is_hurt():
    before, after = (BeautifulSoup(figures.first_look(late), "html.parser").svg["aria-label"] for late in (False, True))
    assert "A reads. A mapped, the page: zeroes; HZR 2, PC 1." in before
    assert "B reads. A and B mapped, the page: zeroes; HZR 3, PC 1." in before
    assert "A unmaps: the bug. B mapped, the page: free; HZR 3, PC 0." in after
    assert "Somebody else gets it. B mapped, the page: somebody else; HZR 3, PC 1." in after


def test_the_road_of_one_unmap():
    assert Unmap(mm.Build(), cpus=1).route[-2:] == ["free_page_and_swap_cache", "put_page"]
    assert Unmap(mm.Build(arch="x86"), cpus=1).route[-2:] == ["release_pages", "put_huge_zero_page"]
    assert sys.getprofile() is None


def test_measured_points_that_differ_are_crossed_out():
    rows = evidence.measured(scenario="two-mappings")
    assert "✗" not in figures.counters(mm.trace(mm.Build(), "two-mappings"), rows)
    fixed = mm.trace(mm.Build(version="v4.7"), "two-mappings")
    differ = int((~evidence.compare(fixed, rows).agree).sum())
    assert f"✗ {differ} of {len(rows)} measured rows differ" in figures.counters(fixed, rows)
    assert differ > 0


def test_the_nearest_measured_kernel():
    assert evidence.nearest(mm.Build(patches=["q4"]), "two-mappings") == mm.Build(patches=["q4"])
    assert evidence.nearest(mm.Build(arch="sparc", version="v5.14"), "two-mappings").arch in ("x86", "arm64")
    assert evidence.nearest(mm.Build(arch="um"), "two-mappings") == mm.Build()


def test_the_fates_of_the_page():
    html = BeautifulSoup(figures.fates(), "html.parser")
    drawn = [element.text for element in html.svg.find_all("text")]
    assert {"slab", "page table", "kernel stack", "free", "zero", "stops", "D", "B", "K", "S"} <= set(drawn)


@pytest.mark.parametrize("make", [pyplot.figure, Figure])
def test_a_matplotlib_figure_of_a_readers_own_carries_its_description(make):
    figure = make()
    figure.add_subplot().plot([1, 2])
    image = BeautifulSoup(mm.figures.figure_html(figure, 'A "rising" line & more'), "html.parser").img
    assert image["alt"] == 'A "rising" line & more'
    assert image["src"].startswith("data:image/png;base64,")
    assert not pyplot.get_fignums(), "or a notebook would show it twice"
