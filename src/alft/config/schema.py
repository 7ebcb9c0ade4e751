"""What a run is: one strict declaration that feeds the command line, validation, docs and the saved run.

A field left at None is filled for the model and game (`alft.plan.defaults.resolve`): the built-in starter
has settings of its own, any other model gets those that are usual for pretrained language models.
"""

from __future__ import annotations

from collections.abc import Mapping
from os.path import expanduser
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from alft.config.answers import AnswersConfig
from alft.config.game import GameSpec
from alft.config.section import AboveZero, Amount, NonNegative, Positive, Section, Seed, Share
from alft.config.training import OfflineConfig, TrainingConfig
from alft.estimators import PRIOR, LogKind
from alft.games import NAMED
from alft.questions import MAKERS, PERMUTED, PRESETS
from alft.rewards import Baseline, Compared
from alft.simplex import LARGEST_POWER

RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"

Place = Annotated[str, AfterValidator(expanduser)]
"""A path, in which a leading `~` is the home folder, or another name."""


class ModelConfig(Section):
    """Which model is trained."""

    path: Place = Field(
        default="starter",
        description='directory, Hub id or GGUF file (extra gguf) of a causal language model, or "starter"',
    )
    revision: str | None = Field(default=None, description="branch, tag or commit of a Hub model")
    chat: Literal["auto", "plain"] = Field(
        default="auto",
        description="auto: a question is a user message where the model has a chat template; plain: text as it "
        "stands, and the model is saved without a template",
    )
    chat_template_kwargs: dict[str, bool | int | float | str | None] = Field(
        default={},
        description="arguments of the chat template, e.g. {enable_thinking: false}; saved as its defaults",
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="what is computed in; auto: bfloat16 for a checkpoint of it where the machine computes in "
        "it itself, else float32. Weights that are trained are float32, since small steps vanish in 16 bits",
    )

    @field_validator("dtype", mode="before")
    @classmethod
    def _no_float16(cls, dtype: Any) -> Any:
        if dtype == "float16":
            raise ValueError("float16 loses the small gradients of this training: use bfloat16")
        return dtype


class LoraConfig(Section):
    """A low-rank adapter that is trained instead of all weights (peft); model/ has it merged, adapter/ alone."""

    rank: Positive = Field(default=16, description="rank r of the adapter")
    alpha: AboveZero = Field(default=32.0, description="scale: the adapter counts alpha / rank")
    target_modules: str | list[str] = Field(
        default="all-linear", description="names of the layers that are adapted, or all-linear"
    )


class DataConfig(Section):
    """Which questions it is trained and measured on."""

    path: Place = Field(
        default="starter",
        description='questions to train on: a JSONL, CSV or Parquet file, a folder, "hub:OWNER/NAME", '
        '"reasoning-gym:NAME" or "starter"',
    )
    eval_path: Place | None = Field(default=None, description="held-out questions; by default taken from `path`")
    eval_split: str | None = Field(default=None, description="split of the held-out questions")
    held_out: Positive | None = Field(default=None, description="how many questions to hold out for measuring")
    preset: str | None = Field(default=None, description=f"schema of the source: one of {', '.join(PRESETS)}")
    columns: dict[str, str] = Field(
        default={}, description="our fields → columns of the source, or dotted paths in them, added to its fields"
    )
    bad_rows: Literal["drop", "error"] | None = Field(
        default=None, description="rows that can't be used: by default drop with a preset, else error"
    )
    answers: Literal["uniform", "required", "partial"] | None = Field(
        default=None, description="which questions need an answer; by default what the game needs"
    )
    subset: str | None = Field(default=None, description="part of a Hub dataset or folder (the Hub's config)")
    split: str | None = Field(default=None, description="split of a Hub dataset or folder; by default train")
    revision: str | None = Field(
        default=None, description="branch, tag or commit of a Hub dataset; the run records the commit"
    )
    size: Positive | None = Field(default=None, description="how many questions a generator makes")
    seed: Seed | None = Field(default=None, description="which ones; by default training.seed")
    settings: dict[str, bool | int | float | str | list[int | float | str]] = Field(
        default={}, description="settings of a reasoning-gym generator"
    )
    views: list[str] = Field(
        default=[],
        description="views made for questions that come with none: makers "
        f"({', '.join(MAKERS)}), templates with {{question}}, or N {PERMUTED}",
    )
    instruction: str | None = Field(
        default=None, description="sentence added to every view, on how to mark the answer"
    )
    system_prompt: str | None = Field(
        default=None, description="system message before every question that has none; needs a chat template"
    )
    too_long: Literal["error", "drop"] = Field(
        default="error", description="what to do with questions whose prompt does not fit the model's context"
    )


class ScoringConfig(Section):
    """How the game is played on samples (theory.md 3 and 4.1)."""

    baseline: Baseline = Field(default="leave_two_out", description="what is subtracted from a reward")
    own: Literal["leave_one_out", "plugin"] = Field(default="leave_one_out", description="estimator of ν_v(a)")
    log: LogKind | None = Field(
        default=None,
        description="estimator of log ν_v(a), where a game has it; by default plugin, which sharpens, for games "
        "that only compare views at beta 0, else variance_optimal, which is nearly unbiased",
    )
    prior: Amount = Field(default=PRIOR, description="pseudo-samples per answer where a view's count can be zero")
    cap: AboveZero = Field(default=5.0, description="largest absolute reward of a game, before its weight")
    compare: Compared = Field(
        default="answers",
        description="traces: the game is played on whole texts, to see what comparing answers is worth",
    )
    unread_penalty: Amount = Field(default=0.5, description="cost of a completion without a readable answer")
    beta: Amount = Field(default=0.0, description="price β of a nat of KL from the reference, in the reward")
    power: Annotated[float, Field(ge=1, le=LARGEST_POWER)] | None = Field(
        default=None,
        description="α: the reference is sharpened to ν₀^α, so that views agree and are sure; by default 1, and "
        "4 for games that compare views offline; live, it needs beta above 0",
    )


class ConstraintConfig(Section):
    """A limit on what answers cost on average over all questions (theory.md 2): one of key, regex, function."""

    key: str | list[str] | None = Field(default=None, description="answers that are flagged")
    regex: str | None = Field(default=None, description="completions are flagged in which this is found")
    function: str | None = Field(default=None, description="path.py:name of a function of (text, key): a cost")
    at_most: Annotated[float, Field(allow_inf_nan=False)] = Field(description="largest mean cost, e.g. 0.05")
    name: str | None = Field(default=None, description="what metrics call it; by default the flag itself")
    rate: AboveZero = Field(default=0.5, description="step of the multiplier's dual ascent")
    damping: Amount = Field(default=5.0, description="share of the excess itself in the multiplier")
    decay: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.8, description="memory of the running cost")
    largest: AboveZero = Field(default=20.0, description="largest multiplier")

    @model_validator(mode="after")
    def _one_flag(self) -> ConstraintConfig:
        given = [name for name in ("key", "regex", "function") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"say exactly one of key, regex, function; given: {', '.join(given) or 'none'}")
        return self

    @property
    def label(self) -> str:
        """The name under which metrics list it."""
        keys = self.key if isinstance(self.key, str) or self.key is None else ",".join(self.key)
        return self.name or keys or self.regex or str(self.function)


class ParityConfig(Section):
    """The game of parity between the groups that questions name in their field `group` (theory.md 2)."""

    weight: Amount = Field(default=1.0, description="coefficient of the game")
    decay: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.95, description="memory of the groups' marginals")


class TargetConfig(Section):
    """The Target of games whose Target is the consensus of the reference (coherence_fixed)."""

    samples: Positive = Field(default=8, description="completions per view sampled from the reference, once")
    decay: Share = Field(
        default=1.0, description="1: fixed; below: each visit of a question moves its Target by (1 − decay)"
    )


class EvaluationConfig(Section):
    """What is measured before and after training."""

    questions: Positive = Field(default=128, description="held-out questions to measure on, at most")
    samples: Positive = Field(default=8, description="sampled completions per view")
    batch_size: Positive = Field(default=1024, description="completions generated at once")
    seed: Seed = Field(default=1234, description="sampling of the evaluation")


class WatchConfig(Section):
    """When a run is stopped because answers collapse across questions (theory.md 4.6)."""

    enabled: bool = Field(default=True, description="stop and restore the last good model on collapse")
    window: Positive = Field(default=5, description="batches pooled into one look across questions")
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
        " as far below its best; of fewer than 32 probed questions more, as one over the root of their number",
    )


class OutputConfig(Section):
    """Where the run goes."""

    name: str | None = Field(default=None, description="name of the run directory; by default game and seed")
    directory: Place = Field(default="runs", description="folder that holds run directories")
    dtype: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="weights of the saved model, which is measured as saved; bfloat16 halves the file, and rounds "
        "steps of 1e-6 away",
    )

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
    answers: AnswersConfig = AnswersConfig()
    game: GameSpec = Field(
        default=GameSpec.model_validate("coherence_geometric"),
        description=f"a game ({', '.join(NAMED)}, or path.py:MyGame), a mapping of games to weights, or a list of "
        "{game, weight, where, log, own, and the game's own parameters}",
    )
    constraints: list[ConstraintConfig] = Field(default=[], description="limits over all questions")
    parity: ParityConfig | None = Field(default=None, description="groups of questions to be answered alike")
    target: TargetConfig = TargetConfig()
    scoring: ScoringConfig = ScoringConfig()
    lora: LoraConfig | None = Field(
        default=None,
        description="train an adapter instead of all weights; left out: for models of more than 0.5 B weights, "
        "where peft is installed; null: never",
    )
    training: TrainingConfig = TrainingConfig()
    offline: OfflineConfig = OfflineConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    watch: WatchConfig = WatchConfig()
    output: OutputConfig = OutputConfig()

    def changed(self, **sections: Mapping[str, Any]) -> RunConfig:
        """The same but for some fields of its sections: `changed(model={"path": "starter"})`."""
        made = {name: getattr(self, name).model_copy(update=fields) for name, fields in sections.items()}
        return self.model_copy(update=made)
