"""Files of questions to Question objects, strictly: every mistake in the file at once, nothing guessed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from alft.questions.fields import Row
from alft.questions.formats import read_rows
from alft.questions.model import DataWarning, Question, View
from alft.questions.presets import mapped_rows, preset_rows
from alft.questions.problems import Problems
from alft.questions.rows import question

AnswerRule = Literal["uniform", "required", "partial"]


def load_questions(
    path: str | Path,
    *,
    answers: AnswerRule = "uniform",
    preset: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> list[Question]:
    """Questions of a JSONL, CSV or Parquet file (or .gz), in its order; a double is kept once, with a warning.

    `answers` says which rows need a gold answer: `uniform` all or none of them, `required` all, `partial` any
    (null and the empty text then count as none). Ids are all given or all made from the row's number.

    `preset` names a well-known schema (`PRESETS`); `columns` maps our fields to the file's columns.

    Raises DataError with everything that is wrong, each with file:line:column and a remedy.
    """
    problems = Problems(path)
    found = read_rows(path, problems)
    if not found and len(problems) == 0:
        problems.add("empty", str(path), "0 rows", 'write one JSON object per line, like {"question": "…"}')
    if preset is not None:
        found = preset_rows(found, preset, problems)
    if columns is not None:
        found = mapped_rows(found, columns, problems)
    if found and not _has_column(found, "question", problems):
        problems.raise_any()
    _check_columns(found, answers, problems)
    read = [(row, question(row, problems)) for row in found]
    kept = _unique(read, problems)
    problems.raise_any()
    return kept


def dump_questions(questions: Iterable[Question], path: str | Path) -> None:
    """Write questions as JSONL that `load_questions` reads back equal.

    >>> import tempfile
    >>> asked = [Question("a", (View("1 + 1?", "view 1"), View("One and one?", "words")), "2")]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dump_questions(asked, folder + "/q.jsonl")
    ...     load_questions(folder + "/q.jsonl") == asked
    True
    """
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        for asked in questions:
            stream.write(json.dumps(_fields(asked), ensure_ascii=False) + "\n")


def _fields(asked: Question) -> dict[str, object]:
    """The JSON object of a question; what has its default value is left out."""
    first, *others = asked.views
    fields: dict[str, object] = {"id": asked.id, "question": first.text, "answer": asked.answer}
    if first.name != "view 1":
        fields["name"] = first.name
    fields["answer_map"] = None if first.answer_map is None else dict(first.answer_map)
    fields["views"] = [_view_fields(view) for view in others] or None
    fields["group"] = asked.group
    fields["aliases"] = asked.aliases or None
    return {name: value for name, value in fields.items() if value is not None}


def _view_fields(view: View) -> dict[str, object]:
    fields: dict[str, object] = {"text": view.text, "name": view.name}
    if view.answer_map is not None:
        fields["answer_map"] = dict(view.answer_map)
    return fields


def _check_columns(found: Sequence[Row], answers: AnswerRule, problems: Problems) -> None:
    """Fields that every row needs, or that all rows or none should have."""
    if answers == "partial":
        for row in found:
            answer = row.fields.get("answer")
            if answer is None or (isinstance(answer, str) and not answer.strip()):
                row.fields.pop("answer", None)
    if answers == "required":
        _has_column(found, "answer", problems)
    for name in ("id",) if answers == "partial" else ("id", "answer"):
        if any(name in row.fields for row in found):
            remedy = "or pass answers='partial'" if name == "answer" else ""
            _missing([row for row in found if name not in row.fields], name, remedy, problems)


def _has_column(found: Sequence[Row], name: str, problems: Problems) -> bool:
    """Whether any row has a field; if none has, that is one mistake, with the fields that they do have."""
    if any(name in row.fields for row in found):
        return True
    columns = sorted({field for row in found for field in row.fields})
    what = f"no row has the field '{name}'; fields found: {', '.join(columns)}"
    close = get_close_matches(name, columns, n=1)
    remedy = f"rename '{close[0]}' to '{name}'?" if close else f"every row needs '{name}'"
    problems.add(f"no '{name}'", problems.source, what, remedy)
    return False


def _missing(rows_without: Sequence[Row], name: str, remedy: str, problems: Problems) -> None:
    for row in rows_without:
        problems.add(f"missing '{name}'", row.where, f"'{name}' is missing here but not in other rows", remedy)


def _unique(read: Sequence[tuple[Row, Question | None]], problems: Problems) -> list[Question]:
    """Questions by id: the same one twice is kept once; one id for two questions is a mistake."""
    kept: dict[str, tuple[Row, Question]] = {}
    for row, asked in read:
        if asked is None:
            continue
        first_row, first = kept.setdefault(asked.id, (row, asked))
        if first is asked:
            continue
        if first == asked:
            message = f"{row.where}: question '{asked.id}' of {first_row.where} again: kept once"
            warnings.warn(message, DataWarning, stacklevel=3)
        else:
            what = f"id '{asked.id}' is also that of another question, at {first_row.where}"
            problems.add("repeated id", row.where, what, "give each question its own id")
    return [asked for _, asked in kept.values()]
