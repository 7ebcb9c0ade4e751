r"""A user's own way to read a completion: a regular expression with bounded cost, or a Python function.

The cost of an expression is computed from the expression alone, at worst: `re` tries one way after the other, so
where a repeat can end at several places, or several alternatives begin alike, each of them costs all that
follows once more. The `regex` package could stop a search by the clock instead (`timeout=`). Then a busy machine
would leave completions unread that a quiet one reads, and a resumed run would not repeat bit for bit what an
uninterrupted run does. So an expression is accepted or refused before the run, for every machine alike.
"""

import logging
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import takewhile
from re import _compiler, _constants, _parser  # pyright: ignore[reportAttributeAccessIssue]
from typing import Any, Final, NamedTuple

from alft.errors import ConfigError, Problem
from alft.user_code import load_code

WINDOW: Final = 1024  # characters at the end of a completion that the expression sees
MOST_STEPS: Final = 1e9  # some seconds
_REMEDY: Final = (
    "let no repeat hold another that may end at several places, begin what follows a repeat with what it can't "
    "repeat, like [^:]*:, or bound it, like .{0,30}"
)
TRIED: Final = ("The answer is 7.", "")  # completions on which a user's function is tried before a run begins

NAMED: Final[set[str]] = set()  # readers that were loaded in this process, because the user named them

logger = logging.getLogger(__name__)


class Reader:
    """A user's function from the text of a completion to its answer, or None; what it raises is an error text."""

    def __init__(self, path: str) -> None:
        self.path, self._failed = path, False
        self._function = load_code(path, "answers.reader")
        NAMED.add(path)
        for text in TRIED:
            if (error := self._called(text)[1]) is not None:
                remedy = "it gets the text of a completion and returns the answer's text, or None for no answer"
                raise ConfigError(Problem("answers.reader", f"{path} fails on the text {text!r}: {error}", remedy))

    def __call__(self, text: str) -> tuple[str | None, str | None]:
        """(answer, None), or (None, what went wrong); the first failure is logged."""
        answer, error = self._called(text)
        if error is not None and not self._failed:
            self._failed = True
            logger.warning("%s fails on the text %.60r: %s; such a completion is unread", self.path, text, error)
        return answer, error

    def _called(self, text: str) -> tuple[str | None, str | None]:
        try:
            answer = self._function(text)
        except (Exception, SystemExit) as error:
            return None, f"{type(error).__name__}: {error}"
        if answer is None or isinstance(answer, str):
            return answer, None
        return None, f"returned {answer!r:.40}, which is neither text nor None"


reader_of = lru_cache(maxsize=16)(Reader)
"""The reader that `path.py:name` names, loaded and tried once: a file that is executed, so the user's choice only.

Raises ConfigError if it can't be loaded, or fails."""


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
        remedy = "one group at most; (?:…) does not count"
        raise ConfigError(Problem("pattern", f"{compiled.groups} groups", remedy))
    return compiled


def last_match(pattern: str, text: str) -> str | None:
    """What the group (or all) of the last match in the end of `text` holds; None if there is no match."""
    *_, found = None, *bounded_pattern(pattern).finditer(text[-WINDOW:])
    return None if found is None else found[found.re.groups]


_GREEDY_OR_LAZY: Final = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)
_REPEATS: Final = (*_GREEDY_OR_LAZY, _constants.POSSESSIVE_REPEAT)
_ONE_CHARACTER: Final = (_constants.LITERAL, _constants.NOT_LITERAL, _constants.ANY, _constants.IN)
_VARIANTS: Final = (0, re.IGNORECASE, re.ASCII, re.IGNORECASE | re.ASCII)  # flags may be set for a part alone
_NOTHING: Final[frozenset[str]] = frozenset()
_ENDLESS: Final = 100.0  # natural logarithm of a number of steps that is taken for infinite


def steps(pattern: str, window: int) -> float:
    r"""Steps of the longest search in a text of so many characters, about; infinite if they are exponential.

    Raises re.error for what is no expression.

    >>> steps("a*b", 1000), steps("a.*b", 1000), steps("ab.*b", 1000), steps("(a*)*b", 1000)
    (502000.0, 1002000.0, 501500.0, inf)
    """
    tree = _parser.parse(pattern)
    named = {near for code in _within(tree, int) for near in (code - 1, code, code + 1)}
    alphabet = [*range(128), *(code for code in named if 127 < code <= sys.maxunicode)]
    cost = _Search(frozenset(map(chr, alphabet)), tree.state, window).cost(tree, _NOTHING)
    literals = takewhile(lambda item: item[0] is _constants.LITERAL, tree)  # which a match surely begins with
    prefix = "".join(chr(code) for _, code in literals).lower()
    return window + window / _apart(prefix) * cost.own


def _apart(prefix: str) -> int:
    """How far one place where this stands is from the next, at least.

    >>> _apart("Answer"), _apart("aaa"), _apart("abab"), _apart("")
    (6, 1, 2, 1)
    """
    return next((step for step in range(1, len(prefix)) if prefix.startswith(prefix[step:])), max(len(prefix), 1))


class _Cost(NamedTuple):
    """Steps of a part by itself, and in how many ways what follows it is tried."""

    own: float
    ways: float


@dataclass(frozen=True)
class _Search:
    """A search over `window` characters; two sets of characters that meet do so within the `alphabet`."""

    alphabet: frozenset[str]
    state: Any
    window: int

    def cost(self, items: Any, then: frozenset[str]) -> _Cost:
        """Cost of parts in a row, before what begins with a character of `then`: none, if nothing can fail."""
        own, ways = 1.0, 1.0  # a text of single characters is one step
        for item in reversed(items):
            part = self._part(item, then)
            own, ways = part.own + part.ways * own, part.ways * ways
            then = self._begins(item, then)
        return _Cost(own, ways)

    def _part(self, item: tuple[Any, Any], then: frozenset[str]) -> _Cost:
        operator, argument = item
        if operator in _ONE_CHARACTER:
            return _Cost(0.0, 1.0)
        if operator in _GREEDY_OR_LAZY:
            return self._repeat(argument, then)
        if operator is _constants.SUBPATTERN:
            return self.cost(argument[-1], then)
        if operator is _constants.BRANCH:
            return self._branch(argument[1], then)
        if operator is _constants.GROUPREF:
            return _Cost(self.window / 2, 1.0)
        inside = sum(self.cost(part, _NOTHING).own for part in _within(argument, _parser.SubPattern))
        often = min(argument[1], self.window / 2) if operator in _REPEATS else 1.0
        return _Cost(1.0 + often * inside, 1.0)  # matched in one way, once it is matched

    def _repeat(self, argument: Any, then: frozenset[str]) -> _Cost:
        """Each round may be the last one, unless the next character says which it is."""
        fewest, most, body = argument
        rounds = float(min(most, max(self.window / 2, fewest)))  # a search begins in the middle, on average
        begins = self.begins(body, then)
        inside = self.cost(body, begins | then)
        every = rounds if inside.ways == 1 else 2 * _power(inside.ways, rounds)  # of ways + ways² + …, about
        certain = fewest == most or begins.isdisjoint(then)
        return _Cost(inside.own * every, _power(inside.ways, rounds) if certain else every + 1)

    def _branch(self, alternatives: list[Any], then: frozenset[str]) -> _Cost:
        """All that begin alike are tried."""
        costs = [self.cost(each, then) for each in alternatives]
        begin = [self.begins(each, then) for each in alternatives]
        apart = sum(map(len, begin)) == len(frozenset().union(*begin)) and all(begin)
        ways = [cost.ways for cost in costs]
        return _Cost(sum(cost.own for cost in costs), max(ways) if apart else sum(ways))

    def begins(self, items: Any, then: frozenset[str]) -> frozenset[str]:
        """Characters that parts in a row, and then what follows, may begin with."""
        return reduce(lambda after, item: self._begins(item, after), reversed(items), then)

    def _begins(self, item: tuple[Any, Any], then: frozenset[str]) -> frozenset[str]:
        operator, argument = item
        if operator in _ONE_CHARACTER:  # what it matches, under one set of flags or another
            part = _parser.SubPattern(self.state, [item])
            readers = [_compiler.compile(part, flags | re.DOTALL) for flags in _VARIANTS]
            return frozenset(each for each in self.alphabet if any(reader.match(each) for reader in readers))
        if operator is _constants.SUBPATTERN:
            return self.begins(argument[-1], then)
        if operator is _constants.BRANCH:
            return frozenset().union(*(self.begins(each, then) for each in argument[1]))
        if operator in _REPEATS:
            fewest, _, body = argument
            return self.begins(body, then) | (_NOTHING if fewest else then)
        return self.alphabet  # a boundary, a look ahead, a group again: no telling


def _power(base: float, exponent: float) -> float:
    return math.inf if exponent * math.log(base) > _ENDLESS else base**exponent


def _within(tree: Any, kind: type[Any]) -> Iterator[Any]:
    """What of a kind a part of a parsed expression is or holds: expressions, or numbers (codes of characters)."""
    if isinstance(tree, kind):
        yield tree
    elif isinstance(tree, (tuple, list, _parser.SubPattern)):
        for item in tree:
            yield from _within(item, kind)
