"""A source to Question objects, strictly: all errors at once, nothing guessed."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Unpack

from alft.errors import DataError, Problem
from alft.questions.fields import (
    Fields,
    Problems,
    Row,
    Source,
    SourceOptions,
    column,
    did_you_mean,
    meant_by,
    parallel,
    unused_columns,
)
from alft.questions.model import Question
from alft.questions.presets import PRESETS, layout_of, preset_rows
from alft.questions.rows import FIELDS, question
from alft.questions.sources import source_of

AnswerRule = Literal["uniform", "required", "partial", "solved"]
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
    (null and the empty text then count as none), `solved` all, which may be whole completions. Either all rows
    have an id, or none.

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
    first = found[0].fields if len(found) == 1 else {}
    lists = [value for name, value in first.items() if isinstance(value, list) and len(value) > 1]
    texts = [text for text in lists[0] if isinstance(text, str)] if lists else []
    if len(lists) > 1 and {*map(len, lists)} == {len(texts)} and first.get("question") in lists:
        what = "one object holds all rows, as a list for each column"
        raise DataError(Problem(source.name, what, "write one object for each question"))
    if columns:
        found = _mapped_rows(found, columns, problems, FIELDS if preset is None else None)
    if preset is not None:
        found = preset_rows(found, preset, problems, keep=answers == "partial")
    elif answers != "solved" and (known := layout_of(found)) is not None:
        what, remedy = f"this looks like {PRESETS[known].title}", f"set data.preset: {known}"
        raise DataError(Problem(source.name, what, f"{remedy} (in Python preset='{known}')"))
    elif any("question" in row.fields for row in found):
        found = _own(found, problems)
    if found and not _has_column(found, "question", problems):
        problems.raise_any()
    kept = _unique(_complete(found, answers, problems), problems)
    problems.raise_any(usable=bool(kept))
    problems.warn(total)
    return kept


def _own(found: Sequence[Row], problems: Problems) -> list[Row]:
    """Rows without the unknown fields that most of them have, which are one error together."""
    counts = Counter(name for row in found for name in row.fields if name not in FIELDS)
    foreign = [name for name, count in counts.items() if 2 * count > len(found)]
    if not foreign:
        return list(found)
    meant = None if any("answer" in row.fields for row in found) else meant_by("answer", foreign)
    what = f"unknown field{'s' * (len(foreign) > 1)} {', '.join(map(repr, foreign))}"
    ignored = f"data.columns: {{{f'answer: {meant}' if meant else 'question: question'}}}"
    remedy = f"did you mean 'answer'? set {ignored}" if meant else f"ignore what is not needed by {ignored}"
    remedy = _incomplete(foreign_fields := {name: found[0].fields.get(name) for name in foreign}) or remedy
    if lost := unused_columns(foreign_fields, ""):
        remedy += f"; if a question needs {' or '.join(lost)}, write it into its text"
    problems.add("unknown fields", problems.source, what, f"{remedy}; put other data under 'metadata'")
    kept = ({k: v for k, v in row.fields.items() if k not in foreign} for row in found)
    return [replace(row, fields=Fields(fields)) for row, fields in zip(found, kept, strict=True)]


def _incomplete(fields: Mapping[str, object]) -> str | None:
    """Remedy for columns that a question needs beside its text; None if there are none."""
    apart = parallel(fields, "parallel")
    listed = f"choices {', '.join(apart)}" if apart else None
    lost = column(fields, "about") or column(fields, "choices") or listed
    remedy = f"no preset reads these: write '{lost}' into the text of 'question', and the answer into 'answer'"
    return remedy if lost else None


def _complete(found: Sequence[Row], answers: AnswerRule, problems: Problems) -> list[Row]:
    """Rows with the fields that every row needs, or that all or none should have."""
    needed = {"id": "give all rows an id, or none"}
    if answers == "partial":
        for row in found:
            answer = row.fields.get("answer")
            if answer is None or (isinstance(answer, str) and not answer.strip()):
                row.fields.pop("answer", None)
    else:
        allowed = ", or allow this by --set data.answers=partial (in Python answers='partial')"
        needed["answer"] = f"add it{'' if answers == 'solved' else allowed}"
    if answers in ("required", "solved") and found:
        _has_column(found, "answer", problems)
    needed = {name: remedy for name, remedy in needed.items() if any(name in row.fields for row in found)}
    complete: list[Row] = []
    for row in found:
        foreign = [name for name in row.fields if name not in FIELDS]
        with problems.of_row() as wrong:
            for name, remedy in needed.items():
                if name not in row.fields and not meant_by(name, foreign):
                    what = f"'{name}' is missing here but not in other rows"
                    wrong.add(f"missing '{name}'", row.where, what, remedy)
        if not (problems.drop and len(wrong)):  # an error: what else is wrong with the row?
            complete.append(row)
    return complete


def _has_column(found: Sequence[Row], name: str, problems: Problems) -> bool:
    """Whether any row has a field; if none has, that is one error, with the fields that they do have."""
    if any(name in row.fields for row in found):
        return True
    columns = sorted({field for row in found for field in row.fields})
    what = f"no row has the field '{name}'; fields found: {', '.join(columns)}"
    meant = {ours: meant_by(ours, columns) for ours in dict.fromkeys((name, "answer")) if ours not in columns}
    ours = ", ".join(f"{ours}: {theirs}" for ours, theirs in meant.items() if theirs) or f"{name}: …"
    remedy = f"rename '{meant[name]}' to '{name}', or set" if meant[name] else "map a column to it: set"
    remedy = f"{remedy} data.columns: {{{ours}}}"
    if name == "question":
        remedy = _incomplete(found[0].fields) or remedy
        for field, value in sorted(found[0].fields.items()) if len(found) == 1 else ():
            listed = value if isinstance(value, list) and value else [None]
            if all(isinstance(item, Mapping) and "role" not in item for item in listed):  # and no chat messages
                remedy = f"if the questions are in '{field}', write each of them as an object on its own line"
                break
    problems.add(f"no '{name}'", problems.source, what, remedy)
    return False


def _unique(found: Sequence[Row], problems: Problems) -> list[Question]:
    """Questions by id: the same one twice is kept once; one id for two questions is an error."""
    kept: dict[str, Question] = {}
    for row in found:
        with problems.of_row() as wrong:
            if (asked := question(row, wrong)) is None:
                continue
            if (first := kept.setdefault(asked.id, asked)) == asked and first is not asked:
                problems.note("the same question with the same id, read before: kept once", asked.place)
            elif first is not asked:
                what = f"id '{asked.id}' belongs to another question, at {first.where}"
                wrong.add("repeated id", row.where, what, "give each question its own id")
    return list(kept.values())


def _mapped_rows(
    rows: Sequence[Row], columns: Mapping[str, str], problems: Problems, known: Sequence[str] | None = None
) -> list[Row]:
    """Rows in which `columns` (our field → a column, or a dotted path into one) are added to the fields.

    Of the other columns only those that are `known` are kept; all of them if that is None.
    """
    for ours, path in columns.items():
        if rows and not any(_at(row.fields, path) for row in rows):
            first, _, rest = path.partition(".")
            inside = {
                name for row in rows if isinstance(given := row.fields.get(first), Mapping) for name in given
            }
            remedy = did_you_mean(path, sorted({name for row in rows for name in row.fields}))
            if rest and inside:
                remedy = f"fields of '{first}': {', '.join(sorted(inside))}"
            problems.add(f"column {path}", problems.source, f"no column '{path}' for '{ours}'", remedy)
    used = {*columns, *columns.values()}
    mapped: list[Row] = []
    for row in rows:
        kept = {k: v for k, v in row.fields.items() if k not in used and (known is None or k in known)}
        added = {ours: found[0] for ours, path in columns.items() if (found := _at(row.fields, path))}
        mapped.append(replace(row, fields=Fields(kept | added)))
    return mapped


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
