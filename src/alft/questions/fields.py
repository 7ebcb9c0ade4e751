"""Rows of a file before they are questions, where rows come from, and every mistake found on the way."""

from __future__ import annotations

import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, TypedDict

from alft.errors import DataError, DataWarning, Problem

SHOWN_PER_KIND: Final = 5
SHOWN_KINDS: Final = 40


class Problems:
    """Mistakes found in the file `source`; `raise_any` raises them all at once."""

    def __init__(self, source: str | Path) -> None:
        self.source = str(source)
        self._found: dict[str, list[Problem]] = {}
        self._count: dict[str, int] = {}
        self._notes: dict[str, list[str]] = {}

    def add(self, kind: str, where: str, what: str, remedy: str = "") -> None:
        """Note one mistake; `kind` groups those that are the same mistake in other places."""
        shown = self._found.setdefault(kind, [])
        self._count[kind] = self._count.get(kind, 0) + 1
        if len(shown) < SHOWN_PER_KIND:
            shown.append(Problem(where, what, remedy))

    def note(self, what: str, where: str) -> None:
        """Note what is no mistake, and yet may not be what was meant."""
        self._notes.setdefault(what, []).append(where)

    def warn(self) -> None:
        """Warn once of each thing noted: of its first place, and how many there are."""
        for what, places in self._notes.items():
            more = f" ({len(places)} in all)" if len(places) > 1 else ""
            warnings.warn(f"{places[0]}: {what}{more}", DataWarning, stacklevel=3)

    def take(self, other: Problems) -> None:
        """Note the mistakes of another collection as well, each at its own place."""
        for kind, shown in other._found.items():
            self._found.setdefault(kind, []).extend(shown[: SHOWN_PER_KIND - len(self._found.get(kind, ()))])
            self._count[kind] = self._count.get(kind, 0) + other._count[kind]

    def __len__(self) -> int:
        return sum(self._count.values())

    def raise_any(self) -> None:
        """Raise DataError with what was collected, if anything was."""
        if not self._found:
            return
        shown: list[Problem] = []
        for kind, problems in list(self._found.items())[:SHOWN_KINDS]:
            shown.extend(problems)
            if (more := self._count[kind] - len(problems)) > 0:
                shown.append(Problem(self.source, f"and {more} more: {kind} ({self._count[kind]} in all)"))
        if (kinds := len(self._found) - SHOWN_KINDS) > 0:
            shown.append(Problem(self.source, f"and {kinds} more kinds of mistake", "mend these first"))
        raise DataError(shown)


def did_you_mean(name: str, known: list[str]) -> str:
    """Remedy for an unknown name.

    >>> did_you_mean("anwser", ["question", "answer"]), did_you_mean("x", ["question", "answer"])
    ("did you mean 'answer'?", 'known: question, answer')
    """
    close = get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"


_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Number(str):
    """A JSON number, as the text it was written with."""


class Fields(dict[str, object]):
    """A JSON object that remembers which of its fields were written more than once."""

    repeated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One object of a file: where it begins (`file:line`), its 1-based `number`, and its fields."""

    where: str
    number: int
    fields: Fields


def clean(fields: Fields, where: str, text: str, problems: Problems) -> bool:
    """Whether every text of an object, at any depth, can be written again, and no field stands twice."""
    before = len(problems)
    stack: list[object] = [fields]
    while stack:
        value = stack.pop()
        if isinstance(value, Fields):
            for name in value.repeated:
                column = _second_column(text, name)
                problems.add("repeated field", f"{where}{column}", f"the field '{name}' stands twice", "keep one")
            stack.extend([*value, *value.values()])
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, str):
            _check_text(value, where, problems)
    return len(problems) == before


def _check_text(text: str, where: str, problems: Problems) -> None:
    if _SURROGATE.search(text):
        problems.add("lone surrogate", where, "half of a \\u surrogate pair stands alone", "write both halves")
    if "\x00" in text:
        problems.add("NUL", where, "a text holds the NUL character (\\u0000)", "take it out")


def _second_column(line: str, name: str) -> str:
    """`:column` of the second time that a field is written on a line, or nothing where it can't be seen."""
    places = [match.start() for match in re.finditer(rf'"{re.escape(name)}"\s*:', line)]
    return f":{places[1] + 1}" if len(places) > 1 and line.count("\n") <= 1 else ""


class SourceOptions(TypedDict, total=False):
    """What may be said of a source beside its name; which ones fit depends on its kind.

    subset, split: a part of a dataset repository. revision: branch, tag or commit of a Hub dataset.
    size, seed, held_out: how many questions a generator makes, which, and whether for measuring.
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
        """How messages call it."""

    @abstractmethod
    def rows(self, problems: Problems) -> list[Row]:
        """All rows, in order; mistakes go to `problems`. DataError at once if there is nothing to read."""
