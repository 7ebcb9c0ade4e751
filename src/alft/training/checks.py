"""What a trainer can know to be wrong before it starts: dataset and batch sizes against the game."""

from __future__ import annotations

import math
from typing import Any

from alft.errors import ConfigError, Problem
from alft.games import Game
from alft.rewards import Scoring
from alft.training.block_sampler import blocks_of, views_drawn

COLUMNS = ("prompt", "question_id", "view")


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


def check_columns(game: Game, dataset: Any, views_per_step: int | None = None) -> None:
    """Raise ConfigError if the dataset lacks columns, views or answers that the game needs.

    `views_per_step` are drawn of each question, by default as many as every question has.
    """
    if dataset is None:
        return
    if not hasattr(dataset, "column_names"):
        told = f"is no datasets.Dataset, but {type(dataset).__name__}"
        raise ConfigError(Problem("train_dataset", told, "make it by to_dataset(load_questions(PATH))"))
    missing = [name for name in COLUMNS if name not in dataset.column_names]
    if missing:
        raise ConfigError(
            Problem("train_dataset", f"no column {', '.join(missing)}", "make it by alft.to_dataset")
        )
    problems = []
    views = views_drawn(blocks_of(dataset["question_id"]), views_per_step)
    if views < game.needs_views:
        told = f"the game compares {game.needs_views} views, and {views} of a question would be in a batch"
        problems.append(Problem("train_dataset", told, "add phrasings where they lack, or leave those out"))
    if game.needs_gold and ("answer" not in dataset.column_names or None in list(dataset["answer"])):
        problems.append(Problem("train_dataset", "the game needs an answer to every question"))
    if problems:
        raise ConfigError(problems)


def check_eval_batch(args: Any, dataset: Any) -> None:
    """Raise ConfigError if the evaluation batches of a trainer would cut questions.

    Every process takes `per_device_eval_batch_size` completions, and all of them together must hold whole
    questions: views × samples completions each.
    """
    for name, part in dataset.items() if isinstance(dataset, dict) else [("eval_dataset", dataset)]:
        if part is None:
            continue
        blocks = blocks_of(part["question_id"])
        questions, question = (
            len(blocks),
            views_drawn(blocks, None) * (args.num_generations_eval or args.num_generations),
        )
        size = args.per_device_eval_batch_size * args.world_size
        if size % question or questions * question % size:
            told = f"{size} completions a batch cut the {questions} questions of {question} completions"
            fits = _eval_sizes(questions, question, args.world_size)
            remedy = (
                f"set it to {' or '.join(map(str, fits))}" if fits else f"give it {args.world_size} times as many"
            )
            raise ConfigError(Problem(f"per_device_eval_batch_size ({name})", told, remedy))


def _eval_sizes(questions: int, question: int, processes: int) -> list[int]:
    """The three smallest sizes per process that hold whole questions and leave no part of a batch over."""
    whole = math.lcm(question, processes)
    sizes = range(whole, questions * question + 1, whole)
    return [size // processes for size in sizes if questions * question % size == 0][:3]
