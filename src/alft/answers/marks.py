"""Marks of a final answer in a text, each with its extent: box, `####`, tag and JSON field before claims in words.

Of the structured marks the one that begins last wins, and prose never overrides it. Every search goes backwards
with `str.rfind`, or once forwards, and reads a bounded stretch, so time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from alft.answers.claims import Mark, ambiguous, last_claim, names_only, other_claim, placeholder, unwritten

__all__ = ["Mark", "ambiguous", "box_at", "last", "names_only", "placeholder", "places_of_boxes"]

_BOX = re.compile(
    r"\\(?:boxed|fbox)(?![A-Za-z])\s*"
    r"(?:(\{)|([-+−]?(?:\d[^\s${}\\]*|\\[A-Za-z]+[^\s$]*)|(?<=\s)[A-Za-z](?=[$.\s]*(?:\Z|\n|\$))))"
)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_FIELD = re.compile(r"[\"'](?:final[ _]?)?answer[\"']\s*:", re.IGNORECASE)
_JSON_VALUE = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^'\n]*)'|([^\s",}\]]+))""", re.DOTALL)
_TAG = re.compile(r"(?:<|(\[))((?:final[ _-]?)?answer)(?(1)\]|(?: \w+=[^<>]*)?>)", re.IGNORECASE)
_NUMBER_LINE = re.compile(r"[-+−]?\s*[$€£]?\s*[-+−]?[\d.,/]*\d%?\.?")
_COUNTED = re.compile(  # `42 apples`, a formula or an option; but `1. Add` is a heading
    r"[-+−]?[$€£]?\d(?:[\d.,/]*\d)?%?(?: \(?[A-Za-z²³°/]+\)?){1,4}\.?|[a-zA-Z] = \S.*|\$[^$]+\$|\\[a-z(].*"
    r"|\*\*[-$]*\d[\d.,]*%?\*\*|\(?[A-J]\)?"
)
_TAG_BEHIND = re.compile(r"</|<\|")


def last(text: str, own: Sequence[str] = ()) -> Mark | None:
    r"""The last structured mark, or the last claim with a value where there is none; None for no mark.

    A `####` line of words with text below it is the last resort. `own` are the user's phrases, which claim an
    answer as well.

    >>> last(r"\boxed{6}, so the answer is correct.")
    Mark(name='box', start=0, answer='6', tentative=False, end=8)
    """
    mark = last_english(text)
    if mark is None or (own and mark.name == "sentence" and _structured(text) is None):
        claims = [each for each in (mark, other_claim(text, own)) if each is not None]
        mark = max(claims, key=lambda each: each.start, default=None)
    return mark or _counted(text)


def last_english(text: str) -> Mark | None:
    """The last structured mark, or the last claim in English where there is none."""
    if (mark := _structured(text)) is None:
        return last_claim(text)
    inner = last_claim(mark.answer) if mark.name in ("tag", "####") and mark.answer is not None else None
    return mark if inner is None else inner


def _structured(text: str) -> Mark | None:
    best = _box(text, 0) if "\\" in text else None
    if "#" in text:
        best = _hashes(text, 0 if best is None else best.start) or best
    if "<" in text or "[/" in text:
        best = _tag(text, 0 if best is None else best.start) or best
    if ('"' in text and 'nswer"' in text) or ("'" in text and "nswer'" in text):
        best = _field(text, 0 if best is None else best.start) or best
    return best


def only_tagged(text: str, end: int) -> bool:
    """Whether no structured mark but a tag can begin before the place `end`."""
    return (
        (text.find("\\", 0, end) < 0 or _place_of_box(text, 0, end) < 0)
        and (text.find("#", 0, end) < 0 or text.find("####", 0, end) < 0)
        and (text.find('"', 0, end) < 0 or text.find('nswer"', 0, end) < 0)
        and (text.find("'", 0, end) < 0 or text.find("nswer'", 0, end) < 0)
    )


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
        return Mark("box", start, match[2].rstrip(".,;"), end=match.end())
    begin = match.end()
    close = _closing_brace(text, begin)
    return Mark("box", start, None if close is None else text[begin:close], False, close or len(text))


def _box(text: str, least: int) -> Mark | None:
    """The last box that begins at `least` or later; an empty one only where there is no other."""
    start, empty = _place_of_box(text, least, len(text)), None
    while start >= 0:
        if (mark := box_at(text, start)) is not None and not placeholder(mark.answer):
            if mark.answer != "":
                return mark
            empty = empty or mark
        start = _place_of_box(text, least, start)
    return empty


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
        if place == start and (not below or _NUMBER_LINE.fullmatch(line)) and not unwritten(line):
            return Mark("####", place, line, False, stop)
        place = text.rfind("####", least, start)
    return None


def _counted(text: str) -> Mark | None:
    """`#### 42 apples` with text below it: the last such line."""
    place = text.rfind("####")
    while place >= 0:
        line = text[place + 4 : place + 64].partition("\n")[0].strip()
        alone = not line.isalpha() or text.count("####") == 1  # `#### A`, `#### B` are headings
        if alone and text[place - 1 : place] != "#" and _COUNTED.fullmatch(line) is not None:
            return Mark("####", place, line, False, place + 4 + len(line))
        place = text.rfind("####", 0, place)
    return None


def _tag(text: str, least: int) -> Mark | None:
    """The last `<answer>` or `<final_answer>`, in any case, or `[answer]` with its end, that holds an answer."""
    found = None
    for tag in _TAG.finditer(text, least):
        close = text.find(f"[/{tag[2]}]" if tag[1] else f"</{tag[2]}>", tag.end())
        if tag[1] and close < 0:
            continue
        mark = Mark("tag", tag.start(), None if close < 0 else text[tag.end() : close], end=close)
        found = found if unwritten(mark.answer) else mark
    return found


def _field(text: str, least: int) -> Mark | None:
    """The last JSON field `"answer": …`."""
    found = None
    for found in _FIELD.finditer(text, least):  # noqa: B007
        pass
    if found is None:
        return None
    place, begin = found.start() + 1, found.end()
    value = _JSON_VALUE.match(text, begin)
    if value is None:
        return Mark("field", place, None, end=begin)
    answer = value[value.lastindex or 0]
    several = value[3] is not None and answer[0] in "[{"  # a list or an object is not one answer
    return Mark("field", place, "" if value[3] == "null" or unwritten(answer) else answer, several, value.end())
