"""Rows of a file before they are questions, where rows come from, and everything wrong with them."""

from __future__ import annotations

import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, TypedDict

from alft.errors import DataError, DataWarning, Problem

SHOWN_PER_KIND: Final = 5
SHOWN_KINDS: Final = 40
_ALIASES: Final = {
    "answer": "answers solution gold gold_answer ground_truth label target output response reference final_answer",
    "question": "prompt problem input query instruction text content",
    "views": "paraphrases rephrasings variants",
}
_MEANT: Final = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}


@dataclass
class _Kind:
    """One kind of mistake: the first places, and how many there are."""

    first: list[Problem]
    count: int

    def merge(self, other: _Kind) -> None:
        self.first += other.first[: SHOWN_PER_KIND - len(self.first)]
        self.count += other.count


class Problems:
    """Everything wrong in `source`: errors, rows that can't be used, and notes.

    With `drop`, a row that can't be used is counted in `dropped` and left out. Without it, it is an error.
    """

    def __init__(self, source: str | Path, *, drop: bool = False) -> None:
        self.source = str(source)
        self.drop = drop
        self.dropped = 0
        self._errors: dict[str, _Kind] = {}
        self._left_out: dict[str, _Kind] = {}
        self._notes: dict[str, list[str]] = {}

    def add(self, kind: str, where: str, what: str, remedy: str = "") -> None:
        """Add an error; `kind` is the same for the same mistake in another place."""
        self._errors.setdefault(kind, _Kind([], 0)).merge(_Kind([Problem(where, what, remedy)], 1))

    def note(self, what: str, where: str) -> None:
        """Add something that is not an error but may not be what the user meant."""
        self._notes.setdefault(what, []).append(where)

    def take(self, other: Problems) -> None:
        """Add everything that another collection holds."""
        _merge(self._errors, other._errors)
        _merge(self._left_out, other._left_out)
        self.dropped += other.dropped
        for what, places in other._notes.items():
            self._notes.setdefault(what, []).extend(places)

    def reject(self, row: Problems) -> None:
        """Leave out a row that can't be used, counted by its first error; or take its errors as errors."""
        if not self.drop:
            self.take(row)
            return
        kind, found = next(iter(row._errors.items()))
        _merge(self._left_out, {kind: _Kind(found.first[:1], 1)})
        self.dropped += 1

    def __len__(self) -> int:
        return sum(kind.count for kind in self._errors.values())

    def raise_any(self, *, usable: bool = True) -> None:
        """Raise DataError with all errors, if any; without a `usable` row, the rows left out are errors too."""
        found = self._errors if usable else {**self._left_out, **self._errors}
        if not found:
            return
        shown: list[Problem] = []
        for name, kind in list(found.items())[:SHOWN_KINDS]:
            shown.extend(kind.first)
            if (more := kind.count - len(kind.first)) > 0:
                shown.append(Problem(self.source, f"… and {more:,} more like this: {name}"))
        if (kinds := len(found) - SHOWN_KINDS) > 0:
            shown.append(Problem(self.source, f"… and {kinds} more kinds of error", "fix the ones above first"))
        raise DataError(shown)

    def warn(self, total: int) -> None:
        """Warn once about the rows left out, of `total`, and once about each kind of note."""
        if self.dropped:
            why = "; ".join(f"{kind.count:,} {name} ({_places(kind)})" for name, kind in self._left_out.items())
            what = f"left out {self.dropped:,} of {total:,} rows that can't be used: {why}"
            warnings.warn(f"{self.source}: {what} — data.bad_rows: error stops instead", DataWarning, stacklevel=3)
        for what, places in self._notes.items():
            more = f" ({len(places):,} in all)" if len(places) > 1 else ""
            warnings.warn(f"{places[0]}: {what}{more}", DataWarning, stacklevel=3)


def _merge(into: dict[str, _Kind], other: Mapping[str, _Kind]) -> None:
    for name, kind in other.items():
        into.setdefault(name, _Kind([], 0)).merge(kind)


def _places(kind: _Kind) -> str:
    return ", ".join(problem.where for problem in kind.first[:3]) + (", …" if kind.count > 3 else "")


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Remedy for an unknown name; names that data sets give to our fields are known too.

    >>> did_you_mean("anwser", ["question", "answer"]), did_you_mean("x", ["question", "answer"])
    ("did you mean 'answer'?", 'known: question, answer')
    >>> did_you_mean("solution", ["question", "answer"])
    "did you mean 'answer'?"
    """
    meant = _MEANT.get(name.lower())
    close = [meant] if meant in known else get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"


def meant_by(field: str, columns: Iterable[str]) -> str | None:
    """The column that a data set has instead of our field, by its usual names or nearly the same name.

    >>> meant_by("answer", ["id", "gold"]), meant_by("question", ["id", "quesiton"]), meant_by("answer", ["id"])
    ('gold', 'quesiton', None)
    """
    names = {column.lower(): column for column in columns if _MEANT.get(column.lower(), field) == field}
    usual = [name for name in names if name == field or name in _MEANT]
    return next((names[name] for name in usual or get_close_matches(field, names, n=1)), None)


_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Number(str):
    """A JSON number, as it was written."""


class Fields(dict[str, object]):
    """A JSON object that remembers which of its fields appear more than once."""

    repeated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One object of a file: where it begins (`file:line`), its 1-based `number`, and its fields."""

    where: str
    number: int
    fields: Fields


def clean(fields: Fields, where: str, text: str, problems: Problems) -> bool:
    """Whether every text of an object, at any depth, is valid Unicode without NUL, and no field appears twice."""
    before = len(problems)
    stack: list[object] = [fields]
    while stack:
        value = stack.pop()
        if isinstance(value, Fields):
            for name in value.repeated:
                place = f"{where}{_second_column(text, name)}"
                problems.add("repeated field", place, f"the field '{name}' appears twice", "keep one")
            stack.extend([*value, *value.values()])
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, str):
            _check_text(value, where, problems)
    return len(problems) == before


def _check_text(text: str, where: str, problems: Problems) -> None:
    if _SURROGATE.search(text):
        problems.add("lone surrogate", where, "a \\u surrogate without its other half", "write both halves")
    if "\x00" in text:
        problems.add("NUL", where, "a text contains the NUL character (\\u0000)", "remove it")


def _second_column(line: str, name: str) -> str:
    """`:column` of the second occurrence of a field on a line; empty where it is unknown."""
    places = [match.start() for match in re.finditer(rf'"{re.escape(name)}"\s*:', line)]
    return f":{places[1] + 1}" if len(places) > 1 and line.count("\n") <= 1 else ""


class SourceOptions(TypedDict, total=False):
    """Options of a source beside its name; which ones apply depends on its kind.

    subset, split: a part of a dataset repository. revision: branch, tag or commit of a Hub dataset.
    size, seed, held_out: how many questions a generator makes, which ones, and whether to measure on.
    settings: options of a reasoning-gym generator.
    """

    subset: str | None
    split: str | None
    revision: str | None
    size: int | None
    seed: int
    held_out: bool
    settings: Mapping[str, object]


class Source(ABC):
    """Where questions come from."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name in messages."""

    @abstractmethod
    def rows(self, problems: Problems) -> list[Row]:
        """All rows in order; errors go to `problems`. Raises DataError if there is nothing to read."""
