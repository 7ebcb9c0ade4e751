"""A source to Question objects, strictly: every mistake at once, nothing guessed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Unpack

from alft.errors import DataWarning
from alft.questions.fields import Problems, Row, Source, SourceOptions
from alft.questions.model import Question
from alft.questions.presets import mapped_rows, preset_rows
from alft.questions.rows import question
from alft.questions.sources import source_of

AnswerRule = Literal["uniform", "required", "partial"]


def load_questions(
    source: str | Path | Source,
    *,
    answers: AnswerRule = "uniform",
    preset: str | None = None,
    columns: Mapping[str, str] | None = None,
    **options: Unpack[SourceOptions],
) -> list[Question]:
    """Questions of a source, in its order; a double is kept once, with a warning.

    A source is a JSONL, CSV or Parquet file (or .gz), a folder in the layout of a dataset repository,
    `hub:OWNER/NAME`, `reasoning-gym:NAME` or `starter`; `options` say more about it (`SourceOptions`).

    `answers` says which rows need a gold answer: `uniform` all or none of them, `required` all, `partial` any
    (null and the empty text then count as none). Ids are all given or all made from the row's number.

    `preset` names a well-known schema (`PRESETS`); `columns` maps our fields to the source's columns; with
    both, the mapping gives the columns that the preset expects (`{"problem": "prompt"}`).

    Raises ConfigError for options that don't fit, and DataError with everything that is wrong, each with
    file:line:column and a remedy.
    """
    source = source if isinstance(source, Source) else source_of(source, **options)
    problems = Problems(source.name)
    found = source.rows(problems)
    if not found and len(problems) == 0:
        problems.add("empty", source.name, "0 rows", 'write one JSON object per line, like {"question": "…"}')
    if columns:
        found = mapped_rows(found, columns, problems, rest=preset is not None)
    if preset is not None:
        found = preset_rows(found, preset, problems, partial=answers == "partial")
    if found and not _has_column(found, "question", problems):
        problems.raise_any()
    _check_columns(found, answers, problems)
    read = [(row, question(row, problems)) for row in found]
    kept = _unique(read, problems)
    problems.raise_any()
    problems.warn()
    return kept


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
            allowed = "or say that it is meant: --set data.answers=partial (in Python answers='partial')"
            remedy = allowed if name == "answer" else ""
            _missing([row for row in found if name not in row.fields], name, remedy, problems)


def _has_column(found: Sequence[Row], name: str, problems: Problems) -> bool:
    """Whether any row has a field; if none has, that is one mistake, with the fields that they do have."""
    if any(name in row.fields for row in found):
        return True
    columns = sorted({field for row in found for field in row.fields})
    what = f"no row has the field '{name}'; fields found: {', '.join(columns)}"
    close = get_close_matches(name, columns, n=1)
    remedy = f"rename '{close[0]}' to '{name}'?" if close else f"map it: columns={{'{name}': '…'}}, data.columns"
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
