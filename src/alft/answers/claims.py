"""Claims in words, `the answer is 42`: a claim counts only if a value follows it.

A value is a number, a formula, an option, `yes`, or a short noun phrase. Words about the answer (`correct`,
`in dollars`, `rounded to …`) are none: every model can learn to write these, and views would agree on nothing.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from alft.answers import phrases
from alft.answers.phrases import ENGLISH, WINDOW, Language, spoken, unwritten
from alft.text import occurrences

_SENTENCE: Final = 600  # an answer in a sentence is looked for in as many characters
_LEAD, _WORD = 64, 16  # characters before a claim, and before a stop, that are looked at
_OWNERS: Final = ENGLISH.set("owners")
_CONNECTIVES, _BEFORE_OWNER = ENGLISH.set("connectives"), ENGLISH.set("relatives")
_AFTER = re.compile(
    r"(?i:answer)(?:(?P<colon>(?:[\s*_}]|</\w{1,9}>)*(?:[:：]|=(?!>|= ))+[*_]*)"
    r"|(?P<verb>(?:\s+(?:to|for|of|in)\s+[^.:\n]{1,80}?)?[*_]*(?:(?:,?\s+(?:therefore|then|thus|hence|so),?)?\s+"
    r"(?i:is|equals|(?:turns|comes)\s+out\s+to\s+be|(?:would|must|should|will|has\s+to)(?:\s+(?:therefore|thus|then|hence))?\s+be)(?![\w'’])"
    r"|['’]s(?=\s+[-$\\(\d])))[*_]*[:：]?|(?P<head>(?:[ \t*_#}]|</(?:h\d|b|strong)>)*\n(?:-{3,}\n)?"
    r"|[*_]*[ \t]+(?=[*_]*(?:[-+−]?[$€£]?\d[\d.,/]*%?|\$[^$\n]+\$)[*_.]*[ \t]*(?:\n|\Z))))"
)
_CODE = re.compile(r"```|\b(?:def|class) \w+\(|\b(?:print|range|int)\(|\breturn\b|\bif .*:\n|\bfor \w+ in\b")
_HEADING = re.compile(
    r"(?:<(?:h\d|b|strong)>|\\(?:sub)*section\*?\{)?[#*_ \t]*(?:[^\w\s]{1,2} *)?(?:step *)?(?:\d+[.:)]* *)?"
    r"(?:the |my )?(?:final |correct )?\Z",
    re.IGNORECASE,
)
_LAST_NUMBER = re.compile(r" (\$?-?\d+(?:[.,]\d+)*%?)\.?\Z", re.ASCII)  # all that follows, in most completions
_LEADING = re.compile(
    rf"(?:[\s:：*}},…{phrases.BIDI}]|[\u2600-\u27bf\U0001f300-\U0001faff]\ufe0f?|(?<=[\n>])>|_(?!__)|\.\.\.|=(?= )"
    r"|\\(?:item|centering|noindent)(?![a-z])|~~[^~\n]*~~|~~~\w*\n|`+(?:[a-z]+(?=\n))?|=(?==)|(?<==)=|-{3,}\n"
    r"|</?(?!number|answer|value|result|insert|amount|letter|option)[a-z]{1,9}(?: [^<>]{0,99})?>"
    r"|\\begin\{(?![a-z]*(?:matrix|array|cases))[a-z]+\*?\}(?:\{[lcr|]*\})?"
    rf"|(?:{ENGLISH.either_of('fillers')})\b[,:]?(?=\s))*",
    re.IGNORECASE,
)
_HEDGE = re.compile(  # only before a number or a formula
    r"(?:(?:(?:most |very )?(?!(?:possib|multip|app|supp|rep)ly)[a-z]{2,}ly|rather|instead|some|approx\.?"
    r"|about|around|almost|equal to|equals|a total of|given by|found to be|nothing but|none other than"
    r"|the (?:number|value|integer|fraction|year|set|interval|point|sum|product|total|ratio|(?:ordered )?pair)"
    r"|an? (?!negative|minus|half|hundred)[a-z]{4,})\s+)+(?=[-+−±~$€£(\[{*_]*\d|\$|\\)",
    re.IGNORECASE,
)
# a bullet behind a colon or on a new line; `is - 5`: a dash, or a minus?
_DASH = re.compile(r"[-–—•‣]\s+(?:\[[ xX]\] )?[*_]*(?=\S)")
_NAME = r"[A-Z][\w'’-]+"
_INITIALS = re.compile(  # `J. K. Rowling`, `T. rex`, `J. Smith` up to the end of a clause: no option letter alone
    r"(?:[A-Z]\. ?){2,}(?=[A-Z][a-z])|[K-Z]\. (?=[a-z]{3,}[.,!]*\s*\Z)"
    rf"|[A-Z]\. (?={_NAME}(?: {_NAME}){{0,2}}(?:[.,!]*[*_]*(?:\s*\n|\s*\Z)|,))"
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
_SHORTENED = re.compile(  # with what follows a stop that ends no sentence
    rf"(?:(?P<name>\b(?:{ENGLISH.either_of('titles')})|(?<=\S\s)No|\b[A-Z]\.[A-Z]"
    r"|(?:[A-Z]\.|\b(?!Option|Choice|Letter)[A-Z][\w'’]+)\s+[A-Z])"
    rf"|(?P<unit>\b(?:{ENGLISH.either_of('short')}))|\b(?:{ENGLISH.either_of('months')}))$"
)
_NUMBERED = re.compile(r"\. ?\d+\W*")  # `No. 5`, but `No. 5 is odd`
_NEXT = re.compile(r"\W+([\w'’]+)")
_DANGLING = re.compile(r"\s[-+*/=×÷^]\s*\Z|\\\\\s*\Z")  # `35 +`, where the text or a formula breaks off
_ITEM = re.compile(  # of a list
    r"(?<=\n)\d{1,2}[.)][ \t]+\S|\d{1,2}[.)][ \t]+[-$\\(]*\d[\d.,]*[$)]*[ \t]*(?:\n|\Z)"
)
_MORE = re.compile(r"\n[ \t]*(?:(?P<item>[-+*•‣] +(?=\S)|\\item\b))?(?P<equation>[a-z] ?= ?[-\d])?")
_FIRST_ITEM = re.compile(r"[*_]*\(?(?:[aA1]|[iI])[.)]")  # of a list with letters
_SECOND_ITEM = re.compile(r"\s*[*_]*\(?(?:[bB2]|ii|II)[.)][*_]*\s+(?P<value>[-+$\\(]*\d[^\n]{0,24}(?:\n|\Z))?")

_BRACKETED = re.compile(r"([(\[])[*_]*(?:the |my )?(?:final |correct )?\Z", re.IGNORECASE)  # `(Answer: 42)`
_DRESSING: Final = " \t*_`="
_ASIDE = re.compile(  # what no longer belongs to a value
    r",\s+(?:and\s+)?not\b|,?\s+(?:rather\s+than|instead\s+of|as\s+opposed\s+to)\b"
    r"|[,;]?\s+(?:or\s+so|i\.e|e\.g|because|since|as|so|which|where|who|given|using|based|according|altogether|overall|but"
    r"|in\s+(?:total|all))\b|\s+\((?!mod\b|base\b|if\b|in (?:base|\w+(?:illion|sand)s?)\b)(?=[a-z]{2,}\s)"
    r"|,?\s+and\s+(?:that|this|it|we|I)\b"
    r"|(?<=\d),\s+(?!and\b|or\b|(?:in )?base\b)(?=[a-z]{2,}\s)"
    r"|,\s+and\s+(?:the|a|an|my|our|its|he|she|they|you)\b|,\s+(?:I|we|it|this|of course)\b"
    r"|\s+[-–—]\s+(?=(?:the|an?|it|this|which|correct|verified)\b)|:\s+(?=(?:verified|correct|confirmed|checked)\b)"
    r"|[*_]*\s*[\u2600-\u27bf\U0001f300-\U0001faff]|\s+[:;]-?[)D](?!\S)"
    r"|\s+\((?=(?i:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twe|thir|fif|forty|zero)[a-z -]*\))"
)
_VALUE = re.compile(  # how a number, a formula or an option begins
    r"[-+−±~≈.]{0,2}\s?(?:US|CA|A)?\s?\\?[$€£¥]?\s?[-+−]?[.]?\d|[½⅓⅔¼¾∞π√①-⑳]|[-+−]?\\|\$|[-+−]?[(\[{|]\s*[-+−$\\∞(\[]?(?:[\d\\∞]|[A-Za-z](?![a-z]))"
    r"|[A-Za-z](?:_\w|\(\w\))?\s*[=<>≤≥^+*/−-]|[-+−][A-Za-z](?![a-z])|[A-WYZa-z](?![\w'’]| [a-z\d])"
    r"|(?i:option|choice)\s+[(\[]?[A-Za-z](?![a-z])|May(?=\W*\Z| \d)"
    r"|(?i:none|all|both|neither|either)\sof\s(?:the|these|those|them)(?:\s\w+)?\Z"
)
_MARKUP = re.compile(r"\| |~~|\[[^\]]*\]\(")  # a table, what is struck out, a link
_SURE = re.compile(  # `100% certain`, `3 lines below`
    rf"\d\s?\\?(?:%|percent) (?:{ENGLISH.either_of('about')}|[a-z]+(?:teed|med|fied|ured|able))\b"
    r"|\d (?:.{0,40} (?:below|above)|(?:step|line|paragraph|sentence|word|page|click)s? away)\Z"
)
_IN_BRACKETS = re.compile(r"\[\[([^\[\]\s]+)\]\]")
_TEXT, _ASKED = re.compile(r"\\(?:text\w*|mathrm|mbox)\s*\{|[{}~]|\\[ ,;]"), re.compile(r"[\d)]\s*\?+\Z")
_CHOICE = re.compile(r"[\W_]*(?:[a-z](?:, ?[a-z])*|yes|no|true|false)[\W_]*", re.IGNORECASE)
_NEGATED = re.compile(
    r"(?:not|neither|maybe|perhaps|possibly|(?:anything|everything|all)\s(?:but|except))\s+[-+$\\(]*\d"
    r"|[-+$\\(]*[\da-z]\S*(?: \w+)? \(?(?:if|unless)\s"
)
_VERDICT = re.compile(r"(?i:yes|no|true|false)(?=[*_\"”]*(?:[,;:]\s|\s*—|\s+[-–]\s|\s+\()|\s+(?P<next>[\w'’]+))")
_OPEN = re.compile(  # behind a verdict, it is none
    r"(?is)\W*(?:yes|no|true|false|and|or)\b"
    r"|.*\b(?:if|unless|only|when|maybe|perhaps|sometimes|wait|depends|or (?:yes|no|not|true|false))\b"
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
    word = None
    places = (found - 1 for word in ("nswer", "NSWER") for found in occurrences(text, word, 1))
    for place in sorted(places, reverse=True):
        if (mark := _claim(text, place)) is not None:
            mere = is_mere_word(mark.answer or "")
            if (not mere or word is None) and phrases.taken_back(text, mark.start, mark.end):
                mark = mark._replace(tentative=True)
            if mark.tentative or not mere:
                return word if word is not None and (mark.tentative or not mark.answer) else mark
            word = word or mark
    return word


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
    for phrase in phrases.own_claim(tuple(own)).finditer(tail) if own else ():
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
    asked = ending in ("?", "？", "؟")
    doubt = asked or language.doubtful(claimed) or ambiguous(answer) or bool(language.offer.search(answer))
    return [Mark("sentence", claim.start(), answer, doubt, begin + len(answer))]


def _claim(text: str, place: int) -> Mark | None:
    """The claim whose word `answer` begins at `place`, or None if the word claims nothing."""
    after = _AFTER.match(text, place)
    previous = text[place - 1] if place > 0 else "\n"
    named = previous == "_" and text[max(place - 2, 0)].isalnum()
    if after is None or named or previous.isalnum() or previous in "\"'<":
        return None
    lead = text[max(0, place - _LEAD) : place].rpartition("\n")[2]
    words = [word.strip("*_#(“\"'‘«>\\") for word in re.split(r"[\s>{]+", lead.lower().rstrip())[-4:]]
    if not phrases.DENIED.isdisjoint(words[-3:]) or phrases.doubted(lead):
        return None
    if "=" in (after["colon"] or "") and (previous == "." or (not lead.strip() and _CODE.search(text))):
        return None
    begins = text[place].isupper() and lead.rstrip()[-1:] in (".", "!", "?")  # `8/4 = 2. Answer is 2.`
    if after["verb"] is not None and not begins and not _claimed(words):
        return None
    if after["head"] is not None and (
        _HEADING.fullmatch(lead) is None or not any(c in "#*_<{-" for c in lead + after["head"])
    ):
        return None
    mark = _stated(text, place, after.end())
    return mark if mark.answer or (mark.answer == "" and after["colon"] is not None) else None


def _claimed(words: list[str]) -> bool:
    """Whether the words before `answer` make it the final one: `the`, `my`, `the correct`, `final`, `so`."""
    if words[-1] in ("final", "correct") or not any(words):
        return True
    while words and words[-1] in phrases.ADJECTIVES:
        words.pop()
    owner = words[-1].rstrip(",") if words else ""
    of_it = owner not in _CONNECTIVES and words[-2:-1] and words[-2] in _BEFORE_OWNER  # `my confidence in the`
    return owner in _OWNERS and not of_it


def _stated(text: str, place: int, begin: int, *, introduced: bool = False) -> Mark:
    """What follows `the answer is`, up to the end of the sentence; its answer is None where that is no value."""
    if (number := _LAST_NUMBER.match(text, begin)) is not None:
        return Mark("sentence", place, number[1], False, number.end(1))
    begin, dashed, introduced = _value_start(text, place, begin, introduced)
    if _ITEM.match(text, begin) is not None:
        return Mark("sentence", place, None)
    stretch = text[begin : begin + _SENTENCE]
    whole = (_MATH if stretch[:1] in ("$", "\\") else _INITIALS).match(stretch)
    end, ending = _end(stretch, 0 if whole is None else whole.end())
    if ending[:1] not in ("b", "B") and _DANGLING.search(stretch[:end]) is not None:
        return Mark("sentence", place, None)
    claimed = stretch[:end] if ending[:1] not in ("b", "B") else stretch[:end].rstrip(" ,–—-")
    answer = claimed.rstrip(_DRESSING)
    answer = answer if "<su" in answer else answer.removesuffix("</sub>").removesuffix("</sup>")
    if answer.endswith("}") and answer.count("}") > answer.count("{"):
        answer = answer[:-1].rstrip(_DRESSING + ".")
    if (opened := _BRACKETED.search(text, max(place - _LEAD, 0), place)) is not None:
        answer = answer.removesuffix({"(": ")", "[": "]"}[opened[1]]).rstrip(_DRESSING + ".")
    if ending in ("?", "？") and value_of(answer, 0, introduced) is None:
        return Mark("sentence", place, None)
    lead = text[max(place, begin - _WORD) : begin]
    listed = lead.rpartition("\n")[2].lstrip().startswith(("- ", "* ", "• ", "\\item")) or answer[:2] == "+ "
    if ending == "\n" and (more := _MORE.match(stretch, end)) is not None:  # a list under the mark, equations
        dashed = dashed or bool(listed and more["item"]) or bool("=" in answer and more["equation"])
    if _FIRST_ITEM.match(stretch) is not None and (line := stretch.find("\n")) > 0:
        second = _SECOND_ITEM.match(stretch, line)
        dashed = dashed or (second is not None and ("\n" in lead or second["value"] is not None))
    verdict = _verdict(answer)
    answer = verdict or answer
    unsure = verdict == "" or dashed or ending in ("?", "？")
    tentative = unsure or _NEGATED.match(answer) is not None or ambiguous(answer)
    if not tentative and answer and (whole is None or stretch[:1] in ("$", "\\")):
        value = value_of(answer, 0 if whole is None else whole.end(), introduced)
        return Mark("sentence", place, value, False, begin + end)
    return Mark("sentence", place, answer, tentative, begin + end)


def _value_start(text: str, place: int, begin: int, introduced: bool) -> tuple[int, bool, bool]:
    """Where a value begins, behind emphasis, fillers and a bullet; whether a dash there may be a minus sign.

    The last item says whether a colon or a line introduces it, so that a capital letter may be that of a sentence.
    """
    leading = _LEADING.match(text, begin)
    begin = begin if leading is None else leading.end()
    hedge = _HEDGE.match(text, begin)
    begin = begin if hedge is None else hedge.end()
    dash = _DASH.match(text, begin)
    introduced = introduced or any(sign in text[place:begin] for sign in ":：=\n")
    unsure = dash is not None and not introduced
    return begin if dash is None or unsure else dash.end(), unsure, introduced


def _end(stretch: str, scan: int) -> tuple[int, str]:
    """Where the answer ends, and what ends it; a stop after an abbreviation or an initial does not."""
    for end in _ENDS.finditer(stretch, scan):
        stop = end.start()
        if end[0] != "." or not stretch[max(stop - 1, 0) : stop].isalpha() or not _goes_on(stretch, stop):
            return stop, end[0]
    return len(stretch), ""


def _goes_on(stretch: str, stop: int) -> bool:
    """Whether the sentence continues behind a stop: `12 sq. ft`, `Dec. 25`, `George R. R. Martin`."""
    if stretch[:stop] == "No" and _NUMBERED.fullmatch(stretch, stop) is not None:
        return True
    short = _SHORTENED.search(stretch, max(stop - _WORD, 0), stop)
    following = None if short is None else _NEXT.match(stretch, stop)
    if short is None or following is None:
        return False
    word, small = following[1], following[1].lower()
    if short["name"] is not None:
        return small not in phrases.CLOSED | phrases.PREPOSITIONS | phrases.OPENERS | {*phrases.ARTICLES}
    return word[0].isdigit() or (short["unit"] is not None and word[0].islower() and small not in phrases.CLOSED)


def ambiguous(answer: str) -> bool:
    """Whether an answer offers several values: `5 or 6`, `A or B`, `7, maybe 8`.

    >>> ambiguous("5 or 6"), ambiguous("5 or more"), ambiguous("trick or treat")
    (True, False, False)
    """
    parts = phrases.EITHER.split(answer) if phrases.EITHER.search(answer) else []
    values = [any(c.isdigit() for c in part) or _CHOICE.fullmatch(part) is not None for part in parts]
    return sum(values) > 1


def unsure(answer: str) -> bool:
    r"""Whether what a mark holds is asked, denied or a choice, in `\\text` or not.

    >>> [unsure(text) for text in ("7?", r"\text{not } 7", r"\text{yes or no}", r"\text{no}")]
    [True, True, True, False]
    """
    plain = _TEXT.sub(" ", answer).strip() if "\\" in answer else answer
    return _ASKED.search(plain) is not None or _NEGATED.match(plain) is not None or ambiguous(plain)


def is_mere_word(answer: str) -> bool:
    """Whether an answer is words without a capital letter, which may be about an answer that came before.

    >>> [is_mere_word(text) for text in ("satisfactory", "Paris", "no", "b", "7 apples")]
    [True, False, False, False, False]
    """
    return answer.islower() and answer not in ("yes", "no", "true", "false") and _VALUE.match(answer) is None


def _verdict(claimed: str) -> str | None:
    """The `yes`, `no`, `true` or `false` of a sentence with its reason behind it; "" if that leaves it open."""
    if (found := _VERDICT.match(claimed)) is None:
        return None
    following = (found["next"] or "it").lower()
    if following not in phrases.CLOSED and phrases.CONTRACTED.fullmatch(following) is None:
        return None
    return "" if _OPEN.match(claimed, found.end()) is not None else found[0]


def value_of(answer: str, scan: int, introduced: bool) -> str | None:
    """A number, formula or option without what is said about it, or a short noun phrase; None for other words."""
    aside = _ASIDE.search(answer, scan)
    value = answer if aside is None else answer[: aside.start()].rstrip(_DRESSING)
    if unwritten(value) or value in ("Y", "N") or _MARKUP.match(value) or _SURE.search(value):
        return None
    if value[:2] == "[[" and (inside := _IN_BRACKETS.fullmatch(value)) is not None:
        return inside[1]
    if _VALUE.match(value) is not None:
        return value
    opener = value.partition(" ")[0].lower()
    if aside is not None and aside[0][0] == "," and (opener in phrases.OPENERS or opener.endswith("ly")):
        return None  # `First, we …`
    return value if phrases.is_noun_phrase(value, introduced) else None
