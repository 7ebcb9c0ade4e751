"""Evaluations on disk: completions.parquet of a run or of `alft evaluate --output`, read without a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from alft.completions import READ, Completion, check_version, from_row
from alft.errors import DataError, Problem
from alft.evaluation.evaluation import Evaluation
from alft.questions import Question, load_questions

COMPLETIONS = "completions.parquet"
QUESTIONS = "questions.jsonl"
RESULTS = "results.json"
MEASURED = "measured"
"""The phase of a measurement without training. A run has the phases "before", "at_stop" and "after"."""
PHASES = ("before", "after", MEASURED)
IDENTITY = ("phase", "question_id", "view", "kind", "sample")
REQUIRED = (*IDENTITY, "key", "right")  # every version of the file has them


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
            remedy = f"continue it, `alft train {self.path / 'config.yaml'} --resume`, or name the model itself"
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
        schema = pq.read_schema(path)
        check_version(str(path), schema)
        more = [name for name in READ if name in schema.names and (texts or name != "completion")]
        names = list(dict.fromkeys((*REQUIRED, *more)))
        table = pq.read_table(path, columns=names, filters=[("phase", "in", PHASES)])
    except (pa.ArrowInvalid, OSError) as error:
        if path.stat().st_size <= len(b"PAR1"):  # a run that is still going, or was broken off
            return {}
        broken = Problem(str(path), f"can't be read ({error})", "restore the file, or run again")
        raise DataError(broken) from error
    rows = table.to_pylist()
    if len({tuple(row[name] for name in IDENTITY) for row in rows}) < len(rows):
        twice = "holds two completions that are the same sample of a view"
        raise DataError(Problem(str(path), twice, "restore the file, or run again"))
    found: dict[str, list[Completion]] = {}
    for row in rows:
        found.setdefault(row["phase"], []).append(from_row(row))
    return {phase: Evaluation(tuple(own)) for phase, own in found.items()}


def _questions(path: Path) -> dict[str, Question]:
    """The questions of a run; which of them have an answer was checked when it began."""
    if not path.is_file():
        return {}
    return {question.id: question for question in load_questions(path, answers="partial")}
