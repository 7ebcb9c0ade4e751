"""Claims in words, `the answer is 42`: a claim counts only if a VALUE follows it.

A value is a number, a formula, an option, or a short noun phrase. Words about the answer (`correct`,
`in dollars`, `rounded to …`) are not: every model can learn to write these, and views would agree on nothing.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from alft.answers.phrases import EITHER, ENGLISH, WINDOW, Language, own_claim, spoken, unwritten

_SENTENCE: Final = 600  # an answer in a sentence is looked for in as many characters
_LEAD, _WORD = 64, 16  # characters before a claim, and before a stop, that are looked at
_DRESSING: Final = " \t*_`="
_MOST_WORDS: Final = 8  # of a noun phrase
_OWNERS, _ADJECTIVES, _DENIED = (ENGLISH.set(name) for name in ("owners", "adjectives", "denied"))
_ANSWER = re.compile(r".(?=nswer|NSWER)", re.DOTALL)
_AFTER = re.compile(
    r"(?i:answer)(?:(?P<colon>(?:[\s*_}]|</\w{1,9}>)*(?:[:：]|=(?!>))+[*_]*)"
    r"|(?P<verb>(?:\s+(?:to|for|of|in)\s+[^.:\n]{1,80}?)?[*_]*(?:(?:,?\s+(?:therefore|then|thus|hence|so),?)?\s+"
    r"(?i:is|equals|(?:turns|comes)\s+out\s+to\s+be|(?:would|must|should|will|has\s+to)(?:\s+(?:therefore|thus|then|hence))?\s+be)(?![\w'’])"
    r"|['’]s(?=\s+[-$\\(\d])))[*_]*[:：]?|(?P<head>(?:[ \t*_#}]|</(?:h\d|b|strong)>)*\n(?:-{3,}\n)?"
    r"|[*_]*[ \t]+(?=[*_]*(?:[-+−]?[$€£]?\d[\d.,/]*%?|\$[^$\n]+\$)[*_.]*[ \t]*(?:\n|\Z))))"
)
_HEADING = re.compile(
    r"(?:<(?:h\d|b|strong)>|\\(?:sub)*section\*?\{)?[#*_ \t]*(?:[^\w\s]{1,2} *)?(?:step *)?(?:\d+[.:)]* *)?"
    r"(?:the |my )?(?:final |correct )?\Z",
    re.IGNORECASE,
)
_LAST_NUMBER = re.compile(r" (\$?-?\d+(?:[.,]\d+)*%?)\.?\Z", re.ASCII)  # all that follows, in most completions
_LEADING = re.compile(
    r"(?:[\s:：*},…]|(?<=[\n>])>|_(?!__)|\.\.\.|=(?= )|\\(?:item|centering|noindent)(?![a-z])"
    r"|~~[^~\n]*~~|~~~\w*\n|`+(?:[a-z]+(?=\n))?|=(?==)|(?<==)=|-{3,}\n"
    r"|</?(?!number|answer|value|result|insert|amount|letter|option)[a-z]{1,9}(?: [^<>]{0,99})?>"
    r"|\\begin\{(?![a-z]*(?:matrix|array|cases))[a-z]+\*?\}(?:\{[lcr|]*\})?"
    rf"|(?:{ENGLISH.either_of('fillers')})\b[,:]?(?=\s))*",
    re.IGNORECASE,
)
_HEDGE = re.compile(  # only before a number or a formula
    r"(?:(?:(?:most |very )?(?!possib)[a-z]{2,}ly|rather|instead|some|approx\.?"
    r"|about|around|almost|equal to|equals|a total of|given by|found to be|nothing but|none other than"
    r"|the (?:number|value|integer|fraction|year|set|interval|point|sum|product|total|ratio|(?:ordered )?pair)"
    r"|an? (?!negative|minus|half|hundred)[a-z]{4,})\s+)+(?=[-+−±~$€£(\[{*_]*\d|\$|\\)",
    re.IGNORECASE,
)
_DASH = re.compile(
    r"[-–—•‣]\s+(?:\[[ xX]\] )?[*_]*(?=\S)"
)  # a bullet behind a colon or on a new line; `is - 5`: a dash, or a minus?
_NAME = r"[A-Z][\w'’-]+"
_INITIALS = re.compile(  # `J. K. Rowling`, and `J. Smith` up to the end of a clause: no option letter alone
    rf"(?:[A-Z]\. ?){{2,}}(?=[A-Z][a-z])|[A-Z]\. (?={_NAME}(?: {_NAME}){{0,2}}(?:[.,!]*[*_]*(?:\s*\n|\s*\Z)|,))"
)
_MATH = re.compile(
    r"\$\$.+?\$\$|\$[^\s$](?:[^$\n]*[^\s$])?\$(?!\d)|\\\(.+?\\\)|\\\[.+?\\\]"
    r"|\\begin\{([a-z]*(?:matrix|array|cases))\}.+?\\end\{\1\}",
    re.DOTALL,
)
_ENDS = re.compile(  # each way begins with a letter or sign of its own: a search then skips all other characters
    r"\n|<(?=/(?!su[bp]>|(?:b|i|u|em|strong|mark|code)>\s?[\w/+^*-])|\||br\b)|b(?<=\sb)(?i:ecause)\b|B(?<=\sB)(?i:ecause)\b|;(?=\s)|[.](?=[*_\"'”’»)\]}]*(?:\s|$|<[/|]))|[?？。।؟]"
    r"|!(?<=[^\d)\s]!)(?=[*_]*(?:\s|$))|\\(?=end\{)"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Mt|Jr|Sr|vs|Prof|Gen|Capt|Lt|Col|No)|\b[A-Z]\.[A-Z]|[^\s.]\s+[A-Z])$"
)
_ASIDE = re.compile(  # what no longer belongs to a value
    r"[,;]?\s+(?:or\s+so|i\.e|e\.g|because|since|as|so|which|where|who|given|using|based|according|altogether|overall|but"
    r"|in\s+(?:total|all))\b|\s+\((?=[a-z]{2,}\s)"
    r"|,?\s+and\s+(?:that|this|it|we|I)\b"
    r"|(?<=\d),\s+(?!and\b|or\b)(?=[a-z]{2,}\s)"
    r"|,\s+and\s+(?:the|a|an|my|our|its|he|she|they|you)\b|,\s+(?:I|we|it|this|of course)\b"
    r"|\s+[-–—]\s+(?=(?:the|an?|it|this|which|correct|verified)\b)|:\s+(?=(?:verified|correct|confirmed|checked)\b)"
    r"|[*_]*\s*[\u2600-\u27bf\U0001f300-\U0001faff]|\s+[:;]-?[)D](?!\S)"
    r"|\s+\((?=(?i:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twe|thir|fif|forty|zero)[a-z -]*\))"
)
_VALUE = re.compile(  # how a number, a formula or an option begins
    r"[-+−±~≈.]{0,2}\s?(?:US|CA|A)?\s?\\?[$€£¥]?\s?[-+−]?[.]?\d|[½⅓⅔¼¾∞π√①-⑳]|[-+−]?\\|\$|[-+−]?[(\[{|]\s*[-+−$\\∞(\[]?(?:[\d\\∞]|[A-Za-z](?![a-z]))"
    r"|[A-Za-z](?:_\w|\(\w\))?\s*[=<>≤≥^+*/−-]|[-+−][A-Za-z](?![a-z])|[A-WYZa-z](?![\w'’]| [a-z])"
    r"|(?i:option|choice)\s+[(\[]?[A-Za-z](?![a-z])"
)
_CLOSED, _PREPOSITIONS, _ABOUT = (ENGLISH.set(name) for name in ("closed", "prepositions", "about"))
_ADJECTIVE = re.compile(r"(?!impossible)[a-z]{3,}(?:ful|able|ible|ious|eous)|[a-z]{3,}ly")
_PARTICIPLE = re.compile(r"(?!.*(?:eed|hundred|undefined|bounded)\Z)[a-z-]{3,}ed")
_HEADS: Final = ENGLISH.set("heads")
_SIGNS: Final = frozenset(("negative", "minus", "positive", "plus", "half", "never", "somewhere", "least", "most"))
_MARKUP = re.compile(r"\| |~~|\[[^\]]*\]\(")  # a table, what is struck out, a link
_DANGLING = re.compile(r"\s[-+*/=×÷^]\s*\Z|\\\\\s*\Z")  # `35 +`, where the text or a formula breaks off
_ITEM = re.compile(  # of a list
    r"(?<=\n)\d{1,2}[.)][ \t]+\S|\d{1,2}[.)][ \t]+[-$\\(]*\d[\d.,]*[$)]*[ \t]*(?:\n|\Z)"
)
_MORE = re.compile(r"\n[ \t]*(?:(?P<item>[-*•‣] +(?=\S)))?(?P<equation>[a-z] ?= ?[-\d])?")
_SURE = re.compile(r"\d\s?\\?(?:%|percent) (?:sure|certain|correct|right|accurate|confident|confirmed)\b")
_IN_BRACKETS = re.compile(r"\[\[([^\[\]\s]+)\]\]")
_OR = re.compile(rf"(?:\bor\b|\bmaybe\b|\bperhaps\b|\bpossibly\b|\beither\b|{EITHER})", re.IGNORECASE)
_CHOICE = re.compile(r"[\W_]*(?:[a-z](?:, ?[a-z])*|yes|no|true|false)[\W_]*", re.IGNORECASE)
_NEGATED = re.compile(
    r"(?:not|neither|maybe|perhaps|possibly)\s+[-+$\\(]*\d|[-+$\\(]*\d\S*(?: \w+)? (?:if|unless)\s"
)
_DENIAL = re.compile(  # of the claim before it
    r"\b(?:(?:the|my|this|that|our|previous|above) answer"
    r"|(?:no|wait|hmm|oops|actually|sorry)\W{1,4}(?:that|this|it))"
    r"(?:['’]s| is| was) (?:wrong|incorrect|not (?:right|correct))",
    re.IGNORECASE,
)


class Mark(NamedTuple):
    """A mark that begins at `start`; `answer` is None if never closed; `tentative` if it asks or denies."""

    name: str
    start: int
    answer: str | None
    tentative: bool = False
    end: int = 0


def last_claim(text: str) -> Mark | None:
    """The last claim with a value.

    >>> last_claim("The answer is therefore 42. The answer is correct!").answer, last_claim("The answer is below.")
    ('42', None)
    """
    for word in reversed([*_ANSWER.finditer(text)]):
        if (mark := _claim(text, word.start())) is not None:
            return mark if _DENIAL.search(text, mark.end) is None else mark._replace(tentative=True)
    return None


def other_claim(text: str, own: Sequence[str] = ()) -> Mark | None:
    """The last claim with a value in another language, or behind a phrase of the user's `own`.

    >>> other_claim("Die Antwort ist also 42.").answer, other_claim("答案是正确的。")
    ('42', None)
    >>> other_claim("Result: 42.", ["result"]).answer
    '42'
    """
    tail, found = text[-WINDOW:], list[Mark]()
    for language in spoken(tail):
        for claim in language.claim.finditer(tail):
            if not language.denies(tail[: claim.start()].rpartition("\n")[2]):
                found += _in(language, tail, claim)
    own = [*own, *(("Ans:",) if "ns:" in tail or "NS:" in tail else ())]
    for phrase in own_claim(tuple(own)).finditer(tail) if own else ():
        mark = _stated(tail, phrase.start(), phrase.end(), introduced=True)
        found += [mark] if mark.answer else []
    if not found:
        return None
    mark = max(found, key=lambda each: each.start)
    return mark._replace(start=mark.start + len(text) - len(tail), end=mark.end + len(text) - len(tail))


def _in(language: Language, text: str, claim: re.Match[str]) -> list[Mark]:
    """The claim of a language if a value follows it."""
    dash = _DASH.match(text, claim.end())
    begin = claim.end() if dash is None else dash.end()
    stretch = text[begin : begin + _SENTENCE]
    whole = _MATH.match(stretch)
    end, ending = _end(stretch, 0 if whole is None else whole.end())
    claimed = stretch[:end].rstrip(" \t*_`")
    answer = claimed if whole is not None and whole.end() == len(claimed) else language.value(claimed)
    named = answer[:1] in ("[", "<") and len(spoken(answer)) > 0  # `[réponse]`
    if named or unwritten(answer) or not (_VALUE.match(answer) is not None or language.names(answer)):
        return []
    unsure = ending in ("?", "？", "؟") or language.doubtful(claimed) or ambiguous(answer)
    return [Mark("sentence", claim.start(), answer, unsure, begin + len(answer))]


def ambiguous(answer: str) -> bool:
    """Whether an answer offers several values: `5 or 6`, `A or B`, `7, maybe 8`.

    >>> ambiguous("5 or 6"), ambiguous("5 or more"), ambiguous("trick or treat")
    (True, False, False)
    """
    parts = _OR.split(answer) if _OR.search(answer) else []
    values = [any(c.isdigit() for c in part) or _CHOICE.fullmatch(part) is not None for part in parts]
    return sum(values) > 1


def _claim(text: str, place: int) -> Mark | None:
    """The claim whose word `answer` begins at `place`, or None if the word claims nothing."""
    after = _AFTER.match(text, place)
    previous = text[place - 1] if place > 0 else "\n"
    named = previous == "_" and text[max(place - 2, 0)].isalnum()
    if after is None or named or previous.isalnum() or previous in "\"'<":
        return None
    lead = text[max(0, place - _LEAD) : place].rpartition("\n")[2]
    words = [word.strip("*_#(“\"'‘«>\\") for word in re.split(r"[\s>{]+", lead.lower().rstrip())[-4:]]
    if not _DENIED.isdisjoint(words[-3:]):
        return None
    begins = text[place].isupper() and lead.rstrip()[-1:] in (".", "!", "?")  # `8/4 = 2. Answer is 2.`
    if after["verb"] is not None and not begins and not _claimed(words):
        return None
    if after["head"] is not None and (
        _HEADING.fullmatch(lead) is None or not any(c in "#*_<{-" for c in lead + after["head"])
    ):
        return None
    mark = _stated(text, place, after.end())
    return None if mark.answer == "" and after["colon"] is None else mark if mark.answer is not None else None


def _claimed(words: list[str]) -> bool:
    """Whether the words before `answer` make it the final one: `the`, `my`, `the correct`, `final`, `so`."""
    if words[-1] in ("final", "correct") or not any(words):
        return True
    while words and words[-1] in _ADJECTIVES:
        words.pop()
    return bool(words) and words[-1].rstrip(",") in _OWNERS


def _stated(text: str, place: int, begin: int, *, introduced: bool = False) -> Mark:
    """What follows `the answer is`, up to the end of the sentence; its answer is None where that is no value."""
    if (number := _LAST_NUMBER.match(text, begin)) is not None:
        return Mark("sentence", place, number[1], False, number.end(1))
    begin, dashed = _value_start(text, place, begin, introduced)
    if _ITEM.match(text, begin) is not None:
        return Mark("sentence", place, None)
    stretch = text[begin : begin + _SENTENCE]
    whole = (_MATH if stretch[:1] in ("$", "\\") else _INITIALS).match(stretch)
    end, ending = _end(stretch, 0 if whole is None else whole.end())
    if _DANGLING.search(stretch[:end]) is not None:
        return Mark("sentence", place, None)
    claimed = stretch[:end] if ending[:1] not in ("b", "B") else stretch[:end].rstrip().removesuffix(",")
    answer = claimed.rstrip(_DRESSING)
    answer = answer if "<su" in answer else answer.removesuffix("</sub>").removesuffix("</sup>")
    if answer.endswith("}") and answer.count("}") > answer.count("{"):
        answer = answer[:-1].rstrip(_DRESSING + ".")
    if ending in ("?", "？") and _value(answer, 0) is None:
        return Mark("sentence", place, None)
    listed = text[max(place, begin - _WORD) : begin].rpartition("\n")[2].lstrip()[:2] in ("- ", "* ", "• ")
    if ending == "\n" and (more := _MORE.match(stretch, end)) is not None:  # a list under the mark, equations
        dashed = dashed or bool(listed and more["item"]) or bool("=" in answer and more["equation"])
    tentative = dashed or ending in ("?", "？") or _NEGATED.match(answer) is not None or ambiguous(answer)
    if not tentative and answer and (whole is None or stretch[:1] in ("$", "\\")):
        return Mark("sentence", place, _value(answer, 0 if whole is None else whole.end()), False, begin + end)
    return Mark("sentence", place, answer, tentative, begin + end)


def _value(answer: str, scan: int) -> str | None:
    """A number, formula or option without what is said about it, or a short noun phrase; None for other words."""
    aside = _ASIDE.search(answer, scan)
    value = answer if aside is None else answer[: aside.start()].rstrip(_DRESSING)
    if unwritten(value) or value in ("Y", "N") or _MARKUP.match(value) or _SURE.search(value):
        return None
    if value[:2] == "[[" and (inside := _IN_BRACKETS.fullmatch(value)) is not None:
        return inside[1]
    return value if _VALUE.match(value) is not None or _is_noun_phrase(value) else None


def _is_noun_phrase(value: str) -> bool:
    words = [word.strip(".,!\"'“”()[]<>*_:") for word in value.split()]
    bare = [word.lower() for word in words]
    while bare and bare[0] in ("the", "a", "an"):
        bare, words = bare[1:], words[1:]
    if not bare or len(bare) > _MOST_WORDS or bare[0] in _PREPOSITIONS or bare[0] == "of" or bare[0] in _ABOUT:
        return False
    if not _CLOSED.isdisjoint(bare) or (_ADJECTIVE.fullmatch(words[0]) is not None and len(words) == 1):
        return False
    head = words[bare.index("of") - 1] if "of" in bare else words[-1]
    numbered = len(bare) == 2 and bare[0].isalpha() and bare[0] not in _SIGNS  # `area 51`, but `somewhere near 5`
    if head.isdecimal() and value[0].islower() and "<" not in value and not numbered:
        return False
    if head in _HEADS or _PARTICIPLE.fullmatch(words[-1]) is not None:
        return False
    return not (len(bare) > 1 and words[0].islower() and (bare[1] in _PREPOSITIONS or bare[0].endswith("ly")))


def _value_start(text: str, place: int, begin: int, introduced: bool) -> tuple[int, bool]:
    """Where a value begins, behind emphasis, fillers and a bullet; whether a dash there may be a minus sign."""
    leading = _LEADING.match(text, begin)
    begin = begin if leading is None else leading.end()
    hedge = _HEDGE.match(text, begin)
    begin = begin if hedge is None else hedge.end()
    dash = _DASH.match(text, begin)
    if dash is None:
        return begin, False
    introduced = introduced or any(sign in text[place:begin] for sign in ":：=\n")
    return (dash.end(), False) if introduced else (begin, True)


def _end(stretch: str, scan: int) -> tuple[int, str]:
    """Where the answer ends, and what ends it; a stop after an abbreviation or an initial does not."""
    for end in _ENDS.finditer(stretch, scan):
        stop = end.start()
        shortened = end[0] == "." and stretch[max(stop - 1, 0) : stop].isalpha()
        if not shortened or _ABBREVIATION.search(stretch, max(stop - _WORD, 0), stop) is None:
            return stop, end[0]
        if end.end() >= len(stretch.rstrip(" \t\n*_\"')]”")):
            return stop, end[0]
    return len(stretch), ""
