"""Cheap, strict checks that a text asks the same as a question, and the numbers of a text, which it must keep.

A paraphrase that passes may still be wrong, and a good one may fail.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from alft.answers import extract
from alft.answers.phrases import table

SHORTEST: Final = 0.4  # of the question's characters
LONGEST: Final = 2.5
SLACK: Final = 20  # more characters by which a question may grow or shrink

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_POSSESSIVE = re.compile(r"['’]s?$")
_MARKUP = re.compile(r"<[|/]?\w[^<>\n]*>|\[/?INST\]|```")
_ABBREVIATION = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|St)\.$")
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
_TABLE: Final = table("questions/words")
_NOT_NAMES: Final = frozenset(_TABLE["first_words"].split())
_PHRASES: Final = frozenset(("of", "with", "the", "a", "an", "each", "all"))
_STOPS: Final = {name: frozenset(words.split()) for name, words in _TABLE["common"].items()}


@dataclass(frozen=True)
class Rephrased:
    """A `text` that should ask what `question` asks, its `gold` answers, and the texts of its other views."""

    text: str
    question: str
    gold: Sequence[str] = ()
    taken: Sequence[str] = ()


def fault(written: Rephrased) -> str | None:
    """The first reason to reject a text as a view of the question; None if there is none.

    >>> fault(Rephrased("Ann owned 5 pens and sold 2. How many remain?", "Ann has 5 pens, sells 2. How many now?"))
    >>> fault(Rephrased("Ann owned 5 pens and sold 3. How many remain?", "Ann has 5 pens, sells 2. How many now?"))
    'numbers differ: 3 instead of 2'
    """
    return next(_faults(written), None)


def _faults(written: Rephrased) -> Iterator[str]:
    text, question = written.text, written.question
    if not any(map(str.isalnum, text)):
        yield "empty"
    if any(unicodedata.category(c) in _INVISIBLE and c not in "\n\t" for c in text):
        yield "invisible or control characters"
    if set(_MARKUP.findall(text)) - set(_MARKUP.findall(question)):
        yield "tags or special tokens"
    if extract(text) is not None and extract(question) is None:
        yield "answers the question"
    plain, asked = _plain(text), _plain(question)
    leaked = [one for one in map(_plain, written.gold) if len(one) > 1 and f" {one} " not in f" {asked} "]
    if any(f" {answer} " in f" {plain} " for answer in leaked):
        yield "contains the answer"
    if len(text) > LONGEST * len(question) + SLACK:
        yield "too long"
    if len(text) < SHORTEST * len(question) - SLACK:
        yield "too short"
    if len({_script(question), _script(text)} - {None}) > 1:
        yield "another script"
    if (own := language(question)) and (other := language(text)) and own != other:
        yield f"another language: {other} instead of {own}"
    added, lost = differences(question, text)
    if added or lost:
        yield f"numbers differ: {', '.join(added) or 'nothing'} instead of {', '.join(lost) or 'nothing'}"
    if missing := names(question) - _words(text):
        yield f"a name is missing: {', '.join(sorted(missing))}"
    if new := names(text) - _words(question):
        yield f"a new name: {', '.join(sorted(new))}"
    if "?" in question and not re.search(r"[?？؟]", text):
        yield "does not ask"
    if plain in (asked, *map(_plain, written.taken)):
        yield "a copy"


def names(text: str) -> set[str]:
    """Capitalized words in lower case, without common words and the usual first words of a sentence.

    In other languages than English, the first word of a sentence is never a name. German nouns always are.

    >>> sorted(names("Start with Ida's pens. Dr. O'Neil has 3. How many has she?"))
    ['dr', 'ida', "o'neil"]
    """
    starts_tell = language(text) in ("English", None) and _script(text) == "LATIN"
    found = set()
    for match in _WORD.finditer(text):
        word = _POSSESSIVE.sub("", match[0]).casefold()
        if not match[0][0].isupper() or re.split("['’]", word)[0] in _NOT_NAMES:
            continue
        before = text[max(0, match.start() - 12) : match.start()].rstrip(" \t\"'“”’()")
        inside = before and (before[-1] not in ".!?:;\n" or _ABBREVIATION.search(before))
        following = _WORD.search(text, match.end())
        begins = starts_tell and following is not None and following[0].casefold() not in _PHRASES
        if inside or begins:  # not like `Solve the`
            found.add(word)
    return found


def language(text: str) -> str | None:
    """The language with the most common words in a text; None with fewer than two of them, or a tie.

    >>> language("How many pens are in the box?"), language("Wie viele Stifte sind das?"), language("12 + 5")
    ('English', 'German', None)
    """
    words = [word.casefold() for word in _WORD.findall(text)]
    hits = Counter({name: sum(word in stops for word in words) for name, stops in _STOPS.items()})
    (first, most), (_, second) = hits.most_common(2)
    return first if most >= 2 and most > second else None


def _plain(text: str) -> str:
    """Words and numbers in lower case, to compare copies."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _words(text: str) -> set[str]:
    return {_POSSESSIVE.sub("", word).casefold() for word in _WORD.findall(text)}


def _script(text: str) -> str | None:
    """Script of most letters, by Unicode name: LATIN, CYRILLIC, CJK, ARABIC, …; None without letters."""
    scripts = Counter(unicodedata.name(char, "?").split()[0] for char in text if char.isalpha())
    return scripts.most_common(1)[0][0] if scripts else None


_UNITS, _TENS = (_TABLE[name].split() for name in ("units", "tens"))
_SMALL: Final = dict(zip((*_UNITS, *_TENS), (*range(20), *range(20, 100, 10)), strict=True))
_SCALES: Final = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_PARTS: Final = _TABLE["parts"]
_DIGITS = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_NUMBER_WORD = "|".join(sorted((*_SMALL, *_SCALES, "hundred"), key=len, reverse=True))
_RUN = re.compile(rf"\b(?:{_NUMBER_WORD})(?:(?:[\s-]+|\s+and\s+)(?:{_NUMBER_WORD}))*\b")
_PART = re.compile(rf"\b(?:{'|'.join(_PARTS)})\b")
_ALONE = re.compile(r"(?<!\S)(\d{1,2})(?=[,;?!]?(?:\s|$)|\.(?:\s|$))")
_OPERATOR = frozenset("+-−–*/×÷=^<>$€£¥#%:|&~")


def differences(first: str, second: str) -> tuple[list[str], list[str]]:
    """Numbers that `second` adds to those of `first`, and numbers that it lacks; both empty if they are the same.

    Each occurrence counts, in digits or words: `27` is `twenty-seven`. The word "one" may be a number or not ("the
    red one"), so it may match a 1 of the other text.

    >>> differences("2 pens at 1,000 each", "Two pens for 1000 each"), differences("2 pens", "3 of them, each one")
    (([], []), (['3'], ['2']))
    """
    expected, given = numbers(first), numbers(second)
    added, lost = given - expected, expected - given
    for missing, text in ((added, first), (lost, second)):
        missing["1"] -= len(re.findall(r"\bone\b", text.casefold()))
    return list((+added).elements()), list((+lost).elements())


def numbers(text: str) -> Counter[str]:
    """Numbers of a text, with their counts; the word "one" alone is not counted.

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
    """The text with separate whole numbers below 100 in words; None if it has none.

    >>> in_words("Start with 27, add 5."), in_words("5 + 3 = ?"), in_words("Pay $5 at 12:30")
    ('Start with twenty-seven, add five.', None, None)
    """
    changed = _ALONE.sub(lambda match: _worded(match) or match[0], text)
    return changed if changed != text and differences(text, changed) == ([], []) else None


def _worded(match: re.Match[str]) -> str | None:
    """A number in words; None next to an operator, or with a leading zero."""
    around = (match.string[: match.start()].rstrip()[-1:], match.string[match.end() :].lstrip()[:1])
    if _OPERATOR.intersection("".join(around)) or (len(match[1]) > 1 and match[1][0] == "0"):
        return None
    value = int(match[1])
    if value < len(_UNITS):
        return _UNITS[value]
    ten, unit = _TENS[value // 10 - 2], value % 10
    return f"{ten}-{_UNITS[unit]}" if unit else ten


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
            small = _SMALL[word]  # `hundred five`, `twenty five` are one number
            joins = before == "hundred" or before in _SCALES
            joins = joins or (before in _TENS and 0 < small < 10 and current % 10 == 0)
            if before and not joins:
                yield total + current
                total, current = 0, 0
            current += small
        before = before if word == "and" else word
    if before:
        yield total + current
