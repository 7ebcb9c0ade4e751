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
    """Choices that no text can settle: the fields of the section `answers` that say which answers are the same.

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
    """What counts as a final answer in a completion: the fields of the section `answers` that say what is read.

    The default reads marked answers only. The file of a `reader` is executed.
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
