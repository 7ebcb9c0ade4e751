"""Numbers of a text, in digits or in English words: what every view of a question must keep."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Final

_UNIT_WORDS: Final = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen
"""
_UNITS: Final = _UNIT_WORDS.split()
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SMALL: Final = {word: value for value, word in enumerate(_UNITS)} | {
    word: 20 + 10 * place for place, word in enumerate(_TENS)
}
_SCALES: Final = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_PARTS: Final = {"half": "half", "twice": "twice", "double": "twice", "thrice": "thrice", "triple": "thrice"} | {
    "dozen": "dozen"
}

_DIGITS = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_WORD = "|".join(sorted((*_SMALL, *_SCALES, "hundred"), key=len, reverse=True))
_RUN = re.compile(rf"\b(?:{_WORD})(?:(?:[\s-]+|\s+and\s+)(?:{_WORD}))*\b")
_PART = re.compile(rf"\b(?:{'|'.join(_PARTS)})\b")
_ALONE = re.compile(r"(?<!\S)(\d{1,2})(?=[,;?!]?(?:\s|$)|\.(?:\s|$))")
_OPERATOR = frozenset("+-−–*/×÷=^<>$€£¥#%:|&~")


def differences(first: str, second: str) -> tuple[list[str], list[str]]:
    """Numbers that `second` has more than `first`, and those that it lacks; both empty where it keeps them all.

    Numbers count as often as they stand, in digits or words: `27` is `twenty-seven`. The word "one" may be a
    number or none ("the red one"): it excuses a 1 of the other text.

    >>> differences("2 pens at 1,000 each", "Two pens for 1000 each"), differences("2 pens", "3 of them, each one")
    (([], []), (['3'], ['2']))
    """
    expected, given = numbers(first), numbers(second)
    added, lost = given - expected, expected - given
    added["1"] -= _ones(first)
    lost["1"] -= _ones(second)
    return list((+added).elements()), list((+lost).elements())


def numbers(text: str) -> Counter[str]:
    """Numbers of a text with how often each stands; the word "one" alone is not counted.

    >>> sorted(numbers("Half of 1,200 and two hundred and five, or 3.5").elements())
    ['1200', '205', '3.5', 'half']
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    found = Counter(number.replace(",", "") for number in _DIGITS.findall(plain))
    found.update(_PARTS[part] for part in _PART.findall(plain))
    for run in _RUN.findall(plain):
        if run != "one":
            found.update(str(value) for value in _values(re.split(r"[\s-]+", run)))
    return found


def in_words(text: str) -> str | None:
    """Whole numbers below 100 in words, where they stand alone; None where there are none.

    >>> in_words("Start with 27, add 5."), in_words("5 + 3 = ?"), in_words("Pay $5 at 12:30")
    ('Start with twenty-seven, add five.', None, None)
    """
    changed = _ALONE.sub(lambda match: _worded(match) or match[0], text)
    return changed if changed != text and differences(text, changed) == ([], []) else None


def _worded(match: re.Match[str]) -> str | None:
    """A number in words; None next to an operator, or where it begins with a zero."""
    around = (match.string[: match.start()].rstrip()[-1:], match.string[match.end() :].lstrip()[:1])
    if _OPERATOR.intersection("".join(around)) or (len(match[1]) > 1 and match[1][0] == "0"):
        return None
    value = int(match[1])
    if value < len(_UNITS):
        return _UNITS[value]
    ten, unit = _TENS[value // 10 - 2], value % 10
    return f"{ten}-{_UNITS[unit]}" if unit else ten


def _ones(text: str) -> int:
    return len(re.findall(r"\bone\b", text.casefold()))


def _values(words: list[str]) -> Iterator[int]:
    """Values of a run of number words: `two hundred five` is one number, `two three` are two."""
    total, current, before = 0, 0, ""
    for word in words:
        if word == "and":
            if before != "hundred" and before not in _SCALES:
                yield total + current
                total, current, before = 0, 0, ""
                continue
        elif word == "hundred":
            current = 100 * (current or 1)
        elif word in _SCALES:
            total, current = total + (current or 1) * _SCALES[word], 0
        else:
            if before and not _joins(_SMALL[word], current, before):
                yield total + current
                total, current = 0, 0
            current += _SMALL[word]
        before = before if word == "and" else word
    if before:
        yield total + current


def _joins(value: int, current: int, before: str) -> bool:
    """Whether a small number goes on with the number before it: `twenty five`, `hundred five`."""
    return before == "hundred" or before in _SCALES or (before in _TENS and 0 < value < 10 and current % 10 == 0)
