"""The model card of a trained model: how it was made, from what, and what was measured. It names no local path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alft import starter
from alft.config.schema import BUILT_IN, ModelConfig, RunConfig
from alft.offline.samples import Weighted
from alft.offline.trainer import Training

MEASURED = {
    "accuracy_sampled": "accuracy, sampled",
    "accuracy_greedy": "accuracy, greedy",
    "agreement_greedy": "agreement between views, greedy",
    "incoherence": "incoherence between views, nats",
    "unread": "completions without a readable answer",
}
"""Figures of an evaluation's summary that a card shows, and what it calls them."""


def model_card(config: RunConfig, results: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    """Markdown of the card; `results` are those of results.json, `digests` those of inputs.json."""
    told = "\n".join(f"- {name}: {value}" for name, value in _making(config, results, digests))
    figures = "\n".join(_figures(results))
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [alft, {config.training.trainer}]
{_base(config)}---
# {config.game.label}

Trained with [alft](https://arxiv.org/abs/2604.27166) on its final answers, as the game `{config.game.label}`; its
reasoning was left free.{_ending(results["training"])}

## How

{told}

## Measured

On held-out questions, before and after, sampled at temperature 1:

| | before | after | change [95 %] |
|---|---|---|---|
{figures}
"""


def _ending(training: Mapping[str, Any]) -> str:
    """Which model this is, where it is not the one of the last step."""
    if training["stopped"]:
        return f"\n\nThe run was stopped ({training['stopped']}); this is the last good model."
    step = training.get("restored_step")
    return "" if step is None else f"\n\nThis is the model of step {step}: the later ones were worse by its watch."


def public_name(path: str) -> str:
    """What a model or a file of questions may be called in public: a Hub id whole, of a local path its end."""
    return Path(path).name if Path(path).expanduser().exists() or path.startswith(("/", ".", "~")) else path


def _base(config: RunConfig) -> str:
    """The model that training started from, as the Hub knows it; nothing for one that the Hub does not know."""
    name = public_name(config.model.path)
    return f"base_model: {name}\n" if name == config.model.path and name not in starter.MODELS else ""


def _making(
    config: RunConfig, results: Mapping[str, Any], digests: Mapping[str, str]
) -> Iterator[tuple[str, object]]:
    training, done = config.training, results["training"]
    revision = f", revision {config.model.revision}" if config.model.revision else ""
    yield "from", f"{public_name(config.model.path)}{revision} (sha256 or commit {digests['model']})"
    built_in = config.data.path == BUILT_IN or config.data.path in starter.QUESTIONS
    questions = "built-in questions" if built_in else public_name(config.data.path)
    yield "questions", f"{questions} (sha256 of what was read {digests['data']})"
    yield "game", config.game.label
    if config.constraints:
        yield "limits", ", ".join(f"{each.name or 'a limit'} ≤ {each.at_most:g}" for each in config.constraints)
    if config.parity is not None:
        yield "parity between groups", f"weight {config.parity.weight:g}"
    yield "trainer", f"TRL's {training.trainer.upper()}, {done['steps']} steps, {done['completions']} completions"
    yield "learning rate", f"{training.learning_rate:g}, {training.schedule}"
    yield "a step", f"{training.questions_per_step} questions, {training.samples} samples a view"
    yield "KL penalty β", f"{config.scoring.beta:g}"
    yield "rewards", f"baseline {config.scoring.baseline}, cap {config.scoring.cap:g}{_logs(config)}"
    yield "computed in", config.model.dtype
    if config.lora is not None:
        yield "adapter", f"LoRA, rank {config.lora.rank}, alpha {config.lora.alpha:g}, merged into the weights"
    yield "seed", training.seed


def _logs(config: RunConfig) -> str:
    """How logs of marginals were estimated, where the game asks for any."""
    words = config.game.build().wants
    asked = words is None or any(word.startswith("log") for word in words)
    return f", logs by {config.scoring.log}" if asked else ""


def _figures(results: Mapping[str, Any]) -> Iterator[str]:
    before, after, change = results["before"], results["after"], results["difference"]
    for name, label in MEASURED.items():
        values = [_number(_mean(part[name])) for part in (before, after)]
        interval = change[name]["interval"] if isinstance(change[name], Mapping) else change["intervals"][name]
        limits = "" if interval is None else f" [{interval[0]:+.3f}, {interval[1]:+.3f}]"
        yield f"| {label} | {values[0]} | {values[1]} | {_number(_mean(change[name]), '+.3f')}{limits} |"


def _mean(value: Any) -> float | None:
    return value["mean"] if isinstance(value, Mapping) else value


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else format(value, form)


def offline_card(weighted: Weighted, model: ModelConfig, training: Training, results: Mapping[str, int]) -> str:
    """Markdown of the card; `results` are those of results.json."""
    game = weighted.solved["game"]
    told = "\n".join(f"- {name}: {value}" for name, value in _how_distilled(weighted, model, training, results))
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


def _how_distilled(
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
