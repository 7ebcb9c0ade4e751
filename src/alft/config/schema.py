"""What a run is: one strict declaration that feeds the command line, validation, docs and the saved run.

A field left at None is filled for the model and game (`alft.plan.defaults.resolve`): the built-in starter
has settings of its own, any other model gets those that are usual for pretrained language models.
"""

import re
from collections.abc import Mapping
from os.path import expanduser
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from alft.config.answers import AnswersConfig
from alft.config.game import GameSpec
from alft.config.section import (
    AboveZero,
    Amount,
    Many,
    NonNegative,
    Positive,
    Section,
    Seed,
    Share,
    checked,
    setting,
)
from alft.config.training import OfflineConfig, TrainingConfig
from alft.estimators import PRIOR, LogKind
from alft.games import NAMED
from alft.questions import MAKERS, PERMUTED, PRESETS
from alft.rewards import Baseline, Compared
from alft.simplex import LARGEST_POWER

RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


def _run_name(name: str) -> None:
    if not re.fullmatch(RUN_NAME, name):
        raise ValueError(f"a run name is letters, digits, '.', '_', '-', at most 100, not {name!r}")


def _usable(path: str) -> None:
    if "\0" in path or max(len(part.encode("utf-8", "replace")) for part in path.split("/")) > 255:
        raise ValueError("each name in a path may have at most 255 bytes and no NUL character")


Place = Annotated[str, checked(_usable), AfterValidator(expanduser)]
"""A path, in which a leading `~` is the home folder, or another name."""


class ModelConfig(Section):
    """Which model is trained."""

    path: Place = setting("starter", 'directory, Hub id or GGUF file (extra gguf) of a causal model, or "starter"')
    revision: str | None = setting(None, "branch, tag or commit of a Hub model")
    chat: Literal["auto", "plain"] = setting(
        "auto",
        "auto: a question is a user message where the model has a chat template; plain: text as it "
        "stands, and the model is saved without a template",
    )
    chat_template_kwargs: dict[str, bool | int | float | str | None] = setting(
        {}, "arguments of the chat template, e.g. {enable_thinking: false}; saved as its defaults"
    )
    dtype: Literal["auto", "float32", "bfloat16"] = setting(
        "auto",
        "what is computed in; auto: bfloat16 for a checkpoint of it where the machine computes in "
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

    rank: Positive = setting(16, "rank r of the adapter")
    alpha: AboveZero = setting(32.0, "scale: the adapter counts alpha / rank")
    target_modules: str | list[str] = setting("all-linear", "names of the layers that are adapted, or all-linear")


class DataConfig(Section):
    """Which questions it is trained and measured on."""

    path: Place = setting(
        "starter", 'JSONL, CSV or Parquet file, folder, "hub:OWNER/NAME", "reasoning-gym:NAME" or "starter"'
    )
    eval_path: Place | None = setting(None, "held-out questions; by default taken from `path`")
    eval_split: str | None = setting(None, "split of the held-out questions")
    held_out: Many | None = setting(None, "how many questions to hold out for measuring")
    preset: str | None = setting(None, f"schema of the source: one of {', '.join(PRESETS)}")
    columns: dict[str, str] = setting(
        {}, "our fields → columns of the source or dotted paths, added to its fields"
    )
    bad_rows: Literal["drop", "error"] | None = setting(None, "bad rows; default: drop with a preset, else error")
    answers: Literal["uniform", "required", "partial"] | None = setting(
        None, "which questions need an answer; by default what the game needs"
    )
    subset: str | None = setting(None, "part of a Hub dataset or folder (the Hub's config)")
    split: str | None = setting(None, "split of a Hub dataset or folder; by default train")
    revision: str | None = setting(None, "branch, tag or commit of a Hub dataset; the run records the commit")
    size: Many | None = setting(None, "how many questions a generator makes")
    seed: Seed | None = setting(None, "which ones; by default training.seed")
    settings: dict[str, bool | int | float | str | list[int | float | str]] = setting(
        {}, "settings of a reasoning-gym generator"
    )
    views: list[str] = setting(
        [],
        "views made for questions that come with none: makers "
        f"({', '.join(MAKERS)}), templates with {{question}}, or N {PERMUTED}",
    )
    examples: Place | None = setting(
        None,
        "file of solved questions that are shown before every question (few-shot), written as the model should "
        "answer: turns of the conversation, or text where model.chat is plain",
    )
    instruction: str | None = setting(None, "sentence added to every view, on how to mark the answer")
    system_prompt: str | None = setting(None, "system message for questions that have none; needs a chat template")
    too_long: Literal["error", "drop"] = setting("error", "questions whose prompt doesn't fit the model's context")


class ScoringConfig(Section):
    """How the game is played on samples (theory.md 3 and 4.1)."""

    baseline: Baseline = setting("leave_two_out", "what is subtracted from a reward")
    own: Literal["leave_one_out", "plugin"] = setting("leave_one_out", "estimator of ν_v(a)")
    log: LogKind | None = setting(
        None,
        "estimator of log ν_v(a), where a game has it; by default plugin, which sharpens, for games "
        "that only compare views at beta 0, else variance_optimal, which is nearly unbiased",
    )
    prior: Amount = setting(PRIOR, "pseudo-samples per answer where a view's count can be zero")
    cap: AboveZero = setting(5.0, "largest absolute reward of a game, before its weight")
    compare: Compared = setting("answers", "traces: play on whole texts, to see what comparing answers is worth")
    unread_penalty: Amount = setting(0.5, "cost of a completion without a readable answer")
    beta: Amount = setting(0.0, "price β of a nat of KL from the reference, in the reward")
    power: Annotated[float, Field(ge=1, le=LARGEST_POWER)] | None = setting(
        None,
        "α: the reference is sharpened to ν₀^α, so that views agree and are sure; by default 1; offline, "
        "for games that compare views, 4 with a built-in model, else 16; live, it needs beta above 0",
    )


class ConstraintConfig(Section):
    """A limit on what answers cost on average over all questions (theory.md 2): one of key, regex, function."""

    key: str | list[str] | None = setting(None, "answers that are flagged")
    regex: str | None = setting(None, "completions are flagged in which this is found")
    function: str | None = setting(None, "path.py:name of a function of (text, key): a cost")
    at_most: Annotated[float, Field(allow_inf_nan=False)] = Field(description="largest mean cost, e.g. 0.05")
    name: str | None = setting(None, "what metrics call it; by default the flag itself")
    rate: AboveZero = setting(0.5, "step of the multiplier's dual ascent")
    damping: Amount = setting(5.0, "share of the excess itself in the multiplier")
    decay: Annotated[float, Field(ge=0, lt=1)] = setting(0.8, "memory of the running cost")
    largest: AboveZero = setting(20.0, "largest multiplier")

    @model_validator(mode="after")
    def _one_flag(self) -> Self:
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

    weight: Amount = setting(1.0, "coefficient of the game")
    decay: Annotated[float, Field(ge=0, lt=1)] = setting(0.95, "memory of the groups' marginals")


class TargetConfig(Section):
    """The Target of games whose Target is the consensus of the reference (coherence_fixed)."""

    samples: Positive = setting(8, "completions per view sampled from the reference, once")
    decay: Share = setting(1.0, "1: fixed; below: each visit of a question moves its Target by (1 − decay)")


class EvaluationConfig(Section):
    """What is measured before and after training."""

    questions: Many = setting(128, "held-out questions to measure on, at most")
    samples: Positive = setting(8, "sampled completions per view")
    batch_size: Positive = setting(1024, "completions generated at once")
    seed: Seed = setting(1234, "sampling of the evaluation")


class WatchConfig(Section):
    """When a run is stopped because answers collapse across questions (theory.md 4.6)."""

    enabled: bool = setting(True, "stop and restore the last good model on collapse")
    window: Positive = setting(5, "batches pooled into one look across questions")
    information_loss: Share | None = setting(
        None, "share of information about the question that may be lost; by default 0.3, 1 for diversity"
    )
    unread: Share = setting(0.5, "largest unread share")
    every: Positive = setting(2, "steps between probes, and between models kept")
    probe_questions: NonNegative | None = setting(
        None,
        "held-out questions asked by a probe, 0: none; by default 32 if a game aims at the views' consensus",
    )
    probe_samples: Positive = setting(4, "completions per view in a probe")
    drop: Share = setting(
        0.06,
        "how far the share that follows the reference's consensus may fall below its start; twice"
        " as far below its best; of fewer than 32 probed questions more, as one over the root of their number",
    )


class OutputConfig(Section):
    """Where the run goes."""

    name: Annotated[str, checked(_run_name)] | None = setting(None, "the run directory; by default game and seed")
    directory: Place = setting("runs", "folder that holds run directories")
    dtype: Literal["auto", "float32", "bfloat16"] = setting(
        "auto",
        "weights of the saved model, which is measured as saved; auto: bfloat16 for a checkpoint of it that is "
        "trained live, in bfloat16 and without an adapter, else float32; in the other it is a different model",
    )


class RunConfig(Section):
    """A whole run."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    answers: AnswersConfig = AnswersConfig()
    game: GameSpec = setting(
        GameSpec.model_validate("coherence_geometric"),
        f"a game ({', '.join(NAMED)}, or path.py:MyGame), a mapping of games to weights, or a list of "
        "{game, weight, where, log, own, and the game's own parameters}",
    )
    constraints: list[ConstraintConfig] = setting([], "limits over all questions")
    parity: ParityConfig | None = setting(None, "groups of questions to be answered alike")
    target: TargetConfig = TargetConfig()
    scoring: ScoringConfig = ScoringConfig()
    lora: LoraConfig | None = setting(
        None,
        "train an adapter instead of all weights; left out: for models of more than 0.5 B weights, "
        "where peft is installed; null: never",
    )
    training: TrainingConfig = TrainingConfig()
    offline: OfflineConfig = OfflineConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    watch: WatchConfig = WatchConfig()
    output: OutputConfig = OutputConfig()

    def changed(self, **sections: Mapping[str, Any]) -> Self:
        """The same but for some fields of its sections: `changed(model={"path": "starter"})`."""
        made = {name: getattr(self, name).model_copy(update=fields) for name, fields in sections.items()}
        return self.model_copy(update=made)
