"""Free text, the TriviaQA way: lower case, no articles, no punctuation, single spaces.

One difference: numbers inside the text keep their sign, decimal point and percent sign, so `-5 below` is not
`5 below`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MARK: Final = "text: "  # before free text whose letters would read as another kind of answer

_ARTICLES: Final = frozenset(("a", "an", "the"))
_TOKEN = re.compile(r"(?<![\w.])[+-]?\d+(?:,\d{3})*(?:\.\d+)?%?(?![\w%])|[^\W_]+|[^\w\s]|_", re.UNICODE)


def text_key(text: str) -> str | None:
    """Words of a text, or None if there are none.

    >>> text_key("The Beatles!"), text_key("Café  du_Monde"), text_key("1,000 men, -5.0%"), text_key("?!")
    ('beatles', 'café du monde', '1000 men -5.0%', None)
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    tokens = [t for t in map(_token, _TOKEN.findall(folded)) if t]
    kept = [t for t in tokens if t not in _ARTICLES] or tokens
    return " ".join(kept) or None


def _token(token: str) -> str:
    """A word as it is, a number without separators and plus, a symbol (`→`) but no punctuation."""
    if token[-1].isalnum() or (token[-1] == "%" and len(token) > 1):
        return token.replace(",", "").removeprefix("+")
    return "" if token.isascii() or unicodedata.category(token)[0] in "PMC" else token
