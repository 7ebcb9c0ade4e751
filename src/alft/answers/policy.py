"""What counts as an answer, and as the same answer, where people may differ: declared once for a run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Percent = Literal["keep", "scale", "drop"]
Kept = Literal["keep", "drop"]
Dropped = Literal["drop", "keep"]
Decimal = Literal["point", "comma"]
Lists = Literal["unordered", "ordered"]
Tuples = Literal["ordered", "set"]
Case = Literal["fold", "keep"]
Unmarked = Literal["unread", "option", "last number"]
Box = Literal["last", "first", "same"]
Thinking = Literal["ignore", "read"]
Truncated = Literal["unread", "read"]
Kind = Literal["any", "number", "option", "text"]


@dataclass(frozen=True)
class KeyPolicy:
    """Choices that no text can settle; every field's default is the first value listed.

    percent: `keep` makes `50%` its own answer, `scale` makes it 1/2, `drop` makes it 50.
    units: `keep` makes `5 cm` its own answer (one for all spellings), `drop` makes it and `5 apples` 5.
    currency: `drop` makes `$18`, `18 dollars` and `18` one answer, `keep` tells them apart, and € from £.
    decimal: `point` reads `1,234.5`, `comma` reads `1.234,5`, which is no number and no list by `point`.
    assignment: `drop` reads `x = 5` as 5 (a name and one value, the whole answer), `keep` does not.
    lists: `unordered` makes `2, 1`, `1, 2` and `{1, 2}` one answer, `ordered` keeps the order of a bare list.
    tuples: `ordered` tells `(2, 1)` from `(1, 2)`, `set` makes both `{1, 2}`, and the interval (1, 2) too.
    case: `fold` makes `Paris` and `PARIS` one text, `keep` does not.

    >>> KeyPolicy().percent, KeyPolicy(percent="scale") == KeyPolicy()
    ('keep', False)
    """

    percent: Percent = "keep"
    units: Kept = "keep"
    currency: Dropped = "drop"
    decimal: Decimal = "point"
    assignment: Dropped = "drop"
    lists: Lists = "unordered"
    tuples: Tuples = "ordered"
    case: Case = "fold"


@dataclass(frozen=True)
class ReadPolicy:
    r"""What counts as a final answer in a completion; the default reads marked answers only.

    pattern: a regular expression of your own, whose last match (its group, if it has one) goes before all marks.
    unmarked: what to do without a mark: `unread` nothing, `option` reads a completion that is one option letter,
    `last number` takes the last number: a guess, which must be asked for.
    box: which of several `\boxed` counts: the `last`, the `first`, or none unless all hold the `same`.
    thinking: `ignore` looks for marks outside of thinking blocks, `read` everywhere.
    truncated: a completion that was cut off at the token limit is `unread`, or `read` like any other.
    kind: `number` (with or without a unit), `option` (a letter) or `text`: answers of another kind are unread.
    marks: phrases of your own that stand before an answer, like `Result:`.
    reader: `path.py:name`, your own function from the text of a completion to its answer, or None: it replaces the
    pattern and all marks. The file is executed.
    """

    pattern: str | None = None
    unmarked: Unmarked = "unread"
    box: Box = "last"
    thinking: Thinking = "ignore"
    truncated: Truncated = "unread"
    reader: str | None = None
    kind: Kind = "any"
    marks: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "marks", tuple(self.marks))  # a file holds a list


DEFAULT = KeyPolicy()
MARKED = ReadPolicy()


@dataclass(frozen=True)
class AnswerPolicy:
    """How completions are read (`reading`) and answers compared (`keys`): one object for a whole run."""

    keys: KeyPolicy = DEFAULT
    reading: ReadPolicy = MARKED

    def record(self) -> dict[str, dict[str, Any]]:
        """The policy as files record it; `reader`, `kind` and `marks` are recorded only where they are set."""
        kept = asdict(self)
        for name in ("reader", "kind", "marks"):
            if kept["reading"][name] == getattr(MARKED, name):
                del kept["reading"][name]
        return kept


USUAL = AnswerPolicy()
