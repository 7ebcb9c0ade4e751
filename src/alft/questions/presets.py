"""Well-known schemas to ours: GSM8K, MATH, TriviaQA, multiple choice (MMLU), GPQA; and a mapping of columns.

Each preset is a function from the fields of a row, as the file has them, to the fields of a question. It is told
by name, works on local files in JSONL, CSV or Parquet, and passes over columns that it does not need.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from string import ascii_uppercase
from typing import Final

from alft.answers import canonical, extract
from alft.errors import ConfigError, DataWarning, Problem
from alft.questions.fields import Fields, Problems, Row, did_you_mean
from alft.questions.options import lettered


class Unreadable(str):
    """In the place of an answer that can't be read: why not."""


Preset = Callable[[Mapping[str, object]], dict[str, object]]


def preset_rows(rows: Sequence[Row], name: str, problems: Problems, *, partial: bool = False) -> list[Row]:
    """Rows in our fields; a row that the preset can't read is a mistake with its place.

    With `partial` a question whose answer can't be read has none; aliases that can't be read are left out. Both
    with a warning.

    Raises ConfigError if there is no such preset.
    """
    if name not in PRESETS:
        raise ConfigError(Problem("preset", f"there is no preset '{name}'", did_you_mean(name, list(PRESETS))))
    read: list[Row] = []
    for row in rows:
        try:
            read.append(replace(row, fields=Fields(_kept(row, PRESETS[name](row.fields), partial=partial))))
        except KeyError as error:
            columns = ", ".join(row.fields)
            problems.add(f"no column {error}", row.where, f"preset '{name}' needs {error}; found: {columns}")
        except ValueError as error:
            problems.add(f"preset {name}", row.where, f"preset '{name}': {error}")
    return read


def _kept(row: Row, fields: dict[str, object], *, partial: bool) -> dict[str, object]:
    """The fields without aliases that nothing can be read in, and without an answer that can't be told."""
    aliases = fields.get("aliases")
    if isinstance(aliases, list):
        good = [alias for alias in aliases if isinstance(alias, str) and canonical(alias) is not None]
        if len(good) < len(aliases):
            told = f"{len(aliases) - len(good)} aliases can't be read: left out"
            warnings.warn(f"{row.where}: {told}", DataWarning, stacklevel=3)
        fields = _without_none(fields | {"aliases": good or None})
    if isinstance(fields.get("answer"), Unreadable):
        if not partial:
            raise ValueError(f"{fields['answer']}; data.answers: partial reads the question without it")
        warnings.warn(f"{row.where}: {fields['answer']}: no answer", DataWarning, stacklevel=3)
        fields = {name: value for name, value in fields.items() if name != "answer"}
    return fields


def mapped_rows(
    rows: Sequence[Row], columns: Mapping[str, str], problems: Problems, *, rest: bool = False
) -> list[Row]:
    """Rows with their columns renamed as `columns` says (our field → their column); `rest` keeps the others."""
    found = {name for row in rows for name in row.fields}
    for field, column in columns.items():
        if rows and column not in found:
            remedy = did_you_mean(column, sorted(found))
            problems.add(f"column {column}", problems.source, f"no column '{column}' for '{field}'", remedy)
    return [replace(row, fields=_mapped(row.fields, columns, rest=rest)) for row in rows]


def _mapped(fields: Fields, columns: Mapping[str, str], *, rest: bool) -> Fields:
    others = {name: value for name, value in fields.items() if rest and name not in columns.values()}
    return Fields(others | {field: fields[column] for field, column in columns.items() if column in fields})


def _gsm8k(fields: Mapping[str, object]) -> dict[str, object]:
    """question; answer: the solution, with `#### 72` at its end."""
    solution = _text(fields, "answer")
    _, mark, answer = solution.rpartition("####")
    if not mark or not answer.strip():
        raise ValueError("'answer' does not end with '#### …'")
    return {"question": fields["question"], "answer": answer.strip()}


def _math(fields: Mapping[str, object]) -> dict[str, object]:
    """problem; solution with a box at its end, or answer (MATH-500); level and type are passed over."""
    answer = fields.get("answer")
    if answer is None:
        answer = extract(_text(fields, "solution"))
        if answer is None:
            answer = Unreadable("'solution' has no \\boxed answer that can be read")
    identity = fields.get("unique_id")
    return _without_none({"id": identity, "question": fields["problem"], "answer": answer})


def _triviaqa(fields: Mapping[str, object]) -> dict[str, object]:
    """question, question_id; answer: a map with value and aliases."""
    answer = fields["answer"]
    if not isinstance(answer, Mapping) or not isinstance(answer.get("value"), str):
        raise ValueError("'answer' is not a map with 'value' and 'aliases'")
    given = answer.get("aliases")
    aliases = [alias for alias in given if alias != answer["value"]] if isinstance(given, list) else []
    identity = fields.get("question_id")
    return _without_none(
        {"id": identity, "question": fields["question"], "answer": answer["value"], "aliases": aliases or None}
    )


def _multiple_choice(fields: Mapping[str, object]) -> dict[str, object]:
    """question, choices or options; answer: a letter, or a place counted from 0 (MMLU and MMLU-Pro)."""
    options = fields["choices"] if "choices" in fields else fields["options"]
    if (
        not isinstance(options, list)
        or not 2 <= len(options) <= 26
        or not all(isinstance(o, str) for o in options)
    ):
        raise ValueError("the choices are not a list of 2 to 26 texts")
    if len({option.strip() for option in options}) < len(options):
        raise ValueError("two choices are the same")
    answer = fields.get("answer")
    letters = ascii_uppercase[: len(options)]
    if answer is not None:
        answer = letters[int(str(answer))] if str(answer) in map(str, range(len(options))) else str(answer).strip()
        if answer not in tuple(letters):
            raise ValueError(f"'answer' is {answer!r:.40}, not one of {', '.join(letters)} or its place from 0")
    identity = fields.get("question_id", fields.get("id"))
    return _without_none(
        {"id": identity, "question": lettered(_text(fields, "question"), options), "answer": answer}
    )


def _gpqa(fields: Mapping[str, object]) -> dict[str, object]:
    """Question, Correct Answer, Incorrect Answer 1 to 3, Record ID; the order of options is fixed by a hash."""
    question = _text(fields, "Question").strip()
    right = _text(fields, "Correct Answer").strip()
    options = [right, *(_text(fields, f"Incorrect Answer {n}").strip() for n in (1, 2, 3))]
    if len(set(options)) < len(options):
        raise ValueError("two options are the same")
    options.sort(key=lambda option: hashlib.sha256(f"{question}\n{option}".encode()).digest())
    answer = ascii_uppercase[options.index(right)]
    return _without_none(
        {"id": fields.get("Record ID"), "question": lettered(question, options), "answer": answer}
    )


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"'{name}' is not a text with something in it")
    return value


def _without_none(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


PRESETS: Final[dict[str, Preset]] = {
    "gsm8k": _gsm8k,
    "math": _math,
    "triviaqa": _triviaqa,
    "multiple-choice": _multiple_choice,
    "gpqa": _gpqa,
}
