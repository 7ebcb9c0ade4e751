"""Evaluations on disk: completions.parquet of a run or of `alft evaluate --output`, read without a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from alft.errors import DataError, Problem
from alft.evaluation.evaluation import Evaluation
from alft.evaluation.records import Record
from alft.questions import Question, load_questions

COMPLETIONS = "completions.parquet"
QUESTIONS = "questions.jsonl"
MEASURED = "measured"
"""The phase of a measurement without training. A run has the phases "before", "at_stop" and "after"."""
PHASES = ("before", "after", MEASURED)
ANSWER_COLUMNS = ("phase", "question_id", "view", "kind", "sample", "key", "right")
TRUNCATED = "truncated"  # older files lack it


@dataclass(frozen=True)
class Recorded:
    """A directory with an evaluation: its completions by phase, without their texts, and its questions if kept."""

    path: Path
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    questions: Mapping[str, Question] = field(default_factory=dict)

    @property
    def latest(self) -> Evaluation:
        """What was measured last. Raises DataError if nothing was."""
        for phase in (MEASURED, "after", "before"):
            if phase in self.evaluations:
                return self.evaluations[phase]
        raise DataError(
            Problem(str(self.path), "holds no measured completions", "let the run end, or run it again")
        )


def is_recorded(path: Path) -> bool:
    """Whether a directory holds a written evaluation."""
    return (path / COMPLETIONS).is_file()


def read_recorded(path: Path) -> Recorded:
    """Read a directory; what is missing in it is left empty. Raises DataError for a broken file."""
    return Recorded(path, _evaluations(path / COMPLETIONS), _questions(path / QUESTIONS))


def _evaluations(path: Path) -> dict[str, Evaluation]:
    if not path.is_file():
        return {}
    try:
        names = [*ANSWER_COLUMNS, *(name for name in pq.read_schema(path).names if name == TRUNCATED)]
        table = pq.read_table(path, columns=names, filters=[("phase", "in", PHASES)])
    except (pa.ArrowInvalid, OSError) as error:
        if path.stat().st_size <= len(b"PAR1"):  # a run that is still going, or was broken off
            return {}
        told = Problem(str(path), f"can't be read ({error})", "restore the file, or run again")
        raise DataError(told) from error
    columns = [table.column(name).to_pylist() for name in ANSWER_COLUMNS]
    cut = table.column(TRUNCATED).to_pylist() if TRUNCATED in names else [False] * len(table)
    records: dict[str, list[Record]] = {}
    for phase, question, view, kind, sample, key, right, truncated in zip(*columns, cut, strict=True):
        record = Record(question, view, kind, sample, "", key, right, bool(truncated))
        records.setdefault(phase, []).append(record)
    return {phase: Evaluation(tuple(found)) for phase, found in records.items()}


def _questions(path: Path) -> dict[str, Question]:
    if not path.is_file():
        return {}
    return {question.id: question for question in load_questions(path)}
