"""Run directories as read for a report: strictly where something is there, None or empty where it is not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from alft.errors import DataError, Problem
from alft.evaluation import Evaluation
from alft.evaluation.recorded import COMPLETIONS, read_recorded
from alft.questions import Question

FILES = ("config.yaml", "environment.json", "metrics.jsonl", COMPLETIONS, "results.json")


@dataclass(frozen=True)
class Run:
    """What one run directory holds. `results` is None for a run that has not ended.

    `evaluations` has "before" and "after" where the completions are there, without their texts
    (`completions` reads those of a few questions); `questions` are known if the run kept questions.jsonl.
    """

    path: Path
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Mapping[str, Any]] = ()
    results: Mapping[str, Any] | None = None
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    questions: Mapping[str, Question] = field(default_factory=dict)

    def completions(self, questions: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of completions.parquet with their texts, of the evaluation after training and some questions."""
        path = self.path / COMPLETIONS
        if not questions or not path.is_file():
            return []
        filters = [("phase", "==", "after"), ("question_id", "in", list(questions))]
        return pq.read_table(path, filters=filters).to_pylist()

    def curve(self, name: str) -> tuple[list[float], list[float]]:
        """Steps and values of one metric of metrics.jsonl, where it is defined."""
        points = [(row["step"], row[name]) for row in self.metrics if row.get(name) is not None and "step" in row]
        return [float(step) for step, _ in points], [float(value) for _, value in points]


def load_runs(directories: Sequence[Path]) -> list[Run]:
    """Read run directories; raises DataError with every problem of all of them."""
    runs, problems = [], []
    names = _names(directories)
    for directory, name in zip(directories, names, strict=True):
        try:
            runs.append(load_run(directory, name))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return runs


def load_run(directory: Path, name: str | None = None) -> Run:
    """Read one run directory; raises DataError if it is none, or a file in it can't be read."""
    if not any((directory / file).is_file() for file in FILES):
        raise DataError(Problem(str(directory), "is no run directory", "name a directory that `alft train` wrote"))
    recorded = read_recorded(directory)
    return Run(
        path=directory,
        name=name or directory.resolve().name,
        config=_yaml(directory / "config.yaml"),
        environment=_json(directory / "environment.json") or {},
        metrics=_lines(directory / "metrics.jsonl"),
        results=_results(directory / "results.json"),
        evaluations=recorded.evaluations,
        questions=recorded.questions,
    )


def _names(directories: Sequence[Path]) -> list[str]:
    """The directories' own names, or with their parents' where these are not enough to tell them apart."""
    short = [directory.resolve().name for directory in directories]
    if len(set(short)) == len(short):
        return short
    return [str(Path(*directory.resolve().parts[-2:])) for directory in directories]


def _json(path: Path) -> Any:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(Problem(str(path), f"is not JSON ({error})", "restore the file, or run again")) from error


def _results(path: Path) -> Any:
    results = _json(path)
    if results is not None and "after" not in results:
        told = "is a measurement without training, no run"
        raise DataError(Problem(str(path.parent), told, "compare measurements by `alft evaluate A B`"))
    return results


def _lines(path: Path) -> list[Mapping[str, Any]]:
    """Rows of a JSONL file; a last line that is cut off, as of a run that is still writing, is left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            if number == len(lines):
                break
            place = f"{path}:{number}"
            raise DataError(Problem(place, f"is not JSON ({error})", "restore the file, or run again")) from error
    return rows


def _yaml(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(Problem(str(path), f"is not YAML ({error})", "restore the file, or run again")) from error
    return config if isinstance(config, Mapping) else {}
