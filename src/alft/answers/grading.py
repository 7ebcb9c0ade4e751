"""An answer against gold: right, wrong or unread, by equality of keys."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from string import ascii_uppercase
from typing import Final

from alft.answers.extraction import Completion, read
from alft.answers.keys import canonical, lettered_option
from alft.answers.policy import DEFAULT, USUAL, AnswerPolicy, KeyPolicy

LETTERS: Final = {letter: letter for letter in ascii_uppercase}
"""The map of answers of a question that is known to have options, whichever they are."""


class Outcome(StrEnum):
    """What became of one answer; each is counted, none stands in for another."""

    RIGHT = "right"
    WRONG = "wrong"
    UNREAD = "unread"
    GRADER_FAILED = "grader failed"  # only a second opinion can fail, never the comparison of keys


def answer_key(
    completion: Completion | None,
    answer_map: Mapping[str, str] | None = None,
    policy: AnswerPolicy = USUAL,
    *,
    truncated: bool = False,
) -> str | None:
    """Key of a completion's final answer in the question's own space; None if it is unread.

    `answer_map` pulls a view's answers back (option letters of a permuted view, say); answers that it does
    not name stay as they are. `truncated`: the completion was cut off at the token limit.

    >>> answer_key("The answer is (A)."), answer_key("The answer is (A).", {"A": "C", "C": "A"})
    ('A', 'C')
    """
    return key_in_space(read(completion, policy.reading, truncated=truncated).answer, answer_map, policy.keys)


def key_in_space(
    answer: str | None, answer_map: Mapping[str, str] | None = None, policy: KeyPolicy = DEFAULT
) -> str | None:
    """Key of an answer's text in the question's own space.

    Where the map names option letters, an option with its text is its letter.

    >>> key_in_space("A. Paris", {"A": "C", "C": "A"}), key_in_space("A. Paris")
    ('C', 'a. paris')
    """
    key = canonical(answer, policy)
    if answer is None or key is None or not answer_map:
        return key
    pulled = _pulled(tuple(answer_map.items()), policy)
    if key in pulled:
        return pulled[key]
    letter = lettered_option(answer) if not LETTERS.keys().isdisjoint(pulled) else None
    return key if letter is None else pulled.get(letter, letter)


@lru_cache(maxsize=4096)
def _pulled(pairs: tuple[tuple[str, str], ...], policy: KeyPolicy) -> dict[str | None, str | None]:
    """Keys of a view's answers to keys of the question's own; the first of equal ones counts."""
    return {canonical(view, policy): canonical(own, policy) for view, own in reversed(pairs)}


def grade(answer: str | None, gold: str | Sequence[str], policy: KeyPolicy = DEFAULT) -> Outcome:
    """Outcome of an answer (its text or its key) against gold, or against any of several gold spellings.

    >>> grade("0.50", "1/2"), grade("NYC", ["New York City", "NYC"]), grade(None, "1/2")
    (<Outcome.RIGHT: 'right'>, <Outcome.RIGHT: 'right'>, <Outcome.UNREAD: 'unread'>)

    Raises ValueError if gold itself has no key: nothing could ever be right.
    """
    keys = gold_keys((gold,) if isinstance(gold, str) else tuple(gold), policy)
    key = canonical(answer, policy)
    if key is None:
        return Outcome.UNREAD
    if key not in keys and answer is not None and not LETTERS.keys().isdisjoint(keys):
        key = lettered_option(answer)
    return Outcome.RIGHT if key in keys else Outcome.WRONG


@lru_cache(maxsize=4096)
def gold_set(gold: tuple[str, ...], policy: KeyPolicy = DEFAULT) -> frozenset[str]:
    """Keys of the gold spellings that have one, empty if none has: nothing is right then.

    >>> sorted(gold_set(("NYC", "New York City")))
    ['new york city', 'nyc']
    """
    return frozenset(key for key in (canonical(text, policy) for text in gold) if key is not None)


def gold_keys(gold: tuple[str, ...], policy: KeyPolicy = DEFAULT) -> frozenset[str]:
    """Keys of the gold spellings; ValueError if none of them can be read."""
    keys = gold_set(gold, policy)
    if not keys:
        raise ValueError(f"no gold answer can be read in {list(gold)!r:.200}")
    return keys
