"""What a configuration leaves open, filled for its model, its game and its questions."""

from __future__ import annotations

from typing import Any

from alft import starter
from alft.config.schema import RunConfig
from alft.games import Game, GiniDiversity, ShannonDiversity, TsallisDiversity, Where
from alft.questions import BOXED, PRESETS
from alft.rewards import default_log

PROBE_QUESTIONS = 32
INFORMATION_LOSS = 0.3
DIVERSITY = (ShannonDiversity, GiniDiversity, TsallisDiversity)
OTHER_MODELS = {
    "learning_rate": 1e-6,
    "schedule": "constant",
    "warmup_steps": 5,
    "max_new_tokens": 512,
}
"""Settings for models other than the starter: TRL's own default learning rate, room to reason."""
LORA_LEARNING_RATE = 1e-5
"""For an adapter: as usual ten times as much, by which the weights move about as far."""


def resolve(config: RunConfig, game: Game | None = None) -> RunConfig:
    """The configuration with every open setting filled: for the starter its own, else the usual ones.

    `game` is the configuration's, built; without it what depends on the game stays as it is.
    """
    built_in = config.model.path in starter.MODELS
    simple = built_in or config.data.path in starter.QUESTIONS
    training = starter.TRAINING.get(config.model.path, OTHER_MODELS)
    if config.lora is not None and not built_in:
        training = {**training, "learning_rate": LORA_LEARNING_RATE}
    given = {name: value for name, value in config.training if value is not None}
    instruction = config.data.instruction
    if instruction is None:
        instruction = "" if simple else BOXED
    beside = [*(["limits"] if config.constraints else []), *(["parity"] if config.parity is not None else [])]
    name = config.output.name or "-".join([config.game.label, *beside, str(config.training.seed)])
    log = config.scoring.log or (None if game is None else default_log(game, config.scoring.beta))
    model = config.model.model_copy(
        update={"dtype": "float32"} if built_in and config.model.dtype == "auto" else {}
    )
    return config.model_copy(
        update={
            "model": model,
            "training": config.training.model_copy(update={**training, **given}),
            "data": config.data.model_copy(update={"instruction": instruction}),
            "answers": config.answers.model_copy(update=_reading(config, simple)),
            "scoring": config.scoring.model_copy(update={"log": log}),
            "watch": config.watch.model_copy(update=_watch(config, game) if game is not None else {}),
            "output": config.output.model_copy(update={"name": name}),
        }
    )


def _reading(config: RunConfig, built_in: bool) -> dict[str, Any]:
    """The settings of `answers` that the preset's gold answers need, where the configuration leaves them open."""
    preset = PRESETS.get(config.data.preset or "")
    needed = ({"kind": "any"} if built_in else {}) | ({} if preset is None else preset.answers)
    open_fields = type(config.answers).model_fields.keys() - config.answers.model_fields_set
    return {name: value for name, value in needed.items() if name in open_fields}


def _watch(config: RunConfig, game: Game) -> dict[str, Any]:
    """What the watch expects of the game, where the configuration leaves it open.

    Only games that compare views, and want nothing else, have the reference's consensus for their equilibrium
    (theory.md 2.2); games of diversity lower the information of an answer about its question by design.
    """
    terms = [part.game if isinstance(part, Where) else part for _, part in game.parts()]
    compares = bool(terms) and all(part.needs_views > 1 for part in terms) and config.parity is None
    spreads = any(isinstance(part, DIVERSITY) for part in terms) or config.parity is not None
    given = {name: value for name, value in config.watch.model_dump().items() if value is not None}
    return {
        "probe_questions": PROBE_QUESTIONS if compares else 0,
        "information_loss": 1.0 if spreads else INFORMATION_LOSS,
    } | given
