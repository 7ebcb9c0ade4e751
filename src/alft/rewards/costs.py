"""Flags: what a constraint counts in a completion, by answer key, regular expression, or the user's Python.

A flag is 1 or 0; a flag on keys is nan for an unread completion, which no constraint on answers rewards or
punishes.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from alft.answers import DEFAULT, KeyPolicy, canonical
from alft.answers.custom import bounded_pattern
from alft.completions import Completion
from alft.errors import AlftError, ConfigError, Problem
from alft.rewards.populations import Flag
from alft.user_code import load_code

WINDOW = 20_000
"""Characters of a completion that a regular expression sees, from its beginning."""
LARGEST_COST = 1e6
"""A cost beyond it is taken for a mistake: it would outweigh every reward of a batch."""
FAILED_SHARE, FAILED_FEWEST = 0.05, 20
TRIED = (("#### 7", "7"), ("", None))
"""Completions, with their keys, on which a user's function is tried before a run begins."""

logger = logging.getLogger(__name__)


class FlagError(AlftError, RuntimeError):
    """A user's function fails on too many completions for its limit to mean anything."""


def key_flag(texts: Sequence[str], where: str, policy: KeyPolicy = DEFAULT) -> Flag:
    """1 for a completion whose answer is one of these. Raises ConfigError for a text that is no answer.

    >>> flag = key_flag(["1,000"], "here")
    >>> flag(Completion("1000", key="1000")), flag(Completion("", key=None))
    (1.0, nan)
    """
    keys = {text: canonical(text, policy) for text in texts}
    if wrong := [text for text, key in keys.items() if key is None]:
        raise ConfigError([Problem(where, f"nothing can be read in the answer {text!r}") for text in wrong])
    return partial(_has_key, frozenset(keys.values()))


def regex_flag(pattern: str, where: str) -> Flag:
    """1 for a completion in whose text the expression is found, which takes some seconds at the most.

    Raises ConfigError for an expression that is broken or may take longer.
    """
    try:
        bounded_pattern(pattern, WINDOW)
    except ConfigError as error:
        raise ConfigError([Problem(where, problem.what, problem.remedy) for problem in error.problems]) from None
    return partial(_matches, pattern)


def code_flag(path: str, where: str) -> Flag:
    """The user's own function of (text, key): a cost, true or false, or None to leave it out.

    It is tried on two completions here. Raises ConfigError if it can't be had, fails, or gives no finite cost.
    """
    function = load_code(path, where)
    if not callable(function):
        raise ConfigError(Problem(where, f"{path} is no function"))
    for text, key in TRIED:
        try:
            cost(function(text, key))
        except (Exception, SystemExit) as error:
            remedy = "it is given a completion and its answer key, which is None where no answer is read"
            raise ConfigError(Problem(where, _failure(path, text, key, error), remedy)) from error
    return OwnFlag(function, path)


class OwnFlag:
    """A user's function as a flag: where it fails, the completion is left out, and a warning shows the first.

    A limit that silently counts nothing would look kept: so the run ends with FlagError once more than
    `FAILED_SHARE` of the calls, and at least `FAILED_FEWEST` of them, have failed.
    """

    def __init__(self, function: Callable[[str, str | None], Any], path: str) -> None:
        self.function, self.path = function, path
        self.called = self.failed = 0

    def __call__(self, completion: Completion) -> float:
        """The cost of a completion, nan if it is left out."""
        self.called += 1
        try:
            return cost(self.function(completion.full_text, completion.key))
        except (Exception, SystemExit) as error:
            what = _failure(self.path, completion.full_text, completion.key, error)
            self.failed += 1
            if self.failed == 1:
                logger.warning("%s — such a completion is left out", what)
            if self.failed >= max(FAILED_FEWEST, FAILED_SHARE * self.called):
                what = f"fails on {self.failed} of {self.called} completions; the latest: {what}"
                raise FlagError(Problem(self.path, what, "fix the function")) from error
            return float("nan")


def cost(value: Any) -> float:
    """What a user's function returned, as a number; None, left out, is nan. Raises ValueError for no finite cost.

    >>> cost(True), cost(0.25), cost(None)
    (1.0, 0.25, nan)
    """
    if value is None:
        return float("nan")
    if not isinstance(value, Real | np.bool_) or not abs(float(value)) <= LARGEST_COST:
        raise ValueError(f"{value!r:.60} is no cost: true, false, or a number within ±{LARGEST_COST:g}")
    return float(value)


def _failure(path: str, text: str, key: str | None, error: BaseException) -> str:
    return f"{path} fails on the text {text!r:.60} with the answer {key!r:.40}: {type(error).__name__}: {error}"


def _has_key(keys: frozenset[Any], completion: Completion) -> float:
    return float("nan") if completion.key is None else float(completion.key in keys)


def _matches(pattern: str, completion: Completion) -> float:
    return float(bounded_pattern(pattern, WINDOW).search(completion.full_text[:WINDOW]) is not None)
