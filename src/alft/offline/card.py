"""The model card of a distilled model: how it was made, from what, what was predicted. It names no local path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alft.config import ModelConfig
from alft.offline.trainer import Training
from alft.offline.weighted import Weighted
from alft.training.card import public_name


def offline_card(weighted: Weighted, model: ModelConfig, training: Training, results: Mapping[str, int]) -> str:
    """Markdown of the card; `results` are those of results.json."""
    game = weighted.solved["game"]
    told = "\n".join(f"- {name}: {value}" for name, value in _making(weighted, model, training, results))
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [alft, offline]
---
# {game}, offline

Trained with [alft](https://arxiv.org/abs/2604.27166) on its final answers: completions of the model itself, each
weighted by what the equilibrium of the game `{game}` makes of its answer; its reasoning was left free.

## How

{told}

## Predicted

{_predicted(weighted.solved.get("predicted"))}
What the model does now is measured by `alft evaluate`.
"""


def _making(
    weighted: Weighted, model: ModelConfig, training: Training, results: Mapping[str, int]
) -> Iterator[tuple[str, object]]:
    came, solved = weighted.samples.provenance, weighted.solved
    asked = public_name(str(came.model.get("model")))
    yield "from", public_name(model.path) + (f", revision {model.revision}" if model.revision else "")
    yield (
        "completions",
        (
            f"{len(weighted.samples)} of {asked} ({came.sampling.get('samples')} a view, "
            f"{came.data.get('questions')} questions, sha256 of the questions {came.data.get('digest')})"
        ),
    )
    beta = "the limit β → 0" if solved["beta"] == 0 else f"β = {solved['beta']:g}"
    yield "equilibrium", f"{solved['game']}, {beta}, shrinkage {solved['shrinkage']:g}"
    yield "trainer", f"TRL's SFT, weighted, {results['steps']} steps of {training.batch_size} completions"
    yield "completions with a weight", results["rows"]
    yield "left out as too long", results["rows_left_out_as_too_long"]
    yield "learning rate", f"{training.learning_rate:g}, {training.schedule}"
    yield "epochs", f"{training.epochs:g}"
    if training.lora is not None:
        yield "adapter", f"LoRA, rank {training.lora.rank}, alpha {training.lora.alpha:g}, merged into the weights"
    yield "seed", training.seed


def _predicted(metrics: Mapping[str, Any] | None) -> str:
    """A table of what the equilibrium is on the completions themselves; before training, so no measurement."""
    if metrics is None:
        return "Nothing was predicted.\n"
    rows = [
        f"| {name} | {_number(told['now']['mean'])} | {_number(told['after']['mean'])} |"
        for name, told in metrics.items()
    ]
    head = ["| on the questions trained on | the completions | at equilibrium |", "|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
