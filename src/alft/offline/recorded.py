"""A samples file as what other verbs take: its questions again, and its completions as an evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alft.completions import Completion
from alft.evaluation import Evaluation, Recorded
from alft.evaluation.recorded import MEASURED
from alft.offline.samples import Samples, read_samples
from alft.questions import Question, View


def recorded_samples(path: Path, *, texts: bool = False) -> Recorded:
    """The evaluation of a samples file, with texts if they are asked for, and its questions. Raises DataError."""
    samples = read_samples(path)
    told = {MEASURED: evaluation_of(samples, texts=texts)}
    return Recorded(path, told, {each.id: each for each in questions_of(samples)})


def evaluation_of(samples: Samples, *, texts: bool = False) -> Evaluation:
    """Every completion of the file, without its text unless `texts`."""
    told: list[str | None] = [None] * len(samples)
    if texts:
        told = [text for batch in samples.texts() for text in batch.column("completion").to_pylist()]
    return Evaluation(
        tuple(
            Completion(
                text,
                truncated,
                question=samples.questions[question],
                view=samples.views[view],
                sample=sample,
                key=None if key < 0 else samples.keys[key],
                right=None if right != right else bool(right),
            )
            for question, view, sample, key, right, truncated, text in zip(
                *(
                    getattr(samples, name).tolist()
                    for name in ("question", "view", "sample", "key", "right", "truncated")
                ),
                told,
                strict=True,
            )
        )
    )


def questions_of(samples: Samples) -> list[Question]:
    """The questions that were asked, in the order of the file."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for batch in samples.texts():
        asked = batch.select(["question_id", "view", "prompt", "chat", "answer_map", "gold", "group"]).to_pylist()
        for row in asked:
            found.setdefault(row["question_id"], {}).setdefault(row["view"], row)
    return [_question(name, list(views.values())) for name, views in found.items()]


def _question(name: str, rows: list[dict[str, Any]]) -> Question:
    gold = json.loads(rows[0]["gold"]) if rows[0]["gold"] is not None else []
    views, answer = tuple(map(_view, rows)), gold[0] if gold else None
    return Question(name, views, answer, rows[0]["group"], aliases=tuple(gold[1:]))


def _view(row: dict[str, Any]) -> View:
    text = tuple(json.loads(row["prompt"])) if row["chat"] else row["prompt"]
    return View(text, row["view"], None if row["answer_map"] is None else json.loads(row["answer_map"]))
