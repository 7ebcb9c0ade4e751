"""Evaluations on disk: completions.parquet of a run or of `alft evaluate --output`, read without a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from alft.completions import Record
from alft.errors import DataError, Problem
from alft.evaluation.evaluation import Evaluation
from alft.questions import Question, load_questions

COMPLETIONS = "completions.parquet"
QUESTIONS = "questions.jsonl"
RESULTS = "results.json"
MEASURED = "measured"
"""The phase of a measurement without training. A run has the phases "before", "at_stop" and "after"."""
PHASES = ("before", "after", MEASURED)
ANSWER_COLUMNS = ("phase", "question_id", "view", "kind", "sample", "key", "right")
PLACE = 5  # the first columns say which completion it is
TEXT = "completion"
TRUNCATED = "truncated"  # older files lack it


@dataclass(frozen=True)
class Recorded:
    """A directory with an evaluation: its completions by phase, and its questions if they were kept."""

    path: Path
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    questions: Mapping[str, Question] = field(default_factory=dict)

    @property
    def latest(self) -> Evaluation:
        """What was measured, of a run after training. Raises DataError if nothing was yet."""
        for phase in (MEASURED, "after"):
            if phase in self.evaluations:
                return self.evaluations[phase]
        told, remedy = "holds no measured completions", "let the run end, or run it again"
        if "before" in self.evaluations:
            told = "holds only answers of the model before training: the run has not ended"
            remedy = f"go on with it, `alft train {self.path / 'config.yaml'} --resume`, or name the model itself"
        raise DataError(Problem(str(self.path), told, remedy))


def is_recorded(path: Path) -> bool:
    """Whether a directory holds a written evaluation."""
    return (path / COMPLETIONS).is_file()


def read_recorded(path: Path, *, texts: bool = False) -> Recorded:
    """Read a directory; what is missing in it is left empty, and the texts too unless they are asked for.

    Raises DataError for a broken file.
    """
    return Recorded(path, _evaluations(path / COMPLETIONS, texts), _questions(path / QUESTIONS))


def _evaluations(path: Path, texts: bool) -> dict[str, Evaluation]:
    if not path.is_file():
        return {}
    try:
        there = pq.read_schema(path).names
        names = [*ANSWER_COLUMNS, *([TEXT] if texts else []), *([TRUNCATED] if TRUNCATED in there else [])]
        table = pq.read_table(path, columns=names, filters=[("phase", "in", PHASES)])
    except (pa.ArrowInvalid, OSError) as error:
        if path.stat().st_size <= len(b"PAR1"):  # a run that is still going, or was broken off
            return {}
        broken = Problem(str(path), f"can't be read ({error})", "restore the file, or run again")
        raise DataError(broken) from error
    columns = [table.column(name).to_pylist() for name in ANSWER_COLUMNS]
    if len(set(zip(*columns[:PLACE], strict=True))) < len(table):
        twice = "holds two completions that are the same sample of a view"
        raise DataError(Problem(str(path), twice, "restore the file, or run again"))
    cut = table.column(TRUNCATED).to_pylist() if TRUNCATED in names else [False] * len(table)
    told = table.column(TEXT).to_pylist() if texts else [None] * len(table)
    records: dict[str, list[Record]] = {}
    for phase, question, view, kind, sample, key, right, truncated, text in zip(*columns, cut, told, strict=True):
        record = Record(question, view, kind, sample, text, key, right, bool(truncated))
        records.setdefault(phase, []).append(record)
    return {phase: Evaluation(tuple(own)) for phase, own in records.items()}


def _questions(path: Path) -> dict[str, Question]:
    """The questions of a run; which of them have an answer was checked when it began."""
    if not path.is_file():
        return {}
    return {question.id: question for question in load_questions(path, answers="partial")}
