"""Rows of a file before they are questions, where rows come from, and everything wrong with them."""

from __future__ import annotations

import re
import warnings
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Final, TypedDict

from alft.answers.phrases import table
from alft.errors import DataError, DataWarning, Problem

SHOWN_PER_KIND: Final = 5
SHOWN_KINDS: Final = 40
_COLUMNS: Final = {holds: names.split() for holds, names in table("questions/words")["columns"].items()}
_MEANT: Final = {
    other: name for name in ("answer", "question", "views") for other in _COLUMNS[name] if other != name
}


@dataclass
class _Kind:
    first: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, problems: Sequence[Problem], count: int = 1) -> None:
        self.first += problems[: SHOWN_PER_KIND - len(self.first)]
        self.count += count


class Problems:
    """Everything wrong in `source`: errors, rows that can't be used, and notes.

    With `drop`, a row that can't be used is counted in `dropped` and left out. Without it, it is an error.
    """

    def __init__(self, source: str | Path, *, drop: bool = False) -> None:
        self.source, self.drop, self.dropped = str(source), drop, 0
        self._errors: defaultdict[str, _Kind] = defaultdict(_Kind)
        self._left_out: defaultdict[str, _Kind] = defaultdict(_Kind)
        self._notes: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, where: str, what: str, remedy: str = "") -> None:
        """Add an error; `kind` is the same for the same mistake in another place."""
        self._errors[kind].add([Problem(where, what, remedy)])

    def note(self, what: str, where: str) -> None:
        """Add something that is not an error but may not be what the user meant."""
        self._notes[what].append(where)

    def take(self, other: Problems) -> None:
        """Add everything that another collection holds."""
        for mine, theirs in ((self._errors, other._errors), (self._left_out, other._left_out)):
            for kind, found in theirs.items():
                mine[kind].add(found.first, found.count)
        for what, places in other._notes.items():
            self._notes[what] += places
        self.dropped += other.dropped

    @contextmanager
    def of_row(self) -> Iterator[Problems]:
        """Collect the problems of one row: with `drop`, a row with errors is left out, counted by the first."""
        row = Problems(self.source)
        yield row
        if not (self.drop and row._errors):
            return self.take(row)
        kind, found = next(iter(row._errors.items()))
        self._left_out[kind].add(found.first[:1])
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
            first, more = kind.first, kind.count - len(kind.first)
            if len({(problem.what, problem.remedy) for problem in first}) == 1:
                shown.append(replace(first[0], where=self._together(first, more)))
                continue
            shown += first
            if more > 0:
                shown.append(Problem(self.source, f"… and {more:,} more like this: {name}"))
        if (kinds := len(found) - SHOWN_KINDS) > 0:
            shown.append(Problem(self.source, f"… and {kinds} more kinds of error", "fix the ones above first"))
        raise DataError(shown)

    def _together(self, alike: Sequence[Problem], more: int) -> str:
        """The places of problems that are the same, `q.jsonl:3, 7, 11 and 2 more`; the file is named once."""
        first, *others = (problem.where for problem in alike)
        inside, colon, line = first.removeprefix(self.source).partition(":")  # a folder, or its file
        file = f"{self.source}{inside if colon else ''}"
        places = [line, *(o.removeprefix(f"{file}:").removeprefix(self.source).lstrip(": /") for o in others)]
        ends = {place.partition(" ")[2] for place in places}
        shared = ends.pop() if others and colon and len(ends) == 1 else ""  # a field, which is named once too
        end = f" {shared}" if shared else ""
        listed = ", ".join(place.removesuffix(end) for place in (first, *places[1:]))
        return listed + f" and {more:,} more" * (more > 0) + (f" ({shared})" if shared else "")

    def warn(self, total: int) -> None:
        """Warn once about the rows left out, of `total`, and once about each kind of note."""
        if self.dropped:
            why = [
                f"{kind.count:,} {name} ({', '.join(p.where for p in kind.first[:3])}{', …' * (kind.count > 3)})"
                for name, kind in self._left_out.items()
            ]
            what = f"left out {self.dropped:,} of {total:,} rows that can't be used: {'; '.join(why)}"
            warnings.warn(f"{self.source}: {what} — data.bad_rows: error stops instead", DataWarning, stacklevel=3)
        for what, places in self._notes.items():
            more = f" ({len(places):,} in all)" if len(places) > 1 else ""
            warnings.warn(f"{places[0]}: {what}{more}", DataWarning, stacklevel=3)


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Remedy for an unknown name; names that data sets give to our fields are known too.

    >>> did_you_mean("anwser", ["question", "answer"]), did_you_mean("x", ["question", "answer"])
    ("did you mean 'answer'?", 'known: question, answer')
    >>> did_you_mean("solution", ["question", "answer"])
    "did you mean 'answer'?"
    """
    meant = _MEANT.get(_bare(name))
    close = [meant] if meant in known else get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"


def meant_by(field: str, columns: Iterable[str]) -> str | None:
    """The column that a data set has instead of our field, by its usual names or nearly the same name.

    >>> meant_by("answer", ["id", "gold"]), meant_by("question", ["id", "quesiton"]), meant_by("answer", ["id"])
    ('gold', 'quesiton', None)
    """
    names = {_bare(name): name for name in columns if _MEANT.get(_bare(name), field) == field}
    usual = [name for name in _COLUMNS[field] if name in names]
    near = [name for name in names if not name[-1:].isdigit() and (field == "id" or not name.endswith("id"))]
    return next((names[name] for name in usual or get_close_matches(field, near, n=1, cutoff=0.75)), None)


def column(fields: Mapping[str, object], holds: str) -> str | None:
    """The column that holds something (a row of `columns` in words.toml): the first that is not empty.

    >>> column({"Problem": "a?", "Final Answer": "5", "gold": ""}, "answer")
    'Final Answer'
    """
    names = {_bare(name): name for name in fields}
    found = [names[name] for name in _COLUMNS[holds] if name in names]
    return next((name for name in found if fields[name] not in (None, "", [])), found[0] if found else None)


def parallel(fields: Mapping[str, object], holds: str) -> dict[str, object]:
    """Columns that differ in their last letter or number only, in order, by it; empty if there are none.

    >>> parallel({"opa": "one", "opb": "two", "opc": None, "cop": "1"}, "parallel")
    {'A': 'one', 'B': 'two'}
    """
    names = {_bare(name): name for name, value in fields.items() if value not in (None, "")}
    for stem in _COLUMNS[holds]:
        stem = stem.strip("-")
        ends = sorted(name[-1] for name in names if name[:-1] == stem and len(name) == len(stem) + 1)
        if len(ends) > 1 and ends[0] in ("a01" if stem else "a") and "".join(ends) in "abcdefghij 0123456789":
            return {end.upper(): fields[names[stem + end]] for end in ends}
    return {}


def asked_in(fields: Mapping[str, object]) -> object:
    """The question after the text that it is about; chat messages as they are."""
    name, about = needed(fields, "question"), column(fields, "about")
    if isinstance(fields[name], list):
        return fields[name]
    question = text_at(fields, name)
    text = fields[about] if about else None
    if isinstance(text, Mapping) and "contexts" not in text:  # HotpotQA
        raise ValueError(f"'{about}' is a map without 'contexts'", "write its text into the question")
    found = text.get("contexts") if isinstance(text, Mapping) else text  # PubMedQA
    listed = found if isinstance(found, list) else [found] * (found not in (None, ""))
    parts = [part for part in listed if isinstance(part, str) and part.strip()]
    if len(parts) < len(listed):
        raise ValueError(f"'{about}' is not a text")
    if not parts:
        return question
    return "\n".join(parts).strip() + (" " if _bare(str(about)) == "body" else "\n\n") + question.strip()


def unused_columns(fields: Mapping[str, object], question: str) -> list[str]:
    """Columns that a question may need, by their names, and that stand nowhere in its text."""
    named = [name for name in fields if _bare(name) in _COLUMNS["beside"] and fields[name]]
    return [name for name in named if str(fields[name]).strip() not in question]


def plain_text(value: object) -> str:
    """A value as text without spaces around it, a number like 5.0 as 5; empty for None."""
    text = "" if value is None else str(value).strip()
    short = isinstance(value, Number | float) and re.fullmatch(r"(-?\d+)\.0*", text)
    return short[1] if short else text


def needed(fields: Mapping[str, object], holds: str) -> str:
    """The column that holds something; raises KeyError if there is none."""
    if (name := column(fields, holds)) is None:
        raise KeyError({"one_answer": "answer", "accepted": "answer"}.get(holds, holds))
    return name


def is_text(value: object) -> bool:
    """Whether it is a text that is not empty."""
    return isinstance(value, str) and bool(value.strip())


def text_at(fields: Mapping[str, object], name: str) -> str:
    """The text of a column; raises ValueError for anything else."""
    value = fields[name]
    if isinstance(value, str) and not isinstance(value, Number) and value.strip():
        return value
    raise ValueError(f"'{name}' is not a text, or is empty")


@lru_cache(4096)
def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


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
                places = [match.start() for match in re.finditer(rf'"{re.escape(name)}"\s*:', text)]
                column = f":{places[1] + 1}" if len(places) > 1 and text.count("\n") <= 1 else ""
                problems.add("repeated field", where + column, f"the field '{name}' appears twice", "keep one")
            stack += [*value, *value.values()]
        elif isinstance(value, list):
            stack += value
        elif isinstance(value, str):
            if re.search(r"[\ud800-\udfff]", value):
                what = "a \\u surrogate without its other half"
                problems.add("lone surrogate", where, what, "write both halves")
            if "\x00" in value:
                problems.add("NUL", where, "a text contains the NUL character (\\u0000)", "remove it")
    return len(problems) == before


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
