"""Numbers as people write them, to one exact spelling: an integer, or a fraction in lowest terms.

No floating point and no evaluation: digits are moved as text, so a number of any size is exact and a power
tower costs nothing. A number that would take more than `MAX_DIGITS` digits to write is keyed by a hash of its
normal form.
"""

from __future__ import annotations

import hashlib
import re
from math import gcd

MAX_DIGITS = 1000  # below CPython's own limit of 4300 for int(str)

_INTEGER = r"\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d+"
_NUMERAL = re.compile(
    rf"(?P<sign>[+-]?) ?(?P<whole>{_INTEGER})?(?:\.(?P<part>\d+)?)?"
    r"(?: ?(?:[eE](?P<e>[+-]?\d+)|\* ?10 ?(?:\^|\*\*) ?(?:\((?P<p>[+-]?\d+)\)|(?P<q>[+-]?\d+))))?",
    re.ASCII,
)
_POWER_OF_TEN = re.compile(r"(?P<sign>[+-]?) ?10 ?(?:\^|\*\*) ?(?:\((?P<p>[+-]?\d+)\)|(?P<q>[+-]?\d+))", re.ASCII)
_FRACTION = re.compile(
    r"(?P<sign>[+-]?) ?(?:(?P<whole>\d+)(?: | ?\+ ?))?"
    r"\(?(?P<above>[+-]?\d+)\)? ?/ ?\(?(?P<below>[+-]?\d+)\)?",
    re.ASCII,
)


def hashed(normal_form: str) -> str:
    """Key of something too long to write out: a prefix of the SHA-256 of its normal form.

    >>> hashed("5")
    'sha256:ef2d127de37b942baad06145e54b0c61'
    """
    digest = hashlib.sha256(normal_form.encode("utf-8", "surrogatepass")).hexdigest()
    return f"sha256:{digest[:32]}"


def number_key(text: str) -> str | None:
    """Key of a plain numeral, or None if `text` is not one: `1,234.50`, `1.5*10^3`, `2 1/2`, `-3/4`.

    >>> [number_key(t) for t in ("1,234.50", "1.5e3", "2 1/2", "-6/8", "007", "1,2")]
    ['2469/2', '1500', '5/2', '-3/4', '7', None]
    """
    if match := _NUMERAL.fullmatch(text):
        whole, part = match["whole"] or "", match["part"] or ""
        if not whole and not part:
            return None
        return _decimal(match["sign"], re.sub("[ ,]", "", whole), part, match["e"] or match["p"] or match["q"])
    if match := _POWER_OF_TEN.fullmatch(text):
        return _decimal(match["sign"], "1", "", match["p"] or match["q"])
    if match := _FRACTION.fullmatch(text):
        return _fraction(match)
    return None


def _decimal(sign: str, whole: str, part: str, exponent: str | None) -> str:
    """sign · (whole.part) · 10^exponent, exactly."""
    digits = (whole + part).lstrip("0")
    kept = digits.rstrip("0")
    if not kept:
        return "0"
    minus = "-" if sign == "-" else ""
    if exponent is not None and len(exponent) > 12:  # an exponent that is itself a giant is never added to
        return hashed(f"{minus}{whole}.{part}e{exponent}")
    places = int(exponent or 0) - len(part) + len(digits) - len(kept)
    if len(kept) + abs(places) > MAX_DIGITS:
        return hashed(f"{minus}{kept}e{places}")
    if places >= 0:
        return minus + kept + "0" * places
    return _lowest(minus, int(kept), 10**-places)


def _fraction(match: re.Match[str]) -> str | None:
    """A proper, improper or mixed fraction; None over zero, or where a mixed number has inner signs."""
    whole, above, below = match["whole"], match["above"], match["below"]
    if whole is not None and not (above.isdigit() and below.isdigit()):
        return None
    if len(above) + len(below) + len(whole or "") > MAX_DIGITS:
        return hashed(match[0].replace(" ", "+" if whole else ""))
    numerator, denominator = int(above), int(below)
    if denominator == 0:
        return None
    numerator += int(whole or 0) * denominator
    negative = (match["sign"] == "-") != ((numerator < 0) != (denominator < 0))
    return _lowest("-" if negative and numerator != 0 else "", abs(numerator), abs(denominator))


def _lowest(minus: str, numerator: int, denominator: int) -> str:
    common = gcd(numerator, denominator)
    above, below = numerator // common, denominator // common
    return f"{minus}{above}" if below == 1 else f"{minus}{above}/{below}"
