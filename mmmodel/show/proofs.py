"""The proof of each cell of the decision: what it rests on, the runs that break, and the steps that break them."""

from functools import cache

from ..build.composed import Build
from ..study.at_a_glance import command
from ..study.decision import FIXES, Answer, Proof, Run, answers, counted, witnesses
from .decision_view import in_words, kernels, proof_id
from .html import Html, join, table, tag, to_copy, within_page

LONG = 40
"""Rows of a witness; of a longer one only its start and its end are shown."""
Seen = dict[Html, tuple[str, str]]
"""Where each witness was shown first: anchor, and in words."""


def proofs() -> Html:
    """For each fix and question what the answer rests on, and each run that breaks: build, command line, witness.

    A witness that was shown before is a link to that one.
    """
    seen: Seen = {}
    return join(*(_of_fix(fix, seen) for fix in FIXES))


def _of_fix(fix: str, seen: Seen) -> Html:
    found = answers(fix)
    runs = {run for answer in found.values() for run in answer.broken}
    head = tag("summary", tag("b", fix), f": {counted(len(runs), 'run')} that break{'s' * (len(runs) == 1)}")
    return tag("details", head, *(_of_cell(fix, question, answer, seen) for question, answer in found.items()))


def _of_cell(fix: str, question: str, answer: Answer, seen: Seen) -> Html:
    name = proof_id(fix, question)
    title = tag("div", tag("b", f"{question}: "), in_words(answer))
    told = tag("ul", *(tag("li", said) for said in answer.evidence), style="margin:.2em 0")
    alike: dict[tuple[str, Html], list[Build]] = {}
    for build, scenario in answer.broken:
        alike.setdefault((scenario, _tables()[build, scenario]), []).append(build)
    here = f"{fix}, {question}"
    runs = [_runs(builds, *key, (f"{name}-{i}", here), seen) for i, (key, builds) in enumerate(alike.items(), 1)]
    return tag("section", title, told, *runs, id=name, style="margin:.6em 0 .6em 1em")


def _runs(builds: list[Build], scenario: str, steps: Html, place: tuple[str, str], seen: Seen) -> Html:
    """Builds that break a scenario by the same steps."""
    proof = witnesses()[builds[0], scenario]
    where = kernels((build.arch, build.swap) for build in builds)
    head = f"{scenario} on {where}: {proof.broken} breaks, {proof.what}"
    lines = [(f"mm.check({build!r}, {scenario!r})", f"{command(build)} --witness {scenario}") for build in builds]
    pasted = [to_copy(line) for both in lines for line in both]
    if (first := seen.setdefault(steps, place)) != place:
        steps = tag("p", "The same steps as those of ", within_page(first[1], first[0]), ", above.")
    inside = tag("div", *pasted, steps, id=place[0], style="margin-left:1em")
    return tag("details", tag("summary", head), inside)


@cache
def _tables() -> dict[Run, Html]:
    """The steps of each run that breaks."""
    every = {repr(proof): proof for proof in witnesses().values()}
    drawn = {same: _steps(proof) for same, proof in every.items()}
    return {run: drawn[repr(proof)] for run, proof in witnesses().items()}


def _steps(proof: Proof) -> Html:
    """The witness as a table: steps that follow each other and change nothing are one row."""
    rows: list[tuple[object, ...]]
    rows = [
        (f"{first}–{last}" if first < last else first, lane, ", ".join(functions), "; ".join(words))
        for first, last, lane, functions, words in proof.rows
    ]
    if len(rows) > LONG:
        left = f"{len(rows) - LONG} rows are left out"
        rows[LONG // 2 : -LONG // 2] = [("…", "", left, "")]
    return table(["step", "CPU", "function", "what it changes"], rows)
