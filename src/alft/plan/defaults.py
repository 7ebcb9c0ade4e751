"""What a configuration leaves open, filled for its model, its game and its questions."""

from importlib.util import find_spec
from typing import Any

from alft import starter
from alft.config.schema import RunConfig
from alft.games import Game, GiniDiversity, ShannonDiversity, TsallisDiversity, Where
from alft.plan.plan import is_large, launched
from alft.questions import BOXED, PRESETS
from alft.rewards import default_log

PROBE_QUESTIONS = 32
INFORMATION_LOSS = 0.3
DIVERSITY = (ShannonDiversity, GiniDiversity, TsallisDiversity)
OTHER_MODELS = {"schedule": "constant", "warmup_steps": 5, "max_new_tokens": 512}
"""Settings for models other than the starter: TRL's, with room to reason."""
LIVE_RATE, LIVE_LARGE_RATE, LIVE_LORA_RATE = 1e-5, 1e-6, 1e-4
"""Live: for all weights of a small model, of a large one (TRL's default), for an adapter (EXPERIMENTS.md)."""
OFFLINE = {"schedule": "linear", "warmup_steps": 0}
OFFLINE_RATE, OFFLINE_LORA_RATE, OFFLINE_STARTER_RATE = 2e-5, 2e-4, 5e-4
"""Offline: TRL's default for SFT, ten times that for an adapter, and what a sweep found for the starter."""
OFFLINE_SAMPLES, OFFLINE_STARTER_SAMPLES = 16, 4
"""Completions per view: on few questions of one's own many; the starter has 480 questions."""
OFFLINE_POWER, OFFLINE_STARTER_POWER = 16.0, 4.0
"""Offline, of games that compare views: what did best on a pretrained model, and on the starter (EXPERIMENTS)."""


def live_rate(config: RunConfig) -> float:
    """The learning rate of a live run of a model that is not built-in, where it is left open."""
    if config.lora is not None:
        return LIVE_LORA_RATE
    whole = "lora" in config.model_fields_set or find_spec("peft") is None  # an adapter could be chosen otherwise
    return LIVE_LARGE_RATE if whole and is_large(config.model) else LIVE_RATE


def resolve(config: RunConfig, game: Game | None = None) -> RunConfig:
    """The configuration with every open setting filled: for the starter its own, else the usual ones.

    `game` is the configuration's, built; without it what depends on the game stays as it is.
    """
    built_in = config.model.path in starter.MODELS
    simple = built_in or config.data.path in starter.QUESTIONS
    training = starter.TRAINING.get(config.model.path, OTHER_MODELS)
    offline = config.training.trainer == "offline"
    if offline:
        whole = OFFLINE_STARTER_RATE if built_in else OFFLINE_RATE
        rate = whole if config.lora is None else OFFLINE_LORA_RATE
        training = {**training, **OFFLINE, "learning_rate": rate}
    elif not built_in and config.training.learning_rate is None:
        training = {**training, "learning_rate": live_rate(config)}
    alone = launched() == 1  # else samples would depend on how the launch divides the weights
    training = {"share_prompts": alone and not (built_in or offline), **training}
    given = {name: value for name, value in config.training if value is not None}
    instruction = config.data.instruction
    if instruction is None:
        instruction = "" if simple else BOXED
    named = {"offline": offline, "limits": config.constraints, "parity": config.parity is not None}
    beside = [name for name, there in named.items() if there]
    name = config.output.name or "-".join([config.game.label, *beside, str(config.training.seed)])
    samples = config.offline.samples or (OFFLINE_STARTER_SAMPLES if simple else OFFLINE_SAMPLES)
    scored = config.offline.scored
    if scored is None:
        scored = config.offline.borrow and not built_in
    together = False if built_in and config.offline.share_prompts is None else config.offline.share_prompts
    sharp = offline and game is not None and game.needs_views > 1
    power = OFFLINE_STARTER_POWER if built_in else OFFLINE_POWER
    return config.changed(
        model={"dtype": "float32"} if built_in and config.model.dtype == "auto" else {},
        training={**training, **given},
        data={"instruction": instruction},
        answers=_reading(config, simple),
        offline={"samples": samples, "scored": scored, "share_prompts": together},
        scoring={
            "log": config.scoring.log or (None if game is None else default_log(game, config.scoring.beta)),
            "power": config.scoring.power or (power if sharp else 1.0),
        },
        watch=_watch(config, game) if game is not None else {},
        output={"name": name},
    )


def reasons(given: RunConfig, chosen: RunConfig) -> dict[str, str]:
    """Why settings that `given` leaves open were chosen, by `section.key`: those that depend on the model."""
    offline, adapter = chosen.training.trainer == "offline", chosen.lora is not None
    rate = f"TRL's default for {'SFT' if offline else 'GRPO'}"
    if not offline and chosen.training.learning_rate != LIVE_LARGE_RATE:
        rate += ", times ten since 1e-6 hardly moves small models"
    rate += ", times ten for an adapter, as its documentation advises" * adapter
    found = {
        "model.dtype": "by the checkpoint and this machine",
        "training.learning_rate": rate,
        "training.micro_batch_size": "fits into the free memory",
        "training.max_new_tokens": "room to reason; short answers need less",
        "evaluation.batch_size": "fits into the free memory",
        "data.instruction": "how an answer is marked",
    }
    if "lora" not in given.model_fields_set:
        found["lora.rank"] = "more than 0.5 B weights; to train them all: lora: null"
    if offline:
        found["offline.samples"] = "of few questions many completions"
    if chosen.scoring.power not in (None, 1.0):
        found["scoring.power"] = "did better than 4 on a pretrained model"
    if chosen.model.path in starter.MODELS:
        found = dict.fromkeys(("training.learning_rate", "training.max_new_tokens"), "the built-in model's own")
    sections = given.model_dump(exclude_unset=True).items()
    named = {f"{name}.{key}" for name, values in sections if isinstance(values, dict) for key in values}
    return {name: why for name, why in found.items() if name not in named}


def _reading(config: RunConfig, built_in: bool) -> dict[str, Any]:
    """The settings of `answers` that the preset's gold answers need, where the configuration leaves them open."""
    needed: dict[str, str] = {"kind": "any"} if built_in else {}
    if (preset := PRESETS.get(config.data.preset or "")) is not None:
        needed |= preset.answers
    return {name: value for name, value in needed.items() if name not in config.answers.model_fields_set}


def _watch(config: RunConfig, game: Game) -> dict[str, Any]:
    """What the watch expects of the game, where the configuration leaves it open.

    Only games whose every term looks across views aim at the consensus of the reference (theory.md 2.2); games of
    diversity lower the information of an answer about its question by design.
    """
    terms = [part.game if isinstance(part, Where) else part for _, part in game.parts()]
    compares = bool(terms) and all(part.across_views for part in terms) and config.parity is None
    spreads = any(isinstance(part, DIVERSITY) for part in terms) or config.parity is not None
    given = {name: value for name, value in config.watch.model_dump().items() if value is not None}
    return {
        "probe_questions": PROBE_QUESTIONS if compares else 0,
        "information_loss": 1.0 if spreads else INFORMATION_LOSS,
    } | given
