"""Rows of a file before they are questions: fields as text, with what no text may hold found."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alft.questions.problems import Problems

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
