"""Turns of a text, and marks of a final answer in it: box, `####`, tag and JSON field before claims in words.

Of the structured marks the one that begins last wins, and prose never overrides it. Every search goes backwards
with `str.rfind`, or once forwards, and reads a bounded stretch, so time is linear in the text.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from alft.answers.claims import Mark, last_claim, other_claim, value_of
from alft.answers.phrases import QUESTIONS, ROLES, placeholder, unwritten

_LONGEST = 600  # characters of a line that answers
_WORDS = "Question Q Problem Exercise Human User Instruction Instructions Input Task Query Prompt System"
_NAMES = [*_WORDS.split(), *_WORDS.upper().split(), *_WORDS.lower().split(), *QUESTIONS.split("|")]


def _first(names: Sequence[str]) -> str:
    return "".join(sorted({name[0] for name in names}))


def _by_letter(names: Sequence[str]) -> str:
    """Names that begin alike together: a line that begins with another letter is passed over at once."""
    return "|".join(f"{c}(?:{'|'.join(n[1:] for n in names if n[0] == c)})" for c in _first(names))


_FIRST, _ASKED = _first(_NAMES), _by_letter(_NAMES)
# Where a model continues with a question or a turn of its own. Each expression begins with one character, which a
# search looks for alone, and then with one of few: a choice of whole expressions at each line is twice as slow.
_HEAD = (
    r"#+ *(?:Question|Problem|Instruction|Exercise|Example|Input|Task|Human|User)\b|(?:user|human|assistant) *\n"
    r"|(?:Example|Question|Problem|Exercise) #?\d+[.:)]|\[?(?:Question|QUESTION)\]?[ *_]*\n"
    r"|(?:Word|Math) problem[ *_]*:|(?:Quiz|Qn)[ *_]*:"
    r"|(?:Here(?:'s| is) another|[Aa]nother|Ne(?:xt|w)|Follow-up) (?:question|problem)\b"
    rf"|[ \t>*_#]*(?=[{_FIRST}])(?:E(?:xample|XAMPLE)|{_ASKED}) ?#?\d+[ *_]*[.)]?[ *_]*(?=\n|\Z)"
)
_LINE = rf"[ \t>*_#]*(?=[{_FIRST}])(?:{_ASKED})(?: ?\d+)?[ *_]*[:：]"
# Another speaker, or another task: that matters only behind an answer.
_SPEAKER = (
    rf"[ \t>*_#\[<@-]*(?=[{_first(ROLES)}])(?:{_by_letter(ROLES)})(?!['’a-z])"
    r"(?: ?#?(?:\d+|[A-Z](?!\w)))?(?: ?\([^()\n]*\))?(?:[\]>]|[ *_]*[:：])"
)
_MORE = "another|similar|bonus|follow-?up|new|next|practice|extra|additional|related|second|third|harder|different"
_BEGUN = (  # how such a line may begin: most lines are passed over here
    r"Here|Now|New|Next|Another|An? |Similar|Bonus|Follow|Practice|Extra|Additional|Let['’]?s? |Try |Consider "
    r"|Challenge|Varia|Your turn|Q ?\d*[.)] "
)
_OTHER = (
    rf"[ \t>*_#]*(?={_BEGUN})(?:Now,? (?:let(?:['’]s| us) )?(?:solve|answer|try|do)"
    r"(?: (?:the (?:following|next)|this|another|a new)\b|(?: this| these)?[ *_]*[:：])"
    r"|(?i:(?:(?:here(?:['’]s| is)|now|let(?:['’]s| us)|try|solve|consider|do|answer|and|an?|one|the) ){0,4})"
    rf"(?i:{_MORE}) (?:\w+ )?(?i:question|problem|exercise|task|puzzle|example|challenge|one)s?\b"
    r"[^\n:.?!]{0,40}(?:[:.?!]|\n)"
    r"|(?:Follow-?[Uu]p|Bonus|Challenge|Varia(?:tion|nt)|Extra(?: \w+)?|Your turn|Try (?:this|it)[^\n:]{0,24})"
    r"[ *_]*:|Next[ *_]*:[^\n]*\?|Q ?\d*[.)] +[A-Z][a-z])"
    r"|(?!1[.)])\d{1,2}[.)] [A-Z][^\n]*\?[ *_]*\n"
)
_BEGINS = rf"\n(?=[{_FIRST}#uhaABCEFHLMNPSTQVWY\d \t>*_\["
_OTHERS = re.compile(rf"\n(?:{_SPEAKER}|{_OTHER})")
_NEXT_HEAD = re.compile(rf"{_BEGINS}])(?:{_HEAD}|{_OTHER})")
_NEXT_LINE = re.compile(rf"{_BEGINS}])(?:{_LINE}|{_HEAD})")
_ANY_LINE = re.compile(rf"{_BEGINS}{_first(ROLES)}\[<@-])(?:{_LINE}|{_HEAD}|{_SPEAKER}|{_OTHER})")
_ASKED_LINE = re.compile(  # a question of its own: no `Is that right?`
    r"\n(?=[A-Z\d][^\n?]*\?[*_ ]*(?:\n|\\boxed|####))(?:\d+[.)] )?(?:(?:What (?:is|are|was|were)"
    r"|Wh(?:o|ich|ere|en)|How (?:many|much|old|far|long|tall)|In wh(?:at|ich))\b"
    r"|(?!Wait|But|So|Hmm|Let|Check|Now|No\b|Actually)(?=[^\n?]*\d)(?=[^\n?]*[.!,] )[A-Z])"
)
_LISTED = re.compile(r"^[^\w\n]*1[.)]", re.MULTILINE)
_TOKEN = re.compile(
    r"<(?:[|｜](?!\w{0,12}(?i:think|thought|reason|solution|response|answer|box|channel|message))[\w▁/]{2,30}[|｜]>"
    r"|(?:start|end)_of_turn>|/?s>|(?i:eos|bos|pad)>|(?:human|user|bot)>|unk>(?=\s*(?:<|\Z)))"
)
_INST = re.compile(r"\[(?:/?INST|\|\w+\||PAD|EOS|BOS|SEP|CLS)\]")
_ANY_TAG = re.compile(r"<[^<>\n]*>")
_LEAD_IN = re.compile(  # what stands before the question that a model restates
    r"\W*(?:sure|okay|ok|certainly|of course|alright|let|here|i'll|i will|we need|we have|to)\b\D{,200}",
    re.IGNORECASE,
)
_STEP = re.compile(r"^[#*_> \t]*(?:Step (?=\d)|(?=\d+[.)]))(\d{1,2})", re.MULTILINE)
_ANGLE, _SQUARE = re.compile(r"<[|｜/A-Za-z ]"), re.compile(r"\[[|/A-Za-z]")  # how tags and tokens begin
_NAMED = re.compile(r">(?<=[^\W_]>)(?!>)")  # how `User>` ends, and not `<<3+4=7>>`
_BOXES = re.compile(r"\\(?=boxed|fbox)")
_BOX = re.compile(
    r"\\(?:boxed|fbox)(?![A-Za-z])\s*"
    r"(?:(\{)|([-+−]?(?:\d[^\s${}\\]*|\\[A-Za-z]+[^\s$]*)|(?<=\s)[A-Za-z](?=[$.\s]*(?:\Z|\n|\$))))"
)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_FIELD = re.compile(r"[\"'](?:final[ _]?)?answer[\"']\s*:", re.IGNORECASE)
_JSON_VALUE = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^'\n]*)'|([^\s",}\]]+))""", re.DOTALL)
_TAG = re.compile(r"[<\[](?:(?<=(\[))|(?<=<))((?i:(?:final[ _-]?)?answer)|SOLUTION)(?(1)\]|(?: \w+=[^<>]*)?>)")
_HASHES = re.compile(r"####(?<!#####)(?!#)")
_CALCULATED = re.compile(r"<<[^<>\n]*>>")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_NUMBER_LINE = re.compile(r"[-+−]?\s*[$€£]?\s*[-+−]?[\d.,/]*\d%?\.?")
_COUNTED = re.compile(  # `42 apples`, a formula or an option; but `1. Add` is a heading
    r"[*_]*[-+−]?\\?[$€£]?\d(?:[\d.,/:]*\d)?(?: ?\\?[%€£¢°k])?(?: \(?[A-Za-z²³°/]+\)?){0,4}\.?[*_]*"
    r"|[a-zA-Z] = \S.*|\$[^$]+\$(?: [a-z]+){0,3}|\\[a-z(].*|\(?[A-J]\)?|[(\[{][-−+\d\\$][^\n]*[)\]}]"
    r"|(?i:yes|no|true|false)\.?"
    r"|(?!=)(?=.*\d)(?=.*[-+^*/=])(?:[-−+\d^*/()=. ]|(?<![a-z])[a-z](?![a-z]))+"
)
_TAG_BEHIND = re.compile(r"</|<\|")
_FORMULA = re.compile(r"[\d\\$]")
_NAMED_TAG = re.compile(r"[.,;:)](?!\d)|[`'\"”*]|\s*[a-z]{2}")  # behind a tag that a text only speaks of


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
    inner = None if mark.answer is None or mark.name == "field" else last_claim(mark.answer)
    return mark if inner is None or not inner.answer else inner


def _structured(text: str) -> Mark | None:
    best = _box(text, 0) if "\\" in text else None
    if "#" in text:
        best = _hashes(text, 0 if best is None else best.start) or best
    if "<" in text or "[/" in text:
        best = _tag(text, 0 if best is None else best.start) or best
    if 'nswer"' in text or "nswer'" in text:
        best = _field(text, 0 if best is None else best.start) or best
    return best


def only_tagged(text: str, end: int) -> bool:
    """Whether no structured mark but a tag can begin before the place `end`."""
    return (  # a single character is found several times faster
        (text.find("\\", 0, end) < 0 or (text.find("\\boxed", 0, end) < 0 and text.find("\\fbox", 0, end) < 0))
        and (text.find("#", 0, end) < 0 or text.find("####", 0, end) < 0)
        and (text.find('"', 0, end) < 0 or text.find('nswer"', 0, end) < 0)
        and (text.find("'", 0, end) < 0 or text.find("nswer'", 0, end) < 0)
    )


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
    end = close or len(text)
    while close is not None and text[begin] == "{" and _closing_brace(text, begin + 1) == close - 1:
        begin, close = begin + 1, close - 1  # `{{42}}` is a group
    return Mark("box", start, None if close is None else text[begin:close], False, end)


def _box(text: str, least: int) -> Mark | None:
    """The last box that begins at `least` or later; an empty one only where there is no other."""
    empty = None
    for sign in reversed([*_BOXES.finditer(text, least)]):
        if (mark := box_at(text, sign.start())) is not None and not placeholder(mark.answer):
            if mark.answer != "":
                return mark
            empty = empty or mark
    return empty


def _closing_brace(text: str, start: int) -> int | None:
    level = 1
    for token in _BRACE.finditer(text, start):
        level += {"{": 1, "}": -1}.get(token[0], 0)
        if level == 0:
            return token.start()
    return None


def _hashes(text: str, least: int) -> Mark | None:
    """Last `####` line; with text below it, it is a heading unless all it says is a number.

    Words that are no value are no answer, an empty line or words only where no line before them is a number.
    """
    words, judged = None, False
    for hashes in reversed([*_HASHES.finditer(text, least)]):
        written, _, below = text[hashes.end() :].partition("\n")
        line = _heading(written, text[max(hashes.start() - 1, 0) : hashes.start()])
        number = _NUMBER_LINE.fullmatch(line) is not None
        if (number or not (below[:63].strip("# \n\t*`_") or judged)) and not unwritten(line):
            mark = Mark("####", hashes.start(), line, False, hashes.end() + len(written))
            if number or _COUNTED.fullmatch(line) is not None or _FORMULA.search(line) is not None:
                return mark
            judged = bool(line)
            words = mark if not line or value_of(line, 0, True) or last_claim(line) is not None else words
    return words


def _heading(line: str, before: str) -> str:
    """What a `####` line says, without marks that close it."""
    line = _CALCULATED.sub("", line) if "<<" in line else line
    line = _TAG_BEHIND.split(line.strip().rstrip("#"), maxsplit=1)[0].rstrip()
    return line.rstrip("*`_ ") if before in ("*", "`", "_") else line


def _counted(text: str) -> Mark | None:
    """`#### 42 apples` with text below it: the last such line."""
    if "####" not in text:
        return None
    for hashes in reversed([*_HASHES.finditer(text)]):
        line = text[hashes.end() : hashes.end() + 60].partition("\n")[0].strip()
        alone = not line.isalpha() or text.count("####") == 1  # `#### A`, `#### B` are headings
        if alone and _COUNTED.fullmatch(line) is not None and not unwritten(line):
            return Mark("####", hashes.start(), line, False, hashes.end() + len(line))
    return None


def _tag(text: str, least: int) -> Mark | None:
    """The last `<answer>` or `<final_answer>`, in any case, or `[answer]` with its end, that holds an answer."""
    found = None
    for tag in _TAG.finditer(text, least):
        closing = f"[/{tag[2]}]" if tag[1] else f"</{tag[2]}>"
        close = text.find(closing, tag.end())
        close = text.lower().find(closing.lower(), tag.end()) if close < 0 else close
        if tag[1] and close < 0:
            continue
        mark = Mark("tag", tag.start(), None if close < 0 else text[tag.end() : close], end=close)
        named = not (mark.answer or "").strip() and (close >= 0 or _NAMED_TAG.match(text, tag.end()) is not None)
        found = found if unwritten(mark.answer) or (named and found is not None) else mark
    return found


def _field(text: str, least: int) -> Mark | None:
    """The last JSON field `"answer": …`."""
    *_, found = None, *_FIELD.finditer(text, least)
    if found is None:
        return None
    place, begin = found.start() + 1, found.end()
    value = _JSON_VALUE.match(text, begin)
    if value is None:
        return Mark("field", place, None, end=begin)
    answer = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), value[value.lastindex or 0])
    several = value[3] is not None and answer[0] in "[{"  # a list or an object is not one answer
    return Mark("field", place, "" if value[3] == "null" or unwritten(answer) else answer, several, value.end())


def is_one_turn(text: str) -> bool:
    """Whether a text surely has no thinking and no second turn."""
    if ("<" in text and _ANGLE.search(text)) or ("[" in text and _SQUARE.search(text)) or "◁" in text:
        return False  # there may be a tag or a token
    named = ":" in text or "：" in text or (">" in text and _NAMED.search(text) is not None)
    lines = _ANY_LINE if named else _NEXT_HEAD
    if lines.search(text) is not None or text.startswith("analysis"):
        return False
    return "?" not in text or not _next_questions(text)


def _next_questions(text: str) -> list[int]:
    """Where a question stands on a line of its own, behind a line that answers."""
    found = [line.start() for line in _ASKED_LINE.finditer(text)]
    before = (text[max(place - _LONGEST, 0) : place].rstrip().rpartition("\n")[2] for place in found)
    answered = [any(mark in line for mark in ("####", "\\boxed", "answer is")) for line in before]
    return [place for place, known in zip(found, answered, strict=True) if known]


def _turns(text: str) -> list[str]:
    """A text cut before each question or turn that the model adds."""
    found = [turn.start() for begins in (_NEXT_LINE, _TOKEN, _INST) for turn in begins.finditer(text)]
    return [text[a:b] for a, b in pairwise([0, *sorted(found), len(text)])]


def own_turns(text: str) -> list[str]:
    """The turns in which the answer may stand: all of them only where the first one answers nothing yet."""
    turns = _turns(text)
    if len(turns) == 1 or not any(map(str.isalnum, _ANY_TAG.sub("", turns[0]))):
        return turns
    if _NEXT_LINE.match(f"\n{turns[0].lstrip()}") is not None:
        return turns
    led = _LEAD_IN.fullmatch(turns[0]) is not None or turns[0].rstrip()[-1] == ":"
    before, behind = _STEP.findall(turns[0]), _STEP.findall(turns[1])
    steps = bool(before and behind) and int(behind[0]) == int(before[-1]) + 1  # the question stands between them
    restated = (led or steps) and turns[1].lstrip("\n")[:1] not in "<[uha"
    return turns if restated else turns[:1]


def parts(turn: str) -> list[str]:
    """A turn cut before each other speaker or task in it, of which the first part that answers counts."""
    listed = _LISTED.search(turn) is not None  # questions that the answer is made of
    found = [other.start() for other in _OTHERS.finditer(turn) if not (listed and other[0][1].isdigit())]
    found += [] if listed else _next_questions(turn)
    return [turn[a:b] for a, b in pairwise([0, *sorted(found), len(turn)])]
