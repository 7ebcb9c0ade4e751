"""A source to Question objects, strictly: all errors at once, nothing guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Unpack

from alft.errors import DataError, Problem
from alft.questions.fields import Problems, Row, Source, SourceOptions, meant_by
from alft.questions.model import Question
from alft.questions.presets import PRESETS, are_solutions, layout_of, mapped_rows, preset_rows
from alft.questions.rows import FIELDS, question
from alft.questions.sources import source_of

AnswerRule = Literal["uniform", "required", "partial"]
BadRows = Literal["drop", "error"]


def load_questions(
    source: str | Path | Source,
    *,
    answers: AnswerRule = "uniform",
    preset: str | None = None,
    columns: Mapping[str, str] | None = None,
    bad_rows: BadRows | None = None,
    **options: Unpack[SourceOptions],
) -> list[Question]:
    """Questions of a source, in its order; a duplicate is kept once, with a warning.

    A source is a JSONL, CSV or Parquet file (or .gz), a folder in the layout of a dataset repository,
    `hub:OWNER/NAME`, `reasoning-gym:NAME` or `starter`; `options` are those of `SourceOptions`.

    `answers` says which rows need a gold answer: `uniform` all or none of them, `required` all, `partial` any
    (null and the empty text then count as none). Either all rows have an id, or none.

    `preset` names a published schema (`PRESETS`). `columns` maps our fields, or those that the preset expects, to
    columns of the source, or to dotted paths in them (`{"answer": "reward_model.ground_truth"}`).

    A row that can't be used is left out with a warning (`bad_rows="drop"`, the default for presets), or an error
    (`"error"`, the default otherwise). A damaged file, or one without a usable row, is always an error.

    Raises ConfigError for options that don't fit, and DataError with all errors, each with file:line:column and a
    remedy.
    """
    source = source if isinstance(source, Source) else source_of(source, **options)
    problems = Problems(source.name, drop=(bad_rows or ("error" if preset is None else "drop")) == "drop")
    found = source.rows(problems)
    total = len(found) + problems.dropped
    if not total and not len(problems):
        problems.add("empty", source.name, "0 rows", 'write one JSON object per line, like {"question": "…"}')
    if columns:
        found = mapped_rows(found, columns, problems, FIELDS if preset is None else None)
    if preset is not None:
        found = preset_rows(found, preset, problems, partial=answers == "partial")
    elif (known := layout_of(found)) is not None:
        what, remedy = f"this looks like {PRESETS[known].title}", f"set data.preset: {known}"
        raise DataError(Problem(source.name, what, f"{remedy} (in Python preset='{known}')"))
    elif are_solutions(found):
        remedy = "set data.preset: math and data.columns: {problem: question, solution: answer}"
        raise DataError(Problem(source.name, "the answers are whole solutions with a \\boxed{…}", remedy))
    if found and not _has_column(found, "question", problems):
        problems.raise_any()
    kept = _unique(_complete(found, answers, problems), problems)
    problems.raise_any(usable=bool(kept))
    problems.warn(total)
    return kept


def _complete(found: Sequence[Row], answers: AnswerRule, problems: Problems) -> list[Row]:
    """Rows with the fields that every row needs, or that all or none should have."""
    if answers == "partial":
        for row in found:
            answer = row.fields.get("answer")
            if answer is None or (isinstance(answer, str) and not answer.strip()):
                row.fields.pop("answer", None)
    if answers == "required" and found:
        _has_column(found, "answer", problems)
    needed = {"id": "", "answer": "or allow it: --set data.answers=partial (in Python answers='partial')"}
    if answers == "partial":
        del needed["answer"]
    needed = {name: remedy for name, remedy in needed.items() if any(name in row.fields for row in found)}
    complete: list[Row] = []
    for row in found:
        wrong = Problems(problems.source)
        for name in [name for name in needed if name not in row.fields]:
            what = f"'{name}' is missing here but not in other rows"
            wrong.add(f"missing '{name}'", row.where, what, needed[name])
        if len(wrong):
            problems.reject(wrong)
        if not len(wrong) or not problems.drop:  # an error: what else is wrong with the row?
            complete.append(row)
    return complete


def _has_column(found: Sequence[Row], name: str, problems: Problems) -> bool:
    """Whether any row has a field; if none has, that is one error, with the fields that they do have."""
    if any(name in row.fields for row in found):
        return True
    columns = sorted({field for row in found for field in row.fields})
    what = f"no row has the field '{name}'; fields found: {', '.join(columns)}"
    meant = meant_by(name, columns)
    ours = f"set data.columns: {{{name}: {meant or '…'}}}"
    remedy = f"rename '{meant}' to '{name}', or {ours}" if meant else f"map a column to it: {ours}"
    problems.add(f"no '{name}'", problems.source, what, remedy)
    return False


def _unique(found: Sequence[Row], problems: Problems) -> list[Question]:
    """Questions by id: the same one twice is kept once; one id for two questions is an error."""
    kept: dict[str, tuple[Row, Question]] = {}
    for row in found:
        wrong = Problems(problems.source)
        asked = question(row, wrong)
        if asked is not None:
            first_row, first = kept.setdefault(asked.id, (row, asked))
            if first is not asked and first == asked:
                problems.note("the same question with the same id, read before: kept once", asked.place)
                continue
            if first is not asked:
                what = f"id '{asked.id}' belongs to another question, at {first_row.where}"
                wrong.add("repeated id", row.where, what, "give each question its own id")
        if len(wrong):
            problems.reject(wrong)
        else:
            problems.take(wrong)
    return [asked for _, asked in kept.values()]
