"""Words that claim an answer, by language, and noun phrases that are one: what phrases.toml says of each.

Only what is surely a value counts: a number, a formula, an option, a known word like `ja`, or a name.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any, Final

WINDOW: Final = 2048  # characters at the end in which such a claim is looked for
_NEAR: Final = 24  # characters before a claim that may deny it
_LONGEST_WORD: Final = 12  # characters of a value in a script without capital letters
_SHORT: Final = 64  # characters of the longest placeholder
_SHORT_WORD: Final = 3  # letters of a word inside a name that needs no capital letter: `de`, `von`
_CASELESS = re.compile(r"[^\W\d_a-zA-Z\u00c0-\u04ff\u1e00-\u1eff]")  # a letter of a script without letter case

_BIDI: Final = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
BIDI: Final = "\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff"
"""Characters without width, most of which set the direction of a text, as a range of an expression."""


@dataclass(frozen=True)
class Language:
    """A row of phrases.toml."""

    row: Mapping[str, str]

    def words(self, column: str) -> tuple[str, ...]:
        """The words of a column, the longest first."""
        found = (word.replace("_", " ") for word in self.row.get(column, "").split())
        return tuple(sorted(found, key=len, reverse=True))

    def set(self, column: str) -> frozenset[str]:
        """The words of a column, to look up one."""
        return frozenset(self.words(column))

    def either_of(self, column: str) -> str:
        """An expression for any of the words; it matches nothing where there are none."""
        return "|".join(map(re.escape, self.words(column))) or r"(?!)"

    @cached_property
    def claim(self) -> re.Pattern[str]:
        """A name with what leads from it to a value: adjectives, a verb or a colon, fillers."""
        names, verbs = self.either_of("names"), self.either_of("verbs")
        if self.caseless:  # words may stand without spaces, and a value without a verb
            verb = rf"[*_]*\s*(?:{verbs})|[*_]*\s+(?=[*_]*(?:\d|[A-Z](?!\w)|[$\\(]))"
        else:
            names, verb = rf"(?<!\w)(?:{names})", rf"[*_]*\s+(?:{verbs})(?!\w)"
        named = rf"(?:{names})(?:\s{'*' if self.caseless else '+'}(?:{self.either_of('adjectives')}))*"
        return re.compile(
            rf"(?:^[ \t]*[#*_]+[ \t*_]*(?:\w+ )?{named}[ \t*_]*\n|(?<![a-z])(?:{self.either_of('leads')})"
            rf"|{named}(?:\s*[*_]*\s*[:：=][*_]*|\s+[—–-](?=\s)|{verb}))[*_]*[:：]?"
            rf"(?:[\s,，*_]*(?:{self.either_of('fillers')})(?=[\s,，:：\d]))*[\s:：*_“「『、，,{BIDI}]*",
            re.IGNORECASE | re.MULTILINE,
        )

    @cached_property
    def caseless(self) -> bool:
        """Whether the script has no capital letters."""
        return _CASELESS.search(self.row["names"]) is not None

    @cached_property
    def _behind(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """What the sentence says behind a value, and the words that it ends with."""
        aside = rf"[,，、،]\s*(?=[^\W\d_]{{2}})|\s(?:{self.either_of('asides')})(?!\w)"
        return re.compile(aside, re.IGNORECASE), re.compile(rf"\s*(?:{self.either_of('endings')})\Z")

    def denies(self, lead: str) -> bool:
        """Whether what stands before a name makes it no final answer."""
        if self.caseless:
            return any(word in lead[-_NEAR // 2 :] for word in self.words("denied"))
        return not set(lead.lower().replace(",", " ").split()[-3:]).isdisjoint(self.words("denied"))

    def value(self, claimed: str) -> str:
        """What is claimed, without what the sentence says behind it."""
        aside, ending = self._behind
        found = aside.search(claimed, 1)
        value = claimed if found is None else claimed[: found.start()]
        return ending.sub("", value).rstrip(f" \t*_`”」』{_BIDI}")

    @cached_property
    def offer(self) -> re.Pattern[str]:
        """One of two values: `7 o 8`."""
        return re.compile(rf"(?:\d\S*|\b[A-Z]) (?:{self.either_of('either')}) (?:[-−$\\(]*\d|[A-Z]\b)")

    def doubtful(self, claimed: str) -> bool:
        """Whether a value is denied: `42가 아닙니다`, `nicht 42`."""
        if self.value(claimed).lower() in self.words("yes"):  # `아니오`, `nein, weil …`
            return False
        if self.caseless:
            return any(word in claimed for word in self.words("not"))
        return not set(claimed.lower().split()).isdisjoint(self.words("not"))

    def names(self, value: str) -> bool:
        """Whether words are a name, or a known word: `Vereinigte Staaten`, `巴黎`, `ja`."""
        if value.lower() in self.words("yes"):
            return True
        words = value.split()
        if not words or any(char.isdigit() for char in value) or value.startswith(self.words("about")):
            return False
        if value.endswith(tuple(word[1:] for word in self.words("about") if word[0] == "~")):
            return False
        if self.caseless:
            return len(value) <= _LONGEST_WORD or (" " in value and len(words) <= _SHORT_WORD)
        return words[0][0].isupper() and all(w[0].isupper() or len(w) <= _SHORT_WORD for w in words)


def table(name: str) -> dict[str, Any]:
    """The content of a TOML file of the package, like `answers/phrases`."""
    return tomllib.loads(resources.files("alft").joinpath(f"{name}.toml").read_text(encoding="utf-8"))


LANGUAGES: Final = {name: Language(row) for name, row in table("answers/phrases").items()}
ENGLISH: Final = LANGUAGES.pop("en")
_WRONG = (  # what a text says of a claim that it takes back
    r"(?:(?:['’]s| is| was| must be| seems)(?: \w+ly)? (?:wrong|incorrect|mistaken|not (?:right|correct|possible))"
    r"|(?: (?:is|was|does)n['’]t| can(?:['’]t|not| not)| could(?: not|n['’]t)| does not)(?: be| seem| look)?"
    r" (?:right|correct|possible|true|make sense))"
)
_IT, _HALT, _STOP = "(?:this|that|it)", ENGLISH.either_of("halts"), r"(?:[.!?;,—–*_\"”)\n]\s{0,2}|[—–-] )"
_TAKEN_BACK = re.compile(
    rf"\b(?:the|my|this|that|our|previous|above) answer{_WRONG}"
    rf"|{_STOP}(?:(?:and|so|but|I think)\s)?(?:{ENGLISH.either_of('retracts')})\b"
    rf"|{_STOP}(?:(?:oh|ah|but|so)\W{{1,2}})?(?:{_HALT})\b(?:\W{{1,4}}(?:{_HALT}|but|so)\b)?\W{{1,4}}"
    rf"(?:{_IT}{_WRONG}|I (?:think I )?(?:made|forgot|was|should|missed|mis\w+)\b"
    rf"|(?:(?:{_IT}|the answer)(?:['’]s| is| (?:should|must|would) be) )?"
    r"(?<=[\s$*\\(])[-−$€£]*(?:\d|[A-E]\b(?!['’ ])))",
    re.IGNORECASE,
)
_BUT = rf"(?:but|however|yet|though|although|which|and)\b,? ?{_IT}?{_WRONG}"
_BUT_WRONG, _WRONG_NEXT = (
    re.compile(rf"[,;—–-]\s*{_BUT}|\(\s*{_IT}{_WRONG}", re.IGNORECASE),
    re.compile(rf"[.!;,*_$)\"”\s]*(?:{_BUT}|{_IT}{_WRONG})(?=\W*(?:[.!]|\n|\Z|but\b))", re.IGNORECASE),
)
_DOUBTED = re.compile(
    rf"(?<!no )(?<!out )(?<!out a )(?:\b|(?<=o))(?:{ENGLISH.either_of('doubts')})\b,?[^.,;:!?]*\Z"
    r"|(?<!['’\w])(?!(?:I|we|I['’]\w+|we['’]\w+|would|can|could|may|might|must|will|do|also|now|still) )[\w'’]+ "
    r"(?:(?:would|can|could|may|might|must|will|do|also|now|still) )*(?:think|believe|say|claim|argue|guess)s?"
    r" (?:that )?(?:the |my )?\Z",
    re.IGNORECASE,
)
_STEMS: Final = [  # what tells that a language may be there, without its first letter's case
    (stem, stem.isascii(), one)
    for one in LANGUAGES.values()
    for stems in [{name[1:] if len(name) > 2 else name for name in (*one.words("names"), *one.words("leads"))}]
    for stem in stems
    if not any(other in stem for other in stems if other != stem)
]
QUESTIONS: Final = "|".join(re.escape(word) for one in LANGUAGES.values() for word in one.words("questions"))
"""What begins a next question, as alternatives of an expression."""
ROLES: Final = sorted({word for one in (ENGLISH, *LANGUAGES.values()) for word in one.words("roles")})
"""Who speaks next in a conversation."""
_BLANK = re.compile(
    r"[\[(<{]*(?:"
    + "|".join(
        rf"(?:(?:{other})\s*)*(?:{one.either_of('names')}|{one.either_of('blanks')})(?:\s*(?:{other}))*"
        for one in LANGUAGES.values()
        for other in [f"{one.either_of('adjectives')}|{one.either_of('yours')}"]
    )
    + r")[\])>}]*",
    re.IGNORECASE,
)
_SPACING = re.compile(
    r"\\(?:text|mathrm|textbf|underline|[lcvd]?dots|q?quad|cdot|(?:black)?square|checkmark|Box|boxed|fbox|[lr]angle)(?![A-Za-z])"
    r"|\\(?=[_ {}]|\Z)|\\(?:phantom|[hv]space\*?|rule)(?:\{[^{}]*\})+"
)
_BLANKS, _BESIDE = ENGLISH.either_of("blanks"), ENGLISH.either_of("yours")
_PLACEHOLDER = re.compile(
    rf"(?!.*[^\w/,](?-i:A)\W*\Z)(?=[^a-z]*(?:(?:{_BESIDE})[^a-z]+)*(?:{_BLANKS}|your|here|insert)(?![a-z])|.*(?:your|here)(?![a-z])|[\W_]*\Z|[\[<({{][a-z]{{2}})"
    rf"(?:(?:{_BLANKS}|{_BESIDE})(?![a-z])|[.…_\s\[\]<>{{}}()（）?:~$#%@])+"
    rf"|[^a-z]*(?:(?:{_BESIDE})[^a-z]+)*(?:answer|result(?! in)) (?:in|as|to|goes|rounded|with|for) .*"
    r"|[^a-z]*(?:[\[<({]|\b(?:your|the|total|final)\b)(?:[^a-z]|(?:total|final)\b)*"
    r"(?:(?:number|amount) of [a-z ]+[^a-z]*|result in .*)"
    r"|[\[<({]+[a-z' ]*\b(?:your|insert|enter)\b[a-z' ]*[\])>}]+"
    r"|(?:yes|no|true|false)(?: ?[/|] ?(?:yes|no|true|false))+|verified|t/f|y/n"
    r"|(?:the |as |see |shown |given )+(?:above|below)|(?:the |as )*see [a-z ]+"
    rf"|(?:(?:the|total|final) )+(?:{ENGLISH.either_of('quantities')})"
    r"|[-–—]+|tbd|todo|n/a|n\.a\.?|placeholder|xxx+|x+\.x+"
    r"|(?-i:done)|q\.?e\.?d\.?|(?:mm|dd|hh|yyyy)(?:[/:.-](?:mm|dd|yy|yyyy|ss))+"
    r"|[\[(]?a(?:[/|][b-j])+[\])]?|[\[(]a ?[-–] ?[d-j][\])]"
    r"|[\[({]*a[)\]]*(?:\W{1,3}b[)\]]*\W{1,3}c[)\]]*\W{1,3}(?:(?:or|and) )?d\b(?:\W{1,3}(?:or )?[e-j]\b)*"
    r"|(?<=\[a), ?b, ?c) ?[)\]}]*",
    re.IGNORECASE,
)
_WORDLESS = re.compile(  # `\frac{3}{4}x`: a digit, and no two letters but in commands of formulas
    r"(?!\{)(?=[^0-9]*[0-9])(?:[ ->@\[\]-`{-~]+|\\(?:(?!f?box|hspace|vspace|rule|phantom)[A-Za-z]+|[^A-Za-z])"
    r"|[A-Za-z](?![A-Za-z]))*+"
)
_UNKNOWN = re.compile(  # `X`, `X apples`, `[number] apples`
    r"[\[<($\"*\\]*X{1,3}[\])>$\"*]*(?: \\?[a-z{ ]+s\}?)?"
    r"|(?:_{3,}|[\[<({](?:X|number|value|amount|answer)[\])>}]) .*"
)  # `The answer is X.`
_NAME_WORDS: Final = frozenset(
    word
    for one in LANGUAGES.values()
    for name in (*one.words("names"), *one.words("blanks"))
    for word in name.lower().split()
)
_EITHER: Final = sorted(  # but no Dutch `of`, which is English in `3 of 4`
    {*ENGLISH.words("either")}
    | {w for one in LANGUAGES.values() for w in one.words("either") if len(w) > 1 or not w.isascii()} - {"of"}
)
_SPACED, _LETTER = [word for word in _EITHER if word < "\u0e00"], r"[^\W\d_]|[\u0900-\u0dff]"
EITHER: Final = re.compile(
    rf"(?<!{_LETTER})(?:{'|'.join(_SPACED)})(?!{_LETTER})|{'|'.join(_EITHER[len(_SPACED) :])}", re.IGNORECASE
)
"""What stands between two values; a script without spaces may have it inside of words."""


def spoken(text: str) -> Sequence[Language]:
    """The languages that have a name of an answer in a text."""
    plain = text.isascii()
    found = {id(one): one for stem, ascii_stem, one in _STEMS if (ascii_stem or not plain) and stem in text}
    return list(found.values())


def placeholder(answer: str | None) -> bool:
    r"""Whether a text stands for an answer that is still to be written.

    >>> [placeholder(text) for text in (r"\text{your answer}", "...", "votre réponse", "42", "numbers", "?")]
    [True, True, True, False, False, True]
    """
    text = "" if answer is None else answer.strip()
    if not 0 < len(text) <= _SHORT or text[0].isdigit() or _WORDLESS.fullmatch(text):
        return False
    text = _SPACING.sub("", text).strip(" {}") if "\\" in text else text
    if not text or _PLACEHOLDER.fullmatch(text) is not None:
        return True
    if text.isascii() and text[:1] not in "[(<{" and _NAME_WORDS.isdisjoint(text.lower().split()):
        return False
    return _BLANK.fullmatch(text) is not None  # what an answer is called in a language of the table


def unwritten(text: str | None) -> bool:
    """Whether a text is a placeholder, or an unknown like `X`."""
    return placeholder(text) or (text is not None and _UNKNOWN.fullmatch(text) is not None)


def doubted(lead: str) -> bool:
    """Whether what stands before `answer is …` makes it no claim of the text's own.

    >>> [doubted(lead) for lead in ("I don't think the ", "Many students think that the ", "I think the ")]
    [True, True, False]
    """
    return _DOUBTED.search(lead) is not None


def taken_back(text: str, start: int, end: int) -> bool:
    """Whether a text takes back the claim that begins and ends there.

    >>> taken_back("answer is 5. Oops! It's 6.", 0, 11), taken_back("answer is 5. No doubt.", 0, 11)
    (True, False)
    """
    following = _WRONG_NEXT.match(text, end) or _BUT_WRONG.search(text, start, end)
    return following is not None or _TAKEN_BACK.search(text, start + len("answer")) is not None


@lru_cache(maxsize=64)
def own_claim(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """A user's own phrases, in any letter case, with a colon or emphasis behind them.

    >>> own_claim(("Result",)).search("so RESULT: 42").end()
    11
    """
    words = "|".join(re.escape(phrase.strip()) for phrase in sorted(phrases, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)[*_]*\s*[:：=]?[*_]*\s*", re.IGNORECASE)


ADJECTIVES, DENIED = ENGLISH.set("adjectives"), ENGLISH.set("denied")
CLOSED, PREPOSITIONS, _ABOUT = (ENGLISH.set(name) for name in ("closed", "prepositions", "about"))
_HEADS, _CLASSES, _NOUNS, _LONE = (ENGLISH.set(name) for name in ("heads", "classes", "nouns", "lone"))
OPENERS, _SMALL = ENGLISH.set("openers"), ENGLISH.set("small")
ARTICLES: Final = ("the", "a", "an")
_ADJECTIVE = re.compile(r"(?!(?:im)?possible\Z)[a-z]{3,}(?:ful|able|ible|ious|eous)|[a-z]{3,}ly")
_PARTICIPLE = re.compile(r"(?!.*(?:eed|hundred|defined|bounded)\Z)[a-z-]{3,}ed")
CONTRACTED = re.compile(r"\w+n['’]t|\w+['’](?:m|re|ve|ll)|(?:let|he|she|there|here|what|who|how|where)['’]s")
_CLAUSE = re.compile(  # `wrote a book`, `gives 7`, `Adding 3 and`, `note: 7`; but `twice a week`
    rf"(?:(?<=\s)|\A(?!\w+ing\s))(?!(?:{'|'.join(sorted(_SMALL | PREPOSITIONS))})\s)\w*[a-z]\s(?:(?<=[sd]\s)\d"
    r"|(?<!all\s)(?<!half\s)(?<!what\s)(?<!times\s)(?<!once\s)(?<!twice\s)(?:the|his|her|its|their|our|my|your|every"
    r"|an?(?! (?:day|week|month|year|hour|minute|second|night|time)\b))\s)"
    r"|\A\w+ing\s\d\S*\s(?:and|to|by|from|with)\s|:\s+[a-z\d]|\b(?:step by step|above|below)\Z"
)
_SIGNS: Final = frozenset(("negative", "minus", "positive", "plus", "half", "never", "somewhere", "least", "most"))
_MOST_WORDS: Final = 8  # of a noun phrase


def is_noun_phrase(value: str, introduced: bool) -> bool:
    """Whether words are a name, or a few that hold no clause and say nothing about an answer."""
    words = [bare for word in value.split() if (bare := word.strip(".,!\"'“”()[]<>*_:"))]
    article = len(words) > 1 and words[0].lower() in ARTICLES
    words = words[article:]
    if not words or _is_name(words, introduced and not article):
        return bool(words)
    bare = [word.lower() for word in words]
    first, several = bare[0], len(bare) > 1
    if introduced and first == "not" and len(bare) == 2 and bare[1].isalpha():  # a label: `Answer: not toxic`
        return is_noun_phrase(bare[1], introduced)
    if first in _LONE and (article or not several or bare[1] == "of" or first == "both"):
        return not article and not several
    small = {word for place, word in enumerate(bare) if place == 0 or words[place].islower()}
    clause = not CLOSED.isdisjoint(small) or any(map(CONTRACTED.fullmatch, small)) or _CLAUSE.search(value)
    opened = several and first in OPENERS
    opened = opened and (value.split()[0][-1] in ",:" or bare[1].isdigit() or bare[1] in PREPOSITIONS)
    if clause or opened or len(bare) > _MOST_WORDS or first in PREPOSITIONS or first == "of":
        return False
    return _is_thing(words, bare, article, value[0].islower() and "<" not in value)


def _is_name(words: list[str], introduced: bool) -> bool:
    """Whether words have the capital letters of a name; behind a colon the first may be that of a sentence."""
    capital = {word.lower() for word in words if word[0].isupper()}
    proven = any(word[0].isupper() for word in words[introduced:]) or (len(words[0]) > 1 and words[0].isupper())
    written = all(word in _SMALL or not word[0].islower() for word in words)
    about = _ABOUT | PREPOSITIONS | (CLOSED if len(words) == 2 else set()) if introduced else set()
    return proven and written and words[0].lower() != "not" and not capital <= (ADJECTIVES | DENIED | about)


def _is_thing(words: list[str], bare: list[str], article: bool, small: bool) -> bool:
    """Whether the words of a phrase name something, instead of describing it."""
    first, last, several = bare[0], words[-1], len(bare) > 1
    kind = several and first in _CLASSES and (_ABOUT | _HEADS | PREPOSITIONS | _SMALL).isdisjoint(bare[1:])
    alone = not several and not article and first not in _NOUNS
    about = first in _ABOUT or (first[:2] == "in" and first[2:] in _ABOUT)  # `invalid` as `valid`
    if (about and not kind) or (alone and _ADJECTIVE.fullmatch(last) is not None):
        return False
    head = words[bare.index("of") - 1] if "of" in bare else last
    numbered = len(bare) == 2 and first.isalpha() and first not in _SIGNS  # `area 51`, but `somewhere near 5`
    if head in _HEADS or (head.isdecimal() and small and not numbered):
        return False
    adverb = several and last.islower() and last.endswith("ly")
    if last not in _NOUNS and (adverb or _PARTICIPLE.fullmatch(last) is not None):
        return False
    led = several and words[0].islower() and first not in _NOUNS
    return not (led and (bare[1] in PREPOSITIONS or first.endswith("ly")))
