"""A run written down: index.html, claims.html and .csv, run.json, and for other programs JUnit XML and Markdown."""

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from markupsafe import Markup

from . import index
from .environment import write
from .notebooks import UsageError
from .outcome import Outcome, said
from .site import Site, glossary_page


def now() -> str:
    """The time, for the record."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class Results:
    """The files of a run; they are written when it starts, as not ended, and again in the end."""

    out: Path
    parameters: Mapping[str, object]
    junit: Path | None
    summary: Path | None
    start: str = field(default_factory=now)
    id: str = field(default_factory=lambda: uuid4().hex[:8])
    clock: float = field(default_factory=time.monotonic)

    def write(self, outcomes: Sequence[Outcome], ended: bool = False, **facts: Any) -> dict[str, Any]:
        """Write them all, with facts: `interrupted`, `interpreter`, `versions`. Returns what was found, and the claims.

        Raises UsageError if one cannot be written.
        """
        failures = [failure for outcome in outcomes for failure in outcome.failures]
        claims = [{**said(c["id"]), **c, "notebook": o.name} for o in outcomes for c in o.claims]
        missing = {id for o in outcomes for id in unmade(o)}
        found: dict[str, Any] = {
            "ok": ended and not failures and not facts["interrupted"],
            "id": self.id,
            "start": self.start,
            "end": now() if ended else None,
            "seconds": round(time.monotonic() - self.clock, 2),
            "interrupted": "",
            "parameters": dict(self.parameters),
            "interpreter": "",
            "versions": {},
            **facts,
            "notebooks": [asdict(outcome) for outcome in outcomes],
        }
        summary = Markup("".join(notebook.pop("summary") for notebook in found["notebooks"]))
        site = Site.of(outcome for outcome in outcomes if outcome.page)
        shown = {"title": "mmmodel: what this run found", "failures": failures, "summary": summary, "site": site}
        shown["slides"] = (self.out / "slides.html").exists()
        page = index.index(found, claims, missing, **shown)
        files = {self.out / "claims.csv": index.table(claims)}
        files |= {self.out / "claims.html": index.ledger(claims, missing, site)}
        files |= {self.out / "glossary.html": glossary_page(site)}
        if self.junit:
            files[self.junit] = junit(outcomes, self.start)
        if self.summary:
            files[self.summary] = markdown(found, outcomes)
        files |= {self.out / "index.html": page, self.out / "run.json": json.dumps(found, indent=1) + "\n"}
        for path, text in files.items():
            _write(path, text)
        return {**found, "claims": claims}


def _write(path: Path, text: str) -> None:
    """Write a file, its folder too; what is there and no file (a terminal, a pipe) is left alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not a file")
        write(path, text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def unmade(outcome: Outcome) -> list[str]:
    """Claims that a notebook should have checked and did not."""
    made = {claim["id"] for claim in outcome.claims}
    wanted = dict.fromkeys([*outcome.promised, *(failure.claim for failure in outcome.failures if failure.claim)])
    return [id for id in wanted if id not in made]


def cases(outcome: Outcome) -> Iterator[tuple[str, list[str]]]:
    """What can pass or fail in a notebook: itself, and each claim, with what was wrong."""
    yield outcome.name, [str(failure) for failure in outcome.failures if not failure.claim]
    for id in dict.fromkeys([*(claim["id"] for claim in outcome.claims), *unmade(outcome)]):
        wrong = [str(failure) for failure in outcome.failures if failure.claim == id]
        yield id, wrong or ["it was not checked"] * (id in unmade(outcome))


def junit(outcomes: Iterable[Outcome], start: str) -> str:
    """The notebooks and their claims as JUnit XML: a suite for each notebook."""
    root = Element("testsuites", name="mmmodel")
    for outcome in outcomes:
        tests, seconds = list(cases(outcome)), str(outcome.seconds)
        failed = str(sum(bool(wrong) for _, wrong in tests))
        about = {"timestamp": start, "tests": str(len(tests)), "failures": failed, "time": seconds}
        suite = SubElement(root, "testsuite", {"name": _xml(outcome.name), **about})
        for name, wrong in tests:
            took = seconds if name == outcome.name else "0"
            case = SubElement(suite, "testcase", classname=_xml(outcome.name), name=_xml(name), time=took)
            if wrong:
                SubElement(case, "failure", message=_xml(wrong[0])).text = _xml("\n".join(wrong))
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    """Text without the characters that XML cannot have, escaped or not."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", text)


def markdown(found: Mapping[str, Any], outcomes: Sequence[Outcome]) -> str:
    """A run on one screen, for a job's summary: what failed, and each notebook in a line."""
    claims = [claim for outcome in outcomes for claim in outcome.claims]
    good = sum(outcome.status == "ok" for outcome in outcomes)
    hold = sum(claim["holds"] for claim in claims)
    end = "not ended" if not found["end"] else f"interrupted by {found['interrupted']}" if found["interrupted"] else ""
    mark = "✓" if found["ok"] else "✗"
    lines = [f"## {mark} mmmodel: {good} of {len(outcomes)} notebooks ok, {hold} of {len(claims)} claims hold", ""]
    lines += [f"✗ This run was {end}.", ""] * bool(end)
    lines += [f"- ✗ {_plain(str(failure))}" for outcome in outcomes for failure in outcome.failures]
    lines += ["", "| notebook | claims | time | status |", "|---|---|---|---|"]
    for outcome in outcomes:
        status = f"{'✓' if outcome.status == 'ok' else '✗'} {outcome.status}"
        lines.append(f"| {_plain(outcome.name)} | {len(outcome.claims)} | {outcome.seconds:.1f} s | {status} |")
    given = ", ".join(f"{name} = {value!r}" for name, value in found["parameters"].items())
    lines += ["", f"Parameters: {_plain(given or 'as in the notebooks')}. {_plain(found['start'])}"]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(_xml(text).split()))
