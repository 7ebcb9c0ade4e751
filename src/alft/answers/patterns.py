"""A user's own regular expression for the final answer, with a bound on what it can cost."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Final

from alft.answers.backtracking import steps
from alft.errors import ConfigError, Problem

WINDOW: Final = 1024  # characters at the end of a completion that the expression sees
MOST_STEPS: Final = 1e9  # some seconds
_REMEDY: Final = (
    "let no repeat hold another that may end at several places, begin what follows a repeat with what it can't "
    "repeat, like [^:]*:, or bound it, like .{0,30}"
)


@lru_cache(maxsize=64)
def bounded_pattern(pattern: str, window: int = WINDOW) -> re.Pattern[str]:
    r"""Compile an expression for texts of so many characters, where no search takes more than some seconds.

    Raises ConfigError for one that is broken, too costly, or has more than one group.

    >>> bounded_pattern(r"ANSWER=(\d+)").search("ANSWER=42")[1]
    '42'
    """
    try:
        compiled, cost = re.compile(pattern), steps(pattern, window)
    except (re.error, RecursionError) as error:
        raise ConfigError(Problem("pattern", f"not a regular expression: {error}")) from error
    if cost > MOST_STEPS:
        often = "forever" if math.isinf(cost) else f"{cost:.0e} steps, and {MOST_STEPS:.0e} are bearable"
        raise ConfigError(Problem("pattern", f"may take {often}, in {window:,} characters", _REMEDY))
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
