"""The minutes of a meeting: what was shown and said, the votes and the decision; a file that is never half written."""

import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from ..words import choose
from .environment import write
from .notebooks import UsageError

Entry = dict[str, str]
KINDS = {
    "shown": ("state", "said"),
    "notes": ("said", "state"),
    "votes": ("name", "fix", "vote"),
    "decision": ("said",),
}
"""What an entry of each kind says; a vote replaces that of the same name, a decision the one before."""
VOTES = ("for", "against", "abstain")
LONG, MANY = 2000, 2000
COLUMNS = 72


class Minutes:
    """Kept in a file of JSON, which is written anew at every change and goes on where it ended.

    Raises UsageError for a file that holds something else, and for a folder that does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, list[Entry]] = {kind: [] for kind in KINDS}
        try:
            if path.exists():
                self._read(json.loads(path.read_text(encoding="utf-8")))
            elif not path.absolute().parent.is_dir():
                raise UsageError(f"minutes cannot be kept in {path}: there is no such folder")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{path} holds no minutes: {error}") from None
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None

    def _read(self, kept: Mapping[str, list[Entry]]) -> None:
        for kind, entries in kept.items():
            for entry in entries if choose("kind of entry", kind, KINDS) else ():
                self._take(kind, entry, entry["at"])

    def add(self, kind: str, words: Mapping[str, object]) -> None:
        """Add an entry, and save.

        Raises ValueError for what is no entry, too long or too much, and OSError if it cannot be saved.
        """
        self._take(kind, words, datetime.now().isoformat(" ", "minutes"))
        self._save()

    def _take(self, kind: str, words: Mapping[str, object], at: str) -> None:
        said = {name: _text(name, words.get(name, "")) for name in KINDS[choose("kind of entry", kind, KINDS)]}
        if not said[KINDS[kind][0]]:
            raise ValueError(f"{kind}: {KINDS[kind][0]} is empty")
        if kind == "votes":
            choose("vote", said["vote"], VOTES)
        here = self.entries[kind]
        if len(here) >= MANY:
            raise ValueError(f"the minutes have {MANY} {kind} already")
        if kind == "shown" and here and here[-1]["state"] == said["state"]:
            return
        same = ("name", "fix") if kind == "votes" else () if kind == "decision" else ("at",)
        entry = {"at": _text("at", at), **said}
        if "at" not in same:
            here[:] = [old for old in here if any(old[name] != entry[name] for name in same)]
        here.append(entry)

    def _save(self) -> None:
        write(self.path, json.dumps(self.entries, indent=1, ensure_ascii=False))

    def markdown(self) -> str:
        """As Markdown, in which nothing that was typed is more than text."""
        return "\n".join(self._lines(_escaped, lambda words: words, "- ", "## {}", "# {}")) + "\n"

    def mail(self) -> str:
        """As plain text of at most 72 columns."""

        def wrapped(words: str) -> str:
            return textwrap.fill(words, COLUMNS, subsequent_indent="  ", break_on_hyphens=False)

        return "\n".join(self._lines(str, wrapped, "* ", "{}:", "{}")) + "\n"

    def _lines(
        self, quoted: Callable[[str], str], fitted: Callable[[str], str], item: str, heading: str, title: str
    ) -> Iterator[str]:
        yield title.format(f"Minutes: {self.begun}")
        for name, entries in (
            ("Decision", [quoted(_flat(e["said"])) for e in self.entries["decision"]]),
            ("Votes", [f"{quoted(_flat(fix))}: {votes}" for fix, votes in self._counted(quoted)]),
            ("Said", [f"{e['at'][11:]} {quoted(_flat(e['said']))}" for e in self.entries["notes"]]),
            (
                "Shown",
                [f"{e['at'][11:]} {quoted(e['state'])}: {quoted(_flat(e['said']))}" for e in self.entries["shown"]],
            ),
        ):
            yield from ("", heading.format(name), "", *(fitted(item + words) for words in entries or ["nothing"]))

    @property
    def begun(self) -> str:
        """The time of the first entry."""
        return min((e["at"] for entries in self.entries.values() for e in entries), default="nothing yet")

    def _counted(self, quoted: Callable[[str], str]) -> Iterator[tuple[str, str]]:
        """For each fix: how many are for it, against it, abstain; and who."""
        votes = self.entries["votes"]
        for fix in dict.fromkeys(e["fix"] for e in votes):
            who = {v: [quoted(_flat(e["name"])) for e in votes if (e["fix"], e["vote"]) == (fix, v)] for v in VOTES}
            yield fix, "; ".join(f"{len(names)} {vote} ({', '.join(names)})" for vote, names in who.items() if names)


def _text(name: str, words: object) -> str:
    """Text, without what a terminal or a page could take for more."""
    if not isinstance(words, str) or len(words) > LONG:
        raise ValueError(f"{name} must be text of at most {LONG} characters")
    return "".join(c for c in words if c.isprintable() or c == "\n").strip()


def _flat(words: str) -> str:
    return " ".join(words.split())


def _escaped(words: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>()#+\-.!|&~=:/])", r"\\\1", words)
