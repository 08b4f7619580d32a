"""Predict first: a question before the figure that answers it. Which option is right is worked out here and now."""

import re
from collections.abc import Callable
from typing import Any

import ipywidgets as w

from ..build.composed import Build
from ..explore.checking import check
from ..explore.tracing import trace
from ..kernel.arches import ARCHES, HUGE
from ..kernel.overlay import Patch
from ..kernel.versions import VERSIONS
from ..show.html import Html, join, mark, tag
from ..show.stepper import pane, present, readable
from ..study.blast import breaks
from ..study.costs import PAGES, calls, rates
from ..study.decision import FIXES, latent, price, right
from ..study.guards import guarded, stops_at
from ..study.means import FIRST, tried
from ..study.measurements import runs
from ..study.memory_order import publication
from ..study.page_kinds import SINGULAR, differences
from ..study.proposal import Proposal
from ..study.references import counts, given_away, ledger
from ..study.unmap import Unmap
from ..words import choose
from .asked import PREDICTION, points, prose, texts
from .values import REPORTED, driven, gathered, unmaps_until

X86 = Build("v4.6", "x86")
WRAP = "<style>.mm-options button{white-space:normal;text-align:left;line-height:1.6;flex:none}</style>"
WRITE = "write: a page of one's own"
SHORTCUT = ("nr1-shortcut",)


class PutAll(Patch):
    """HZR of every page."""

    file = "mm/swap_state.c"

    def free_page_and_swap_cache(self, page: Any) -> None:
        """Nobody asks."""
        self.put_huge_zero_page()


def predict(*ids: str) -> None:
    """Ask a question and its options (data/exercises); the answer comes with a choice, and says whether it was right.

    Where nothing can be chosen the answer is folded away; several questions are behind a fold, all of them.
    Raises BuildError for a question that does not exist.
    """
    still, live = zip(*map(_asked, ids), strict=True)
    if len(ids) == 1:
        present(still[0], live[0])
        return
    title = f"Say first: {len(ids)} questions, before you look below"
    folded = w.Accordion([w.VBox(live)], titles=[title], selected_index=None)
    present(tag("details", tag("summary", tag("b", title)), *still), w.VBox([folded]))


def _asked(id: str) -> tuple[Html, Any]:
    """A question, for paper and alive."""
    question, listed, *why = texts(PREDICTION)[choose("prediction", id, RIGHT)]
    options = points(listed)
    answer = option(options, RIGHT[id]())
    told = join(*(tag("p", prose(text)) for text in why))
    ask = tag("p", tag("b", "Say first: "), prose(question))
    buttons = [w.Button(description=words, layout={"width": "fit-content", "height": "auto"}) for words in options]
    below = pane("", "6em")

    def choice(button: Any) -> None:
        good = button.description == answer
        said = f": you said “{button.description}”. " + f"It is: {answer}." * (not good)
        below.value = readable(join(tag("p", mark(good, "right" if good else "no"), said, role="alert"), told))

    for button in buttons:
        button.on_click(choice)
    folded = tag("details", tag("summary", "the answer"), tag("p", tag("b", answer)), told)
    still = tag("div", ask, tag("ul", *(tag("li", words) for words in options)), folded, **{"class": "mm-predict"})
    return still, w.VBox([w.HTML(readable(ask) + WRAP), *buttons, below]).add_class("mm-options")


def option(options: list[str], found: object) -> str:
    """The option that begins with what the model finds."""
    return next(words for words in options if re.match(rf"{re.escape(str(found))}\b", words))


def share(found: list[Any], none: str, some: str, all: str) -> str:
    """How many of them are true, in words."""
    return none if not any(found) else all if len(found) == sum(map(bool, found)) else some


def one_of_two(build: Build) -> str:
    """The counters when one of two mappings is gone."""
    return "HZR {}, PC {}".format(*counts(driven(build, 2, 1)))


def moved(build: Build, operation: str) -> dict[str, int]:
    """By how much an operation moves the counters that it moves."""
    entry = next(e for e in ledger(build) if e.operation == operation)
    pairs = zip(("HZR", "PC"), entry.before, entry.after, strict=True)
    return {name: b - a for name, a, b in pairs if a is not None and b is not None and a != b}


def foreign_data(*scenarios: str) -> list[bool]:
    """In which measured runs without DEBUG_VM a program read somebody else's data."""
    found = runs(REPORTED).query("scenario in @scenarios and debug_vm == 'n'").symptoms
    return [any(symptom.startswith("nonzero_data") for symptom in symptoms) for symptoms in found]


def two_thousand() -> str:
    """How the program that cycles ended on the real kernel."""
    run = runs(REPORTED).query("scenario == 'unmap-until-panic' and debug_vm == 'n'").iloc[0]
    seen = "zeroes were not zeroes any more" if foreign_data("unmap-until-panic")[0] else "the program saw nothing"
    return "it panicked" if run.fatal else f"it ran to the end, and {seen}"


def when_to_drop() -> str:
    """What v4.5 does too early, and v4.6 does right."""
    early, late = (check(Build(version, "x86"), "zap-vs-shrinker", cpus=3) for version in ("v4.5", "v4.6"))
    return "after all" if late and not early else "as soon"


def reaped_alive() -> list[str]:
    """Where the OOM reaper leaves a thread with a page that was freed."""
    return [arch for arch in sorted(HUGE, reverse=True) if not check(Build("v4.7", arch), "reaper-vs-shrinker")]


def sh_and_um() -> str:
    """With question 3."""
    found = {name: check(Build("v4.6", "sh", thp=True, patches=("q3",)), name) for name in ("fork", "zap-vs-shrinker")}
    return "no" if not found["fork"] else "yes" if found["zap-vs-shrinker"] else "their counter"


def hits(patch: str, archs: Any) -> int:
    """On how many archs a patch changes calls or results."""
    return len({e.arch for e in Proposal(patch).effects if e.what != "same" and e.arch in archs})


RIGHT: dict[str, Callable[[], object]] = {
    "00.a": lambda: one_of_two(X86),
    "00.b": lambda: one_of_two(REPORTED),
    "00.c": lambda: "nothing" if driven(REPORTED, 2, 1).huge_zero_page.value.owner else "it is free",
    "01.a": lambda: next(f"HZR {row.huge_zero_refcount}, PC {row.page_count}"
                         for row in trace(REPORTED, "map-read-unmap").rows if row.op == "munmap_8"),
    "01.b": lambda: unmaps_until(REPORTED, 0),
    "01.c": lambda: share(runs(REPORTED).query("debug_vm == 'n'").fatal.tolist(), "none", "some", "all"),
    "02.a": lambda: " and ".join(moved(X86, "fork")),
    "02.b": lambda: "it goes down" if moved(X86, WRITE) == {"HZR": -1} else "it stays",
    "02.c": lambda: "right" if moved(REPORTED, WRITE) == {"HZR": -1} else "wrong",
    "03.a": lambda: "no" if "too early" in Unmap(Build("v4.6", "sh")).outcome[1] else "yes",
    "03.b": lambda: sum(SINGULAR in Unmap(Build("v4.6", arch), cpus=1).route for arch in ARCHES),
    "03.c": lambda: "nearly 10,000" if 9_000 < sum(gathered(X86, 20_000)) < 10_000 else "as many",
    "04.a": when_to_drop,
    "04.b": lambda: "on " + (" and ".join(reaped) if (reaped := reaped_alive()) else "none"),
    "04.c": lambda: sum(map(bool, (check(Build("v4.6", a, patches=("revert",)), "zap-vs-shrinker") for a in HUGE))),
    "05.a": lambda: unmaps_until(Build(debug_vm=True), 0),
    "05.b": two_thousand,
    "05.c": lambda: share(foreign_data("unmap-until-panic", "refill-after-unmap", "fork-pressure"),
                         "none", "half", "all"),
    "06.a": lambda: {1: "one"}.get(n := len(differences(REPORTED)), "a handful" if n < 8 else "most"),
    "06.b": lambda: "neither" if len({rates(Build(patches=(p,)))["page"]["lru_lock"]
                                      for p in ("q2", "quick-hack")}) == 1 else "question 2",
    "06.c": lambda: {"munmap": "at the unmap", "put-pin": "when the pin"}.get(
        stops_at(guarded(REPORTED, "q1-guard"), "read pin munmap put-pin"), "nowhere"),
    "07.a": lambda: calls(Build(patches=("q2",)), PAGES)["lru_add_drain"],
    "07.b": lambda: hits("q2", ARCHES),
    "07.c": lambda: share([a in breaks(Proposal("q2").shortcut, SHORTCUT) for a in HUGE], "none", "s390", "all"),
    "08.a": lambda: "more" if Proposal("q3").price > 10 * (price("quick hack") or 0) else "about",
    "08.b": sh_and_um,
    "08.c": lambda: "no" if check(Build("v4.6", "x86", patches=SHORTCUT), "map-read-unmap") else "yes",
    "09.a": lambda: "it repairs" if check(Build(swap=False, patches=("q4",)), "map-read-unmap") else "nothing",
    "09.b": lambda: "one" if rates(Build(swap=False, patches=("q4",)))["page"]["lru_add_drain"] else "no drain",
    "09.c": lambda: {0: "none", 3: "three"}.get(hits("q4", {*ARCHES} - {"s390"}), "thirty"),
    "10.a": lambda: sum(map(right, FIXES)),
    "10.b": lambda: share([(price(f"question {n}") or 0) > (price("quick hack") or 0) for n in (2, 3, 4)],
                         "none", "2 and 4", "all"),
    "10.c": lambda: next(fix for fix in ("quick hack", "question 4", "the page's own count") if latent(fix).good),
    "11.a": lambda: "it gets worse" if "somebody" in given_away(Build("v4.9", swap=False)) else
                    "it stays" if not check(Build("v4.9", swap=False), "two-mappings") else "nothing",
    "11.b": lambda: next((v for v in VERSIONS if not check(Build(v, "x86"), "fault-vs-shrinker", 2)), "never"),
    "11.c": lambda: share([not publication(arch, "pfn-lock-relaxed") for arch in ("arm64", "x86", "s390")],
                         "on none", "on arm64 alone", "on all"),
    "11.d": lambda: sum(tried(fault)["assertion"].found or tried(fault)["test on s390"].found for fault in FIRST),
    "12.a": lambda: check(Build(patches=(PutAll,)), "fork").broken or "nothing",
    "12.b": lambda: sum(bool(check(Build(v, swap=False), "two-mappings")) for v in VERSIONS),
    "12.c": lambda: share([check(Build("v4.9", "arm64"), "threads-vs-shrinker", memory=m) for m in ("sc", "weak")],
                         "wrong in both", "right in every", "right in both"),
}  # fmt: skip
"""What the model finds, as its option begins."""
