"""A user's own regular expression for the final answer, with a bound on what it can cost."""

from __future__ import annotations

import re
from functools import lru_cache
from re import _constants, _parser  # pyright: ignore[reportAttributeAccessIssue]
from typing import Any, Final

from alft.errors import ConfigError, Problem

WINDOW: Final = 1024  # characters at the end of a completion that the expression sees
MAX_REPEATS: Final = (
    3  # unbounded repeats: time is at most the window to this power and one more, never exponential
)
_MANY: Final = 32
_REPEATS: Final = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)


@lru_cache(maxsize=64)
def bounded_pattern(pattern: str) -> re.Pattern[str]:
    r"""Compile an expression whose time is bounded: at most three unbounded repeats, none inside another.

    Raises ConfigError for one that is broken, too costly, or has more than one group.

    >>> bounded_pattern(r"ANSWER=(\d+)").search("ANSWER=42")[1]
    '42'
    """
    try:
        compiled = re.compile(pattern)
        repeats, nested = _repeats(_parser.parse(pattern), inside=False)
    except (re.error, RecursionError) as error:
        raise ConfigError(Problem("pattern", f"not a regular expression: {error}")) from error
    if nested or repeats > MAX_REPEATS:
        what = "a repeat inside a repeat" if nested else f"{repeats} unbounded repeats"
        raise ConfigError(Problem("pattern", f"{what} may take forever", "bound them, like {0,30}"))
    if compiled.groups > 1:
        raise ConfigError(
            Problem("pattern", f"{compiled.groups} groups", "one group at most; (?:…) does not count")
        )
    return compiled


def last_match(pattern: str, text: str) -> str | None:
    """What the group (or all) of the last match in the end of `text` holds; None if there is no match."""
    found = None
    for found in bounded_pattern(pattern).finditer(text[-WINDOW:]):  # noqa: B007
        pass
    return None if found is None else found[found.re.groups]


def _repeats(tree: Any, *, inside: bool) -> tuple[int, bool]:
    """(number of unbounded repeats, whether one stands inside another repeat) in a parsed expression."""
    count, nested = 0, False
    for operator, argument in tree:
        repeat = operator in _REPEATS and argument[1] > _MANY
        count, nested = count + repeat, nested or (repeat and inside)
        for part in _parts(argument):
            more, deeper = _repeats(part, inside=inside or (operator in _REPEATS and argument[1] > 1))
            count, nested = count + more, nested or deeper
    return count, nested


def _parts(argument: Any) -> list[Any]:
    """Parsed expressions inside an operator's argument."""
    if isinstance(argument, _parser.SubPattern):
        return [argument]
    if isinstance(argument, (tuple, list)):
        return [part for item in argument for part in _parts(item)]
    return []
