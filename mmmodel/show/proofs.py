"""The proof of each cell of the decision: what it rests on, the runs that break, and the steps that break them."""

import re
from functools import cache

from ..build.composed import Build
from ..explore.verdict import Verdict
from ..study.at_a_glance import command
from ..study.decision import FIXES, Answer, Run, answers, counted, witnesses
from ..study.story import story
from .html import MONO, WRAPPED, Html, join, mark, table, tag

LONG = 40
"""Rows of a witness; of a longer one only its start and its end are shown."""
PASTED = f"{WRAPPED};font:.95em/1.4 {MONO};margin:.2em 0;user-select:all"


def proof_id(fix: str, question: str) -> str:
    """Where on the page of notebook 10 a cell of the decision has its proof: `proof-quick-hack-s390-swap-off`."""
    return "-".join(re.findall(r"\w+", f"proof {fix} {question}".lower().replace("'", "")))


def proofs() -> Html:
    """For each fix and question what the answer rests on, and each run that breaks: build, command line, witness.

    A witness that was shown before is a link to that one.
    """
    seen: dict[Html, str] = {}
    return join(*(_of_fix(fix, seen) for fix in FIXES))


def _of_fix(fix: str, seen: dict[Html, str]) -> Html:
    found = answers(fix)
    runs = {run for answer in found.values() for run in answer.broken}
    head = tag("summary", tag("b", fix), f": {counted(len(runs), 'run')} that break{'s' * (len(runs) == 1)}")
    return tag("details", head, *(_of_cell(fix, question, answer, seen) for question, answer in found.items()))


def _of_cell(fix: str, question: str, answer: Answer, seen: dict[Html, str]) -> Html:
    name = proof_id(fix, question)
    title = tag("div", tag("b", f"{question}: "), mark(answer.good, answer.words))
    told = tag("ul", *(tag("li", said) for said in answer.evidence), style="margin:.2em 0")
    alike: dict[tuple[str, Html], list[Build]] = {}
    for build, scenario in answer.broken:
        alike.setdefault((scenario, _tables()[build, scenario]), []).append(build)
    runs = [_runs(builds, *key, f"{name}-{i}", seen) for i, (key, builds) in enumerate(alike.items(), 1)]
    return tag("section", title, told, *runs, id=name, style="margin:.6em 0 .6em 1em")


def _runs(builds: list[Build], scenario: str, steps: Html, name: str, seen: dict[Html, str]) -> Html:
    """Builds that break a scenario by the same steps."""
    verdict = witnesses()[builds[0], scenario]
    archs = ", ".join(dict.fromkeys(build.arch for build in builds))
    head = f"{scenario} on {archs}: {verdict.broken} breaks, {verdict.what}"
    lines = [f"mm.check({build!r}, {scenario!r})\n{command(build)} --witness {scenario}" for build in builds]
    if (first := seen.setdefault(steps, name)) != name:
        steps = tag("p", "Its witness is ", tag("a", "shown above", href=f"#{first}"), ": the same steps.")
    inside = tag("div", tag("pre", "\n".join(lines), style=PASTED), steps, id=name, style="margin-left:1em")
    return tag("details", tag("summary", head), inside)


@cache
def _tables() -> dict[Run, Html]:
    """The steps of each run that breaks."""
    drawn = {id(verdict): _steps(verdict) for verdict in {id(v): v for v in witnesses().values()}.values()}
    return {run: drawn[id(verdict)] for run, verdict in witnesses().items()}


def _steps(verdict: Verdict) -> Html:
    """The witness as a table: steps that follow each other and change nothing are one row."""
    rows: list[tuple[object, ...]]
    rows = [(f"{r.first}–{r.last}" if r.first < r.last else r.first, r.lane, ", ".join(r.functions), "; ".join(r.words))
            for r in story(verdict)[2]]  # fmt: skip
    if len(rows) > LONG:
        left = f"{len(rows) - LONG} rows are left out"
        rows[LONG // 2 : -LONG // 2] = [("…", "", left, "")]
    return table(["step", "CPU", "function", "what it changes"], rows)
