"""Marks of a final answer in a text, each with its extent; the one that begins last wins.

Every search goes backwards with `str.rfind` and reads a bounded stretch, so time is linear in the text. Most
answers stand in the last line or two: these are searched first, and what begins there wins without the rest.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_SENTENCE = 600  # an answer in a sentence is looked for in as many characters
_LEAD, _WORD = 48, 16  # characters before a mark, and before a stop, that are looked at
_NEAR = 160  # characters at the end that are searched first
_SHORT = 64  # answers up to this length are judged once and remembered

_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?:(\{)|(?<=\s)([^\s${}\\]+))")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_OWNERS = frozenset(("the", "my", "our", "this", "your"))
_ADJECTIVES = frozenset(("final", "correct", "right", "best", "numerical", "exact"))
_AFTER = re.compile(
    r"(?i:answer)(?:(?P<field>[\"']\s*:)|(?P<colon>[*_\s]*(?::|=)[*_]*)"
    r"|(?P<verb>(?:\s+(?:to|for|of|in)\s+[^.:\n]{1,80}?)?[*_]*\s+(?:is|would\s+be|must\s+be|should\s+be)(?![\w'’]))"
    r"[*_]*:?)"
)
_LAST_NUMBER = re.compile(r" (\$?-?\d+(?:[.,]\d+)*%?)\.?\Z", re.ASCII)  # all that follows, in most completions
_FINAL_NUMBER = re.compile(r"#### (\$?-?\d+(?:[.,]\d+)*%?)\s*\Z", re.ASCII)  # nothing can begin behind it
_FINAL_CLAIM = re.compile(r"[Tt]he answer is (\$?-?\d+(?:[.,]\d+)*%?)\.?\Z", re.ASCII)
_FINAL_BOX = re.compile(r"\\boxed\{(\$?-?\d+(?:[.,]\d+)*%?)\}[\s$.*)\]\\]*\Z", re.ASCII)
_LEADING = re.compile(r"[\s:*_`]*")
_DASH = re.compile(r"[-–—•‣]\s+(?=\S)")  # a bullet behind a colon or on a new line; `is - 5`: a dash, or a minus?
_NAME = r"[A-Z][\w'’-]+"
_INITIALS = re.compile(  # `J. K. Rowling`, and `J. Smith` up to the end of a clause: no option letter alone
    rf"(?:[A-Z]\. ?){{2,}}(?=[A-Z][a-z])|[A-Z]\. (?={_NAME}(?: {_NAME}){{0,2}}(?:[.,!]*[*_]*(?:\s*\n|\s*\Z)|,))"
)
_MATH = re.compile(r"\$\$.+?\$\$|\$[^\s$](?:[^$\n]*[^\s$])?\$(?!\d)|\\\(.+?\\\)|\\\[.+?\\\]", re.DOTALL)
_JSON_VALUE = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",}\]]+))', re.DOTALL)
_ENDS = re.compile(  # each way begins with a letter or sign of its own: a search then skips all other characters
    r"\n|<(?=[/|])|b(?<=\sb)(?i:ecause)\b|B(?<=\sB)(?i:ecause)\b|;(?=\s)|[.](?=[*_\"')\]]*(?:\s|$))|[?]"
    r"|!(?<=[^\d)\s]!)(?=[*_]*(?:\s|$))"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Mt|Jr|Sr|vs|Prof|Gen|Capt|Lt|Col|No)|\b[A-Z]\.[A-Z]|[^\s.]\s+[A-Z])$"
)
_NUMBER_LINE = re.compile(r"[-+−]?\s*[$€£]?\s*[-+−]?[\d.,/]*\d%?\.?")
_TAG_BEHIND = re.compile(r"</|<\|")
_OR = re.compile(r"(?:\bor\b|\bmaybe\b|\bperhaps\b|\bpossibly\b|\beither\b)", re.IGNORECASE)
_CHOICE = re.compile(r"[\W_]*(?:[a-z]|yes|no|true|false)[\W_]*", re.IGNORECASE)
_NEGATED = re.compile(r"not\s+[-+$\\(]*\d")


class Mark(NamedTuple):
    """A mark that begins at `start`; `answer` is None if never closed; `tentative` if it asks or denies."""

    name: str
    start: int
    answer: str | None
    tentative: bool = False
    end: int = 0


def last(text: str) -> Mark | None:
    r"""The mark that begins last, or None; a sentence inside a box belongs to the box.

    >>> last(r"The answer is 5. No: \boxed{6}")
    Mark(name='box', start=21, answer='6', tentative=False, end=29)
    """
    near = len(text) - _NEAR
    if (mark := _final_number(text, max(near, 0))) is not None:
        return mark
    mark = _last(text, near) if near > 0 else None
    if mark is None or (mark.name in ("sentence", "field") and _place_of_box(text, 0, near + 5) >= 0):
        return _last(text, 0)
    return mark


def _final_number(text: str, least: int) -> Mark | None:
    r"""What most completions of numbers end with, `#### 5`, `\boxed{5}.` or `The answer is 5.`, at once."""
    place = text.rfind("####", least)
    if place >= 0 and text[place - 1 : place] != "#" and (number := _FINAL_NUMBER.match(text, place)) is not None:
        return Mark("####", place, number[1], False, number.end(1))
    if (place := text.rfind("\\boxed{", least)) >= 0:
        number = _FINAL_BOX.match(text, place)
        return None if number is None else Mark("box", place, number[1], False, number.end(1))
    place = text.rfind("he answer is ", least)
    claim = _FINAL_CLAIM.match(text, place - 1) if place > 0 and "\\" not in text else None
    if claim is None or text[max(place - 2, 0) : place - 1] not in ("", " ", "\n"):
        return None
    return Mark("sentence", place + 3, claim[1], False, claim.end(1))


def _last(text: str, least: int) -> Mark | None:
    """The mark that begins last, among those that begin at `least` or later."""
    box = _box(text, least)
    best = _hashes(text, least if box is None else box.start) or box
    best = _tag(text, least if best is None else best.start) or best
    sentence = _sentence(text, least if best is None else best.start)
    if sentence is None or (box is not None and best is box and sentence.start < box.end):
        return best
    return sentence


def ambiguous(answer: str) -> bool:
    """Whether an answer offers several values: `5 or 6`, `A or B`, `7, maybe 8`.

    >>> ambiguous("5 or 6"), ambiguous("5 or more"), ambiguous("trick or treat")
    (True, False, False)
    """
    return _remembered(answer) if len(answer) <= _SHORT else _ambiguous(answer)


def _ambiguous(answer: str) -> bool:
    parts = _OR.split(answer) if _OR.search(answer) else []
    values = [any(c.isdigit() for c in part) or _CHOICE.fullmatch(part) is not None for part in parts]
    return sum(values) > 1


_remembered = lru_cache(maxsize=16384)(_ambiguous)


def _place_of_box(text: str, least: int, end: int) -> int:
    if text.rfind("\\", least, end) < 0:
        return -1
    return max(text.rfind("\\boxed", least, end), text.rfind("\\fbox", least, end))


def places_of_boxes(text: str) -> list[int]:
    r"""Where each `\boxed` and `\fbox` of a text begins."""
    return [match.start() for match in _BOX.finditer(text)]


def box_at(text: str, start: int) -> Mark | None:
    r"""The `\boxed` that begins at a place: its content up to the matching brace, or one token without braces."""
    match = _BOX.match(text, start)
    if match is None:
        return None
    if match[2] is not None:
        return Mark("box", start, match[2], end=match.end())
    begin = match.end()
    close = _closing_brace(text, begin)
    return Mark("box", start, None if close is None else text[begin:close], False, close or len(text))


def _box(text: str, least: int) -> Mark | None:
    """The last box that begins at `least` or later."""
    start = _place_of_box(text, least, len(text))
    while start >= 0:
        if (mark := box_at(text, start)) is not None:
            return mark
        start = _place_of_box(text, least, start)
    return None


def _closing_brace(text: str, start: int) -> int | None:
    first = text.find("}", start)
    if first >= 0 and text.find("{", start, first) < 0 and text.find("\\", start, first) < 0:
        return first
    level = 1
    for token in _BRACE.finditer(text, start):
        level += {"{": 1, "}": -1}.get(token[0], 0)
        if level == 0:
            return token.start()
    return None


def _hashes(text: str, least: int) -> Mark | None:
    """Last `####` line; with text below it, it is a heading unless all it says is a number."""
    place = text.rfind("####", least)
    while place >= 0:
        start = place
        while start > 0 and text[start - 1] == "#":
            start -= 1
        stop = text.find("\n", place)
        stop = len(text) if stop < 0 else stop
        line = text[place + 4 : stop].strip()
        if "<" in line:
            line = _TAG_BEHIND.split(line, maxsplit=1)[0].rstrip()
        below = text[stop : stop + 64].strip()
        if place == start and (not below or _NUMBER_LINE.fullmatch(line)):
            return Mark("####", place, line, False, stop)
        place = text.rfind("####", least, start)
    return None


def _tag(text: str, least: int) -> Mark | None:
    start = text.rfind("<answer>", least)
    if start < 0:
        return None
    close = text.find("</answer>", start)
    return Mark("tag", start, None if close < 0 else text[start + 8 : close], end=close)


def _sentence(text: str, least: int) -> Mark | None:
    """Last sentence or field that gives the answer in words and begins at the place `least` or later."""
    upper = len(text)
    while (place := max(text.rfind("nswer", least + 1, upper), text.rfind("NSWER", least + 1, upper))) > 0:
        if (mark := _claim(text, place - 1)) is not None:
            return mark
        upper = place
    return None


def _claim(text: str, place: int) -> Mark | None:
    """The claim whose word `answer` begins at `place`, or None if the word claims nothing."""
    after = _AFTER.match(text, place)
    previous = text[place - 1] if place > 0 else "\n"
    if after is None or previous.isalnum() or previous in "_<":
        return None
    if after["field"] is not None:
        return _field(text, place, after.end()) if previous in "\"'" else None
    if previous in "\"'" or (after["verb"] is not None and not _claimed(text[max(0, place - _LEAD) : place])):
        return None
    return _stated(text, place, after.end())


def _claimed(lead: str) -> bool:
    """Whether the words before `answer` make it the final one: `the`, `my`, `the correct`, `final`."""
    if lead.endswith((" the ", "\nthe ", " The ", "\nThe ")):
        return True
    words = [word.strip("*_#(") for word in lead.lower().replace(">", " ").split()[-4:]]
    last_word = words[-1] if words else ""
    if last_word in ("final", "correct"):
        return True
    while words and words[-1] in _ADJECTIVES:
        words.pop()
    return bool(words) and words[-1] in _OWNERS


def _field(text: str, place: int, begin: int) -> Mark | None:
    value = _JSON_VALUE.match(text, begin)
    if value is None:
        return Mark("field", place, None, end=begin)
    if value[2] is None:
        return Mark("field", place, value[1], end=value.end())
    several = value[2][0] in "[{"  # a list or an object is not one answer
    return Mark("field", place, "" if value[2] == "null" else value[2], several, value.end())


def _stated(text: str, place: int, begin: int) -> Mark:
    """The value after `the answer is`: a formula, or the words up to the end of the sentence."""
    if (number := _LAST_NUMBER.match(text, begin)) is not None:
        return Mark("sentence", place, number[1], False, number.end(1))
    begin, dashed = _value_start(text, place, begin)
    stretch = text[begin : begin + _SENTENCE]
    whole = (_MATH if stretch[:1] in ("$", "\\") else _INITIALS).match(stretch)
    scan = 0 if whole is None else whole.end()
    end, ending = _end(stretch, scan)
    told = stretch[:end] if ending[:1] not in ("b", "B") else stretch[:end].rstrip().removesuffix(",")
    answer = told.rstrip(" \t*_`")
    tentative = dashed or ending == "?" or (answer[:3] == "not" and _NEGATED.match(answer) is not None)
    return Mark("sentence", place, answer, tentative, begin + end)


def _value_start(text: str, place: int, begin: int) -> tuple[int, bool]:
    """Where a value begins, behind spaces, emphasis and a bullet; whether a dash there may be a minus sign."""
    leading = _LEADING.match(text, begin)
    begin = begin if leading is None else leading.end()
    dash = _DASH.match(text, begin)
    if dash is None:
        return begin, False
    introduced = any(sign in text[place:begin] for sign in ":=\n")
    return (dash.end(), False) if introduced else (begin, True)


def _end(stretch: str, scan: int) -> tuple[int, str]:
    """Where the answer ends, and what ends it; a stop after an abbreviation or an initial does not."""
    for end in _ENDS.finditer(stretch, scan):
        stop = end.start()
        if end[0] != "." or not _abbreviated(stretch, stop):
            return stop, end[0]
        if end.end() >= len(stretch.rstrip(" \t\n*_\"')]")):
            return end.start(), end[0]
    return len(stretch), ""


def _abbreviated(stretch: str, stop: int) -> bool:
    """Whether the word before a stop is an abbreviation or an initial."""
    if not stretch[max(stop - 1, 0) : stop].isalpha():
        return False
    return _ABBREVIATION.search(stretch, max(stop - _WORD, 0), stop) is not None
