"""Flags: what a constraint counts in a completion, by answer key, regular expression, or the user's Python.

A flag is 1 or 0; a flag on keys is nan for an unread completion, which no constraint on answers rewards or
punishes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from alft.answers import canonical
from alft.answers.patterns import bounded_pattern
from alft.errors import ConfigError, Problem
from alft.population import Flag, Told
from alft.user_code import load_code

WINDOW = 20_000
"""Characters of a completion that a regular expression sees, from its beginning."""


def key_flag(texts: Sequence[str], where: str) -> Flag:
    """1 for a completion whose answer is one of these. Raises ConfigError for a text that is no answer.

    >>> from alft.training.scorer import Row
    >>> flag = key_flag(["1,000"], "here")
    >>> flag(Row("q", 0, "1000")), flag(Row("q", 0, None))
    (1.0, nan)
    """
    keys = {text: canonical(text) for text in texts}
    wrong = [text for text, key in keys.items() if key is None]
    if wrong:
        raise ConfigError([Problem(where, f"nothing can be read in the answer {text!r}") for text in wrong])
    return partial(_has_key, frozenset(keys.values()))


def regex_flag(pattern: str, where: str) -> Flag:
    """1 for a completion in whose text the expression is found; its time is bounded.

    Raises ConfigError for an expression that is broken or may take forever.
    """
    try:
        bounded_pattern(pattern)
    except ConfigError as error:
        raise ConfigError([Problem(where, problem.what, problem.remedy) for problem in error.problems]) from None
    return partial(_matches, pattern)


def code_flag(path: str, where: str) -> Flag:
    """The user's own function of (text, key): a cost, true or false. Raises ConfigError if it can't be had."""
    function = load_code(path, where)
    if not callable(function):
        raise ConfigError(Problem(where, f"{path} is no function"))
    return partial(_calls, function)


def _has_key(keys: frozenset[Any], told: Told) -> float:
    return float("nan") if told.key is None else float(told.key in keys)


def _matches(pattern: str, told: Told) -> float:
    return float(bounded_pattern(pattern).search(told.text[:WINDOW]) is not None)


def _calls(function: Callable[[str, str | None], Any], told: Told) -> float:
    return float(function(told.text, told.key))
