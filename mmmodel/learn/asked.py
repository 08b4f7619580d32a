"""What is asked, in words: hints and solutions, questions and options (data/exercises); and how answers are read."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from ..data import passages
from ..show.html import Html, block, code, join, tag
from ..words import near

WORDS = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
YES_NO = {"yes": ("y", "true", "right", "holds"), "no": ("n", "false", "wrong", "breaks", "broken")}
EXERCISE, PREDICTION, HELPED = r"\d\d\.\d", r"\d\d\.[a-r]", r"\d\d\.[\ds]"
"""Ids of what is judged, of what is guessed, and of what there are hints for: 12.s is written, and judged by nobody."""


class Right(NamedTuple):
    """What the model finds; and what it says to another answer, for each name where names are asked for."""

    value: Any
    because: Any


class NotUnderstoodError(ValueError):
    """An answer that cannot be read; the message says what is asked for."""


@cache
def texts(pattern: str = EXERCISE) -> dict[str, list[str]]:
    """The paragraphs under each id of data/exercises that looks like this; code with blank lines in it is one."""
    found = re.split(r"^# (\S+)\n", passages("exercises"), flags=re.MULTILINE)[1:]
    pairs = zip(found[::2], found[1::2], strict=True)
    return {id: re.split(r"\n\n(?! )", text.strip()) for id, text in pairs if re.fullmatch(pattern, id)}


def points(paragraph: str) -> list[str]:
    """The items of a list."""
    return [" ".join(item.split()) for item in re.split(r"^- ", paragraph, flags=re.MULTILINE)[1:]]


def prose(text: str) -> Html:
    """Paragraphs, with names between backticks; between three of them, code."""
    if text.startswith("```"):
        return tag("pre", text.strip("`").removeprefix("python\n"))
    return join(*(code(part) if i % 2 else part for i, part in enumerate(text.split("`"))))


def explained(id: str) -> Html:
    """Why the answer is what it is; of a patch that does it, what is to be said of it."""
    return join(*(tag("div", prose(text)) for text in texts()[id][1:] if not text.startswith("```")))


def feedback(good: bool | None, id: str, title: str, *words: object) -> Html:
    """What is said to an answer."""
    return block(good, tag("b", f"{id}: {title}"), *(tag("div", part) for part in words if part))


def unanswered(given: Any) -> bool:
    """Is the `...` of the notebook still there?"""
    return given is ... or (isinstance(given, tuple | list) and (not given or any(map(unanswered, given))))


def still_open(id: str, put: str) -> Html:
    """What a cell says in which nothing was written yet."""
    hint = join("In the place of ", code("..."), f" comes {put}. Stuck? ", code(f'mm.hint("{id}")'))
    return feedback(None, id, "not answered yet", hint)


def flat(given: Any) -> Iterator[Any]:
    """The single values of an answer, however they are packed."""
    if isinstance(given, Mapping):
        given = tuple(given.values())
    if isinstance(given, list | tuple | set | frozenset):
        for item in given:
            yield from flat(item)
    elif isinstance(given, str | int | float):
        yield given
    else:
        raise NotUnderstoodError(f"an answer is made of numbers and words, not of {type(given).__name__}")


@dataclass(frozen=True)
class Numbers:
    """Whole numbers, one for each of `what`, in this order."""

    what: tuple[str, ...]

    @property
    def asked(self) -> str:
        """What to write."""
        return " and ".join(self.what) + (", a number" if len(self.what) == 1 else ", in this order")

    def read(self, given: Any) -> tuple[int, ...]:
        """The numbers in an answer.

        Raises NotUnderstoodError if they are not as many as asked for.
        """
        found = [number for item in flat(given) for number in self._in(item)]
        if len(found) != len(self.what):
            raise NotUnderstoodError(f"asked for: {self.asked}; found {len(found) or 'no'} whole numbers in {given!r}")
        return tuple(found)

    def _in(self, item: str | float) -> Iterable[int]:
        text = re.sub(r"v\d[\d.]*", "", str(item).lower().replace("−", "-").replace("zero", "none"))
        words = re.findall(r"(?<![\w.])-?\d[\w.+-]*|[a-z]+", text) * (not isinstance(item, bool))
        found = [WORDS.index(word) if word in WORDS else word for word in words]
        return [int(float(n)) for n in found if re.fullmatch(r"-?\d{1,9}(\.0*)?", str(n))]

    def differ(self, said: tuple[int, ...], right: Right) -> str:
        """Which number is wrong, in which direction, and what the model finds elsewhere."""
        pairs = zip(self.what, said, right.value, strict=True)
        off = [
            f"{what} is {'lower' if mine > its else 'higher'} than {mine}" for what, mine, its in pairs if mine != its
        ]
        return f"{'; '.join(off)}. {right.because}"


@dataclass(frozen=True)
class Names:
    """Names of those that there are (with other words for them): any number, or one for each of `what`, in order."""

    known: Mapping[str, tuple[str, ...]]
    what: tuple[str, ...] = ()

    @property
    def asked(self) -> str:
        """What to write."""
        listed = ", ".join(self.known)
        return f"one of {listed}, for: {'; '.join(self.what)}" if self.what else f"one or more of {listed}"

    def read(self, given: Any) -> Any:
        """The names in an answer: a set, or a tuple where their order counts.

        Raises NotUnderstoodError for a word that is none of them, and if they are not as many as asked for.
        """
        found = [name for item in flat(given) for name in self._in(str(item))]
        if len(found) != len(self.what) if self.what else not found:
            raise NotUnderstoodError(f"asked for: {self.asked}; found {len(found) or 'none'} in {given!r}")
        return tuple(found) if self.what else frozenset(found)

    def _in(self, text: str) -> Iterator[str]:
        means = {plain(word): name for name, more in self.known.items() for word in (name, *more)}
        if plain(text) in means:
            yield means[plain(text)]
            return
        for part in filter(str.strip, re.split(r"[,;/&\n]|\band\b", text)):
            for word in [part] if plain(part) in means else part.split():
                if plain(word) not in means:
                    hint = near(word.strip(), self.known)
                    raise NotUnderstoodError(f"{word.strip()!r} is none of them: {self.asked}{hint}")
                yield means[plain(word)]

    def differ(self, said: Any, right: Right) -> str:
        """The first that is wrong or missing, and what the model says of it."""
        if self.what:
            at = next(i for i, pair in enumerate(zip(said, right.value, strict=True)) if pair[0] != pair[1])
            return f"{self.what[at]}: {right.because[at]}"
        wrong, missing = sorted(said - right.value), sorted(right.value - said)
        about = f"{wrong[0]} does not belong there" if wrong else f"{len(missing)} missing, such as {missing[0]}"
        return f"{about}. {right.because[(wrong or missing)[0]]}"


def plain(word: str) -> str:
    """A name without what people write differently: case, spaces, dashes, brackets, the v of a version."""
    return re.sub(r"[^a-z0-9.]", "", word.lower()).strip(".").removeprefix("v")


def yes_no(*what: str) -> Names:
    """So many times yes or no."""
    return Names(YES_NO, what)


def names(words: Iterable[str], *what: str) -> Names:
    """Names that are called nothing else."""
    return Names(dict.fromkeys(words, ()), what)
