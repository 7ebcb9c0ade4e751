r"""AlignmentGameTrainer: TRL's GRPO and RLOO, playing a game on answers (theory.md 4; no formula lives here).

    trainer = AlignmentGameTrainer(
        model="Qwen/Qwen2.5-1.5B-Instruct",
        game=games.Coherence("geometric"),
        args=faithful_config(output_dir="out", per_device_train_batch_size=64, num_generations=8,
                             max_completion_length=256, max_steps=60),
        train_dataset=to_dataset(load_questions("questions.jsonl"), instruction="Put your answer in \boxed{}."),
    )
    trainer.train()

TRL generates, takes gradients, logs and saves. Ours are a few hooks: the sampler keeps a question's views
together, the reward sees the generation batch of all processes, the advantages are the game's own (leave-two-out
baseline, the KL penalty of whole completions in the reward), and the game's metrics join TRL's log. A failure on
one process ends all (`alft.training.processes`).
"""

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate.utils import gather, gather_object
from datasets import Dataset
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.rloo_config import RLOOConfig
from trl.trainer.rloo_trainer import RLOOTrainer

from alft.completions import Completion
from alft.config.game import GameSpec
from alft.errors import ConfigError, Problem
from alft.games import Game
from alft.models.decoding import Decoder
from alft.rewards import Scoring, leave_one_out
from alft.rewards.scorer import ScoredBatch, Scorer, read_completion
from alft.training import faithful
from alft.training.block_sampler import BatchShape, BlockSampler, Order, blocks_of, views_drawn
from alft.training.callbacks import Alarms, step_metrics
from alft.training.kl import Reference
from alft.training.processes import everywhere
from alft.training.prompts import SharedPrompts
from alft.training.reward_functions import GuardedRewards
from alft.training.saving import CheckpointMixin, JsonPart, Played
from alft.training.stopping import check_cycle
from alft.training.watch import WatchCallback

Base = GRPOTrainer if TYPE_CHECKING else object  # a mixin: RLOO's trainer has all that it uses of GRPO's
OnBatch = Callable[[int, Sequence[Completion], ScoredBatch], None]


def game_reward(completions: Sequence[Any], **_: Any) -> list[float]:
    """Stands in TRL's list of reward functions where the game's reward is filled in, and names its metrics."""
    return [0.0] * len(completions)


class AlignmentGameMixin(CheckpointMixin, Base):
    """Plays a game on answers, over TRL's GRPO or RLOO trainer.

    `game` is a `Game` or the name of one, a `Scoring` that also chooses estimator, baseline and unread penalty, or
    a `Scorer` that also remembers; `scorer` is what every generation batch goes through.
    `train_dataset` has the columns `prompt`, `question_id`, `view`, and optionally `answer` and
    `answer_map` (see `alft.training.dataset.to_dataset`). `args` default to the faithful ones;
    other `reward_funcs` are added with their `args.reward_weights`, under an exact leave-one-out baseline; one
    weight more than there are functions is the game's own, before them, which is 1 otherwise.
    Among `callbacks`, an `alft.collapse_watch` stops a run that collapses, and knows the model to go back to.
    `on_batch(step, rows, batch)` sees every scored generation batch. A batch holds `views_per_step` views of each
    question, by default the fewest that a question has. With `Scoring.beta` > 0, −β Σ_t log(π/π_0) of a completion
    joins its reward (theory.md 4.2). Stop strings are `args.generation_kwargs["stop_strings"]`, by default
    `alft.completions.STOP` without a chat template. `share_prompts` reads each prompt once for its completions,
    when sampling and in a forward pass: the same gradient to rounding, several times faster where answers are
    short. The rest is TRL's, but for what changes its own advantages (`scale_rewards`,
    `multi_objective_aggregation`): it is ignored.

    Raises ConfigError if the dataset lacks what the game needs, or a prompt has too few samples for the baseline;
    when training starts, if a batch can't hold whole questions.
    """

    args: Any
    train_dataset: Any
    num_generations: Any
    num_generations_eval: Any
    default_args: Callable[..., Any]

    def __init__(  # noqa: PLR0913 — TRL's own take more
        self,
        model: Any,
        game: Game | Scoring | Scorer | str,
        args: Any = None,
        reward_funcs: Callable | str | Sequence[Callable | str] = (),
        on_batch: OnBatch | None = None,
        views_per_step: int | None = None,
        share_prompts: bool = False,
        **trl: Any,
    ) -> None:
        args = self.default_args() if args is None else args
        self.scorer = scorer_of(game, args.seed)
        self.on_batch, self.views_per_step, self.alarms = on_batch, views_per_step, Alarms()
        self._watches = [one for one in trl.get("callbacks") or () if isinstance(one, WatchCallback)]
        faithful.check_samples(self.scorer.scoring, args.num_generations or 0)
        game, answers = self.scorer.scoring.game, self.scorer.answers
        faithful.check_columns(game, trl.get("train_dataset"), views_per_step, answers=answers)
        for name, part in faithful.eval_parts(trl.get("eval_dataset")).items():
            faithful.check_columns(game, part, name=name, answers=answers)
        faithful.check_eval_batch(args, trl.get("eval_dataset"))
        args, stop = faithful.stop_strings(args)
        faithful.warn_unfaithful(args)
        given: Any = reward_funcs
        alone = isinstance(given, str) or not isinstance(given, Sequence)
        self._guarded = GuardedRewards([given] if alone else given)
        functions: list[Any] = [game_reward, *self._guarded.functions]
        if args.reward_weights is not None and len(args.reward_weights) == len(functions) - 1:
            args = copy(args)
            args.reward_weights = [1.0, *args.reward_weights]
        super().__init__(model=model, reward_funcs=functions, args=args, **trl)
        self._decoder = Decoder(self._tokenizer, stop)
        self._shared = SharedPrompts(self) if share_prompts else None
        self._reference = Reference(self) if self.scorer.scoring.beta else None
        self.follow_cycles(check_cycle(self.args))
        for watch in self._watches:
            watch.gather = self.gathered
        shared = [] if self._shared is None else [JsonPart("prompts", self._shared, new=True)]
        played = JsonPart("played", Played(self.scorer.scoring, self.train_dataset), new=True)
        self.parts += [played, JsonPart("game", self.scorer), *shared, *self._watches]

    def _get_train_sampler(self, dataset: Dataset | None = None) -> BlockSampler:
        args, data = self.args, self.train_dataset if dataset is None else dataset
        rows = args.generation_batch_size // args.num_generations
        shape = BatchShape(rows, args.num_generations, args.num_iterations * args.steps_per_generation)
        order = Order(args.seed, lambda: int(self.state.epoch or 0)) if args.shuffle_dataset else None
        sampler = BlockSampler(blocks_of(data["question_id"]), shape, order, self.views_per_step)
        never = 0 if order else len(data) - len(sampler) // (shape.samples * shape.repeats)
        if never:
            what = f"{never} of {len(data)} rows are never asked, since all epochs have the same order"
            warnings.warn(f"train_dataset: {what} — set shuffle_dataset=True", stacklevel=2)
        return sampler

    def _get_eval_sampler(self, eval_dataset: Dataset) -> BlockSampler:
        blocks = blocks_of(eval_dataset["question_id"])
        shape = BatchShape(views_drawn(blocks, None), self.num_generations_eval)
        return BlockSampler(blocks, shape)

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        def turn() -> Any:
            model = self.accelerator.unwrap_model(self.model_wrapped)
            once = nullcontext() if self._shared is None else self._shared.generating(model, self._decoder)
            with self._decoder.stopping(model), once:
                return self._stopped(super(AlignmentGameMixin, self)._generate_single_turn(*args, **kwargs))

        # where processes wait for each other inside, a failure just ends its process
        return turn() if self._generates_together() else everywhere(turn)

    def _stopped(self, generated: Any) -> Any:
        """Token ids, or a pair of them and their log-probabilities, up to their stop strings."""
        if not self._decoder.strings:
            return generated
        parts = generated if isinstance(generated, tuple) else (generated,)
        ends = [self._decoder.end(own) for own in parts[0]]
        cut = [part and [own[:end] for own, end in zip(part, ends, strict=True)] for part in parts]
        return tuple(cut) if isinstance(generated, tuple) else cut[0]

    def _generates_together(self) -> bool:
        """Whether generation itself exchanges prompts or weights between processes."""
        args = self.args
        shared = args.use_vllm and (args.vllm_mode == "server" or args.vllm_tensor_parallel_size > 1)
        return bool(shared or self.is_deepspeed_enabled or self.is_fsdp_enabled)

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Any, attention_mask: Any, logits_to_keep: int, *args: Any, **kwargs: Any
    ) -> Any:
        given = model, input_ids, attention_mask, logits_to_keep, *args
        found = None if self._shared is None else self._shared.log_probs(*given, **kwargs)
        return super()._get_per_token_logps_and_entropies(*given, **kwargs) if found is None else found

    def _calculate_rewards(
        self, inputs: list[dict], prompts: list, completions: list, completion_ids_list: list
    ) -> torch.Tensor:
        completions = self._written(completions, completion_ids_list)
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        rows = gather_object(everywhere(lambda: self._read(inputs, completions, completion_ids_list)))
        batch = everywhere(lambda: self._score(rows))
        own, *others = self.reward_weights.tolist()
        columns = rewards[:, 1:].cpu().numpy().T
        added = [w * leave_one_out(column, self._group_size()) for w, column in zip(others, columns, strict=True)]
        self._advantages = own * batch.advantages + np.sum(added, axis=0)
        rewards[:, 0] = torch.as_tensor(batch.rewards, dtype=rewards.dtype)
        return rewards

    def _generate_and_score_completions(self, inputs: list[dict]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        advantages = self._advantages - self._kl_cost(output)
        given = self._logs["advantages"]
        for _ in advantages[: len(given)]:
            given.pop()
        given.extend(advantages.tolist())
        first = self.accelerator.process_index * len(inputs)
        exact = torch.as_tensor(advantages[first : first + len(inputs)])
        output["advantages"] = exact.to(output["advantages"].device, output["advantages"].dtype)
        return output

    def _kl_cost(self, output: dict[str, Any]) -> np.ndarray | float:
        """What the KL penalty takes off the advantages of all processes' completions."""
        if self._reference is None:
            return 0.0
        found: Any = gather(self._reference.log_ratio(output))
        ratio = found.double().cpu().numpy()
        self._metrics[self._mode()]["game/kl"].append(float(ratio.mean()))
        return self.scorer.scoring.beta * leave_one_out(ratio, self._group_size())

    def _read(self, inputs: list[dict], completions: list, ids: list[list[int]]) -> list[Completion]:
        self._guarded.check()
        ends = [[token] for token in (*self.eos_token_ids, self._tokenizer.pad_token_id)]
        answers, stopped = self.scorer.answers, self._decoder.end
        return [
            read_completion(columns, turn, answers, truncated=own[-1:] not in ends and stopped(own) is None)
            for columns, turn, own in zip(inputs, completions, ids, strict=True)
        ]

    def _written(self, completions: list, ids: list[list[int]]) -> list:
        """Completions as `Decoder` reads them; those of several turns are left to TRL."""
        if not self._decoder.rewrites:
            return completions
        texts = zip(completions, self._decoder.texts(ids), strict=True)
        return [
            text if isinstance(turn, str) else [{**turn[0], "content": text}] if len(turn) == 1 else turn
            for turn, text in texts
        ]

    def _score(self, rows: Sequence[Completion]) -> ScoredBatch:
        mode = self._mode()
        batch = self.scorer.score(rows, learn=mode == "train")
        cut_off = float(np.mean([row.truncated for row in rows]))
        for name, value in (step_metrics(batch) | {"truncated": cut_off}).items():
            if value is not None:
                self._metrics[mode][f"game/{name}"].append(value)
        if mode == "train":
            step = self.state.global_step
            for watch in self._watches:
                watch.see(step, batch)
            if self.on_batch is not None:
                self.on_batch(step, rows, batch)
            self.alarms.see(step, rows, batch)
        return batch

    def _group_size(self) -> int:
        return self.num_generations if self._mode() == "train" else self.num_generations_eval

    def _mode(self) -> str:
        return "train" if self.model.training else "eval"


class AlignmentGameTrainer(AlignmentGameMixin, GRPOTrainer):
    """GRPO on a game over answers; `args` is a GRPOConfig, by default `faithful_config()`."""

    default_args: Callable[..., GRPOConfig] = staticmethod(faithful.faithful_config)


class AlignmentGameRLOOTrainer(AlignmentGameMixin, RLOOTrainer):
    """RLOO on a game over answers; `args` is an RLOOConfig, by default `faithful_rloo_config()`."""

    default_args: Callable[..., RLOOConfig] = staticmethod(faithful.faithful_rloo_config)


def scorer_of(game: Game | Scoring | Scorer | str, seed: int = 0) -> Scorer:
    """The scorer that plays a game, by default settings where they are not given.

    A name is read as in a configuration, with its `seed`. Raises ConfigError if it is no game's, or what is given
    is no game.
    """
    if isinstance(game, Scorer):
        return game
    if isinstance(game, str):
        game = GameSpec.model_validate(game).build(seed=seed)
    if not isinstance(game, Game | Scoring):
        what = f"{game!r} is no game, no Scoring and no Scorer"
        raise ConfigError(Problem("game", what, "give a game itself, e.g. games.Agreement()"))
    return Scorer(game if isinstance(game, Scoring) else Scoring(game))
