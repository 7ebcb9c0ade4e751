r"""Completion to answer text: only a final answer that the text marks as one, and never a guess.

Marks: `\boxed{…}`, `#### …`, `<answer>…</answer>`, `"answer": …`; without any of these, `the answer is …` and
`final answer: …` with a value. The last one before a next question or turn wins. Thinking is not visible.
What can't be read has a reason.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from alft.answers import custom, marks
from alft.answers.claims import Mark, ambiguous, is_mere_word, unsure
from alft.answers.keys import canonical, kinds_of
from alft.answers.policy import MARKED, ReadPolicy

COMPARED = 64  # boxes at the end that must hold the same, where that is asked for
TAIL = 8192  # characters at the end of a completion in which a mark is looked for
_LINE = 160  # a last line up to this length is judged once and remembered

_THINKING = re.compile(  # begins with one character, which a search looks for alone
    r"[<\[◁](?i:(?:(?<=<)\|)? ?(/|end_of_|end_)?(?:start_)?"
    r"(?:[\w:]{0,16}(?:think|thought|reason|scratch|reflect|monologue)[\w:]{0,12}"
    r"|analysis|cot|plan|rationale|critique|draft|working(?:_out)?|tool_call)"
    r" ?(?:\|?>|\]|▷)|(?<=<)unused9(?:4|(5))>)"
)
_FINAL = re.compile(r"<\|channel\|>final[^<]*<\|message\|>|assistantfinal")
_ANALYSIS = re.compile(r"<\|channel\|>(?:analysis|commentary)|\Aanalysis(?=[A-Z])")

_OPTION = re.compile(r"\(?[A-Z]\)?[.:]?")
_NUMERAL = r"\$?-?\d+(?:[.,]\d+)*%?"
_AT_END = re.compile(  # a number as most completions end with it
    rf"#### (?P<hashes>{_NUMERAL})"
    rf"|(?:(?:So|Thus|Hence|Therefore),? )?[Tt]he (?:final |correct )?answer is (?P<sentence>{_NUMERAL})\.?"
    rf"|[^\\]*(?:\\[(\[] ?)?\\boxed\{{(?P<box>{_NUMERAL})\}}(?: ?\\[)\]])?[$.*) ]*",
    re.ASCII,
)
_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:,\d{3})*(?:\.\d+)?%?")

Completion = str | Sequence[Mapping[str, object]]


class Unread(StrEnum):
    """Why a completion has no answer."""

    EMPTY = "empty completion"
    TRUNCATED = "cut off at the token limit"
    UNFINISHED_THINKING = "unfinished thinking"
    NO_MARK = "no marked answer"
    UNCLOSED = "the mark is not closed"
    EMPTY_ANSWER = "nothing in the mark"
    AMBIGUOUS = "several answers in the mark"
    FAILED = "the reader failed"
    OTHER_KIND = "an answer of another kind"


class Extraction(NamedTuple):
    r"""An `answer` with the `mark` it was found in, or None and the reason (`unread`).

    `boxes` is how many `\boxed` the searched text has, where a box is the mark; else 0. `error` is what a user's
    own reader raised.
    """

    answer: str | None
    mark: str | None = None
    unread: Unread | None = None
    boxes: int = 0
    error: str | None = None


def extract(completion: Completion | None, policy: ReadPolicy = MARKED) -> str | None:
    r"""Text of the marked final answer, a substring of the completion; None if there is none to read.

    >>> extract("3 + 4 = 7 #### 7"), extract(r"so \boxed{\frac{1}{2}}."), extract("It might be 7.")
    ('7', '\\frac{1}{2}', None)
    >>> extract([{"role": "user", "content": "?"}, {"role": "assistant", "content": "The answer is 5."}])
    '5'
    """
    return read(completion, policy).answer


def read(completion: Completion | None, policy: ReadPolicy = MARKED, *, truncated: bool = False) -> Extraction:
    """The marked final answer of a completion or of the last assistant turn, or why there is none.

    `truncated` says that the completion was cut off at the token limit. Only the last 8192 characters are searched
    for marks, so time is bounded by a term that is linear in the length.

    >>> read("The answer is 5 or 6.").unread
    <Unread.AMBIGUOUS: 'several answers in the mark'>
    """
    found = _read(completion_text(completion), policy, truncated)
    if policy.kind == "any" or found.answer is None or policy.kind in kinds_of(found.answer):
        return found
    return Extraction(None, found.mark, Unread.OTHER_KIND, found.boxes)


def _read(text: str | None, policy: ReadPolicy, truncated: bool) -> Extraction:
    if not text or text.isspace():
        return Extraction(None, unread=Unread.EMPTY)
    if truncated and policy.truncated == "unread":
        return Extraction(None, unread=Unread.TRUNCATED)
    if policy.reader is not None:
        answer, error = custom.reader_of(policy.reader)(text)
        if error is not None:
            return Extraction(None, "reader", Unread.FAILED, error=error)
        if answer is None:
            return Extraction(None, unread=Unread.NO_MARK)
        return Extraction(answer.strip() or None, "reader", None if answer.strip() else Unread.EMPTY_ANSWER)
    if policy.pattern is None and not policy.marks and (line := _by_last_line(text, policy)) is not None:
        return line
    if marks.is_one_turn(text):
        return _in_turn(text[-TAIL:], policy) or _unmarked(text[-TAIL:], policy)
    segments = _visible(text) if policy.thinking == "ignore" else [text[-TAIL:]]
    if segments is None:
        return Extraction(None, unread=Unread.UNFINISHED_THINKING)
    for segment in reversed(segments):
        for turn in marks.own_turns(segment):
            for part in marks.parts(turn):
                if (found := _in_turn(part, policy)) is not None:
                    return found
    return _unmarked("".join(marks.own_turns("".join(segments[-1:]))), policy)


def _by_last_line(text: str, policy: ReadPolicy) -> Extraction | None:
    """What the last line alone says, where nothing before it can change that; None where something might."""
    begin = text.rfind("\n") + 1
    if len(text) - begin > _LINE:
        return None
    if (end := _AT_END.fullmatch(text, begin)) is not None:
        name = end.lastgroup or ""
        found = Extraction(end[name], "####" if name == "hashes" else name, None, int(name == "box"))
    else:
        found = _line(text[begin:])
    if found is None or not marks.is_one_turn(text):
        return None
    if found.mark == "sentence":  # a text of one turn has no tags
        answered = is_mere_word(found.answer or "") and ("nswer" in text[:begin] or "NSWER" in text[:begin])
        return found if not answered and marks.only_tagged(text, begin) else None
    if found.mark == "####" and not (found.answer or "").isdigit() and text.find("####", 0, begin) >= 0:
        return None  # a number before words
    if found.mark != "box":
        return found
    boxes = found.boxes + _boxes(text[:begin])
    return found if boxes == 1 else found._replace(boxes=boxes) if policy.box == "last" else None


@lru_cache(maxsize=16384)
def _line(line: str) -> Extraction | None:
    """The answer that a line alone gives: views and samples of a question end alike."""
    mark = marks.last_english(line)
    found = None if mark is None else _extraction(mark, _boxes(line) if mark.name == "box" else 0)
    return None if found is None or found.answer is None else found


def _in_turn(text: str, policy: ReadPolicy) -> Extraction | None:
    """What a text of one turn says; None without a mark."""
    if policy.pattern is not None and (answer := custom.last_match(policy.pattern, text)) is not None:
        return _extraction(Mark("pattern", 0, answer))
    if (mark := marks.last(text, policy.marks)) is None:
        return None
    return _extraction(mark) if mark.name != "box" else _boxed(text, mark, policy)


def _boxed(text: str, mark: Mark, policy: ReadPolicy) -> Extraction:
    """What the last box says, or another one if that is asked for; how many there are."""
    count = _boxes(text)
    if count > 1 and policy.box != "last":
        places = marks.places_of_boxes(text)
        compared = places[:1] if policy.box == "first" else places[-COMPARED:]
        found = [box for place in compared if (box := marks.box_at(text, place)) is not None]
        if len({canonical(box.answer) or box.answer for box in found}) > 1:
            return Extraction(None, mark.name, Unread.AMBIGUOUS, count)
        mark = found[0]
    return _extraction(mark, count)


def _boxes(text: str) -> int:
    return text.count("\\boxed") + text.count("\\fbox")


def _unmarked(text: str, policy: ReadPolicy) -> Extraction:
    found = None
    if policy.unmarked == "option":
        found = _OPTION.fullmatch(text.strip())
    elif policy.unmarked == "last number":
        *_, found = None, *_NUMBER.finditer(text)
    return Extraction(None, unread=Unread.NO_MARK) if found is None else Extraction(found[0], policy.unmarked)


def _extraction(mark: Mark, boxes: int = 0) -> Extraction:
    if mark.answer is None:
        return Extraction(None, mark.name, Unread.UNCLOSED, boxes)
    answer = mark.answer.strip()
    if not answer:
        return Extraction(None, mark.name, Unread.EMPTY_ANSWER, boxes)
    if mark.tentative or ambiguous(answer) or (mark.name != "sentence" and unsure(answer)):
        return Extraction(None, mark.name, Unread.AMBIGUOUS, boxes)
    return Extraction(answer, mark.name, None, boxes)


def completion_text(completion: Completion | None) -> str | None:
    """Text of a completion, or of the last assistant message of a chat; None without one, or if a tool comes last.

    >>> completion_text("so 7"), completion_text([{"role": "assistant", "content": "so 7"}]), completion_text([])
    ('so 7', 'so 7', None)
    """
    if completion is None or isinstance(completion, str):
        return completion
    for message in reversed(completion):
        if message.get("role") == "tool" or message.get("tool_calls"):
            return None  # it was not done
        if message.get("role", "assistant") == "assistant":
            content = message.get("content")
            if isinstance(content, Sequence) and not isinstance(content, str):  # of its parts the last text counts
                texts = [part.get("text") for part in content if isinstance(part, Mapping)]
                content = next((text for text in reversed(texts) if isinstance(text, str)), None)
            return content if isinstance(content, str) else None
    return None


def _visible(text: str) -> list[str] | None:
    """Pieces of the tail outside thinking blocks, in order; None if the thinking never ends.

    A closing tag without an opening one ends thinking that began in the prompt.
    """
    if ("<|" in text or text.startswith("analysis")) and _ANALYSIS.search(text) is not None:  # gpt-oss
        final = [found.end() for found in _FINAL.finditer(text)]
        return [text[final[-1] :][-TAIL:]] if final else None
    if "<" not in text and "[" not in text and "◁" not in text:
        return [text[-TAIL:]]
    pieces: list[tuple[int, int]] = []
    thinking, start = False, 0
    for tag in _THINKING.finditer(text):
        closing = tag.lastindex is not None
        if closing and not thinking:
            pieces.clear()
        elif not closing and not thinking:
            pieces.append((start, tag.start()))
        thinking = not closing
        start = tag.end() if closing else start
    if thinking:
        return None
    tail = max(0, len(text) - TAIL)
    return [text[max(a, tail) : b] for a, b in [*pieces, (start, len(text))] if b > tail]
