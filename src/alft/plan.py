"""Everything that can be known to be wrong before a model is loaded: config against questions against disk."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alft import starter
from alft.config import BUILT_IN, DataConfig, RunConfig
from alft.errors import AlftError, ConfigError, Problem, RunExistsError
from alft.games import NAMED, Game
from alft.questions import Question, load_questions, overlap

BOXED = "Reason step by step, and put your final answer within \\boxed{}."
PROBE_QUESTIONS = 32
INFORMATION_LOSS = 0.3
HELD_OUT_SHARE = 5  # one question in five is held out when nothing else is asked for


@dataclass(frozen=True)
class Plan:
    """A run that can start: resolved configuration, questions to train on and to measure on, its directory."""

    config: RunConfig
    train: list[Question]
    held_out: list[Question]
    directory: Path

    @property
    def views(self) -> int:
        """Views per question."""
        return len(self.train[0].views)

    @property
    def completions_per_step(self) -> int:
        """Completions in one generation batch: questions × views × samples."""
        training = self.config.training
        return training.questions_per_step * self.views * training.samples


def make_plan(config: RunConfig) -> Plan:
    """Resolve and check a configuration; raises ConfigError, DataError or RunExistsError, all problems at once."""
    config = resolve(config)
    problems = [
        *_unknown_game(config.game),
        *_model_problems(config.model.path),
        *_place_problems(Path(config.output.directory)),
    ]
    train: list[Question] = []
    held_out: list[Question] = []
    try:
        train, held_out = _questions(config)
    except AlftError as error:
        if not problems:
            raise
        problems += error.problems
    plan = Plan(config, train, held_out, Path(config.output.directory) / str(config.output.name))
    if not train and not problems:
        problems.append(Problem(config.data.path, "no question is left to train on", "hold out fewer"))
    if train and config.game in NAMED:
        problems += _data_problems(plan, NAMED[config.game]())
    if problems:
        raise ConfigError(problems)
    if plan.directory.exists():
        raise RunExistsError(
            Problem(str(plan.directory), "a run is there already", "choose another output.name, or remove it")
        )
    return plan


def resolve(config: RunConfig) -> RunConfig:
    """The configuration with every open setting filled: for the starter its own, else the usual ones."""
    built_in = config.model.path == BUILT_IN
    training = starter.TRAINING if built_in else OTHER_MODELS
    given = {name: value for name, value in config.training.model_dump().items() if value is not None}
    instruction = config.data.instruction
    if instruction is None:
        instruction = "" if BUILT_IN in (config.model.path, config.data.path) else BOXED
    name = config.output.name or f"{config.game}-{config.training.seed}"
    return config.model_copy(
        update={
            "training": config.training.model_copy(update={**training, **given}),
            "data": config.data.model_copy(update={"instruction": instruction}),
            "watch": config.watch.model_copy(update=_watch(config)),
            "output": config.output.model_copy(update={"name": name}),
        }
    )


OTHER_MODELS = {
    "learning_rate": 1e-6,
    "schedule": "constant",
    "warmup_steps": 5,
    "max_new_tokens": 512,
}
"""Settings for models other than the starter: TRL's own default learning rate, room to reason."""


def _watch(config: RunConfig) -> dict[str, Any]:
    """What the watch expects of the game, where the configuration leaves it open.

    Only games that compare views have the reference's consensus for their equilibrium (theory.md 2.2), and
    games of diversity lower the information of an answer about its question by design.
    """
    compares = config.game in NAMED and NAMED[config.game]().needs_views > 1
    loss = 1.0 if config.game.startswith("diversity") else INFORMATION_LOSS
    given = {name: value for name, value in config.watch.model_dump().items() if value is not None}
    return {"probe_questions": PROBE_QUESTIONS if compares else 0, "information_loss": loss} | given


def _questions(config: RunConfig) -> tuple[list[Question], list[Question]]:
    """Questions to train on, and held-out ones, with the instruction added to every view."""
    data, wanted = config.data, config.data.held_out or config.evaluation.questions
    if data.path == BUILT_IN:
        train, held_out = starter.training_questions(config.training.seed), starter.held_out_questions(wanted)
    elif data.eval_path is not None:
        train, held_out = load_questions(data.path), load_questions(data.eval_path)[:wanted]
    else:
        train, held_out = _split(load_questions(data.path), data, config.evaluation.questions)
    return _instructed(train, data.instruction), _instructed(
        held_out[: config.evaluation.questions], data.instruction
    )


def _split(questions: list[Question], data: DataConfig, most: int) -> tuple[list[Question], list[Question]]:
    """The last questions of the file are held out: as many as asked for, else one in five, `most` at the most."""
    size = data.held_out if data.held_out is not None else min(len(questions) // HELD_OUT_SHARE, most)
    cut = max(len(questions) - size, 0)
    return questions[:cut], questions[cut:]


def _instructed(questions: Sequence[Question], instruction: str | None) -> list[Question]:
    if not instruction:
        return list(questions)
    return [
        replace(question, views=tuple(replace(view, text=_add(view.text, instruction)) for view in question.views))
        for question in questions
    ]


def _add(text: str | tuple[dict[str, str], ...], instruction: str) -> str | tuple[dict[str, str], ...]:
    if isinstance(text, str):
        return f"{text}\n{instruction}"
    *before, last = text
    return (*before, {**last, "content": f"{last['content']}\n{instruction}"})


def evaluation_questions(config: RunConfig) -> list[Question]:
    """What `alft evaluate` measures on: the held-out questions if they are named, else all of `data.path`."""
    data, most = config.data, config.evaluation.questions
    if data.path == BUILT_IN:
        return _instructed(starter.held_out_questions(most), data.instruction)
    asked = load_questions(data.eval_path or data.path)
    if data.eval_path is None and data.held_out is not None:
        asked = _split(asked, data, most)[1]
    return _instructed(asked[:most], data.instruction)


def check_model(path: str) -> None:
    """Raise ConfigError if a local model directory is not one."""
    problems = list(_model_problems(path))
    if problems:
        raise ConfigError(problems)


def _unknown_game(name: str) -> Iterator[Problem]:
    if name not in NAMED:
        close = difflib.get_close_matches(name, NAMED, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"known games: {', '.join(NAMED)}"
        yield Problem("game", f"no game is called {name!r}", remedy)


def _model_problems(path: str) -> Iterator[Problem]:
    looks_local = path.startswith((".", "/", "~")) or path.count("/") > 1 or Path(path).exists()
    if path != BUILT_IN and looks_local and not (Path(path) / "config.json").is_file():
        yield Problem(
            "model.path", f"{path!r} holds no config.json", "name a Hugging Face model directory or Hub id"
        )


def _place_problems(directory: Path) -> Iterator[Problem]:
    """A run directory must be writable, and is written by one process."""
    there = next(path for path in (directory.absolute(), *directory.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        yield Problem("output.directory", f"{there} is no folder that can be written to", "choose another")
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1:
        told = f"`alft train` runs in one process, and {processes} were launched"
        yield Problem("WORLD_SIZE", told, "use alft.AlignmentGameTrainer in your own script for several")


def _data_problems(plan: Plan, game: Game) -> Iterator[Problem]:
    data = plan.config.data.path
    views = {len(question.views) for question in (*plan.train, *plan.held_out)}
    if len(views) > 1:
        yield Problem(
            data, f"questions have different numbers of views: {sorted(views)}", "give each the same number"
        )
    if min(views) < game.needs_views:
        yield Problem(
            data,
            f"{plan.config.game} compares views, and questions have only {min(views)}",
            f'add at least {game.needs_views - 1} phrasing under "views", or choose game: majority',
        )
    missing = [question.id for question in plan.train if question.answer is None]
    if game.needs_gold and missing:
        shown = ", ".join(missing[:5])
        yield Problem(data, f"{plan.config.game} needs answers; {len(missing)} questions have none: {shown}")
    shared = overlap(plan.train, plan.held_out)
    if shared:
        yield Problem(
            data,
            f"{len(shared)} held-out questions are also trained on: {', '.join(b for _, b in shared[:5])}",
        )
    yield from _size_problems(plan, game)


def _size_problems(plan: Plan, game: Game) -> Iterator[Problem]:
    training, needed = plan.config.training, game.own_degree + 2
    if plan.config.scoring.baseline == "leave_two_out" and training.samples < needed:
        yield Problem(
            "training.samples", f"{training.samples} are too few for this game", f"use at least {needed}"
        )
    if len(plan.train) < training.questions_per_step:
        yield Problem(
            "training.questions_per_step",
            f"{training.questions_per_step} a step, but there are {len(plan.train)} questions to train on",
            f"use at most {len(plan.train)}, or give more questions",
        )
    if not plan.held_out:
        yield Problem(
            plan.config.data.path,
            "no question is held out to measure on",
            "set data.held_out or data.eval_path",
        )
    micro, batch = training.micro_batch_size, plan.completions_per_step
    if micro is not None and batch % micro:
        yield Problem(
            "training.micro_batch_size",
            f"{micro} does not divide the {batch} completions of a step",
            f"the nearest that do are {' and '.join(map(str, _nearest_divisors(batch, micro)))}",
        )


def _nearest_divisors(total: int, wanted: int) -> list[int]:
    divisors = [n for n in range(1, total + 1) if total % n == 0]
    below = [n for n in divisors if n < wanted][-1:]
    return below + [n for n in divisors if n > wanted][:1]
