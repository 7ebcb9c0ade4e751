r"""Published schemas: GSM8K, MATH, SVAMP, TriviaQA, multiple choice (MMLU, ARC), GPQA, verl; and columns by name.

A preset turns the fields of a row, as published, into the fields of a question, and ignores columns that it does
not need. `layout_of` recognizes such a file when no preset is given.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from string import ascii_uppercase
from types import MappingProxyType
from typing import Final

from alft.answers import canonical, extract, kind
from alft.answers.marks import box_at, places_of_boxes
from alft.errors import ConfigError, Problem
from alft.questions.fields import Fields, Number, Problems, Row, did_you_mean
from alft.questions.options import lettered

_VALUES: Final = MappingProxyType({"units": "drop", "percent": "drop"})
_NUMBERS: Final = MappingProxyType({"kind": "number", **_VALUES})
_OPTIONS: Final = MappingProxyType({"kind": "option"})
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


def preset_rows(rows: Sequence[Row], name: str, problems: Problems, *, partial: bool = False) -> list[Row]:
    """Rows in our fields; one that the preset can't read is rejected.

    With `partial`, a question whose answer can't be read is kept without an answer. Aliases that can't be read are
    left out. Raises ConfigError if there is no such preset.
    """
    if name not in PRESETS:
        raise ConfigError(Problem("preset", f"no preset '{name}'", did_you_mean(name, list(PRESETS))))
    kept: list[Row] = []
    for row in rows:
        wrong = Problems(problems.source)
        try:
            fields = _readable(row, PRESETS[name].read(row.fields), problems, partial=partial)
            kept.append(replace(row, fields=Fields(fields)))
        except KeyError as error:
            columns = ", ".join(row.fields)
            wrong.add(f"no column {error}", row.where, f"preset '{name}' needs {error}; found: {columns}")
        except ValueError as error:
            what, *remedy = error.args
            wrong.add(what.partition(": ")[0], row.where, f"preset '{name}': {what}", *remedy)
        if len(wrong):
            problems.reject(wrong)
    if rows and not kept and (other := layout_of(rows)) not in (None, name):
        what = f"no row has the schema '{name}'; this looks like {PRESETS[other].title}"
        problems.add("layout", problems.source, what, f"set data.preset: {other}")
    return kept


def layout_of(rows: Sequence[Row]) -> str | None:
    """The preset whose schema most of the first rows have; None for our own fields, or an unknown schema."""
    sample = rows[:_SAMPLE]
    for name, preset in PRESETS.items():
        if 2 * sum(_fits(preset, row.fields) for row in sample) > len(sample):
            return name
    return None


def are_solutions(rows: Sequence[Row]) -> bool:
    """Whether most of the first answers are texts around a box, and not answers."""
    answers = [text for row in rows[:_SAMPLE] if isinstance(text := row.fields.get("answer"), str)]
    boxes = [last_box(text) is not None and not text.lstrip(" $").startswith("\\boxed") for text in answers]
    return 2 * sum(boxes) > len(boxes)


def _fits(preset: Preset, fields: Mapping[str, object]) -> bool:
    try:
        preset.read(fields)
    except (KeyError, ValueError):
        return False
    return True


def _readable(row: Row, fields: dict[str, object], problems: Problems, *, partial: bool) -> Mapping[str, object]:
    """The fields without aliases that can't be read; with `partial` also without such an answer."""
    aliases, answer = fields.get("aliases"), fields.get("answer")
    if isinstance(aliases, list):
        good = [alias for alias in aliases if isinstance(alias, str) and canonical(alias) is not None]
        if len(good) < len(aliases):
            problems.note("aliases that can't be read are left out", row.where)
        fields = fields | {"aliases": good or None}
    if isinstance(answer, str) and not isinstance(answer, _Unreadable) and extract(f"\\boxed{{{answer}}}") is None:
        answer = _Unreadable(f"the answer can't be read in a completion: {answer!r:.60}")
    if isinstance(answer, _Unreadable):
        if not partial:
            raise ValueError(str(answer), "data.answers: partial keeps the question without an answer")
        problems.note("the answer can't be read: the question is kept without it", row.where)
        fields = fields | {"answer": None}
    return {name: value for name, value in fields.items() if value is not None}


def mapped_rows(
    rows: Sequence[Row], columns: Mapping[str, str], problems: Problems, known: Sequence[str] | None = None
) -> list[Row]:
    """Rows in which `columns` (our field → a column, or a dotted path into one) are added to the fields.

    Of the other columns only those that are `known` are kept; all of them if that is None.
    """
    for ours, path in columns.items():
        if rows and not any(_at(row.fields, path) for row in rows):
            problems.add(
                f"column {path}", problems.source, f"no column '{path}' for '{ours}'", _nearest(rows, path)
            )
    return [replace(row, fields=_mapped(row.fields, columns, known)) for row in rows]


def _mapped(fields: Fields, columns: Mapping[str, str], known: Sequence[str] | None) -> Fields:
    used = {*columns, *columns.values()}
    kept = {name: fields[name] for name in fields if name not in used and (known is None or name in known)}
    return Fields(kept | {ours: found[0] for ours, path in columns.items() if (found := _at(fields, path))})


def _nearest(rows: Sequence[Row], path: str) -> str:
    """Remedy for a path that no row has: the columns, or the fields of the one that it begins with."""
    first, _, rest = path.partition(".")
    inside = {name for row in rows if isinstance(given := row.fields.get(first), Mapping) for name in given}
    if rest and inside:
        return f"fields of '{first}': {', '.join(sorted(inside))}"
    return did_you_mean(path, sorted({name for row in rows for name in row.fields}))


def _at(fields: Mapping[str, object], path: str) -> tuple[object, ...]:
    """The value of a column, or at a dotted path in one (`choices.text`, `turns.0.value`); else empty."""
    if path in fields:
        return (fields[path],)
    value: object = fields
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif (
            isinstance(value, list) and re.fullmatch(r"-?\d{1,6}", part) and -len(value) <= int(part) < len(value)
        ):
            value = value[int(part)]
        else:
            return ()
    return (value,)


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
        _, mark, number = _text(fields, "answer").rpartition("####")
        if not mark:
            raise ValueError("'answer' does not end with '#### …'")
    answer = str(number).strip()
    if kind(answer) != "number":
        raise ValueError(f"the answer after #### is not a number: {answer!r:.40}")
    return {"question": fields["question"], "answer": answer}


def _math(fields: Mapping[str, object]) -> dict[str, object]:
    """problem; answer (MATH-500), or the last box of solution; unique_id."""
    answer = fields.get("answer")
    if isinstance(answer, str) and (box := last_box(answer)) is not None:
        answer = box
    elif answer is None or not str(answer).strip():
        answer = last_box(_text(fields, "solution"))
        if answer is None:
            answer = _Unreadable("'solution' has no closed \\boxed{…}")
        elif canonical(answer) is None:
            answer = _Unreadable("the last box of 'solution' is empty")
    return {"id": fields.get("unique_id"), "question": fields["problem"], "answer": answer}


def _svamp(fields: Mapping[str, object]) -> dict[str, object]:
    """ID, Body, Question, Answer."""
    answer = str(fields["Answer"]).strip()
    if kind(answer) != "number":
        raise ValueError(f"'Answer' is not a number: {answer!r:.40}")
    answer = answer.rstrip("0").rstrip(".") if re.fullmatch(r"-?\d+\.0*", answer) else answer
    text = f"{_text(fields, 'Body').strip()} {_text(fields, 'Question').strip()}"
    return {"id": fields.get("ID"), "question": text, "answer": answer}


def _triviaqa(fields: Mapping[str, object]) -> dict[str, object]:
    """question, question_id; answer: a map with value and aliases."""
    answer = fields["answer"]
    if not isinstance(answer, Mapping) or not isinstance(answer.get("value"), str):
        raise ValueError("'answer' is not a map with 'value' and 'aliases'")
    given = answer.get("aliases")
    aliases = [alias for alias in given if alias != answer["value"]] if isinstance(given, list) else []
    question = {"id": fields.get("question_id"), "question": fields["question"]}
    known = answer["value"] != "<unk>"  # in the published test split
    return question | ({"answer": answer["value"], "aliases": aliases or None} if known else {})


def _multiple_choice(fields: Mapping[str, object]) -> dict[str, object]:
    """question(_stem); choices or options; answer, answerKey or correct: a label, a number from 0, or the text.

    Choices are a list, a map of label → text, or a map of `text` and `label` with a list each (ARC).
    """
    given = fields["choices"] if "choices" in fields else fields["options"]
    options, labels = given, None
    if isinstance(given, Mapping):
        options, labels = given.get("text", list(given.values())), given.get("label", list(given))
    if not isinstance(options, list) or not 2 <= len(options) <= 26 or not all(map(_is_text, options)):
        raise ValueError("the choices are not a list of 2 to 26 texts")
    _different(options)
    if all(option[:2] == f"{letter})" for letter, option in zip(ascii_uppercase, options, strict=False)):  # AQuA
        options = [option[2:].strip() for option in options]
    answer = next((fields[name] for name in ("answer", "answerKey", "correct") if name in fields), None)
    if not isinstance(labels, list) or len(labels) != len(options):  # the text "1" could count from 0 or from 1
        labels = range(26) if isinstance(answer, Number) else ascii_uppercase
    names = [*options, *labels[: len(options)]]
    right = {str(name).strip(): ascii_uppercase[place % len(options)] for place, name in enumerate(names)}
    answer = "" if answer is None else str(answer).strip()
    if answer and answer not in right:  # `b`, `(B)`, 1.0
        answer = answer.removesuffix(".0") if isinstance(fields.get("answer"), Number) else str(canonical(answer))
    meant = {place % len(options) for place, name in enumerate(names) if str(name).strip() == answer}
    if len(meant) > 1 and not isinstance(fields.get("answer"), Number):
        raise ValueError(f"the answer is the label of one choice and the text of another: {answer!r:.40}")
    if answer and answer not in right:
        raise ValueError(f"the answer is none of the choices: {answer!r:.40}")
    question = lettered(_text(fields, "question" if "question" in fields else "question_stem"), options)
    return {"id": fields.get("question_id", fields.get("id")), "question": question, "answer": right.get(answer)}


def _gpqa(fields: Mapping[str, object]) -> dict[str, object]:
    """Question, Correct Answer, Incorrect Answer 1 to 3, Record ID; a hash decides the order of the options."""
    question = _text(fields, "Question").strip()
    right = _text(fields, "Correct Answer").strip()
    options = [right, *(_text(fields, f"Incorrect Answer {n}").strip() for n in (1, 2, 3))]
    _different(options)
    options.sort(key=lambda option: hashlib.sha256(f"{question}\n{option}".encode()).digest())
    answer = ascii_uppercase[options.index(right)]
    return {"id": fields.get("Record ID"), "question": lettered(question, options), "answer": answer}


def _verl(fields: Mapping[str, object]) -> dict[str, object]:
    """prompt: chat messages; reward_model.ground_truth: the answer, or a list of right answers."""
    prompt, model = fields["prompt"], fields["reward_model"]
    truth = model.get("ground_truth") if isinstance(model, Mapping) else None
    truth = truth.get("target") if isinstance(truth, Mapping) else truth
    answers = truth if isinstance(truth, list) else [truth]
    if not answers or not all(map(_is_text, answers)):
        raise ValueError("'reward_model.ground_truth' is not a text, or a list of texts")
    return {"question": prompt, "answer": answers[0], "aliases": answers[1:] or None}


def _different(options: Sequence[str]) -> None:
    if len({" ".join(option.split()) for option in options}) < len(options):
        raise ValueError("two choices are the same")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or isinstance(value, Number) or not value.strip():
        raise ValueError(f"'{name}' is not a text, or is empty")
    return value


PRESETS: Final[dict[str, Preset]] = {
    "gsm8k": Preset("GSM8K", _gsm8k, _NUMBERS),
    "math": Preset("MATH", _math, _VALUES),
    "svamp": Preset("SVAMP", _svamp, _NUMBERS),
    "triviaqa": Preset("TriviaQA", _triviaqa),
    "multiple-choice": Preset("multiple choice, like MMLU or ARC", _multiple_choice, _OPTIONS),
    "gpqa": Preset("GPQA", _gpqa, _OPTIONS),
    "verl": Preset("data for verl", _verl),
}
