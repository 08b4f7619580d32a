"""The decision as a table whose cells open to their evidence, and as one picture to argue over."""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from ..build.composed import Build
from ..explore.checking import check
from ..kernel.versions import VERSIONS
from ..study.decision import FIXES, MUST, QUESTIONS, VERSION, Answer, answers, counted, lines, price, right
from ..study.kept import kept_one
from .html import SIGNS, Bar, Html, join, legible, table, tag, with_code, within_page

ROOM = ".mm-decision svg{max-width:min(100%,max(42rem,(100vh - 17rem)*2.1))!important}"
"""As large as the window allows, below the question."""


def in_words(answer: Answer) -> Html:
    """An answer: sign and words. A matter of degree has no sign."""
    plain = answer.good is None and not answer.words.startswith("?")
    sign = f"{SIGNS[answer.good]} " * (answer.good is not None)
    return tag("b", f"{sign}{answer.words}", style=f"color:{'inherit' if plain else legible(answer.good)}")


def proof_id(fix: str, question: str) -> str:
    """Where on the page of notebook 10 a cell of the table has its proof: `proof-quick-hack-s390-swap-off`."""
    return "-".join(re.findall(r"\w+", f"proof {fix} {question}".lower().replace("'", "")))


def cell(answer: Answer, proof: str = "") -> Html:
    """An answer in words, which open to the evidence; proof: where its runs are."""
    words = in_words(answer)
    if not answer.evidence:
        return words
    items = tag("ul", *(tag("li", said) for said in answer.evidence), style="margin:.2em 0;padding-left:1.2em")
    runs = within_page(f"the {counted(len(answer.broken), 'run')}, step by step", proof)
    return tag("details", tag("summary", words), tag("small", items, *[runs] * bool(proof and answer.broken)))


def named(fix: str) -> Html:
    """A fix by its name here, and by those of its patches in toggles and on the command line."""
    look = "white-space:nowrap;font-size:.9em;padding:0"
    return join(tag("b", fix), *(tag("div", tag("code", f"+ {patch}", style=look)) for patch in FIXES[fix]))


def kernels(found: Iterable[tuple[str, bool]]) -> str:
    """Archs, each with SWAP or without, in words."""
    settings: dict[str, list[str]] = {}
    for arch, swap in sorted(found, reverse=True):
        settings.setdefault(arch, []).append("on" if swap else "off")
    alike: dict[str, list[str]] = {}
    for arch in sorted(settings):
        alike.setdefault(" and ".join(settings[arch]), []).append(arch)
    return "; ".join(f"{', '.join(archs)}, SWAP {swap}" for swap, archs in alike.items())


def decision_table() -> Html:
    """Each fix by each question; every cell opens to what it rests on."""
    shown = [(named(fix), *(cell(answers(fix)[q], proof_id(fix, q)) for q in QUESTIONS)) for fix in FIXES]
    small = "font-size:clamp(10.5px,1.02vw,13px)"  # ten columns beside JupyterLab's side bar
    return table(["merge", *QUESTIONS], shown, "Open a cell to see what it rests on.", small)


def picture() -> Html:
    """Each fix: a sign for each question that has a plain answer, and what it costs more than nothing."""
    asked = [q for q in QUESTIONS if any(answers(fix)[q].good is not None for fix in FIXES)]
    columns: dict[str, Any] = {question: [answers(fix)[question].good for fix in FIXES] for question in asked}
    told = [f"{fix}: {', '.join(f'{q} {SIGNS[answers(fix)[q].good]}' for q in asked)}" for fix in FIXES]
    winners = [fix for fix in FIXES if right(fix)]
    title = f"{len(winners)} of {len(FIXES)} do all they must: {', '.join(winners)}"
    columns["instructions more, per freed page (s390)"] = [_price(fix) for fix in FIXES]
    names = [f"✓ {fix}" if fix in winners else fix for fix in FIXES]
    key = "Framed: what a fix has to do; ✓: does it. Grey bar: measured."

    def draw() -> Html:
        from .charts import grid

        return grid(names, columns, f"{title}. {'. '.join(told)}.", len(MUST))

    shown = sha256(repr((names, columns, title, told)).encode()).hexdigest()
    chart = Html(*kept_one(lambda: [draw()], Build(VERSION), f"decision-{shown}"))
    head = tag("div", tag("b", title), style="font-size:clamp(1.15em,1.6vw,1.8em)")
    return tag("div", tag("style", Html(ROOM)), head, chart, tag("small", key), **{"class": "mm-decision"})


def _price(fix: str) -> Bar:
    value = price(fix)
    return None, value, "not measured" if value is None else f"{round(value):+}" if round(value) else "0"


def summary() -> Html:
    """The answer in a paragraph, out of this run."""
    good = [fix for fix in FIXES if right(fix)]
    whole = [fix for fix in good if answers(fix)["sh, um, ia64: counters"].good]
    later = list(VERSIONS)[list(VERSIONS).index(VERSION) + 1 :]
    ended = next(v for v in later if check(Build(v, swap=False), "map-read-unmap"))
    left = [fix for fix in FIXES if answers(fix)["OOM reaper"].good is False]
    reopened = [fix for fix in FIXES if answers(fix)["race closed"].good is False]
    rest = (
        f" Of {len(FIXES)} things that could have been done, {len(good)} are right on s390 with and without swap, "
        f"leave the other archs right and the race closed: {_listed(good)}. What was merged is the quick hack; without "
        f"swap it is not compiled, and s390 stayed broken there until {ended}. The race for which the commit was made "
        f"would come back with: {_listed(reopened)}. Our vote, the smallest change of those that would also drop the "
        "right counter on sh, um and ia64: "
    )
    reaper = (
        f". What nobody spoke of: {len(left)} of the {len(FIXES)} leave open that the OOM reaper, new in v4.6, takes a "
        "living process for a dead one (explored, not measured; notebook 04). That is no reason for or against any."
    )
    return tag("p", with_code(CAUSE), with_code(rest), tag("b", min(whole, key=lines)), reaper)


CAUSE = (
    "An unmap has to give back its reference to the huge zero page by dropping huge_zero_refcount. Commit aa88b68c "
    "moved that drop into release_pages(). On s390 an unmapped page never gets there: it is freed at once by "
    "free_page_and_swap_cache(), which drops the page's own count instead. So the first unmap frees a page that "
    "everybody still maps."
)


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
