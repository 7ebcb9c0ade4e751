"""What counts as the same answer, where people may differ: declared once, and part of a run's digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class KeyPolicy:
    """Choices that no text can settle; every field's default is the first value listed.

    percent: `keep` makes `50%` its own answer, `scale` makes it 1/2, `drop` makes it 50.
    units: `keep` makes `5 cm` its own answer (one for all spellings), `drop` makes it and `5 apples` 5.
    currency: `drop` makes `$18`, `18 dollars` and `18` one answer, `keep` tells them apart, and € from £.
    decimal: `point` reads `1,234.5`, `comma` reads `1.234,5`.
    assignment: `drop` reads `x = 5` as 5 (one letter and a number, the whole answer), `keep` does not.
    lists: `unordered` makes `2, 1`, `1, 2` and `{1, 2}` one answer, `ordered` keeps the order of a bare list.

    >>> KeyPolicy().percent, KeyPolicy(percent="scale") == KeyPolicy()
    ('keep', False)
    """

    percent: Literal["keep", "scale", "drop"] = "keep"
    units: Literal["keep", "drop"] = "keep"
    currency: Literal["drop", "keep"] = "drop"
    decimal: Literal["point", "comma"] = "point"
    assignment: Literal["drop", "keep"] = "drop"
    lists: Literal["unordered", "ordered"] = "unordered"


@dataclass(frozen=True)
class ReadPolicy:
    """What counts as a final answer in a completion; the default reads marked answers only.

    pattern: a regular expression of your own, whose last match (its group, if it has one) goes before all marks.
    unmarked: what to do without a mark: `unread` nothing, `option` reads a completion that is one option letter,
    `last number` takes the last number: a guess, which must be asked for.
    """

    pattern: str | None = None
    unmarked: Literal["unread", "option", "last number"] = "unread"


DEFAULT = KeyPolicy()
MARKED = ReadPolicy()
