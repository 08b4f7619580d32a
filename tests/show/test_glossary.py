"""Each word explained once, where it is first used, and none used before on any route."""

import json
import re

import pytest
from bs4 import BeautifulSoup

from mmmodel.data import notebooks_dir, rows
from mmmodel.explore.checking import SCENARIOS
from mmmodel.explore.invariants import INVARIANTS
from mmmodel.kernel.patches import PATCHES
from mmmodel.report.page import LIVE
from mmmodel.show.glossary import HOME, KINDS, UNTOUCHED, anchor, forms, glossary, link_words, linked
from mmmodel.show.sources import diff

ROWS = rows("glossary")
OURS = sorted(notebooks_dir().glob("*.ipynb"))
ROUTES = {
    "reviewer": ("00", "10"),
    "newcomer": ("00", "01", "02", "03", "04", "05", "10", "12"),
    "all": tuple(path.stem[:2] for path in OURS),
}
SPELT_OUT = {
    "CPU",
    "CPUS",
    "CVE",
    "TSO",
    "ID",
    "MADV",
    "DONTNEED",
    "MERGEABLE",
    "NOHUGEPAGE",
    "DAX",
    "QEMU",
    "CI",
    "KVM",
    "PFN",
}
"""Of capitals only, and no word of ours: general knowledge, a name of an interface, or explained on the spot."""


def prose(path):
    """The Markdown cells of a notebook."""
    return [
        "".join(cell["source"])
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "markdown"
    ]


def bare(text, code="`"):
    """What is left of Markdown without links, headings and blocks of code, and without code between backticks."""
    return re.sub(rf"{UNTOUCHED}|`[^`]*`" if code else UNTOUCHED, " ", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def first():
    """For each notebook the words that become links in it."""
    found = {}
    for path in OURS:
        linked("\n\n".join(prose(path)), seen := set())
        found[path.stem[:2]] = seen
    return found


def test_every_patch_scenario_and_invariant_is_explained_once():
    by_kind = {kind: [row["term"] for row in ROWS if row["kind"] == kind] for kind in KINDS}
    assert {row["kind"] for row in ROWS} == by_kind.keys()
    assert sorted(by_kind["patch"]) == sorted(PATCHES)
    assert sorted(by_kind["scenario"]) == sorted(SCENARIOS)
    assert set(by_kind["invariant"]) == {invariant.name for invariant in INVARIANTS}
    assert len({anchor(row) for row in ROWS}) == len(ROWS)


def test_an_explanation_is_a_sentence_or_three():
    for row in ROWS:
        assert row["explanation"].endswith("."), row
        assert 1 <= len(re.findall(r"[.;] |\.$", row["explanation"])) <= 3, row
        assert not set('"|[]<>`') & set(row["explanation"]), row


def test_the_notebook_of_first_use_is_where_the_word_is_first_met(first):
    names = {path.stem[:2]: path.stem for path in OURS}
    for row in ROWS:
        used = next((number for number in names if anchor(row) in first[number]), None)
        if used:
            assert row["notebook"] == names[used], row["term"]
        else:
            assert row["notebook"] in names.values()


@pytest.mark.parametrize("route", ROUTES)
def test_no_word_is_used_before_it_is_introduced(route, first):
    known = set()
    for number in ROUTES[route]:
        path = next(path for path in OURS if path.stem.startswith(number))
        text = "\n\n".join(prose(path))
        used = {
            anchor(row) for row in ROWS for form in forms(row) if re.search(form, bare(text, "`" * (form[0] != "`")))
        }
        assert used <= known | first[number], (number, used - known - first[number])
        known |= first[number]
        capitals = set(re.findall(r"\b[A-Z]{2,}\b", bare(text)))
        explained = {word.upper() for row in ROWS for word in re.findall(r"\w+", f"{row['term']};{row['also']}")}
        assert capitals <= explained | SPELT_OUT | {"DEBUG", "VM", "PG", "ZONE"}, (number, capitals - explained)


def test_a_link_stands_at_the_first_use_and_nowhere_else():
    seen = set()
    text = linked("# HZR\n\n`HZR` and [HZR](x), then HZR; PC, HZR again, and `q3` in `q3()`.", seen)
    assert text.startswith("# HZR\n\n`HZR` and [HZR](x), then [HZR](")
    assert text.count(HOME) == len(seen) == 3
    assert re.search(rf'\[`q3`\]\({HOME}#word-patch-q3 "[^"]+"\)', text)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_names_of_the_kernel_are_set_as_code(path):
    text = re.sub(r"`[^`]*`|^ {4}.*?$|https?://\S+|\]\([^)]*\)", "", "\n\n".join(prose(path)), flags=re.MULTILINE)
    assert re.findall(r"\w*[a-z]\w*_\w+|\w+_\w*[a-z]\w*|\w+\(\)", text) == []


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_links_leave_the_text_as_it_was(path):
    cells = [{"cell_type": "markdown", "source": text} for text in prose(path)]
    link_words(cells)
    undone = [re.sub(rf'\[([^]]*)\]\({HOME}#word[^"]*"[^"]*"\)', r"\1", cell["source"]) for cell in cells]
    assert undone == prose(path)


def test_the_table_has_an_anchor_for_each_word_and_the_lines_of_each_patch():
    table = BeautifulSoup(glossary(), "html.parser")
    assert {tag["id"] for tag in table.select("[id]")} == {anchor(row) for row in ROWS}
    assert len(table.find_all("pre")) == len(PATCHES)


@pytest.mark.parametrize("patch", PATCHES)
def test_a_patch_is_six_lines_or_says_that_there_are_more(patch):
    lines = BeautifulSoup(diff(patch, "v6.1" if "lock" in patch else "v4.9"), "html.parser").pre.text.splitlines()
    assert len(lines) <= 8
    assert lines[0].startswith("@@ ")
    assert len(lines) < 8 or lines[-1].startswith("… and ")
    assert any(line[0] in "+-" for line in lines)


def test_the_merged_fix_as_a_diff():
    lines = BeautifulSoup(diff("q3"), "html.parser").pre.text.splitlines()
    assert lines == ["@@ free_page_and_swap_cache()", "- self.put_page(page)", "+ self.release_pages((page,), 1)"]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_page_asks_for_nothing_that_is_not_there(path):
    still = LIVE.sub("", "\n".join(prose(path)))
    assert not re.search(r"(?i)\b(move|use) the (toggle|slider)|\buntick|\btick `|\bclick\b|things to try", still)
