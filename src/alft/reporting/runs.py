"""Run directories as read for a report: strictly where something is there, None or empty where it is not."""

import json
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard, cast

import pyarrow.parquet as pq
import yaml
from pydantic import TypeAdapter, ValidationError

from alft.completions import Completion, from_row
from alft.errors import DataError, NoRunError, Problem
from alft.evaluation import Evaluation
from alft.evaluation.recorded import COMPLETIONS, RESTORE, read_recorded
from alft.evaluation.results import Results
from alft.questions import Question

FILES = ("config.yaml", "environment.json", "metrics.jsonl", COMPLETIONS, "results.json")
DISTILLED = ("distill.json", "rounds.json", "sampling.json")
"""Files by one of which a directory of `alft distill` is known."""


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
    results: Results | None = None
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    questions: Mapping[str, Question] = field(default_factory=dict)

    def completions(self, questions: Sequence[str]) -> list[Completion]:
        """Completions with their texts, of the evaluation after training and some questions."""
        path = self.path / COMPLETIONS
        if not questions or not path.is_file():
            return []
        filters = [("phase", "==", "after"), ("question_id", "in", list(questions))]
        return [from_row(row) for row in pq.read_table(path, filters=filters).to_pylist()]

    def curve(self, name: str) -> tuple[list[float], list[float]]:
        """Steps and values of one metric of metrics.jsonl, where it is a number."""
        points = [(row.get("step"), row.get(name)) for row in self.metrics]
        known = [(step, value) for step, value in points if _number(step) and _number(value)]
        return [float(step) for step, _ in known], [float(value) for _, value in known]

    @property
    def consensus_kept(self) -> tuple[list[float], list[float]]:
        """Steps and values of the watch's probe: the share that follows the reference's consensus."""
        kept = ((self.results or {}).get("training") or {}).get("consensus_kept") or {}
        points = sorted(
            (int(step), float(value)) for step, value in kept.items() if step.isdecimal() and _number(value)
        )
        return [float(step) for step, _ in points], [value for _, value in points]


def load_runs(directories: Sequence[Path]) -> list[Run]:
    """Read run directories, each once; raises DataError with every problem of all of them."""
    runs, others = find_runs(directories)
    if others:
        raise DataError(others)
    return runs


def find_runs(directories: Sequence[Path]) -> tuple[list[Run], list[Problem]]:
    """The runs among directories, each once, and what is said of every other.

    Raises DataError where a file of a run can't be read, or where there is no run.
    """
    runs: list[Run] = []
    others: list[Problem] = []
    problems: list[Problem] = []
    for directory in {directory.resolve(): directory for directory in directories}.values():
        try:
            runs.append(load_run(directory))
        except NoRunError as error:
            others += error.problems
        except DataError as error:
            problems += error.problems
    if problems or not runs:
        raise DataError([*others, *problems])
    parts = [run.path.resolve().parts for run in runs]  # a name has as many as it takes to tell them apart
    found = (["/".join(own[-depth:]) for own in parts] for depth in range(1, max(map(len, parts)) + 1))
    names = next(names for names in found if len(set(names)) == len(names))
    return [replace(run, name=name) for run, name in zip(runs, names, strict=True)], others


def load_run(directory: Path) -> Run:
    """Read one run directory; raises NoRunError if it is none, DataError if a file in it can't be read."""
    if any((directory / file).is_file() for file in DISTILLED):
        told = "was made by `alft distill`, and is no run"
        remedy = f"measure it by `alft evaluate {shlex.quote(str(directory / 'model'))}`"
        raise NoRunError(Problem(str(directory), told, remedy))
    if not any((directory / file).is_file() for file in FILES):
        remedy = "name a directory that `alft train` wrote"
        raise NoRunError(Problem(str(directory), "is no run directory", remedy))
    recorded, results = read_recorded(directory), directory / "results.json"
    return Run(
        path=directory,
        name=directory.resolve().name,
        config=_mapping(_read(directory / "config.yaml", yaml.safe_load, "YAML")),
        environment=_mapping(_read(directory / "environment.json", json.loads, "JSON")),
        metrics=_lines(directory / "metrics.jsonl"),
        results=check_results(_read(results, json.loads, "JSON"), results) if results.is_file() else None,
        evaluations=recorded.evaluations,
        questions=recorded.questions,
    )


def _parsed(text: str, parse: Callable[[str], Any], form: str, where: object) -> Any:
    try:
        return parse(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(Problem(str(where), f"is not {form} ({error})", RESTORE)) from error


def _read(path: Path, parse: Callable[[str], Any], form: str) -> Any:
    return _parsed(path.read_text(encoding="utf-8"), parse, form, path) if path.is_file() else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


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
            rows.append(_mapping(_parsed(line, json.loads, "JSON", f"{path}:{number}")))
        except DataError:
            if number < len(lines):
                raise
    return rows


SHOWN = 5  # problems that are listed
CHECK = TypeAdapter(Results)


def check_results(results: Any, path: Path) -> Results:
    """The content of a results.json, unchanged.

    Raises NoRunError for those of a measurement, DataError with what keeps any other from being shown.
    """
    if isinstance(results, Mapping) and "after" not in results:
        told = "is a measurement without training, no run"
        raise NoRunError(Problem(str(path.parent), told, "compare measurements by `alft evaluate A B`"))
    try:
        CHECK.validate_python(results, strict=True)
    except ValidationError as error:
        places = [".".join(map(str, one["loc"])) or "the whole" for one in error.errors()[:SHOWN]]
        told = f"is no result of a run, at {', '.join(places)}"
        raise DataError(Problem(str(path), told, RESTORE)) from None
    return cast(Results, results)
