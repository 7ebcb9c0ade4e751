"""What a computer algebra system may be given: short, shallow expressions without anything that explodes.

Decided by scans of the text alone: the same everywhere, in microseconds; a killed child is only the backstop.
"""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 256
MAX_DEPTH: Final = 8
MAX_DIGITS: Final = 40
MAX_EXPONENT: Final = 999
MAX_FACTORIAL: Final = 20
MAX_OPERATORS: Final = 64

_EXPLOSIVE = re.compile(
    r"\\(?:sum|prod|int|iint|oint|lim|binom|dbinom|tbinom|choose|Gamma|begin|mod|bmod|pmod)(?![A-Za-z])"
    r"|\b(?:sum|prod|integrate|limit|binomial|binom|gamma|zeta|factorial|primorial|fibonacci)\b|\d\s*[cC]\s*\d"
)
_FACTORIAL = re.compile(r"(\d*)\s*([)}\]]?)\s*!")
_EXPONENT = re.compile(r"(?:\^|\*\*)\s*[{(\s]*(?:[+-]\s*)?(\d*)|[eE][+-]?(\d+)")
_POWER_FACTORIAL = re.compile(r"(?:\^|\*\*)[\s{(]*\w+[\s})]*!")
_ATOM = re.compile(r"[-+]?(?:\d+(?:\.\d+)?|\\?[A-Za-z]\w*\s*(?:\([^()]*\)|\{[^{}]*\})?)\s*(?:\^|\*\*)?")
_POWER = re.compile(r"\^|\*\*")


def refusal(text: str) -> str | None:
    r"""Why an expression is not given to a computer algebra system; None if it may be.

    >>> refusal(r"\frac{x^2+1}{2}"), refusal("9^{9^{9}}"), refusal("10^6!")
    (None, 'a tower of powers', 'a factorial')
    """
    if len(text) > MAX_LENGTH:
        return "too long"
    if not text.isprintable():
        return "control characters"
    if _depth(text) > MAX_DEPTH:
        return "nested too deep"
    if re.search(rf"\d{{{MAX_DIGITS + 1}}}", text):
        return "too many digits"
    if sum(text.count(char) for char in "+-*/^,=") > MAX_OPERATORS:
        return "too many terms"
    if _EXPLOSIVE.search(text):
        return "an operator that is not evaluated"
    if _POWER_FACTORIAL.search(text) or any(map(_big_factorial, _FACTORIAL.finditer(text))):
        return "a factorial"
    return _power_refusal(text)


def _power_refusal(text: str) -> str | None:
    """Towers, big exponents, and powers of sums that would be multiplied out."""
    if any(int(match[1] or match[2] or 0) > MAX_EXPONENT for match in _EXPONENT.finditer(text)):
        return "an exponent too large"
    powers = [match.end() for match in _POWER.finditer(text)]
    for place in powers:
        if _POWER.search(_operand(text, place)):
            return "a tower of powers"
    if re.search(r"[)}\]]\s*(?:\^|\*\*)\s*[{(]?\s*\d{2,}", text):
        return "a large power of a bracket"
    return None


def _big_factorial(match: re.Match[str]) -> bool:
    return match[1] == "" or match[2] != "" or int(match[1]) > MAX_FACTORIAL


def _depth(text: str) -> int:
    deepest = level = 0
    for char in text:
        if char in "([{":
            level += 1
            deepest = max(deepest, level)
        elif char in ")]}":
            level -= 1
    return deepest


def _operand(text: str, place: int) -> str:
    """The exponent that begins at `place`: a bracketed group, or what runs up to the next operator."""
    rest = text[place:].lstrip()
    if rest[:1] not in ("{", "("):
        match = _ATOM.match(rest)
        return match[0] if match else ""
    level = 0
    for end, char in enumerate(rest):
        level += (char in "{(") - (char in "})")
        if level == 0:
            behind = rest[end + 1 :].lstrip()
            return rest[: end + 1] + ("^" if behind.startswith(("^", "**")) else "")
    return rest
