"""What became of a notebook: read off the executed notebook, which is the only record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..claims import MIME, sentence
from ..data import rows
from . import page as report
from .unchecked import unchecked

SLOW = 10.0  # seconds; slower cells are named in run.json
STATUS = {"CellTimeoutError": "timed out", "KeyboardInterrupt": "stopped"}


@dataclass(frozen=True)
class Failure:
    """What went wrong, and where: `cell` counts the code cells of the notebook from 1."""

    notebook: str
    error: str
    cell: int | None = None
    claim: str = ""

    def __str__(self) -> str:
        """Place and error in one line."""
        return f"{self.notebook}{f', cell {self.cell}' if self.cell else ''}: {self.error}"


@dataclass
class Outcome:
    """What became of one notebook; `page`: does NAME.html exist? `summary`: HTML for the first page of the report.

    `promised`: the claims it has to check.
    """

    name: str
    title: str
    question: str
    promised: Sequence[str] = ()
    status: str = "not run"
    start: str = ""
    end: str = ""
    seconds: float = 0.0
    page: bool = False
    slow_cells: dict[int, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    summary: str = ""

    def fail(self, error: str, cell: int | None = None, claim: str = "", status: str = "failed") -> None:
        """Note a failure; the first one is the status."""
        self.status = self.status if self.failures else status
        self.failures.append(Failure(self.name, error, cell, claim))


def read(nb: Mapping[str, Any], outcome: Outcome) -> Outcome:
    """Read times, claims and failures off an executed notebook."""
    times = nb["metadata"]["papermill"]
    outcome.status, outcome.start, outcome.end = "ok", times["start_time"], times["end_time"]
    outcome.seconds = round(times["duration"] or 0, 2)
    outcome.summary = "\n".join(html for _, html in report.summaries(nb, outcome.name))
    for number, cell in report.numbered(nb["cells"]):
        if (seconds := cell["metadata"]["papermill"]["duration"] or 0) > SLOW:
            outcome.slow_cells[number] = round(seconds, 2)
        for output in cell["outputs"]:
            if claim := output.get("data", {}).get(MIME):
                outcome.claims.append({**claim, "cell": number})
                if not claim["holds"]:
                    outcome.fail(sentence(said(claim["id"]), False, claim["how"]), number, claim["id"])
            elif output["output_type"] == "error":
                name, text = output["ename"], next(iter(output["evalue"].splitlines()), "")
                if name in STATUS:
                    outcome.fail(text or name, number, status=STATUS[name])
                elif name != "ClaimFailed" or not outcome.failures:
                    outcome.fail(f"{name}: {text}", number)
    for error, place, claim in unchecked(nb, outcome.promised):
        outcome.fail(error, place, claim)
    return outcome


def said(id: str) -> dict[str, str]:
    """The row of data/claims.csv, or one that says there is none."""
    unknown = {"id": id, "statement": "not in data/claims.csv", "we_check": ""}
    return next((row for row in rows("claims") if row["id"] == id), unknown)
