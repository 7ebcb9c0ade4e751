"""AlignmentGameTrainer: TRL's GRPO, playing a game on answers (theory.md 4; no formula lives here).

    trainer = AlignmentGameTrainer(
        model="Qwen/Qwen2.5-1.5B-Instruct",
        game=games.Coherence("geometric"),
        args=faithful_config(output_dir="out", per_device_train_batch_size=64, num_generations=8),
        train_dataset=to_dataset(load_questions("questions.jsonl")),
    )
    trainer.train()

TRL generates, takes gradients, logs and saves. Ours are four hooks: the sampler keeps a question's views
together, the reward sees the generation batch of all processes, the advantages are the game's own
(leave-two-out baseline), and the game's metrics join TRL's log.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from datasets import Dataset
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from alft.errors import ConfigError, Problem
from alft.games import Game
from alft.rewards import Scoring, leave_one_out
from alft.training.block_sampler import BatchShape, BlockSampler, blocks_of
from alft.training.scorer import Row, ScoredBatch, read_row, score_batch
from alft.training.step_metrics import step_metrics

FAITHFUL: dict[str, Any] = {
    "loss_type": "dr_grpo",
    "scale_rewards": "none",
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "repetition_penalty": 1.0,
    "beta": 0.0,
    "num_iterations": 1,
}
"""Settings under which GRPO's step is the game's policy gradient (theory.md 4.3)."""

OnBatch = Callable[[int, Sequence[Row], ScoredBatch], None]


def faithful_config(**settings: Any) -> GRPOConfig:
    """A GRPOConfig whose step is the exact policy gradient of the game; `settings` override and complete it."""
    return GRPOConfig(**{**FAITHFUL, **settings})


def warn_unfaithful(args: GRPOConfig) -> None:
    """Warn of settings that play another game than the one asked for (theory.md 4.3)."""
    changed = {name: getattr(args, name) for name, value in FAITHFUL.items() if getattr(args, name) != value}
    if changed:
        listed = ", ".join(f"{name}={value!r} (exact: {FAITHFUL[name]!r})" for name, value in changed.items())
        warnings.warn(f"these settings change the game that is played: {listed}", stacklevel=3)


def game_reward(completions: Sequence[Any], **_: Any) -> list[float]:
    """Stands in TRL's list of reward functions where the game's reward is filled in, and names its metrics."""
    return [0.0] * len(completions)


class AlignmentGameMixin:
    """The hooks, for TRL's GRPO trainer and any with the same hook names."""

    args: Any
    scoring: Scoring
    on_batch: OnBatch | None
    _advantages: np.ndarray

    def _get_train_sampler(self, dataset: Dataset | None = None) -> BlockSampler:
        args, data = self.args, self.train_dataset if dataset is None else dataset  # type: ignore[attr-defined]
        rows = args.generation_batch_size // args.num_generations
        shape = BatchShape(rows, args.num_generations, args.num_iterations * args.steps_per_generation)
        return BlockSampler(
            blocks_of(data["question_id"]), shape, shuffle=bool(args.shuffle_dataset), seed=args.seed
        )

    def _get_eval_sampler(self, eval_dataset: Dataset) -> BlockSampler:
        blocks = blocks_of(eval_dataset["question_id"])
        shape = BatchShape(blocks.shape[1], self.num_generations_eval)  # type: ignore[attr-defined]
        return BlockSampler(blocks, shape, shuffle=False, seed=0)

    def _calculate_rewards(
        self, inputs: list[dict], prompts: list, completions: list, completion_ids_list: list
    ) -> torch.Tensor:
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)  # type: ignore[misc]
        rows = gather_object([read_row(columns, turn) for columns, turn in zip(inputs, completions, strict=True)])
        batch = score_batch(rows, self.scoring)
        own, *others = self.reward_weights.tolist()  # type: ignore[attr-defined]
        columns = rewards[:, 1:].cpu().numpy().T
        added = [w * leave_one_out(column, self._group_size()) for w, column in zip(others, columns, strict=True)]
        self._advantages = own * batch.advantages + np.sum(added, axis=0)
        rewards[:, 0] = torch.as_tensor(batch.rewards, dtype=rewards.dtype)
        self._record(rows, batch)
        return rewards

    def _generate_and_score_completions(self, inputs: list[dict]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)  # type: ignore[misc]
        first = self.accelerator.process_index * len(inputs)  # type: ignore[attr-defined]
        exact = torch.as_tensor(self._advantages[first : first + len(inputs)])
        output["advantages"] = exact.to(output["advantages"].device, output["advantages"].dtype)
        return output

    def _group_size(self) -> int:
        training = self.model.training  # type: ignore[attr-defined]
        return self.num_generations if training else self.num_generations_eval  # type: ignore[attr-defined]

    def _record(self, rows: Sequence[Row], batch: ScoredBatch) -> None:
        mode = "train" if self.model.training else "eval"  # type: ignore[attr-defined]
        for name, value in step_metrics(batch).items():
            if value is not None:
                self._metrics[mode][f"game/{name}"].append(value)  # type: ignore[attr-defined]
        if self.on_batch is not None and mode == "train":
            self.on_batch(self.state.global_step, rows, batch)  # type: ignore[attr-defined]


class AlignmentGameTrainer(AlignmentGameMixin, GRPOTrainer):
    """GRPO on a game over answers.

    `game` is a `Game`, or a `Scoring` that also chooses estimator, baseline and unread penalty.
    `train_dataset` has the columns `prompt`, `question_id`, `view`, and optionally `answer` and
    `answer_map` (see `alft.training.dataset.to_dataset`). `args` default to `faithful_config()`;
    other `reward_funcs` are added with their `reward_weights`, under an exact leave-one-out baseline.
    `on_batch(step, rows, batch)` sees every scored generation batch. The rest is TRL's.

    Raises ConfigError if the dataset lacks what the game needs, or a prompt has too few samples for the baseline;
    when training starts, if a batch can't hold whole questions.
    """

    def __init__(
        self,
        model: Any,
        game: Game | Scoring,
        args: GRPOConfig | None = None,
        reward_funcs: Sequence[Callable] = (),
        on_batch: OnBatch | None = None,
        **trl: Any,
    ) -> None:
        args = faithful_config() if args is None else args
        self.scoring = game if isinstance(game, Scoring) else Scoring(game)
        self.on_batch = on_batch
        check_samples(self.scoring, args.num_generations or 0)
        check_columns(self.scoring.game, trl.get("train_dataset"))
        warn_unfaithful(args)
        functions: list[Any] = [game_reward, *reward_funcs]
        super().__init__(model=model, reward_funcs=functions, args=args, **trl)


def check_samples(scoring: Scoring, samples: int) -> None:
    """Raise ConfigError if the leave-two-out baseline is not defined with so few samples a prompt."""
    needed = scoring.game.own_degree + 2
    if scoring.baseline == "leave_two_out" and samples < needed:
        raise ConfigError(
            Problem(
                "num_generations",
                f"{samples} samples a prompt are too few for the leave-two-out baseline of this game",
                f"use at least {needed}",
            )
        )


def check_columns(game: Game, dataset: Dataset | None) -> None:
    """Raise ConfigError if the dataset lacks columns, views or answers that the game needs."""
    if dataset is None:
        return
    missing = [name for name in ("prompt", "question_id", "view") if name not in dataset.column_names]
    if missing:
        raise ConfigError(
            Problem("train_dataset", f"no column {', '.join(missing)}", "make it by alft.to_dataset")
        )
    problems = []
    views = blocks_of(dataset["question_id"]).shape[1]
    if views < game.needs_views:
        problems.append(
            Problem("train_dataset", f"the game compares views, and questions have {views}", "add phrasings")
        )
    if game.needs_gold and ("answer" not in dataset.column_names or None in list(dataset["answer"])):
        problems.append(Problem("train_dataset", "the game needs an answer to every question"))
    if problems:
        raise ConfigError(problems)
