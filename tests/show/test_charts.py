"""Charts: what is drawn is what was counted, and one page can hold many of them, in the light and in the dark."""

import re
import subprocess
import sys
from itertools import pairwise

import matplotlib
import pytest
from bs4 import BeautifulSoup

import mmmodel as mm
from mmmodel.explore.sequential import SEQUENTIAL
from mmmodel.show import costs_view, decision_view, figures
from mmmodel.show.html import BAD, COLOURS, HZR, INK, PC
from mmmodel.study import measurements

STACK = ("q3", "nr1-shortcut", "q1-guard", "swapn-macro")
TRACES = [
    (mm.Build(), "two-mappings"),
    (mm.Build(thp=False), "map-read-unmap"),
    (mm.Build(version="v4.7"), "split"),
    (mm.Build(arch="x86", patches=["page-refcount"]), "two-mappings"),
    (mm.Build(debug_vm=True), "madv-dontneed"),
    (mm.Build(version="v5.14", arch="arm64", swap=False), "exit-mmap"),
    (mm.Build(), "unmap-until-panic"),
    (mm.Build(), "many-operations"),
]


@pytest.fixture(scope="module", autouse=True)
def scenarios():
    """One of 2,000 operations with long names, one with odd names; none is left for other tests."""

    @mm.scenario("many-operations")
    def _(k):
        yield "start"
        for i in range(1999):
            if i % 2:
                k.munmap(k.init, 0, k.hpage_nr)
            else:
                k.mmap(k.init, 0, k.hpage_nr)
                k.load(k.init, 0)
            yield f"one_of_a_great_many_operations_{i}"

    @mm.scenario("odd-names")
    def _(k):
        yield "start"
        yield "$x^2$ <b>&"

    yield
    for name in ("many-operations", "odd-names"):
        SEQUENTIAL.pop(name)


CHARTS = {
    "counters": lambda: figures.counters(mm.trace(mm.Build(), "two-mappings")),
    "measured": lambda: figures.beside(mm.Build(), "two-mappings"),
    "nearest": lambda: figures.beside(mm.Build(arch="sh"), "map-read-unmap"),
    "without HZR": lambda: figures.counters(mm.trace(mm.Build(arch="x86", patches=["page-refcount"]), "fork")),
    "differ": lambda: figures.counters(mm.trace(mm.Build("v4.7"), "two-mappings"), rows("two-mappings")),
    "fates": figures.fates,
    "costs": lambda: costs_view.chart([mm.Build(patches=p) for p in ((), ("q2",), ("q3",))]),
    "costs of one": lambda: costs_view.chart([mm.Build(arch="sh")], "huge zero page"),
    "costs of a stack": lambda: costs_view.chart([mm.Build(), mm.Build(patches=STACK)]),
    "decision": decision_view.picture,
}


def rows(scenario):
    found = measurements.measured(scenario=scenario)
    return found[found.memory_mib == found.memory_mib.iloc[0]]


def parsed(html):
    return BeautifulSoup(html, "html.parser")


def named(drawing, name):
    """The shapes of everything that goes by a name."""
    return [path["d"] for path in drawing.select(f'[data-is="{name}"] path[d]')]


def points(path):
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)(?=\s|$)", path)]


def middle(path):
    """The middle of a ring or a square."""
    xs, ys = zip(*points(path), strict=True)
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def scale(drawing):
    """A function from heights to values, read off the numbers on the left; and how much one pixel is."""
    levels = [(float(t.text), float(t["y"])) for t in drawing.select('[data-is="level"] text')]
    (v1, y1), (v2, y2) = levels[0], levels[-1]
    one = (v2 - v1) / (y1 - y2)
    return lambda y: v1 + (y1 - 5 - y) * one, one


def line(drawing, name, operations):
    """The value of a line at each operation, None in its gaps."""
    value, found = scale(drawing)[0], [None] * operations
    last = None
    for kind, x, y in re.findall(r"([ML]) (-?[\d.]+) (-?[\d.]+)", " ".join(named(drawing, name))):
        x, y = float(x), float(y)
        if kind == "L" and x > last[0]:
            share = [(x - 70) / 490 * operations for x in (last[0], x)]
            for i in range(round(share[0]), round(share[1])):
                found[i] = value(last[1])
        last = x, y
    return found


@pytest.mark.parametrize(("build", "scenario"), TRACES, ids=lambda part: str(part))
def test_the_lines_are_the_counts_of_the_run(build, scenario):
    trace = mm.trace(build, scenario)
    drawing = parsed(figures.counters(trace)).svg
    for name, counts in (
        ("HZR", [r.huge_zero_refcount for r in trace.rows]),
        ("PC", [r.page_count for r in trace.rows]),
    ):
        drawn = line(drawing, name, len(counts))
        assert [v is None for v in drawn] == [v is None for v in counts]
        near = max(0.01, abs(scale(drawing)[1]))
        assert all(abs(v - count) < near for v, count in zip(drawn, counts, strict=True) if count is not None)
        assert (name in [text.text for text in drawing.find_all("text")]) == any(v is not None for v in counts)


def test_rings_and_squares_are_what_was_measured():
    found = rows("refill-after-unmap")
    drawing = parsed(figures.beside(mm.Build(), "refill-after-unmap")).svg
    value = scale(drawing)[0]
    for name, counts in (("HZR", found.huge_zero_refcount), ("PC", found.page_count)):
        drawn = [value(middle(path)[1]) for path in named(drawing, f"measured {name}")]
        assert drawn == pytest.approx(list(counts.dropna()), abs=0.01)
    assert not named(drawing, "differs")


def test_operations_that_differ_are_crossed_out():
    trace, found = mm.trace(mm.Build("v4.7"), "two-mappings"), rows("two-mappings")
    wrong = [int(step) for step in found.step[~measurements.compare(trace, found).agree.values]]
    crosses = {middle(path)[0] for path in named(parsed(figures.counters(trace, found)).svg, "differs")}
    assert sorted(round((x - 70) / 490 * len(found) - 0.5) for x in crosses) == wrong != []


def test_bars_are_as_long_as_what_they_stand_for():
    builds = [mm.Build(patches=p) for p in ((), ("q2",), ("q3",))]
    widths = [max(x for x, _ in points(d)) - min(x for x, _ in points(d))
              for d in named(parsed(costs_view.chart(builds)).svg, "bar")]  # fmt: skip
    assert widths[:6] == pytest.approx([0, 60, 0, 60, 60, 60], abs=0.01)
    per_page = [costs_view.instructions(build, costs_view.PAGES)["per_unit"] for build in builds]
    assert widths[6:] == pytest.approx([60 * value / max(per_page) for value in per_page], abs=0.01)


def test_long_names_are_folded_and_long_runs_name_some_operations():
    drawing = parsed(costs_view.chart([mm.Build(), mm.Build(patches=STACK)])).svg
    assert {"q3 + nr1-shortcut +", "q1-guard +", "swapn-macro"} <= {text.text for text in drawing.find_all("text")}
    drawing = parsed(figures.counters(mm.trace(mm.Build(), "many-operations"))).svg
    names = [text for text in drawing.find_all("text") if text.text.startswith(("start", "…"))]
    assert 10 < len(names) <= 26
    assert all(len(text.text) < 22 for text in names)
    assert int(names[-1].text.rpartition("_")[2]) > 1900


@pytest.mark.parametrize(("build", "scenario"), TRACES, ids=lambda part: str(part))
def test_labels_do_not_collide(build, scenario):
    drawing = parsed(figures.counters(mm.trace(build, scenario))).svg
    _, _, width, height = map(float, drawing["viewbox"].split())
    labels = [(text.text, float(text["x"]), float(text["y"])) for text in drawing.find_all("text")]
    ends = [y for words, _, y in labels if words in ("HZR", "PC")]
    levels = [y for words, x, y in labels if x < 70]
    turned = [(x, y, len(words)) for words, x, y in labels if (x, y) and x >= 70 and words not in ("HZR", "PC")]
    assert max(ends) - min(ends) >= 16 or len(ends) < 2
    assert all(a - b >= 14 for a, b in pairwise(levels))
    assert all(b[0] - a[0] >= 17 for a, b in pairwise(turned))
    assert all(x - 5 * n > -5 and y + 5 * n < height and x < width for x, y, n in turned)


@pytest.mark.parametrize("kind", costs_view.CHARTS)
def test_titles_of_columns_do_not_collide(kind):
    """A bold letter of 13 px is 8 px wide."""
    drawing = parsed(costs_view.chart([mm.Build()], kind)).svg
    heads = [(float(text["x"]), len(text.text)) for text in drawing.select('text[style*="font-weight: 700"]')]
    ends = sorted({x for x, _ in heads} | {float(drawing["viewbox"].split()[2])})
    assert len(ends) == 4
    assert all(x + 8 * letters <= ends[ends.index(x) + 1] for x, letters in heads)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_fits_into_any_page(name):
    html = CHARTS[name]()
    drawing = parsed(html).svg
    assert drawing["role"] == "img"
    assert drawing["aria-label"] == drawing.desc.text != ""
    assert html == CHARTS[name](), "nothing of the clock or of chance"
    assert not drawing.find_all(id=True), "ids would be shared by the charts of a page"
    assert not drawing.find_all(["use", "defs", "style", "image", "metadata"])
    assert not re.search(r"https?:|url\(|nan|None", str(drawing))
    colours = set(re.findall(r"#[0-9a-f]+", " ".join(tag["style"] for tag in drawing.find_all(style=True))))
    assert colours <= {HZR, PC, BAD, *COLOURS.values()}, "seen on white and on black"
    assert INK not in html
    assert all("fill: " in text["style"] for text in drawing.find_all("text"))


def test_settings_of_the_reader_neither_matter_nor_change():
    trace = mm.trace(mm.Build(), "fork")
    html = figures.counters(trace)
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": True, "text.color": "white"}):
        assert figures.counters(trace) == html
        assert matplotlib.rcParams["font.size"] == 30


def test_names_are_shown_as_they_are():
    html = figures.counters(mm.trace(mm.Build(), "odd-names"))
    assert "$x^2$ <b>&" in [text.text for text in parsed(html).find_all("text")]


def test_matplotlib_waits_for_the_first_chart_and_pyplot_stays_away():
    code = """if True:
        import sys, mmmodel as mm
        from mmmodel.show import costs_view, decision_view, figures, toggles
        mm.figures.the_bug(mm.Build())
        print("matplotlib" in sys.modules)
        mm.figures.counters(mm.trace(mm.Build(), "fork"))
        print("matplotlib" in sys.modules, "matplotlib.pyplot" in sys.modules)
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True", "False"]


def test_nobody_has_a_page_of_which_nothing_is_known():
    drawn = {text.text for text in parsed(figures.fates(mm.Build("v4.7", "x86"))).svg.find_all("text")}
    assert "zero" in drawn
    assert "bold frame" not in drawn
