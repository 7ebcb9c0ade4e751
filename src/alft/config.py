"""What a run is: one strict declaration that feeds the command line, validation, docs and the saved run.

A field left at None is filled from the model and game it is for (`alft.plan.resolve`): the built-in starter has
settings of its own, any other model gets those that are usual for pretrained language models.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from alft.estimators.log_tables import LogKind
from alft.games import NAMED
from alft.rewards import Baseline

BUILT_IN = "starter"
"""The value of `model.path` and `data.path` that names the built-in model and questions."""
RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"

Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Base of every part of a configuration: strict types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ModelConfig(Section):
    """Which model is trained."""

    path: str = Field(default=BUILT_IN, description='directory or Hub id of a causal language model, or "starter"')
    revision: str | None = Field(default=None, description="branch, tag or commit of a Hub model")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="weights while training"
    )


class DataConfig(Section):
    """Which questions it is trained and measured on."""

    path: str = Field(default=BUILT_IN, description='questions to train on (JSONL), or "starter"')
    eval_path: str | None = Field(default=None, description="held-out questions; by default taken from `path`")
    held_out: Positive | None = Field(default=None, description="how many questions to hold out for measuring")
    instruction: str | None = Field(
        default=None, description="sentence added to every view, on how to mark the answer"
    )


class ScoringConfig(Section):
    """How the game is played on samples (theory.md 3 and 4.1)."""

    baseline: Baseline = Field(default="leave_two_out", description="what is subtracted from a reward")
    own: Literal["leave_one_out", "plugin"] = Field(default="leave_one_out", description="estimator of ν_v(a)")
    log: LogKind = Field(default="plugin", description="estimator of log ν_v(a), in games that have it")
    prior: Amount = Field(default=0.5, description="pseudo-samples per answer where a view's count can be zero")
    cap: Annotated[float, Field(gt=0)] = Field(default=5.0, description="largest absolute reward")
    unread_penalty: Amount = Field(default=0.5, description="cost of a completion without a readable answer")


class TrainingConfig(Section):
    """How long, how fast, on what batches."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="peak learning rate"
    )
    schedule: Literal["constant", "linear", "cosine"] | None = Field(default=None, description="how it decays")
    warmup_steps: NonNegative | None = Field(default=None, description="steps of linear warm-up")
    steps: Positive = Field(default=60, description="optimiser steps")
    questions_per_step: Positive = Field(
        default=8, description="questions in a generation batch, all views of each"
    )
    samples: Annotated[int, Field(ge=2)] = Field(
        default=8, description="completions per view (G, num_generations)"
    )
    micro_batch_size: Positive | None = Field(default=None, description="completions in one forward pass")
    max_new_tokens: Positive | None = Field(default=None, description="longest completion")
    max_grad_norm: Annotated[float, Field(gt=0)] = Field(default=1.0, description="gradient clipping")
    seed: NonNegative = Field(default=0, description="order of questions and sampling")
    threads: Positive | None = Field(default=None, description="CPU threads; by default one per core, at most 2")


class EvaluationConfig(Section):
    """What is measured before and after training."""

    questions: Positive = Field(default=128, description="held-out questions to measure on, at most")
    samples: Positive = Field(default=8, description="sampled completions per view")
    batch_size: Positive = Field(default=1024, description="completions generated at once")
    seed: NonNegative = Field(default=1234, description="sampling of the evaluation")


class WatchConfig(Section):
    """When a run is stopped because answers collapse across questions (theory.md 4.6)."""

    enabled: bool = Field(default=True, description="stop and restore the last good model on collapse")
    window: Positive = Field(default=5, description="steps pooled into one look across questions")
    information_loss: Share | None = Field(
        default=None,
        description="share of information about the question that may be lost; by default 0.3, 1 for diversity",
    )
    unread: Share = Field(default=0.5, description="largest unread share")
    every: Positive = Field(default=2, description="steps between probes, and between models kept")
    probe_questions: NonNegative | None = Field(
        default=None,
        description="held-out questions asked by a probe, 0: none; by default 32 for games that compare views",
    )
    probe_samples: Positive = Field(default=4, description="completions per view in a probe")
    drop: Share = Field(
        default=0.06,
        description="how far the share that follows the reference's consensus may fall below its start; twice"
        " as far below its best",
    )


class OutputConfig(Section):
    """Where the run goes."""

    name: str | None = Field(default=None, description="name of the run directory; by default game and seed")
    directory: str = Field(default="runs", description="folder that holds run directories")

    @field_validator("name")
    @classmethod
    def _safe(cls, name: str | None) -> str | None:
        import re

        if name is not None and not re.fullmatch(RUN_NAME, name):
            raise ValueError(f"a run name is letters, digits, '.', '_', '-', at most 100, not {name!r}")
        return name


class RunConfig(Section):
    """A whole run."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    game: str = Field(default="coherence_geometric", description=f"one of {', '.join(NAMED)}")
    scoring: ScoringConfig = ScoringConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    watch: WatchConfig = WatchConfig()
    output: OutputConfig = OutputConfig()
