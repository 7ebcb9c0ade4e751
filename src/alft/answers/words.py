"""Free text, the TriviaQA way: lower case, no articles, no punctuation, single spaces.

Two differences. Numbers inside the text keep their sign, decimal point and percent sign, so `-5 below` is not
`5 below`. Signs of arithmetic are no punctuation: `speed + 1` is not `speed 1`, and `a` beside one is no article.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MARK: Final = "text: "  # before free text whose letters would read as another kind of answer

_ARTICLES: Final = frozenset(("a", "an", "the"))
_SIGNS: Final = frozenset("+=<>^*/-")
_SPACED: Final = "*/-"  # signs only between spaces, the last only before a digit, else punctuation
_SIGNED = re.compile(r"[+=<>^]| [*/] | - \d|(?<!\w)[aA][.]")  # what takes the longer way
_TOKEN = re.compile(r"(?<![\w.])[+-]?\d+(?:,\d{3})*(?:\.\d+)?%?(?![\w%])|[^\W_]+|[^\w\s]|_", re.UNICODE)


def text_key(text: str, *, fold: bool = True) -> str | None:
    """Words of a text, or None if there are none; with `fold` in lower case.

    >>> text_key("The Beatles!"), text_key("Café  du_Monde"), text_key("1,000 men, -5.0%"), text_key("?!")
    ('beatles', 'café du monde', '1000 men -5.0%', None)
    >>> text_key("speed + 1"), text_key("A. Lincoln")
    ('speed + 1', 'a. lincoln')
    """
    normal = unicodedata.normalize("NFKC", text)
    folded = unicodedata.normalize("NFKC", normal.casefold()) if fold else normal
    if _SIGNED.search(folded):
        return _signed(folded)
    tokens = [t for t in map(_token, _TOKEN.findall(folded)) if t]
    kept = [t for t in tokens if t.lower() not in _ARTICLES] or tokens
    return " ".join(kept) or None


def _signed(folded: str) -> str | None:
    """Words and signs of arithmetic; an article beside a sign is a variable, and `a.` an initial."""
    tokens = [token for match in _TOKEN.finditer(folded) for token in _tokens(match)]
    beside = [set(tokens[max(place - 1, 0) : place + 2]) & _SIGNS for place in range(len(tokens))]
    kept = [t for t, signs in zip(tokens, beside, strict=True) if t.lower() not in _ARTICLES or signs]
    return " ".join(kept or tokens) if set(tokens) - _SIGNS else None


def _tokens(match: re.Match[str]) -> tuple[str, ...]:
    token, text, (start, end) = match[0], match.string, match.span()
    if token in _SIGNS and (token not in _SPACED or _is_sign(token, text[max(start - 1, 0) : end + 2])):
        return (token,)
    if token in "aA" and text[end : end + 1] == ".":
        return (f"{token}.",)
    word = _token(token)
    return ("+", word) if token[0] == "+" and start > 0 and len(token) > 1 else (word,) if word else ()


def _is_sign(token: str, around: str) -> bool:
    """Whether a sign that is usually punctuation is meant; `around` are one character before and two after."""
    return around[:1] == around[2:3] == " " and (token != "-" or around[3:].isdigit())


def _token(token: str) -> str:
    """A word as it is, a number without separators and plus, a symbol (`→`) but no punctuation."""
    if token[-1].isalnum() or (token[-1] == "%" and len(token) > 1):
        return token.replace(",", "").removeprefix("+")
    return "" if token.isascii() or unicodedata.category(token)[0] in "PMC" else token
