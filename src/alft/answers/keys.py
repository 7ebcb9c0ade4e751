"""Text to key: two answers are the same exactly when their keys are equal, so sameness is an equivalence.

A key is plain text that reads like the answer (`5/2`, `B`, `(1, sqrt(2))`, `marie curie`), and is its own
key. Kinds never meet: what reads as a number is a number wherever it stood, and a free text whose letters and
digits would read as another kind is marked `text: `. Nothing is evaluated; nothing costs more than a scan.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from alft.answers import writing
from alft.answers.policy import DEFAULT, KeyPolicy, Kind
from alft.answers.units import amount_key, measured_key, pointed, unitless
from alft.answers.values import MARK, hashed, number_key, text_key
from alft.answers.writing import plain, undress

MAX_TEXT: Final = 2048  # a longer answer is keyed by a hash
_CACHED_TEXT: Final = 256  # longer texts are read anew, so that the cache stays within some 30 MB
_CACHE_SIZE: Final = 65536
_ROUNDS: Final = 4
_SETTLED: Final = ("number", "option", "oversize")  # their keys are read as themselves, under every policy

_ALL_KEPT: Final = KeyPolicy(currency="keep")
_PART = re.compile(r", |,(?!\d{3})| and ")
_VALUE = re.compile(r"-?\d+(?:/\d+)?")
_WHOLE = re.compile(r"\$?(-?(?:[1-9]\d{0,2}(?:,\d{3}){1,9}|[1-9]\d{0,30}))\.?", re.ASCII)
_COUNTED = re.compile(r"[-+$€£]*\d[\d.,/]*(?![\w.,/])")
_LONG_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?", re.ASCII)
_HASH = re.compile(r"sha256:[0-9a-f]{32}")
_OPTION = re.compile(
    r"(?:(?:option|choice|answer) +)?(?:\(([a-z])\)|\[([a-z])\]|([a-z])[).:]?)", re.IGNORECASE | re.ASCII
)
_OPTION_WITH_TEXT = re.compile(r"(?:\(([A-J])\)|([A-J])\)) +\w.*")
_LETTERED = re.compile(  # as the options of a question are written, with the text of one
    r"(?:(?:option|choice|answer|Option|Choice|Answer) +)?"
    r"(?:[(\[]([A-Za-z])[)\]] ?[.:-]?|([A-Z]) ?(?:[.:)]+|-(?= )|(?=\())) *[\w\"'($+-].*"
)
_ASIDE = re.compile(r"(?<=\w)\([^()]*\)|\([^()]{2,}\)")  # `f(x)`, `(B ∪ C)`
_OTHER_OPTION = re.compile(  # behind an option and its text: `(A) and (C)`, `A. 5, C. 7`
    r"(?<!\w)(?:[(\[][A-Ja-j]|[A-J])[)\]](?!\w)|\A[)\].: ]*(?:and|or|&) *[A-Ja-j]\b"
    r"|(?:[,;/&]|\b(?:and|or)) *(?:[Oo]ption |[Cc]hoice )?[A-J] ?[.:](?!\S)|(?<= )[A-J][.:] (?=[-$\d])"
)
_ARITHMETIC = re.compile(  # before `= 5`
    r"(?:[\d\s+*/()$^=!%|{}-]|(?<=\d),(?=\d)|\.(?=\d)|sqrt|binom|of\b|(?<=\d )x(?= \d))*", re.ASCII
)
_CHECKED = re.compile(r"([^()\[\]=]{1,60}) ?[(\[]((?:[^()\[\]=,;]|,(?=\d))*)=((?:[^()\[\]=,;]|,(?=\d))*)[)\]]")
_AMOUNT = re.compile(r"-?\$?\d[\d.,/]*%?", re.ASCII)
_UNEQUAL = re.compile(r"[!<>]=")
_NAMED = re.compile(r"[A-Za-z][A-Za-z ]{0,30}?(?:_\w)? ?=(?=.*\d)")  # `Total = 2 + 3`, before `= 5`
_WORD = re.compile(r"[A-Za-z]{2,}|(?<=\d )[a-z](?![a-z])")
_VARIABLE = r"[A-Za-z](?:_\w+)?(?:'|\^\*)*"
_VARIABLES = re.compile(_VARIABLE)
_THEN = re.compile(r"(?:[→⇒]\s*|(?:[,;]|,? so|,? therefore|,? then)\s+)(?=[A-Za-z](?:_\w)? ?= ?[^=]+\Z)")
_EQUATION = re.compile(  # `3x = 12`, before `x = 4`; no variable alone on a side: `x_1 = 2` is a root of its own
    rf"(?!{_VARIABLE} ?=)(?![^=]*= ?{_VARIABLE}\Z)[^=<>!]+=[^=<>]+"
)
_GREEK: Final = "|".join(sorted(set(writing.LETTERS.values())))
_ASSIGNMENT = re.compile(  # `x = 42`, `a_10 = 42`, `f(2) = 42`
    rf"((?:[A-Za-z]|(?:{_GREEK})\b)(?:_\w+)?|[A-Za-z]\((?:\d+|[A-Z])\)) ?= ?(.+)", re.ASCII
)

_STATED = re.compile(  # `Total = 7`; a name is no product of variables like `abc`
    r"((?:[A-Z][a-z]{2}|(?=[A-Za-z ]*[A-Za-z]{2})[A-Za-z](?: ?[A-Za-z]){3,40})(?<!not)) ?= ?(-?[$€£¥]?\.?\d[^=,]*)"
)
_RELATED = re.compile(rf"({_VARIABLE}(?:\([a-z]\))?|\({_VARIABLE}(?:, ?{_VARIABLE})*\)) ?([=∈∉⊂⊆]) ?([(\[{{].*)")
_MOLECULE = re.compile(rf"(?=.*\d)(?:(?:{writing.ELEMENTS})(?:_?\d+)?){{2,}}", re.ASCII)  # `CO_2` and `CO2`
_WORDS = re.compile(r"[A-Za-z]+")
_ALLOWED = re.compile(rf"[A-Za-z0-9 +\-*/^=<>()\[\]{{}}|!,.;:_%'{writing.SIGNS}]+")
_OPERATOR = re.compile(rf"[0-9+\-*/^=<>|!;:_([{{{writing.SIGNS}]|(?<=[A-Za-z])'(?![A-Za-z])")
_COMPARISON = re.compile(r"[<>]=?|!?=")
_PRICE = re.compile(r"\$(?=[\d.A-Za-z(])")
_PLUS = re.compile(r"\A\+ ?(?=[A-Za-z(])")  # says nothing
_RELATION = re.compile(r"[=^<>]")
_SIGN = re.compile(r"[+\-*/|±∓]")
_SHORT_WORDS = re.compile(r"[A-Za-z][A-Za-z /-]*")  # `Wi-Fi`
_MANY_LETTERS = re.compile(r"(?<![A-Za-z])[A-Za-z]{2,}(?![A-Za-z])")
_PRODUCT: Final = 3  # letters of the longest name that is read as a product of variables beside a sign
_ABOVE = re.compile(  # a product over something needs no brackets: `(3pi)/4`
    r"(?<![\w)\]}^!/*'])\(((?:(?<![+-]\()-)?(?:[\w.^*!]|(?<=[A-Za-z])\([^()]*\))+)\)(?=/)"
)
_BARE_ROOT = re.compile(r"sqrt([0-9]+|[A-Za-z](?![A-Za-z]))")
_BESIDE = re.compile(r"(?<=[A-Za-z]) +(?=[A-Za-z])")  # `i sqrt(2)` is a product
_SPLIT_NUMBER = re.compile(r"[0-9.,] +[0-9.,]")
_FUNCTION = "sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|log|ln|lg|exp"
_APPLICATION = re.compile(  # a function of one number, variable or multiple of it, without brackets: `sin^2 2x`
    rf"(?<![A-Za-z])({_FUNCTION})((?: ?_[0-9]+)(?= )|\^[0-9])?"
    rf" ?([0-9]+(?:[A-Za-z]|pi)?|(?<= )[A-Za-z]|[xyz]|pi|theta|alpha|beta|phi)"
    rf"(?=[+\-*/=<>),|\]}}]|$| [+\-*/=<>]| ?(?:{_FUNCTION})[ (^])"
)


def canonical(text: str | None, policy: KeyPolicy = DEFAULT) -> str | None:
    r"""Key of an answer; None for None and for text with nothing in it to read.

    Idempotent: a key is its own key. Distinct texts are read once and remembered (bounded).

    >>> canonical(r"$\frac{10}{4}$"), canonical("2 1/2"), canonical("2.50"), canonical("(b)"), canonical(" ")
    ('5/2', '5/2', '5/2', 'B', None)
    >>> canonical("The Beatles!"), canonical("(2, 1)"), canonical("2, 1"), canonical("x^{2} + 1")
    ('beatles', '(2, 1)', '{1, 2}', 'x^2+1')
    """
    if text is None:
        return None
    return _remembered(text, policy) if len(text) <= _CACHED_TEXT else _read(text, policy)


def kind(text: str | None, policy: KeyPolicy = DEFAULT) -> str | None:
    """Name of the kind of answer that a text is: number, measure, option, set …, or None where it has no key.

    >>> kind("3/4"), kind("(1, 2]"), kind("Marie Curie"), kind("?!")
    ('number', 'tuple or interval', 'text', None)
    """
    key = canonical(text, policy)
    return None if key is None else _classified(key, policy)[0]


def kinds_of(text: str) -> frozenset[str]:
    r"""The values of `answers.kind` under which a text is read: number, option, text, or none of these.

    A counted thing is a number and a text; formulas with variables, sets and tuples are neither.

    >>> [sorted(kinds_of(text)) for text in ("5 cm", "18 eggs", "B. Paris", "Paris", "x+1")]
    [['number'], ['number', 'text'], ['option', 'text'], ['text'], []]
    """
    key = canonical(text)
    name = None if key is None else _classified(key, DEFAULT)[0]
    if key is None or name in ("number", "measure", "option"):
        return frozenset(() if name is None else ("number" if name == "measure" else name,))
    words = [word for word in re.findall(r"[a-z]+", key.lower()) if word not in writing.KNOWN]
    if name in ("expression", "assignment"):
        return frozenset(("number",) if not words else ("text",) if max(map(len, words)) > 1 else ())
    found = {"text"} if name in ("text", "oversize") else set[str]()
    if name == "text" and _COUNTED.match(key) is not None:
        found.add("number")
    if found and lettered_option(text) is not None:
        found.add("option")
    return frozenset(found)


def shared_kind(texts: Iterable[str]) -> Kind:
    """The one value of `answers.kind` under which all texts are read; `any` where there is none, or no text.

    >>> shared_kind(["18", "2.5 cm"]), shared_kind(["A", "C"]), shared_kind(["Paris", "1945"]), shared_kind([])
    ('number', 'option', 'any', 'any')
    """
    kinds = [kinds_of(text) for text in texts]
    shared = frozenset.intersection(*kinds) if kinds else frozenset[str]()
    known: tuple[Kind, ...] = ("number", "option", "text", "any")
    return next(name for name in known if name in shared or name == "any")


def lettered_option(text: str) -> str | None:
    r"""Letter of an answer that gives an option with its text, for a question known to have options; else None.

    Without a question's options nobody can tell the option `B. Traven` from the author: `canonical` does not try.

    >>> [lettered_option(text) for text in ("B. Paris", "B: Paris", r"\text{(b) Paris}", "Paris", "B, C")]
    ['B', 'B', 'B', None, None]
    """
    return _letter(_LETTERED.fullmatch(plain(text[:MAX_TEXT]).replace("*", "")))


def _letter(match: re.Match[str] | None) -> str | None:
    """The letter of an option; None where what stands behind it gives another option as well: `(A) and (C)`."""
    if match is None or match.lastindex is None:
        return None
    behind = _ASIDE.sub("", match.string[match.end(match.lastindex) :])
    return None if _OTHER_OPTION.search(behind) else match[match.lastindex].upper()


def _read(text: str, policy: KeyPolicy) -> str | None:
    """A fixed point of the reading, reached in one step for all but freak inputs."""
    if policy == DEFAULT and (whole := _WHOLE.fullmatch(text)) is not None:  # most answers, read at once
        return whole[1].replace(",", "")
    key = text
    if len(text) > MAX_TEXT:  # too long to keep: numbers by their value, other text by its words
        bare = re.sub(r"[\s,$]", "", pointed(text, policy))
        number = number_key(bare) or hashed(bare) if _LONG_NUMBER.fullmatch(bare) else None
        key = number or hashed(" ".join(text.casefold().split()))
    for _ in range(_ROUNDS):
        name, found = _classify(plain(key), policy)
        if found is None:
            return None
        if len(found) > MAX_TEXT:
            return hashed(found)
        if found == key or name in _SETTLED:
            return found
        folded = name == "text" and policy.case == "fold" and not found.startswith(MARK)
        if folded and plain(found) == found == text_key(found):  # its own key, and no other kind reads it
            return found
        key = found
    return hashed(key)  # never settled: apart from everything, and still its own key


_remembered = lru_cache(maxsize=_CACHE_SIZE)(_read)


def _classify(text: str, policy: KeyPolicy, depth: int = 0) -> tuple[str, str | None]:
    """(kind, key) of a plain text: the first kind in the table that reads it; free text reads the rest."""
    if _HASH.fullmatch(text):
        return "oversize", text
    if not text.startswith(MARK):
        for name, reader in _KINDS:
            if (key := reader(text, policy, depth)) is not None:
                return name, key
    key = text_key(text.removeprefix(MARK), fold=policy.case == "fold")
    if key is not None and any(reader(key, policy, depth) is not None for _, reader in _KINDS):
        key = MARK + key
    return "text", key


_classified = lru_cache(maxsize=4096)(_classify)


def _assignment(text: str, policy: KeyPolicy, depth: int) -> str | None:
    if policy.assignment != "drop" or depth > 0:
        return None
    if "=" in text and (value := _computed(text) or _checked(text)) is not None:
        return _classify(value, policy, depth + 1)[1]
    if (stated := _STATED.fullmatch(text)) is not None and not writing.KNOWN & set(stated[1].split()):
        return amount_key(stated[2], policy)
    *steps, last = _THEN.split(text)
    match = _ASSIGNMENT.fullmatch(last)
    if match is None or any(
        _EQUATION.fullmatch(step) is None or set(_VARIABLES.findall(step)) != {match[1]} for step in steps
    ):
        return None
    return amount_key(match[2], policy)


def _computed(text: str) -> str | None:
    """What a chain of equalities comes out at: `Total = 2 + 3 = 5`, `2 eggs + 3 eggs = 5 eggs`, `5 = 2 + 3`."""
    left, _, right = (part.strip() for part in text.rpartition("="))
    if (named := _NAMED.match(left)) is not None:
        left = left[named.end() :]
    words = sorted(_WORD.findall(right), key=len, reverse=True)
    left = re.sub("|".join(map(re.escape, words)) or "(?!)", "", left)
    stated = right[:1] in tuple("0123456789-$.") and not _UNEQUAL.search(text)
    stated = stated and writing.balanced(left) and writing.balanced(right)
    if not stated or _ARITHMETIC.fullmatch(left) is None:
        return None
    if _AMOUNT.fullmatch(right) is not None or _ARITHMETIC.fullmatch(right) is None:
        return right
    return next((part for part in map(str.strip, reversed(left.split("="))) if number_key(part)), right)


def _checked(text: str) -> str | None:
    """The value before a calculation in brackets that comes out at it: `7 (3 + 4 = 7)`, `7 (= 3 + 4)`."""
    if (match := _CHECKED.fullmatch(text)) is None:
        return None
    value, before, last = (part.strip() for part in match.groups())
    amounts = [_AMOUNT.match(part) for part in (value, last)]
    keys = {None if each is None else number_key(each[0].replace("$", "")) for each in amounts}
    right = None not in keys and (len(keys) == 1 or not (before or _AMOUNT.fullmatch(last)))
    return value if right else None


def _expression(text: str, policy: KeyPolicy, depth: int) -> str | None:
    """Key of a formula: its characters without spaces, never expanded or evaluated; None for free text.

    A formula has an operator or a digit, and only single letters and known names (sin, pi, theta), or it has
    one of `= ^ < >`, or a sign between products of at most three variables, `xy + 1`. Where the only signs are
    hyphens and slashes, such products may be short words as well: if text is folded, their letter case does not
    matter.

    >>> texts = "x ^ 2 + 1", "2 * sqrt(3)", "12:30", "ab - 2cd", "Wi-Fi", "Anne-Marie"
    >>> [_expression(text, DEFAULT, 0) for text in texts]
    ['x^2+1', '2sqrt(3)', '12:30', 'ab-2cd', 'wi-fi', None]
    """
    if depth == 0 and _COMPARISON.fullmatch(text):  # `fill in < or >`
        return text
    if "$" in text and policy.currency == "drop":
        text = _PRICE.sub("", text)
    text = _APPLICATION.sub(r"\1\2(\3)", text if policy.units == "keep" else unitless(text))
    if not _ALLOWED.fullmatch(text) or _SPLIT_NUMBER.search(text):
        return None
    if not _OPERATOR.search(text):
        if text.lower() in ("pi", "infinity"):
            return text.lower()
        words = text.split()
        greek = any(word in writing.KNOWN and word[:1].isupper() for word in words)
        return "*".join(words) if greek and all(len(w) == 1 or w in writing.KNOWN for w in words) else None
    text = _PLUS.sub("", text)
    names = _WORDS.findall(text)
    if not (names or re.search(r"[0-9]", text)):
        return None
    if all(len(name) == 1 or name in writing.KNOWN for name in names):
        text = _BESIDE.sub("*", text)
    if not _RELATION.search(text) and any(len(name) > 1 and name not in writing.KNOWN for name in names):
        if not _SIGN.search(text) or not all(map(_is_product, _MANY_LETTERS.finditer(text))):
            return None
        text = text.lower() if policy.case == "fold" and _SHORT_WORDS.fullmatch(text) else text
    text = _BARE_ROOT.sub(r"sqrt(\1)", text.replace("**", "^").replace(" ", ""))
    key = _ABOVE.sub(r"\1", re.sub(r"(?<=[0-9)])\*(?=[A-Za-z(])", "", text))
    return None if number_key(key) is not None else key


def _is_product(name: re.Match[str]) -> bool:
    """Whether several letters are a product of variables: few, and not set apart like a word in a sentence."""
    text, start, end = name.string, name.start(), name.end()
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    apart = (before[-1:] == " " and before[:1].isalnum()) or (after[:1] == " " and after[1:].isalnum())
    return name[0] in writing.KNOWN or (end - start <= _PRODUCT and not apart)


def _several(reader: Callable[..., str | None], text: str, policy: KeyPolicy, depth: int) -> str | None:
    """Key of several things; where units are dropped, none if these are several: `3 apples and 7 pears`."""
    if policy.units == "drop":
        keys = [canonical(part, _ALL_KEPT) or "" for part in _PART.split(text.strip("(){}"))]
        if len({_VALUE.sub("", key) for key in keys if key[-1:].isalpha() or key[:1] in "$₹¥€£°"}) > 1:
            return None
    return reader(text, _element(policy, depth), depth, policy)


def _element(policy: KeyPolicy, depth: int) -> Callable[[str], tuple[str, str | None]]:
    return lambda text: _classify(undress(text), policy, depth + 1)


def _related(text: str, policy: KeyPolicy, depth: int) -> str | None:
    """Key of a variable, or several, in or equal to a set, an interval or a tuple: `x ∈ [2, 3)`."""
    if (match := _RELATED.fullmatch(text)) is None:
        return None
    element, inside = _element(policy, depth), match[3]
    key = writing.union_key(inside, element, depth) or writing.bracketed_key(inside, element, depth, policy)
    return None if key is None else f"{match[1].replace(' ', '')}{match[2]}{key}"


Reader = Callable[[str, KeyPolicy, int], str | None]
_KINDS: Final[tuple[tuple[str, Reader], ...]] = (
    ("number", lambda text, policy, depth: number_key(pointed(text, policy))),
    ("option", lambda text, policy, depth: _letter(_OPTION.fullmatch(text) or _OPTION_WITH_TEXT.fullmatch(text))),
    ("measure", lambda text, policy, depth: measured_key(pointed(text, policy), policy)),
    ("assignment", _assignment),
    ("expression", _related),
    ("union", lambda text, policy, depth: writing.union_key(text, _element(policy, depth), depth)),
    ("tuple or interval", lambda text, policy, depth: _several(writing.bracketed_key, text, policy, depth)),
    # a list of numbers and expressions; a comma in free text is punctuation
    ("list", lambda text, policy, depth: None if depth else _several(writing.list_key, text, policy, depth)),
    ("expression", lambda text, policy, depth: text.replace("_", "") if _MOLECULE.fullmatch(text) else None),
    ("expression", _expression),
)
