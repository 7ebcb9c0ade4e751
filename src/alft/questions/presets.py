r"""Published schemas, by kind: GSM8K, SVAMP, MATH, short answers, choices, verl; and columns by name.

A preset turns the fields of a row, as published, into the fields of a question, and ignores columns that it does
not need. `layout_of` recognizes such a file when no preset is given. words.toml lists the names of columns.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from alft.answers import canonical, extract, kind
from alft.answers.marks import box_at, places_of_boxes
from alft.answers.values import MAGNITUDES
from alft.errors import ConfigError, Problem
from alft.questions.fields import (
    Fields,
    Number,
    Problems,
    Row,
    asked_in,
    column,
    did_you_mean,
    is_text,
    needed,
    plain_text,
    text_at,
    unused_columns,
)
from alft.questions.options import base_of, listed_choices, multiple_choice

_VALUES: Final = {"units": "drop", "percent": "drop"}
_NUMBERS: Final = {"kind": "number", **_VALUES}
_OPTIONS: Final = {"kind": "option"}
_SAMPLE: Final = 50  # rows that tell the layout of a file


class _Unreadable(str):
    """In place of an answer that can't be read: why not."""


@dataclass(frozen=True)
class Preset:
    """A published schema: its `title`, how to `read` a row, and the `answers` settings that its gold needs.

    `read` takes the fields as published and returns the fields of a question. It raises KeyError for a column that
    is missing, and ValueError for a row that can't be used. `answers` are fields of the configuration's section
    `answers`, for those that the user leaves open.
    """

    title: str
    read: Callable[[Mapping[str, object]], dict[str, object]]
    answers: Mapping[str, str] = field(default_factory=dict)


def preset_rows(rows: Sequence[Row], name: str, problems: Problems, *, keep: bool = False) -> list[Row]:
    """Rows in our fields; one that the preset can't read is rejected.

    With `keep`, a question whose answer can't be read is kept without an answer. Aliases that can't be read are
    left out. Raises ConfigError if there is no such preset.
    """
    if name not in PRESETS:
        raise ConfigError(Problem("preset", f"no preset '{name}'", did_you_mean(name, list(PRESETS))))
    kept: list[Row] = []
    read = _reader(name, rows)
    for row in rows:
        with problems.of_row() as wrong:
            try:
                fields = _readable(row, read(row.fields), problems, keep=keep)
                kept.append(replace(row, fields=Fields(fields)))
                for unused in unused_columns(row.fields, str(fields.get("question"))):
                    problems.note(f"'{unused}' is not read: write it into the question if needed", row.where)
            except KeyError as error:
                what = f"preset '{name}' needs {error}; found: {', '.join(row.fields)}"
                wrong.add(f"no column {error}", row.where, what)
            except ValueError as error:
                what, *remedy = error.args
                wrong.add(what.partition(": ")[0], row.where, f"preset '{name}': {what}", *remedy)
    if rows and not kept and (other := layout_of(rows)) not in (None, name):
        what = f"no row has the schema '{name}'; this looks like {PRESETS[other].title}"
        problems.add("layout", problems.source, what, f"set data.preset: {other}")
    return kept


def layout_of(rows: Sequence[Row]) -> str | None:
    """The preset whose schema half of the first rows have; None for our own fields, or an unknown schema."""
    sample = rows[:_SAMPLE]
    for name in PRESETS:
        read = _reader(name, sample)
        if 2 * sum(_fits(name, read, row.fields) for row in sample) >= max(len(sample), 1):
            return name
    return None


def _reader(name: str, rows: Sequence[Row]) -> Callable[[Mapping[str, object]], dict[str, object]]:
    read = PRESETS[name].read
    return partial(multiple_choice, base=base_of(row.fields for row in rows)) if read is multiple_choice else read


def _fits(name: str, read: Callable[[Mapping[str, object]], dict[str, object]], fields: Fields) -> bool:
    """Whether a preset reads a row, and not only what the columns hold as they are."""
    try:
        found = read(fields)
    except (KeyError, ValueError):
        return False
    asked, given = column(fields, "question"), fields.get(column(fields, "answer") or "")
    if name not in ("math", "short-answer") or (name == "math" and str(asked).lower() == "problem"):
        return True
    same = isinstance(given, str | float) and canonical(str(given)) == canonical(str(found["answer"]))
    return not isinstance(found["answer"], _Unreadable) and not (same and found["question"] == fields[str(asked)])


def _readable(row: Row, fields: dict[str, object], problems: Problems, *, keep: bool) -> Mapping[str, object]:
    """The fields without aliases that can't be read; with `keep` also without such an answer."""
    aliases, answer = fields.get("aliases"), fields.get("answer")
    if isinstance(aliases, list):
        good = [alias for alias in aliases if isinstance(alias, str) and canonical(alias) is not None]
        if len(good) < len(aliases):
            problems.note("aliases that can't be read are left out", row.where)
        fields = fields | {"aliases": good or None}
    if isinstance(answer, str) and not isinstance(answer, _Unreadable) and extract(f"\\boxed{{{answer}}}") is None:
        answer = _Unreadable(f"the answer can't be read in a completion: {answer!r:.60}")
    if isinstance(answer, _Unreadable):
        if not keep:
            raise ValueError(str(answer), "data.answers: partial keeps the question without an answer")
        problems.note("the answer can't be read: the question is kept without it", row.where)
        fields = fields | {"answer": None}
    return {name: value for name, value in fields.items() if value is not None}


def last_box(text: str) -> str | None:
    r"""Content of the last `\boxed` or `\fbox` of a solution, by its braces; None if there is none, or it is open.

    >>> last_box(r"\boxed{2}, so \boxed{\frac{1}{2}}. The answer is clear."), last_box(r"\boxed{2"), last_box("2")
    ('\\frac{1}{2}', None, None)
    """
    boxes = [box for place in places_of_boxes(text) if (box := box_at(text, place)) is not None]
    return boxes[-1].answer.strip() if boxes and boxes[-1].answer is not None else None


def _gsm8k(fields: Mapping[str, object]) -> dict[str, object]:
    """question; answer: a solution that ends in `#### 72`; or answer_number (MGSM)."""
    number = fields.get("answer_number")
    if number is None:
        _, mark, number = text_at(fields, "answer").rpartition("####")
        if not mark:
            raise ValueError("'answer' does not end with '#### …'")
    return {"question": asked_in(fields), "answer": _number(number, "the answer after ####")}


def _svamp(fields: Mapping[str, object]) -> dict[str, object]:
    """ID, Body, Question, Answer: a number, or one with what it counts, `9 (apples)` (ASDiv) or `9 apples`."""
    if "body" not in map(str.lower, fields):
        raise KeyError("Body")
    given = str(fields[name := needed(fields, "one_answer")])
    counted = re.search(r"\s*\(([^()\d]*)\)$|(?<=\d)\s+([^\W\d]+)$", given)
    thing = "" if counted is None else (counted[1] or counted[2] or "").lower().removesuffix("s")
    if counted is not None and MAGNITUDES.isdisjoint(thing.split()):
        given = given[: counted.start()]
    return {"id": fields.get("ID"), "question": asked_in(fields), "answer": _number(given, f"'{name}'")}


def _math(fields: Mapping[str, object]) -> dict[str, object]:
    """problem; answer (MATH-500), in a list or not, or the last box of solution; unique_id."""
    name = column(fields, "one_answer")
    answer = fields[name] if name else None
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    if answer is not None and (isinstance(answer, bool) or not isinstance(answer, str | float)):
        raise ValueError(f"'{name}' is not one answer")
    answer = plain_text(answer)
    if (box := last_box(answer)) is not None:
        answer = box
    elif not answer:
        answer = last_box(text_at(fields, column(fields, "solution") or "solution"))
        if answer is None:
            answer = _Unreadable("'solution' has no closed \\boxed{…}")
        elif canonical(answer) is None:
            answer = _Unreadable("the last box of 'solution' is empty")
    elif answer.lower() in _NO_ANSWERS:
        answer = _Unreadable(f"'{name}' is no answer: {answer!r}")
    return {"id": fields.get("unique_id"), "question": asked_in(fields), "answer": answer}


def _short_answer(fields: Mapping[str, object]) -> dict[str, object]:
    """question, after its context or passage; answer: a text, a list of right ones, true or false, or a map."""
    if listed_choices(fields) is not None:
        remedy = "set data.preset: multiple-choice"
        raise ValueError(f"'answers' lists choices, and '{column(fields, 'gold')}' says which is right", remedy)
    if str(fields.get("label")) == "0" and "answer" in fields:  # MultiRC
        raise ValueError("'label' is 0: 'answer' is a wrong one")
    first, *others = _accepted(fields[name := needed(fields, "accepted")], name)
    more = fields.get(column(fields, "aliases") or "")
    others += map(str, more) if isinstance(more, list) and all(map(is_text, more)) else []
    asked = {"id": fields.get(column(fields, "id") or ""), "question": asked_in(fields)}
    if first == "<unk>":  # TriviaQA's published test split
        return asked
    return asked | {"answer": first, "aliases": [other for other in others if other != first] or None}


def _triviaqa(fields: Mapping[str, object]) -> dict[str, object]:
    """question, question_id; answer: a map with value and aliases."""
    if not isinstance(answer := fields["answer"], Mapping) or not isinstance(answer.get("value"), str):
        raise ValueError("'answer' is not a map with 'value' and 'aliases'")
    return _short_answer(fields)


def _verl(fields: Mapping[str, object]) -> dict[str, object]:
    """prompt: chat messages; reward_model.ground_truth: the answer, or a list of right answers."""
    model = fields["reward_model"]
    truth = model.get("ground_truth") if isinstance(model, Mapping) else None
    answer, *others = _accepted(truth, "reward_model.ground_truth")
    return {"question": fields["prompt"], "answer": answer, "aliases": others or None}


def _gpqa(fields: Mapping[str, object]) -> dict[str, object]:
    """Question, Correct Answer, Incorrect Answer 1 to 3, Record ID; a hash decides the order of the options."""
    _ = fields["Correct Answer"], fields["Incorrect Answer 1"]  # a KeyError says that it is another layout
    return multiple_choice(fields)


def _accepted(value: object, name: str) -> list[str]:
    """Right answers: a text, true or false, a list, JSON of one, or a map (TriviaQA, SQuAD, DROP)."""
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    aliases = value.get("aliases") if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        inner = next((inner for inner in ("value", "target", "text", "spans", "number") if value.get(inner)), "")
        if inner == "target" and len(value) > 1 and isinstance(value[inner], Number | int):  # Countdown
            raise ValueError(f"'{name}' is a task for a checker ({', '.join(value)}), and no answer")
        value = value.get(inner)
        if inner == "spans" and isinstance(value, list) and len(set(value)) > 1:
            raise ValueError(f"'{name}' has several spans, which may be one answer together")
    elif isinstance(value, str) and (read := _json(value)) is not None:
        if any(isinstance(item, dict) for item in read):
            raise ValueError(f"'{name}' is JSON, such as the tests of a program, and no answer")
        value = read if all(map(is_text, read)) else value
    found = [*(value if isinstance(value, list) else [value]), *(aliases if isinstance(aliases, list) else [])]
    if not found or not all(map(is_text, found)):
        raise ValueError(f"'{name}' is not a text, or a list of texts")
    return [str(item) for item in found]


def _json(text: str) -> list[object] | None:
    """The list of texts or objects that a text is in JSON; None for any other text."""
    try:
        read = json.loads(text) if text.startswith(("[", "{")) else None
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, list) else [read] if isinstance(read, dict) else None


def _number(value: object, called: str) -> str:
    answer = str(value).strip()
    if kind(answer) != "number":
        raise ValueError(f"{called} is not a number: {answer!r:.40}")
    return plain_text(Number(answer))


_NO_ANSWERS: Final = ("proof", "notfound", "none", "n/a")
PRESETS: Final[dict[str, Preset]] = {
    "gsm8k": Preset("GSM8K", _gsm8k, _NUMBERS),
    "svamp": Preset("SVAMP", _svamp, _NUMBERS),
    "verl": Preset("data for verl", _verl),
    "gpqa": Preset("GPQA", _gpqa, _OPTIONS),
    "multiple-choice": Preset("multiple choice, like MMLU or ARC", multiple_choice, _OPTIONS),
    "triviaqa": Preset("TriviaQA", _triviaqa),
    "short-answer": Preset("questions with short answers, like SQuAD or BoolQ", _short_answer),
    "math": Preset("MATH", _math, _VALUES),
}
