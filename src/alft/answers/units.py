"""Numbers with a unit, a currency or a percent sign, to one exact spelling: as the policy says."""

import re
from typing import Final

from alft.answers.policy import KeyPolicy
from alft.answers.values import MAGNITUDES, NOTATION, NUMBER, SYMBOLIC, counted_key, number_key

_SWAPPED: Final = str.maketrans(",.", ".,")

_UNITS, _MONEY = (
    {word.replace("_", " "): name for name, words in NOTATION[kind].items() for word in [name, *words.split()]}
    for kind in ("units", "money")
)
_POWERS = {"square": "^2", "sq": "^2", "cubic": "^3", "cu": "^3"}
_MEASURED = re.compile(NUMBER + r"( ?)([^\d\s+\-.,][^\d]*(?:\^ ?[23])?)", re.ASCII)
_MIXED = re.compile(r"[a-z][A-Z]|\A(?i:nm|ms|kcal)\Z")  # `Nm` is not nm
_PERCENT = re.compile(NUMBER + r" ?(?:%|percent|per cent|pct|\(%\)|\(percent\))", re.ASCII | re.IGNORECASE)
_SCALES = {word: name for name, words in NOTATION["scales"].items() for word in [name, *words.split()]}
_SCALED = re.compile(rf"{NUMBER} ?({'|'.join(_SCALES)})", re.ASCII | re.IGNORECASE)
_FAMILIES = [words.split() for words in NOTATION["compound"]]
_FEET = re.compile(r"(\d+)' ?(\d+(?:\.\d+)?)(?:\"|'')", re.ASCII)
_STEP = re.compile(r"(\d+(?:\.\d+)?) ?([A-Za-z]+)", re.ASCII)
_STEPS = re.compile(rf"(?:{_STEP.pattern}(?:,? and |,? ?|\. |\Z)){{2,}}", re.ASCII)
_FORMULA: Final = frozenset(NOTATION["names"].split()) - {"angle", "root", "bar", "hat", "dot"} | {
    "varphi", "vartheta", "varepsilon", "ell", "hbar", "det", "dim", "ker", "sup", "inf",
}  # fmt: skip
"""Names in formulas that no thing has: `3 cos x` counts nothing."""
_SHORT_NAME: Final = 2  # `bh` and `dx` are products
_RATE = re.compile(  # `$18 per day`
    r"(?: ?/ ?| (?:per|an?|every) )[A-Za-z]{2,}\Z"
    r"| (?:each|apiece|daily|weekly|monthly|yearly|altogether|(?:in )?total)\Z"
)
_EXACT = re.compile(  # a value with a root or π, and words
    r"((?=.*(?:pi|root|sqrt))(?:[\d +*/^().-]|pi\b|sqrt|root)+?(?<=[\d)i ]))"
    r"\(?((?!pi|sqrt|root)[A-Za-z°][A-Za-z °/]*(?:\^ ?[23])?)\)?"
)
_SYMBOL = re.compile(r"([+-]?) ?(?:US ?|CA ?|A)?([$€£¥₹]|USD|EUR|GBP|INR|Rs\b\.?) ?(.+)")


def pointed(text: str, policy: KeyPolicy) -> str:
    """The text with a decimal point where the policy says comma; the numbers in keys have neither."""
    return text.translate(_SWAPPED) if policy.decimal == "comma" else text


def amount_key(text: str, policy: KeyPolicy) -> str | None:
    """Key of a number, of a measure, or of counted things."""
    value = pointed(text, policy)
    return number_key(value) or measured_key(value, policy) or counted_key(value, fold=policy.case == "fold")


def measured_key(text: str, policy: KeyPolicy) -> str | None:
    """Key of a number with a unit, a currency or a percent sign, or None if `text` is not one.

    >>> [measured_key(t, KeyPolicy()) for t in ("50 percent", "$1,200.00", "3 square feet", "5 apples")]
    ['50%', '1200', '3 ft^2', None]
    """
    if match := _PERCENT.fullmatch(text):
        if (key := number_key(match[1])) is None or policy.percent == "drop":
            return key
        above, _, below = key.partition("/")
        return f"{key}%" if policy.percent == "keep" else number_key(f"{above}/{below or 1}00")
    if match := _SYMBOL.fullmatch(text):
        amount, symbol = match[3], _MONEY[match[2].lower().rstrip(".")]
        if (scaled := _SCALED.fullmatch(amount)) is not None:  # `$1.50B`
            key = _money(match[1] + scaled[1], symbol, policy)
            return None if key is None else f"{key} {_SCALES[scaled[2].lower()]}"
        if (written := _MEASURED.fullmatch(amount)) is not None:
            bare = f"{written[2]}{written[3]}"
            bare = (_RATE.sub("", bare) if policy.units == "drop" else bare).strip(" ()")
            amount = written[1] if _MONEY.get(bare.lower(), symbol if not bare else "") == symbol else amount
        return _money(match[1] + amount, symbol, policy)
    if match := _MEASURED.fullmatch(text):
        number, unit = number_key(match[1]), match[3].strip().replace(" / ", "/")
        inner = unit[1:-1] if unit[0] == "(" and unit[-1] == ")" else unit
        if policy.units == "drop":
            unit = _RATE.sub("", inner) or unit
        elif match[2] and _unit(inner) is not None:
            unit = inner
        if number is None:
            return None
        if (money := _MONEY.get(unit.lower())) is not None:
            return _money(number, money, policy)
        return _with_unit(number, unit, spaced=match[2] != "", policy=policy)
    return _compound(text)


def unitless(text: str) -> str:
    """A formula without variables, without the unit behind it, as a number is where units are dropped.

    >>> unitless("12 pi cm^2"), unitless("2 sqrt(3) square units"), unitless("2 pi r"), unitless("x + 1 cm")
    ('12 pi', '2 sqrt(3)', '2 pi r', 'x + 1 cm')
    """
    found = _EXACT.fullmatch(text)
    unit = "" if found is None else found[2].strip()
    dropped = len(unit) > 1 and _with_unit("0", unit, spaced=True, policy=KeyPolicy(units="drop")) is not None
    return text if found is None or not dropped else found[1].strip()


def _compound(text: str) -> str | None:
    """`2 hours and 15 minutes`, `5'7"`: several units of one kind, from large to small."""
    if not text[:1].isdigit():
        return None
    text = _FEET.sub(r"\1 ft \2 in", text)
    found = _STEP.findall(text) if _STEPS.fullmatch(text) is not None else []
    steps = [(number_key(number), _unit(unit)) for number, unit in found]
    timed = any(unit in ("h", "s") for _, unit in steps)
    units = ["min" if unit == "m" and timed else unit for _, unit in steps]
    for family in _FAMILIES:
        places = [family.index(unit) for unit in units if unit in family]
        if len(places) == len(units) > 1 and places == sorted(set(places)):
            return " ".join(f"{number} {unit}" for (number, _), unit in zip(steps, units, strict=True))
    return None


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
        said = [w for n, w in enumerate(words) if not (w == "of" and n > 0) and not (w == "more" and n == 0)]
        counted = spaced and len(words) <= 4 and all(w.isalpha() for w in words) and len(words[0]) > _SHORT_NAME
        counted = counted and _FORMULA.isdisjoint(said) and (MAGNITUDES.isdisjoint(said) or words == ["times"])
        return number if known is not None or counted else None
    if known is None and spaced and SYMBOLIC.fullmatch(unit) is not None and unit.lower() not in MAGNITUDES:
        known = unit  # `MW` and `mW` are not one
    return None if known is None else f"{number} {known}"


def _unit(text: str) -> str | None:
    """Usual name of a unit, squared or cubed as written; None if it is not in the table.

    Its letters may have any case, but mega is never milli: `MM`, `mM` and `M` are not mm and m.
    """
    word, power = text, ""
    head, _, rest = text.partition(" ")
    if (written := _POWERS.get(head.lower().rstrip("."))) is not None:
        word, power = rest, written
    elif match := re.fullmatch(r"(.+?) ?\^ ?([23])", text):
        word, power = match[1], f"^{match[2]}"
    folds = len(word) > 1 and (word[0] != "M" or (len(word) > 2 and "/" not in word)) and not _MIXED.search(word)
    name = _UNITS.get(word) or (_UNITS.get(word.lower()) if folds else None)
    return None if name is None else name + power
