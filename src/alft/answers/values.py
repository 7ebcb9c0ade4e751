"""Numbers, numbers with a unit, and words, each to one exact spelling.

Numbers become an integer or a fraction in lowest terms. No floating point and no evaluation: digits are moved
as text, so a number of any size is exact and a power tower costs nothing. A number that would take more than
`MAX_DIGITS` digits to write is keyed by a hash of its normal form. Percent, currency and units follow the
policy; spellings of one unit are one. Free text goes the TriviaQA way: lower case, no articles, no punctuation,
single spaces, with two differences. Numbers inside the text keep their sign, decimal point and percent sign, so
`-5 below` is not `5 below`. Signs of arithmetic are not punctuation: `speed + 1` is not `speed 1`, and `a`
beside one is not an article.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from math import gcd
from typing import Final

from alft.answers.policy import KeyPolicy

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


_SPELLINGS = """
    mm: millimeter millimeters millimetre millimetres
    cm: centimeter centimeters centimetre centimetres
    m: meter meters metre metres
    km: kilometer kilometers kilometre kilometres
    in: inch inches
    ft: foot feet
    yd: yard yards
    mi: mile miles
    mg: milligram milligrams
    g: gram grams
    kg: kilogram kilograms kilo kilos
    lb: lbs pound pounds
    oz: ounce ounces
    ml: mL milliliter milliliters millilitre millilitres
    L: l liter liters litre litres
    s: sec secs second seconds
    min: mins minute minutes
    h: hr hrs hour hours
    day: days
    week: weeks
    month: months
    year: yr yrs years
    °: degree degrees deg
    °C: celsius
    °F: fahrenheit
    K: kelvin
    mph:
    km/h: kph kmh
    m/s:
    cent: cents ¢
    rad: radian radians
    unit: units
"""
_UNITS: dict[str, str] = {}
for _line in _SPELLINGS.strip().splitlines():
    _name, _, _others = _line.strip().partition(":")
    _UNITS.update(dict.fromkeys([_name, *_others.split()], _name))

_POWERS = {"square": "^2", "sq": "^2", "cubic": "^3"}
_MONEY = {
    "dollars": "$",
    "dollar": "$",
    "usd": "$",
    "euros": "€",
    "euro": "€",
    "eur": "€",
    "gbp": "£",
    "yen": "¥",
    **{symbol: symbol for symbol in "$€£¥"},
}
_MODIFIERS = (
    "hundred thousand million billion trillion dozen score percent half halves third thirds quarter quarters "
    "fourth fourths fifth fifths sixth sixths eighth eighths ninth tenth tenths times squared cubed plus "
    "minus over or and to by of from less more am pm bc ad pi sqrt infinity"
)
_MAGNITUDES = frozenset(_MODIFIERS.split())
_NUMBER = r"([+-]?\d[\d,]*(?: \d{3}(?!\d))*(?:\.\d+)?(?:[eE][+-]?\d+)?(?: ?/ ?\d+| \d+/\d+)?|[+-]?\.\d+)"
_MEASURED = re.compile(_NUMBER + r"( ?)([^\d\s+\-.,][^\d]*(?:\^ ?[23])?)", re.ASCII)
_SYMBOLIC = re.compile(
    r"[A-Z]|(?=.*[A-Z])[A-Za-z]{2}|[a-z]?[A-Z][A-Za-z]?[A-Z]|[A-Z][a-z]?[A-Z][a-z]|[kMGmT]Hz", re.ASCII
)
_PERCENT = re.compile(_NUMBER + r" ?(?:%|percent|per cent|pct)", re.ASCII | re.IGNORECASE)
_RATE = re.compile(r"(?<=\d)(?: ?/ ?| (?:per|an?) )[A-Za-z]{2,}\Z| (?:each|apiece)\Z")  # `$18 per day`
_SYMBOL = re.compile(r"([+-]?) ?(?:US ?|CA ?|A)?([$€£¥]) ?(.+)")


def measured_key(text: str, policy: KeyPolicy) -> str | None:
    """Key of a number with a unit, a currency or a percent sign, or None if `text` is not one.

    >>> [measured_key(t, KeyPolicy()) for t in ("50 percent", "$1,200.00", "3 square feet", "5 apples")]
    ['50%', '1200', '3 ft^2', None]
    """
    if match := _PERCENT.fullmatch(text):
        return _percent(match[1], policy)
    if match := _SYMBOL.fullmatch(text):
        amount = _RATE.sub("", match[3]) if policy.units == "drop" else match[3]
        return _money(match[1] + amount, match[2], policy)
    if match := _MEASURED.fullmatch(text):
        number, unit = number_key(match[1]), match[3].strip()
        if number is None:
            return None
        if (money := _MONEY.get(unit.lower())) is not None:
            return _money(number, money, policy)
        return _with_unit(number, unit, spaced=match[2] != "", policy=policy)
    return None


def _percent(number: str, policy: KeyPolicy) -> str | None:
    key = number_key(number)
    if key is None or policy.percent == "drop":
        return key
    if policy.percent == "keep":
        return f"{key}%"
    above, _, below = key.partition("/")
    return number_key(f"{above}/{below or 1}00")


def _money(amount: str, symbol: str, policy: KeyPolicy) -> str | None:
    """The amount alone, or behind its symbol; `$18 dollars` and `$18 million` are left to others."""
    key = number_key(amount)
    if key is None or policy.currency == "drop":
        return key
    return f"-{symbol}{key[1:]}" if key.startswith("-") else f"{symbol}{key}"


def _with_unit(number: str, unit: str, *, spaced: bool, policy: KeyPolicy) -> str | None:
    known = _unit(unit) if spaced or len(unit) > 1 or unit in "°¢" else None  # `5m` is five times m
    if policy.units == "drop":
        words = unit.lower().split()
        counted = spaced and len(words) <= 3 and all(w.isalpha() for w in words) and len(words[0]) > 1
        return number if known is not None or (counted and _MAGNITUDES.isdisjoint(words)) else None
    if known is None and spaced and _SYMBOLIC.fullmatch(unit) is not None and unit.lower() not in _MAGNITUDES:
        known = unit  # `MW` and `mW` are not one
    return None if known is None else f"{number} {known}"


def _unit(text: str) -> str | None:
    """Usual name of a unit, squared or cubed as written; None if it is not a unit in the table."""
    head, _, rest = text.partition(" ")
    if (power := _POWERS.get(head.lower().rstrip("."))) is not None:
        name = _lookup(rest)
        return None if name is None else name + power
    if match := re.fullmatch(r"(.+?) ?\^ ?([23])", text):
        name = _lookup(match[1])
        return None if name is None else f"{name}^{match[2]}"
    return _lookup(text)


def _lookup(word: str) -> str | None:
    """A unit in any case of its letters, but never mega for milli: `MM` and `M` are not mm and m."""
    folds = len(word) > 2 or (len(word) == 2 and word[0] != "M")
    return _UNITS.get(word) or (_UNITS.get(word.lower()) if folds else None)


MARK: Final = "text: "  # before free text whose letters would read as another kind of answer

_ARTICLES: Final = frozenset(("a", "an", "the"))
_SIGNS: Final = frozenset("+=<>^*/-")
_SPACED: Final = "*/-"  # signs only between spaces, the last only before a digit, else punctuation
_SIGNED = re.compile(r"[+=<>^]| [*/] | - \d|(?<!\w)[aA][.]")  # what takes the longer way
_TOKEN = re.compile(
    r"(?<!\d[-/:*])(?<![\w.])[+-]?\d+(?:[-/:*]\d+)+(?![\w%])|(?<![\w.])[+-]?\d+(?:,\d{3})*(?:\.\d+)?%?(?![\w%])|[^\W_]+|[^\w\s]|_",
    re.UNICODE,
)


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
