"""How likely the sampled model makes each completion under every view of its question (theory.md 6.1)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from alft.config.schema import ModelConfig
from alft.counts import UNREAD
from alft.errors import DataError, Problem
from alft.models.base import Progress
from alft.models.loading import load_model, model_digest
from alft.models.scoring import log_probs
from alft.offline.samples import Samples
from alft.offline.tallies import Tallies
from alft.simplex import Array

Asked = tuple[str, bool, str, bool]
"""Prompt as it stands in the file, whether it is a chat, completion, whether that was cut off."""


def score_views(samples: Samples, chosen: ModelConfig, progress: Progress | None = None) -> Array:
    """log π_0(z|x_v) of readable completions, axes (completion, view of its question), for `solve_samples`.

    Views in another space of answers, and unread completions, have 0 and are not asked for. Equal texts are scored
    once. Raises DataError for another model than the one that was sampled.
    """
    _check_model(samples, chosen)
    tallies = Tallies.of(samples.question, samples.view, samples.answer, samples.right, samples.space)
    wanted, places = _wanted(samples, tallies)
    model, tokenizer = load_model(chosen)
    told = log_probs(model, tokenizer, [_prompt(one) for one in wanted], progress)
    found = np.zeros((len(samples), int(tallies.views.max(initial=1))))
    for (row, view), number in places.items():
        found[row, view] = told[number]
    return found


def _check_model(samples: Samples, chosen: ModelConfig) -> None:
    sampled, digest = samples.provenance.model, model_digest(chosen)
    if sampled.get("digest") not in (None, digest):
        told = f"was sampled from {sampled.get('model')}, and the files of {chosen.path} are not the same"
        raise DataError(Problem(str(samples.path), told, "score with the model that was sampled"))


def _wanted(samples: Samples, tallies: Tallies) -> tuple[list[Asked], dict[tuple[int, int], int]]:
    """Distinct texts to score, and which of them is whose: by row and view of its question."""
    prompts, texts = _texts(samples, tallies)
    numbers: dict[Asked, int] = {}
    places: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero(tallies.answer != UNREAD).tolist():
        first = int(tallies.starts[tallies.question[row]])
        for view in range(int(tallies.views[tallies.question[row]])):
            if tallies.space[first + view] == tallies.space[tallies.place[row]]:
                asked = (*prompts[first + view], texts[row], bool(samples.truncated[row]))
                places[row, view] = numbers.setdefault(asked, len(numbers))
    return list(numbers), places


def _texts(samples: Samples, tallies: Tallies) -> tuple[dict[int, tuple[str, bool]], list[str]]:
    """The prompt of each view of each question in a row, and whether it is a chat; the completions."""
    prompts: dict[int, tuple[str, bool]] = {}
    texts: list[str] = []
    place = tallies.place.tolist()
    for batch in samples.texts():
        columns = (batch.column(name).to_pylist() for name in ("prompt", "chat", "completion"))
        for prompt, chat, text in zip(*columns, strict=True):
            prompts.setdefault(place[len(texts)], (prompt, chat))
            texts.append(text)
    return prompts, texts


def _prompt(asked: Asked) -> tuple[Any, str, bool]:
    prompt, chat, text, truncated = asked
    return json.loads(prompt) if chat else prompt, text, truncated
