"""Answers made of parts: tuples, intervals, sets, bare lists, unions; and expressions kept as written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

DEPTH: Final = 8  # nested deeper than this, an answer is read as an expression or as text

Element = Callable[[str], tuple[str, str | None]]  # plain text → (kind, key)

_OPENING, _CLOSING = "([{", ")]}"
_WORDS = re.compile(r"[A-Za-z]+")
_NAMES = (
    "sqrt root sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp max min gcd lcm mod "
    "pi infinity alpha beta gamma delta epsilon theta lambda mu nu rho sigma tau phi psi omega"
)
_KNOWN: Final = frozenset(_NAMES.split())
_ALLOWED = re.compile(r"[A-Za-z0-9 +\-*/^=<>()\[\]{}|!,.;:_°±∓%'∪∩∈→]+")
_OPERATOR = re.compile(r"[0-9+\-*/^=<>|!;:_°±([{∪∩]")
_RELATION = re.compile(r"[=^<>]")
_SIGN = re.compile(r"[+\-*/|±∓]")
_STRONG_SIGN = re.compile(r"[+*|±∓]")
_MANY_LETTERS = re.compile(r"(?<![A-Za-z])[A-Za-z]{2,}(?![A-Za-z])")
_PRODUCT: Final = 3  # letters of the longest name that is read as a product of variables beside a sign
_BARE_ROOT = re.compile(r"sqrt([0-9]+|[A-Za-z](?![A-Za-z]))")
_FOREIGN = re.compile(r"[+-]?[0-9]{1,3}(?:[. ][0-9]{3})+,[0-9]+")  # a number, or a list? `1.234,5` is not guessed
_SPLIT_NUMBER = re.compile(r"[0-9.,] +[0-9.,]")
_FUNCTION = "sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|log|ln|lg|exp"
_APPLIED = re.compile(  # a function of one number, variable or multiple of it, without brackets: `sin^2 2x`
    rf"(?<![A-Za-z])({_FUNCTION})(\^[0-9])? ?([0-9]+(?:[A-Za-z]|pi)?|[A-Za-z]|pi|theta|alpha|beta|phi)"
    rf"(?=[+\-*/=<>),|\]}}]|$| [+\-*/=<>]| ?(?:{_FUNCTION})[ (^])"
)


def split(text: str, separator: str) -> list[str]:
    """Parts of `text` between separators that stand outside all brackets."""
    parts, level, start = [], 0, 0
    for place, char in enumerate(text):
        if char in _OPENING:
            level += 1
        elif char in _CLOSING:
            level -= 1
        elif char == separator and level == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def _balanced(text: str) -> bool:
    level = 0
    for char in text:
        level += (char in _OPENING) - (char in _CLOSING)
        if level < 0:
            return False
    return level == 0


def inside(text: str, opening: str, closing: str) -> str | None:
    """What stands between the first and last character if they are this one pair of brackets, else None."""
    if len(text) < 3 or text[0] not in opening or text[-1] not in closing:
        return None
    level = 0
    for place, char in enumerate(text):
        level += (char in _OPENING) - (char in _CLOSING)
        if level == 0 and place < len(text) - 1:
            return None
    return text[1:-1] if level == 0 else None


def bracketed_key(text: str, element: Element, depth: int, *, tuples_are_sets: bool = False) -> str | None:
    """Key of a tuple or interval `(1, 2]`, whose order and brackets count, or of a set `{2, 1, 1}`: `{1, 2}`.

    `(1, 2)` is the pair and the open interval: no text tells them apart. `(5)` and `(5,)` are 5.
    With `tuples_are_sets` what stands in round brackets is a set as well.
    """
    if text.replace(" ", "") == "{}":
        return "{}"
    if depth >= DEPTH:
        return None
    is_set = text.startswith("{")
    body = inside(text, "{", "}") if is_set else inside(text, "([", ")]")
    if body is None:
        return None
    if (keys := _keys(split(body.rstrip(", "), ","), element)) is None:
        return None
    if len(keys) == 1 and text[0] == "(" and text[-1] == ")":
        return keys[0]
    if is_set or (tuples_are_sets and text[0] == "(" and text[-1] == ")"):
        return _set_key(keys)
    return f"{text[0]}{', '.join(keys)}{text[-1]}"


def list_key(text: str, element: Element, *, ordered: bool) -> str | None:
    """Key of a bare list of numbers, options, expressions or bracketed things: as a set, or in its order."""
    if ("," not in text and " and " not in text) or _FOREIGN.fullmatch(text):
        return None
    parts = [part for chunk in split(text, ",") for part in re.split(r"(?:^| )and ", chunk) if part]
    keys = _keys(parts, element, free_text=False) if len(parts) > 1 else None
    if keys is None:
        return None
    return ", ".join(keys) if ordered else _set_key(keys)


def _set_key(keys: list[str]) -> str:
    return f"{{{', '.join(sorted(set(keys)))}}}"


def union_key(text: str, element: Element, depth: int) -> str | None:
    """Key of a union of intervals or sets, its parts sorted."""
    if "∪" not in text or depth >= DEPTH:
        return None
    parts = split(text, "∪")
    keys = _keys(parts, element) if len(parts) > 1 else None
    return None if keys is None else " ∪ ".join(sorted(keys))


def _keys(parts: list[str], element: Element, *, free_text: bool = True) -> list[str] | None:
    """Keys of the parts; None at the first that has none, or that is free text where none may be."""
    keys: list[str] = []
    for part in parts:
        if not _balanced(part):
            return None
        name, key = element(part)
        if key is None or (name == "text" and not free_text):
            return None
        keys.append(key)
    return keys


def expression_key(text: str, *, fold: bool = True) -> str | None:
    """Key of a formula: its characters without spaces, never expanded or evaluated; None for free text.

    A formula has an operator or a digit, and only single letters and known names (sin, pi, theta), or it has
    one of `= ^ < >`, or a sign between products of at most three variables, `xy + 1`. Where the only signs are
    hyphens and slashes, such products may be short words as well: with `fold` their letter case is not told apart.

    >>> [expression_key(text) for text in ("x ^ 2 + 1", "2 * sqrt(3)", "12:30", "ab - 2cd", "Wi-Fi", "Anne-Marie")]
    ['x^2+1', '2sqrt(3)', '12:30', 'ab-2cd', 'wi-fi', None]
    """
    if not _ALLOWED.fullmatch(text) or _SPLIT_NUMBER.search(text):
        return None
    text = _APPLIED.sub(r"\1\2(\3)", text)
    if not _OPERATOR.search(text):
        return None
    names = _WORDS.findall(text)
    if not (names or re.search(r"[0-9]", text)):
        return None
    if not _RELATION.search(text) and any(len(name) > 1 and name not in _KNOWN for name in names):
        if not _SIGN.search(text) or not all(map(_is_product, _MANY_LETTERS.finditer(text))):
            return None
        text = text.lower() if fold and not _STRONG_SIGN.search(text) else text
    text = _BARE_ROOT.sub(r"sqrt(\1)", text.replace("**", "^").replace(" ", ""))
    return re.sub(r"(?<=[0-9)])\*(?=[A-Za-z(])", "", text)


def _is_product(name: re.Match[str]) -> bool:
    """Whether several letters are a product of variables: few, and not set apart like a word in a sentence."""
    text, start, end = name.string, name.start(), name.end()
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    apart = (before[-1:] == " " and before[:1].isalnum()) or (after[:1] == " " and after[1:].isalnum())
    return name[0] in _KNOWN or (end - start <= _PRODUCT and not apart)
