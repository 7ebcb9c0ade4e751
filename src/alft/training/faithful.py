"""TRL settings under which a step is the game's policy gradient, and what is said of settings that change it.

TRL's defaults play another game (theory.md 4.3): the loss divides by lengths, advantages by their spread, the KL
penalty is per token, and a model's own generation settings may cut the distribution that the game is about.
Datasets are checked here too: what the columns of each row hold, before a model is loaded.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from copy import copy
from itertools import repeat
from typing import Any, Literal

import torch
from datasets import Dataset
from pydantic import FiniteFloat, Json, TypeAdapter, ValidationError
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.rloo_config import RLOOConfig

from alft.answers import USUAL, AnswerPolicy, gold_set, key_in_space, read
from alft.errors import ConfigError, Problem
from alft.games import Game
from alft.rewards import Scoring
from alft.training.block_sampler import blocks_of, views_drawn

# TRL calls transformers by names that it will drop: nothing that a script could change
warnings.filterwarnings("ignore", ".*gradient_checkpointing.* is deprecated", FutureWarning)
SAMPLING: dict[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": None,
    "repetition_penalty": 1.0,
    "generation_kwargs": None,
}
SHARED: dict[str, Any] = {
    **SAMPLING,
    "num_iterations": 1,
    "mask_truncated_completions": False,
    "disable_dropout": True,  # else a model samples, learns and is compared with the reference as three others
}
FAITHFUL: dict[str, Any] = {
    **SHARED,
    "loss_type": "dr_grpo",
    "importance_sampling_level": "token",
    "top_entropy_quantile": 1.0,
    "entropy_coef": 0.0,
    "use_adaptive_entropy": False,
    "off_policy_mask_threshold": None,
}
"""Settings under which GRPO's step is the game's policy gradient (theory.md 4.3)."""
FAITHFUL_RLOO: dict[str, Any] = {**SHARED, "reward_clip_range": None}
"""The same for RLOO, whose loss is a mean over sequences."""
VLLM: dict[str, Any] = {
    "vllm_importance_sampling_correction": True,
    "vllm_importance_sampling_mode": "sequence_mask",
    "vllm_importance_sampling_clip_max": 3.0,
    "vllm_importance_sampling_clip_min": None,
}
"""How GRPO weighs what vLLM sampled: by the ratio of whole completions, as the gradient of their game needs."""


def faithful_config(**settings: Any) -> GRPOConfig:
    """A GRPOConfig whose step is the exact policy gradient of the game; `settings` override and complete it."""
    unused = {"beta": 0.0, "scale_rewards": "none"}  # but for TRL's log: advantages are the game's
    return GRPOConfig(**{**FAITHFUL, **unused, **_on_this_machine(), **settings})


def faithful_rloo_config(**settings: Any) -> RLOOConfig:
    """An RLOOConfig whose step is the exact policy gradient of the game; `settings` override and complete it."""
    unused = {"beta": 0.0, "normalize_advantages": False}
    return RLOOConfig(**{**FAITHFUL_RLOO, **unused, **_on_this_machine(), **settings})


def _on_this_machine() -> dict[str, Any]:
    """TRL asks for bfloat16 on a GPU; a machine that has none computes in float32."""
    return {} if torch.accelerator.is_available() else {"use_cpu": True, "bf16": False}


def stop_strings(args: Any) -> tuple[Any, list[str] | None]:
    """Settings without the stop strings of `generation_kwargs`, and these; None where they are not given.

    `model.generate` would look for them in the prompt too, so our `Decoder` stops instead; vLLM keeps them.
    """
    given = dict(args.generation_kwargs or {})
    found = [given.pop(name) for name in ("stop_strings", "stop") if name in given]
    if not found:
        return args, None
    stop = [found[0]] if isinstance(found[0], str) else list(found[0])
    args = copy(args)
    args.generation_kwargs = given or None
    if args.use_vllm and stop:
        args.generation_kwargs = {**given, "stop": stop, "include_stop_str_in_output": True}
    return args, stop


def warn_unfaithful(args: Any) -> None:
    """Warn of settings that play another game than the one asked for; raise ConfigError for TRL's own β."""
    if args.beta != 0.0:
        what = f"TRL's own KL penalty is {args.beta}: per token, or ignored, and another game than β asks for"
        raise ConfigError(Problem("args.beta", what, "leave it at 0, and play game=Scoring(game, beta=…)"))
    exact = FAITHFUL_RLOO if isinstance(args, RLOOConfig) else FAITHFUL | (VLLM if args.use_vllm else {})
    if args.use_vllm and set(args.generation_kwargs or ()) == {"stop", "include_stop_str_in_output"}:
        exact = exact | {"generation_kwargs": args.generation_kwargs}  # `stop_strings` put them there
    changed = [
        f"{name}={getattr(args, name)!r} (exact: {value!r})"
        for name, value in exact.items()
        if getattr(args, name) != value
    ]
    each, updates = args.steps_per_generation or args.gradient_accumulation_steps, args.gradient_accumulation_steps
    if updates % each:
        how = "above" if each > updates else "no divisor of"
        changed.append(
            f"steps_per_generation={each} {how} gradient_accumulation_steps={updates} "
            "(exact: one update per generated batch)"
        )
    if changed:
        warnings.warn(f"these settings change the game that is played: {', '.join(changed)}", stacklevel=4)


def check_samples(scoring: Scoring, samples: int) -> None:
    """Raise ConfigError if the leave-two-out baseline is not defined with so few samples a prompt."""
    needed = scoring.game.own_degree + 2
    if scoring.baseline == "leave_two_out" and samples < needed:
        what = f"{samples} samples a prompt are too few for the leave-two-out baseline of this game"
        raise ConfigError(Problem("num_generations", what, f"use at least {needed}"))


COLUMNS = {  # what each holds, in words and as a type
    "question_id": ("ids", str | int),
    "view": ("whole numbers", int),
    "answer": ("single answers", str | bool | int | FiniteFloat | None),
    "aliases": ("lists of texts", Sequence[str] | None),
    "answer_map": ("json.dumps({letter: answer})", Json[dict[str, str]] | Literal[""] | None),
}


def row_problems(
    name: str, columns: Mapping[str, Sequence[Any]], game: Game, answers: AnswerPolicy = USUAL
) -> list[Problem]:
    """What `read_completion` could not use of the `COLUMNS` of a dataset called `name`, with the first such value.

    Gold answers are looked at if the game does: each must be right when a completion says it.
    """
    graded, problems = game.needs_gold or game.sees_gold, []
    for column, (kind, held) in COLUMNS.items():
        values = list(columns.get(column, ())) if graded or column not in ("answer", "aliases") else []
        try:
            TypeAdapter(list[held]).validate_python(values, strict=True)
        except ValidationError as error:
            wrong = sorted({int(fault["loc"][0]) for fault in error.errors()})
            what = f"the column {column} holds other values than {kind}: {values[wrong[0]]!r:.60}"
            problems.append(Problem(name, f"{what} ({len(wrong)} of {len(values)} rows)", "see alft.to_dataset"))
    if problems or not graded or "answer" not in columns:
        return problems
    first: dict[str | int, frozenset[str]] = {}
    boxes = answers.reading.pattern is None and answers.reading.reader is None
    aliases = columns.get("aliases") or repeat(None)
    golds = zip(columns["question_id"], columns["answer"], (tuple(more or ()) for more in aliases), strict=False)
    for one, answer, more in dict.fromkeys(gold for gold in golds if gold[1] is not None):
        told = str(answer), *more
        keys = gold_set(told, answers.keys)
        said = (read(f"\\boxed{{{text}}}", answers.reading).answer for text in told) if boxes else told
        if keys.isdisjoint(key_in_space(text, None, answers.keys) for text in said):
            fault = f"no completion could give the answer {answer!r:.60}", "write it alone, in one way"
        elif first.setdefault(one, keys).isdisjoint(keys):
            fault = f"has other answers than {answer!r:.60} in other views", "give one answer to all"
        else:
            continue
        problems.append(Problem(f"{name}: question {one!r:.40}", *fault))
    return problems[:5]


def check_columns(
    game: Game,
    dataset: Any,
    views_per_step: int | None = None,
    name: str = "train_dataset",
    answers: AnswerPolicy = USUAL,
) -> None:
    """Raise ConfigError if the dataset called `name` lacks columns, views or answers that the game needs.

    `views_per_step` are drawn of each question, by default as many as every question has; gold `answers` are read
    by the policy of that name.
    """
    if dataset is None:
        return
    if not isinstance(dataset, Dataset):
        what = f"is no datasets.Dataset, but {type(dataset).__name__}"
        remedy = "choose a split" if isinstance(dataset, dict) else "make it by to_dataset(load_questions(PATH))"
        raise ConfigError(Problem(name, what, remedy))
    if missing := [one for one in ("prompt", "question_id", "view") if one not in dataset.column_names]:
        raise ConfigError(Problem(name, f"no column {', '.join(missing)}", "make it by alft.to_dataset"))
    if len(dataset) == 0:
        raise ConfigError(Problem(name, "holds no question"))
    columns = {column: list(dataset[column]) for column in COLUMNS if column in dataset.column_names}
    problems = row_problems(name, columns, game, answers)
    if again := len(dataset) - len(
        {*zip(map(str, columns["question_id"]), map(str, columns["view"]), strict=True)}
    ):
        what = f"{again} rows have the question_id and the view of another row"
        problems.append(Problem(name, what, "number the views of a question 0, 1, …"))
    views = views_drawn(blocks_of(dataset["question_id"]), views_per_step)
    if views < game.needs_views:
        what = f"the game compares {game.needs_views} views, and {views} of a question would be in a batch"
        problems.append(Problem(name, what, "add phrasings where they lack, or leave those out"))
    if game.needs_gold and None in columns.get("answer", [None]):
        problems.append(Problem(name, "the game needs an answer to every question"))
    if problems:
        raise ConfigError(problems)


def eval_parts(dataset: Any) -> dict[str, Any]:
    """The datasets of an `eval_dataset`, one or several, by name."""
    return dataset if isinstance(dataset, dict) else {} if dataset is None else {"eval_dataset": dataset}


def check_eval_batch(args: Any, dataset: Any) -> None:
    """Raise ConfigError if the evaluation batches of a trainer would cut questions.

    Every process takes `per_device_eval_batch_size` completions, and all of them together must hold whole
    questions: views × samples completions each.
    """
    for name, part in eval_parts(dataset).items():
        blocks = blocks_of(part["question_id"])
        question = views_drawn(blocks, None) * (args.num_generations_eval or args.num_generations)
        size, processes = args.per_device_eval_batch_size * args.world_size, args.world_size
        everything = len(blocks) * question
        if size % question or everything % size:
            what = f"{size} completions a batch cut the {len(blocks)} questions of {question} completions"
            whole = math.lcm(question, processes)
            fits = [n // processes for n in range(whole, everything + 1, whole) if everything % n == 0][:3]
            remedy = f"set it to {' or '.join(map(str, fits))}" if fits else f"give it {processes} times as many"
            raise ConfigError(Problem(f"per_device_eval_batch_size ({name})", what, remedy))
