"""One run directory → one row of the study's Parquet file, and the file itself, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from alft import starter
from alft.evaluation import Evaluation, EvaluationSettings, evaluate_model
from alft.questions import Question, View
from alft.reporting.runs import Run, load_run
from alft.starter.problems import Problem
from benchmarks.study.protocol import DEMONSTRATION, TASKS, Setting

CURVES = ("accuracy", "agreement", "incoherence_corrected", "entropy", "unread", "dominant_share")
FLOATS = pa.list_(pa.float32())
SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("objective", pa.string()),
        ("learning_rate", pa.float64()),
        ("standardised", pa.bool_()),
        ("seed", pa.int64()),
        ("game", pa.string()),
        ("steps", pa.int64()),
        ("rollouts_per_step", pa.int64()),
        ("stopped", pa.string()),
        ("seconds", pa.float64()),
        ("cpu_seconds", pa.float64()),
        ("starter", pa.string()),
        ("environment", pa.string()),
        ("config", pa.string()),
        ("results", pa.string()),
        ("views", pa.list_(pa.string())),
        ("questions", pa.list_(pa.string())),
        ("accuracy_before", FLOATS),
        ("accuracy_after", FLOATS),
        ("unseen", pa.string()),
        *((f"curve_{name}", FLOATS) for name in CURVES),
    ]
)
BASE = "before training"
UNSEEN_QUESTIONS = 64
NUMBER = re.compile(r"[+-]?\d+")


def row_of(
    setting: Setting, directory: Path, cpu_seconds: float, unseen: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The row of an ended run. `accuracy_before` and `accuracy_after` are sampled, axes (question · view)."""
    run = load_run(directory)
    if run.results is None:
        raise ValueError(f"{directory}: the run has not ended")
    ended = cast(dict[str, Any], run.results)["training"]
    return {
        **asdict(setting),
        "game": json.dumps(run.config["game"]),
        "steps": ended["steps"],
        "rollouts_per_step": ended["completions"] // ended["steps"],
        "stopped": ended["stopped"],
        "seconds": ended["seconds"],
        "cpu_seconds": cpu_seconds,
        "starter": starter_hash(setting.task),
        "environment": json.dumps(run.environment),
        "config": json.dumps(run.config),
        "results": json.dumps(run.results),
        "unseen": None if unseen is None else json.dumps(unseen),
        **answers_of(run.evaluations["before"], run.evaluations["after"]),
        **_curves(run),
    }


def diverged_row(setting: Setting, error: Exception, cpu_seconds: float) -> dict[str, Any]:
    """The row of a run whose numbers stopped being finite: it is a result too."""
    return {**blank_row(setting), "stopped": str(error), "cpu_seconds": cpu_seconds}


def blank_row(setting: Setting) -> dict[str, Any]:
    """A row that says what was run, and nothing else yet; without curves."""
    curves = {f"curve_{name}": [] for name in CURVES}
    return {**dict.fromkeys(SCHEMA.names), **asdict(setting), "starter": starter_hash(setting.task), **curves}


def base_row(unseen: Mapping[str, Any]) -> dict[str, Any]:
    """The row of the model that nobody trained: it serves for the unseen wordings."""
    empty = dict.fromkeys(SCHEMA.names)
    told = {**asdict(Setting(BASE, 0.0, False, 0)), "steps": 0}
    return {**empty, **told, "starter": starter_hash(), "unseen": json.dumps(unseen)}


def answers_of(before: Evaluation, after: Evaluation) -> dict[str, Any]:
    """Sampled accuracy by question and view, before and after."""
    values = [part.measured.by_view["accuracy_sampled"].ravel().tolist() for part in (before, after)]
    return {
        "views": list(after.views),
        "questions": list(after.questions),
        "accuracy_before": values[0],
        "accuracy_after": values[1],
    }


def _curves(run: Run) -> dict[str, list[float]]:
    return {f"curve_{name}": [float(row.get(name, np.nan)) for row in run.metrics] for name in CURVES}


def read(path: Path) -> list[dict[str, Any]]:
    """The rows so far; none if there is no file yet."""
    return pq.read_table(path).to_pylist() if path.is_file() else []


def write(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Replace the file by these rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMA), part, compression="zstd", compression_level=19)
    part.replace(path)


def lock(table: Path, name: str, seconds: float = -1) -> FileLock:
    """The lock `name` of a table among processes, waited for so long; filelock.Timeout if another keeps it."""
    folder = table.with_suffix(".locks")
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / name, timeout=seconds)


def starter_hash(task: str = DEMONSTRATION) -> str:
    """The start of the sha256 of the weights that a task starts from: rows of different ones are not compared."""
    name = TASKS[task].get("model.path")
    folder = starter.model_path() if name is None else Path(name)
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:12]


def unseen_questions(count: int = UNSEEN_QUESTIONS) -> list[Question]:
    """Held-out questions told in wordings that are in nobody's training: known words in new combinations."""
    return [_unseen(question) for question in starter.held_out_questions(count)]


def measure_unseen(model: Any, tokenizer: Any) -> Mapping[str, Any]:
    """Summary of a model's answers to the unseen wordings."""
    settings = EvaluationSettings(max_new_tokens=starter.TRAINING[starter.STARTER]["max_new_tokens"])
    return evaluate_model(model, tokenizer, unseen_questions(), settings).summary()


def _unseen(question: Question) -> Question:
    start, *steps = (int(number) for number in NUMBER.findall(question.id))
    name, _, _, item, *_ = str(question.views[1].text).replace(",", "").split()
    problem = Problem(name, item, start, tuple(steps))
    views = tuple(View(text=text, name=view) for view, text in _tell(problem).items())
    return Question(id=question.id, views=views, answer=question.answer)


def _tell(problem: Problem) -> dict[str, str]:
    def told(gain: str, loss: str) -> str:
        return ", ".join(f"{gain if step > 0 else loss} {abs(step)}" for step in problem.steps)

    name, item, start = problem.name, problem.item, problem.start
    return {
        "story, with lost": f"{name} has {start} {item}, {told('buys', 'lost')}. How many at the end?",
        "plain, with won and lost": f"Start with {start}, {told('won', 'lost')}. What is the result?",
        "stock, with buys and sells": f"Stock of {item}: {start}, {told('buys', 'sells')}. What is it now?",
        "question first": f"How many {item} now? {name} has {start} {item}, {told('buys', 'sells')}.",
    }
