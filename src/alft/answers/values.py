"""Numbers and words, each to one exact spelling.

Numbers become an integer or a fraction in lowest terms. No floating point and no evaluation: digits are moved
as text, so a number of any size is exact and a power tower costs nothing. A number that would take more than
`MAX_DIGITS` digits to write is keyed by a hash of its normal form. Free text goes the TriviaQA way: lower case,
no articles, no punctuation, single spaces, with three differences. Numbers inside the text keep their sign,
decimal point and percent sign, so `-5 below` is not `5 below`, and a symbol of a unit behind a number keeps its
case. Signs of arithmetic are not punctuation: `speed + 1` is not `speed 1`, and `a` beside one is not an
article. `3.0 apples` is `3 apple`.
"""

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from importlib import resources
from itertools import pairwise
from typing import Final

NOTATION: Final = tomllib.loads(resources.files("alft").joinpath("answers/notation.toml").read_text("utf-8"))
MAX_DIGITS = 1000  # below CPython's own limit of 4300 for int(str)

_INTEGER = r"\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d+"
_NUMERAL = re.compile(
    rf"(?P<sign>[+-]?) ?(?P<whole>{_INTEGER})?(?:\.(?P<part>\d+)?)?"
    r"(?: ?(?:[eE](?P<e>[+-]?\d+)|\* ?10 ?(?:\^|\*\*) ?(?:\((?P<p>[+-]?\d+)\)|(?P<q>[+-]?\d+))))?",
    re.ASCII,
)
_POWER_OF_TEN = re.compile(r"(?P<sign>[+-]?) ?10 ?(?:\^|\*\*) ?(?:\((?P<p>[+-]?\d+)\)|(?P<q>[+-]?\d+))", re.ASCII)
_FRACTION = re.compile(
    r"(?P<sign>[+-]?) ?(?:(?P<whole>\d+)(?: (?![(+])|(?P<plus> ?\+ ?)))?"
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
    return f"{minus}{Fraction(int(kept), 10**-places)}"


def _fraction(match: re.Match[str]) -> str | None:
    """A proper, improper or mixed fraction; None over zero, or where a mixed number has inner signs."""
    whole, above, below = match["whole"], match["above"], match["below"]
    minus = match["sign"] == "-"
    inner = minus and match["plus"] is not None  # `-2 + 1/3` is a sum, no mixed number
    if whole is not None and not (above.isdigit() and below.isdigit()):
        return None
    if len(above) + len(below) + len(whole or "") > MAX_DIGITS:
        return None if inner else hashed(match[0].replace(" ", "+" if whole else ""))
    if int(below) == 0:
        return None
    part = Fraction(int(above), int(below))
    value = int(whole or 0) + (-part if inner else part)
    return str(-value if minus else value)


_MODULO = re.compile(r"(?<=[\w)]) ?(?:\( ?mod(?:ulo)? ?([^()]+)\)|mod(?:ulo)? (\w+))\Z")
_BASE = re.compile(r"(-?\w+(?:\.\w+)?),? \(?(?:in )?base (\d+)\)?")
_ROUNDED = re.compile(  # `2sqrt(3) ≈ 3.46`, `3/4 (0.75)`: an exact value, and then its decimals
    r"((?:[A-Za-z]\w* ?= ?)?(?=[^≈]*(?:/|sqrt|root|pi|ln|log|\^))(?:[\d +*/^().,-]|sqrt|root|pi|ln|log)+?)"
    r" ?(?:≈ ?-?\d+(?:\.\d+)?%?|\( ?≈? ?-?\d+(?:\.\d+|(?:\.\d+)?%)\))"
)


def one_spelling(text: str) -> str:
    """A residue, digits of a base, and an exact value beside its decimals, each in one way.

    >>> one_spelling("3 mod 5"), one_spelling("101, in base 2"), one_spelling("3/4 (0.75)")
    ('3 (mod 5)', '101_2', '3/4')
    """
    if "mod" in text:
        text = _MODULO.sub(lambda found: f" (mod {(found[1] or found[2]).strip()})", text)
    if "base " in text and (based := _BASE.fullmatch(text)) is not None:
        return f"{based[1]}_{based[2]}"
    rounded = _ROUNDED.fullmatch(text) if "≈" in text or text.endswith(")") else None
    return text if rounded is None else rounded[1].strip()


_TO_THE = r"10 ?(?:\^|\*\*) ?(?:\([+-]?\d+\)|[+-]?\d+)"
NUMBER = (
    rf"([+-]?{_TO_THE}|[+-]?\d[\d,]*(?: \d{{3}}(?!\d))*(?:\.\d+)?(?:[eE][+-]?\d+| ?\* ?{_TO_THE})?"
    r"(?: ?/ ?\d+| \d+/\d+)?|[+-]?\.\d+)"
)
MAGNITUDES: Final = frozenset(NOTATION["magnitudes"].split())

MARK: Final = "text: "  # before free text whose letters would read as another kind of answer

_ARTICLES: Final = frozenset(("a", "an", "the"))
_BESIDE_LETTERS: Final = frozenset(("and", "or", "nor", "but", "only", "alone", "is", "not"))  # no `a` before
_LONG_WAY = re.compile(  # a sign, a unit behind a number, letters of mixed case, an initial
    r"[-+*/=<>^|_:!%'([±∓#]|(?:[\d)\]}!]|pi|floor|ceil|(?<![^\W\d_])[^\W\d_]) ?[a-z]{0,2}[A-ZΩ]|(?<!\w)[aA][.]"
    r"| [a-z]{0,2}[A-ZΩ][A-Za-z]?(?![^\W\d_])|[a-z][A-ZΩ]|[A-Z]{2}[a-z]"
)
# Marks that are part of a word: vowels of Indic and Thai letters, but no points of Arabic and Hebrew.
_COMBINING: Final = (*range(0x300, 0x370), *range(0x900, 0x1100))
_MARKS: Final = "".join(char for char in map(chr, _COMBINING) if unicodedata.category(char)[0] == "M")
_WORD: Final = rf"[^\W_]+(?:[{_MARKS}]+[^\W_]*)*"
_COMPOUND = r"\d+(?:[-/:*]\d+)+(?![\w%])"
_TOKEN = re.compile(
    rf"(?<!\d[-/:*])(?<![\w.])[+-]?{_COMPOUND}|(?<![\w.])[+-]?\d+(?:,\d{{3}})*(?:\.\d+)?%?(?![\w%])"
    rf"|(?<![\w.])\d+(?:,\d{{3}})*\.\d+[^\W_]+|{_WORD}|[^\w\s]|_"
)
_PIECE = re.compile(
    rf"(?<![\w.]){_COMPOUND}|\d+(?:,\d{{3}})*(?:\.\d+)?|[^\W\d_]+(?:[{_MARKS}]+[^\W\d_]*)*|!=|\^[*']+|'+|[^\w\s]|_"
)  # of a formula
_CASED = re.compile(  # symbols of units that say another thing in other letters: `mW`, `MW`
    r"[\d.,]*(?:[kKMGTPmpnµμ]?(?:[WVAJNgmsBbHFTCSΩω]|Wh|Hz|Pa|eV|cal|mol|bps|bit|Bq|Sv|Gy|bar|lm)|[MG][Ll]|m[Ll]"
    r"|[mnpµμ]M|[MGTKk])|Gamma|Delta|Theta|Lambda|Xi|Sigma|Upsilon|Phi|Psi|Omega"
)
SYMBOLIC = re.compile(  # letters whose case no word has
    r"[A-Z]|(?=.*[A-Z])[A-Za-z]{2}|[a-z]?[A-Z][A-Za-z]?[A-Z]|[A-Z][a-z]?[A-Z][a-z]|[kMGmT]Hz", re.ASCII
)
_SPELLED = re.compile(  # a number in words, before a unit
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+t(?:een|y)|(?:hundred|[mbt]\w*illion|thousand"
    r"|dozen|half|third|quarter|fifth)s?|couple|few|several|many|zero",
    re.IGNORECASE,
)
_COUNT = re.compile(NUMBER + r" ((?:[^\W\d_]+ ){0,2})([^\W\d_]+)", re.ASCII)
_PLURALS: Final = {"ies": "y", "sses": "ss", "xes": "x", "ches": "ch", "shes": "sh", "oes": "o", "s": ""}
_IRREGULAR: Final = {word: word[:-1] for word in NOTATION["regular"].split()} | {
    plural: one for one, words in NOTATION["plurals"].items() for plural in words.split()
}
_FUNCTIONS: Final = re.compile(
    r"sqrt|root|(?:arc)?(?:sin|cos|tan)|cot|sec|csc|log|ln|lg|exp|gcd|lcm|pi|[lr]floor|[lr]ceil|angle|overline|bar|vec"
    r"|(?:wide)?(?:hat|tilde)|d?dot|math(?:bb|cal|frak|scr)"
)
_ACRONYM = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]\.?")  # `U.S.A.`
_MATHEMATICAL = re.compile(r"[\u2308-\u2bff‖‰‱]")  # signs that Unicode takes for punctuation
_POWER = re.compile(r"(?<=[\w)])\*\*(?=[\w(-])")


def text_key(text: str, *, fold: bool = True) -> str | None:
    """Words of a text, or None if there are none; with `fold` in lower case but for symbols of units.

    A text with a sign of arithmetic, an index or a function keeps all its signs. One thing is counted like many.

    >>> text_key("The Beatles!"), text_key("Café  du_Monde"), text_key("1,000 men, -5.0%"), text_key("?!")
    ('beatles', 'café du monde', '1000 men -5.0%', None)
    >>> text_key("speed + 1"), text_key("A. Lincoln"), text_key("-sqrt(2) cups"), text_key("3.0 apples")
    ('speed + 1', 'a. lincoln', '-sqrt(2) cups', '3 apple')
    """
    normal = unicodedata.normalize("NFKC", text)
    normal = normal.replace(".", "") if _ACRONYM.fullmatch(normal) is not None else normal
    if (key := counted_key(normal, fold=fold)) is not None:
        return key
    if _LONG_WAY.search(normal) is not None:
        return _signed(_POWER.sub("^", normal), fold)
    found = _TOKEN.findall(_folded(normal) if fold else normal)
    tokens = [(_token(each), _is_article(each, behind)) for each, behind in pairwise([*found, ""])]
    kept = [token for token, article in tokens if token and not article] or [token for token, _ in tokens if token]
    return " ".join(kept) or None


def _is_article(token: str, behind: str) -> bool:
    """Whether a token is `the`, `an`, or an `a` before a word: in `vitamin A`, `A only` it is a letter."""
    if token not in ("a", "A"):
        return token.lower() in _ARTICLES
    return len(behind) > 1 and behind[0].isalnum() and behind.lower() not in _BESIDE_LETTERS


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text.casefold())


def counted_key(text: str, *, fold: bool = True) -> str | None:
    """Key of counted things, or None: the number in its normal form, the last word without its plural."""
    if (count := _COUNT.fullmatch(text)) is None or (number := number_key(count[1])) is None:
        return None
    words = f"{count[2]}{count[3]}"
    plain = MAGNITUDES.isdisjoint(words.lower().split()) or words.lower() in NOTATION["scales"]
    if not plain or _is_symbol(count[3]):
        return None
    if (one := _IRREGULAR.get(count[3].lower())) is not None:
        words = count[2] + one
    elif len(count[3]) > 3 and not words.endswith(("ss", "us", "is")):
        plural = next((end for end in _PLURALS if words.endswith(end)), "")
        words = words.removesuffix(plural) + _PLURALS.get(plural, "")
    kept = [word for word in words.split() if word.lower() not in _ARTICLES] or words.split()
    cased = [_CASED.fullmatch(word) or (word == kept[0] and _is_symbol(word)) for word in kept]
    shown = [word if keep or not fold else _folded(word) for word, keep in zip(kept, cased, strict=True)]
    return " ".join([number, *shown])


def _signed(text: str, fold: bool) -> str | None:
    """Words with the signs of a formula where there is one; an article beside a sign is a variable."""
    pieces = list(_PIECE.finditer(text))
    signs = [_sign(pieces, place) for place in range(len(pieces))]
    if _FORMULA not in signs:
        return _words(text, fold)
    key, glued, behind = "", True, [*(piece[0] for piece in pieces[1:]), ""]
    for place, (piece, sign) in enumerate(zip(pieces, signs, strict=True)):
        token = piece[0] if sign or piece[0] in "()[]{}," else _word(pieces, place, fold=fold, formula=True)
        if not token or (_is_article(piece[0], behind[place]) and not any(signs[max(place - 1, 0) : place + 2])):
            continue
        close = place > 0 and pieces[place - 1].end() == piece.start()
        beside = close and (token in "([{|" or (token == "-" and place + 1 == len(pieces)))
        key += token if glued or beside or token.strip("'") in ")]},!%^_:" else f" {token}"
        unary = token in "+-" and (place == 0 or pieces[place - 1][0] in "+-*/=<>:^([{,|")
        bar = token == "|" and place + 1 < len(pieces) and pieces[place + 1].start() == piece.end()
        glued = token in "([{^_:" or unary or bar
    return key if any(char.isalnum() for char in key) else None


def _words(text: str, fold: bool) -> str | None:
    """Words of a text that has no formula; `a.` is an initial."""
    pieces = list(_TOKEN.finditer(text))
    tokens = [_word(pieces, place, fold=fold, formula=False) for place in range(len(pieces))]
    articles = [_is_article(each, behind) for each, behind in pairwise([*(piece[0] for piece in pieces), ""])]
    kept = [t for t, article in zip(tokens, articles, strict=True) if t and (t == "A" or not article)]
    return " ".join(kept or filter(None, tokens)) or None


def _word(pieces: Sequence[re.Match[str]], place: int, *, fold: bool, formula: bool) -> str:
    """A token of text as a key has it: in lower case, but for a unit's symbol in a formula or behind a number."""
    piece = pieces[place]
    if piece[0] in "aA" and piece.string[piece.end() : piece.end() + 1] == ".":
        return "a." if fold else f"{piece[0]}."
    if piece[0] == "A" and 0 < place < len(pieces) - 1:  # `vitamin A deficiency`, but `Once Upon A Time`
        behind = pieces[place + 1][0]
        if pieces[place - 1][0].isalnum() and behind.islower() and _is_article("a", behind):
            return "A"
    word = _token(piece[0])
    index = piece.string[piece.end() : piece.end() + 1] in ("_", "^")  # `CO_2`, `Co_2`
    if not fold or word.islower() or (formula and (len(word) == 1 or index)):
        return word
    while place > 1 and pieces[place - 1][0] in ("of", "a", "an"):  # `half a MW`
        place -= 1
    before = pieces[place - 1] if place > 0 else None
    unit = piece[0][:1].isdigit() or _is_value(before, _CLOSING) or bool(before and _SPELLED.fullmatch(before[0]))
    alone = before is None or before[0].lower() in _ARTICLES
    folds = alone and (word[:1] != "m" or word == "mL")  # `pH` alone is `ph`, but `mW` not `MW`
    mixed = formula or not (folds or word.isupper() or word.istitle())
    return word if (unit and _is_symbol(word)) or (mixed and _CASED.fullmatch(word)) else _folded(word)


def _is_symbol(word: str) -> bool:
    """Whether the letters behind a number are a unit's symbol, which says another thing in other letters."""
    symbolic = SYMBOLIC.fullmatch(word) is not None and word.lower() not in MAGNITUDES
    return symbolic or _CASED.fullmatch(word) is not None


_OPENING: Final = frozenset("([{|+-")
_CLOSING: Final = frozenset(")]}|!")
_PUNCTUATION, _KEPT, _FORMULA = range(3)  # what a sign is


def _sign(pieces: Sequence[re.Match[str]], place: int) -> int:
    """Whether a piece is punctuation, a sign that is kept in a formula, or one that makes a formula."""
    piece = pieces[place]
    if piece[0].isalnum() or piece[0][0] not in "+=<>^/%-([{]_!'*:|±∓":
        return _PUNCTUATION
    before, after = (pieces[at] if 0 <= at < len(pieces) else None for at in (place - 1, place + 1))
    close = before is not None and before.end() == piece.start()
    closes = after is not None and after.start() == piece.end()
    left, right = _is_value(before, _CLOSING), _is_value(after, _OPENING)
    behind = "" if after is None else after[0][0]
    number_behind = closes and behind.isdigit()
    word_before = before is not None and before[0][-1].isalpha()
    match piece[0] if piece[0][0] != "'" else "'":
        case "+" | "-" if not close and not left and number_behind:
            return _KEPT if piece[0] == "-" or before is not None else _PUNCTUATION
        case "-" if close and before is not None and before[0].isalnum() and behind:
            meant = (left and right) or not (behind.isalnum() or behind in "\"'")  # else a hyphen
        case "-":
            meant = close or behind != ""
        case "%":
            return _KEPT if close and before is not None and before[0][-1].isdigit() else _FORMULA
        case "]":
            meant = left and not word_before
        case "(" | "[" | "{":
            meant = (close and word_before and left) or (piece[0] == "[" and number_behind)
        case "_":
            meant = closes and (left or word_before) and (number_behind or (left and close))
        case "!" if close and left:
            return _KEPT if word_before and not behind else _FORMULA
        case "'":
            quoted = place > 1 and pieces[place - 2][0] == "'"  # the end of a quotation
            meant = close and left and not quoted and not (closes and behind.isalpha())
        case "*":
            meant = close == closes and behind not in ("", "*") and before is not None and before[0] != "*"
        case ":":
            meant = close == closes and behind != "" and ((left and right) or close)
        case "|":
            meant = (close and left) or (closes and right)
        case sign:
            meant = sign != "!"
    return _FORMULA if meant else _PUNCTUATION


def _is_value(piece: re.Match[str] | None, brackets: frozenset[str]) -> bool:
    """Whether a piece is a number, a variable, a function or one of the brackets, and no word."""
    token = "" if piece is None else piece[0]
    return (
        token[-1:].isdigit()
        or (token.isalpha() and (len(token) == 1 or _FUNCTIONS.fullmatch(token) is not None))
        or token in brackets
    )


def _token(token: str) -> str:
    """A word as it is, a number without separators and plus, a symbol (`→`) but no punctuation."""
    if token[0].isalnum() or token[-1].isalnum() or (token[-1] == "%" and len(token) > 1):
        return token.replace(",", "").removeprefix("+")
    silent = token.isascii() or (unicodedata.category(token)[0] in "PMC" and not _MATHEMATICAL.match(token))
    return "" if silent else token
