"""Everything that can be known to be wrong before a model is loaded: config against questions against disk."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alft import starter
from alft.config import RunConfig
from alft.data import Asked, asked_questions
from alft.errors import AlftError, ConfigError, Problem, RunExistsError
from alft.game_spec import GameSpec
from alft.games import Game, GiniDiversity, ShannonDiversity, Sum, TsallisDiversity
from alft.playing import populations_of
from alft.questions import AnswerRule, DataWarning, Question, overlap

BOXED = "Reason step by step, and put your final answer within \\boxed{}."
PROBE_QUESTIONS = 32
INFORMATION_LOSS = 0.3
DIVERSITY = (ShannonDiversity, GiniDiversity, TsallisDiversity)


@dataclass(frozen=True)
class Plan:
    """A run that can start: resolved configuration, questions to train on and to measure on, its directory."""

    config: RunConfig
    train: list[Question]
    held_out: list[Question]
    directory: Path

    @property
    def views(self) -> int:
        """Views of each question in a step."""
        fewest = min(len(question.views) for question in self.train)
        return self.config.training.views_per_step or fewest

    @property
    def completions_per_step(self) -> int:
        """Completions in one generation batch: questions × views × samples."""
        training = self.config.training
        return training.questions_per_step * self.views * training.samples

    @property
    def steps_per_batch(self) -> int:
        """Optimiser steps on one generation batch."""
        return self.config.training.steps_per_generation * self.config.training.num_iterations


def make_plan(config: RunConfig) -> Plan:
    """Resolve and check a configuration; raises ConfigError, all problems at once."""
    plan, problems = inspect(config)
    if problems:
        raise ConfigError(problems)
    return plan


def inspect(config: RunConfig) -> tuple[Plan, list[Problem]]:
    """The plan of a configuration as far as it can be made, and everything that keeps it from running."""
    config = resolve(config)
    game, game_problems = _game(config.game)
    problems = [
        *game_problems,
        *_population_problems(config),
        *_model_problems(config.model.path),
        *_package_problems(config),
        *_place_problems(Path(config.output.directory)),
    ]
    asked = Asked([], [], config.data)
    try:
        asked = asked_questions(config, _answer_rule(config.game))
    except AlftError as error:
        problems += error.problems
    config = config.model_copy(update={"data": asked.data})
    train = _with_enough_views(asked.train, config, game)
    plan = Plan(config, train, asked.held_out, Path(config.output.directory) / str(config.output.name))
    if not plan.train and not problems:
        problems.append(Problem(config.data.path, "no question is left to train on", "hold out fewer"))
    if plan.train and game is not None:
        problems += _data_problems(plan, game)
    return plan, problems


class Start(Enum):
    """How a run begins: in a new directory, where it was left, or in place of an earlier run."""

    NEW = "new"
    RESUME = "resume"
    OVERWRITE = "overwrite"


def check_directory(directory: Path, start: Start) -> None:
    """Raise RunExistsError if a run may not begin in this directory as it is, or ConfigError if it is none.

    Only a new directory, or one that holds nothing, is written to unasked; what is resumed or overwritten must be
    a run, or hold nothing.
    """
    if not directory.exists():
        return
    where = str(directory)
    if not directory.is_dir():
        raise ConfigError(Problem(where, "is a file, not a directory", "choose another output.name"))
    if all(path.name.startswith(".") for path in directory.iterdir()):
        return
    if not (directory / "config.yaml").is_file():
        raise RunExistsError(Problem(where, "holds files, but no run", "choose another output.name"))
    if start is Start.NEW:
        remedy = "go on with --resume, start anew with --overwrite, or choose another output.name"
        raise RunExistsError(Problem(where, "a run is there already", remedy))


def resolve(config: RunConfig) -> RunConfig:
    """The configuration with every open setting filled: for the starter its own, else the usual ones."""
    training = starter.TRAINING.get(config.model.path, OTHER_MODELS)
    given = {name: value for name, value in config.training if value is not None}
    instruction = config.data.instruction
    if instruction is None:
        built_in = config.model.path in starter.MODELS or config.data.path in starter.QUESTIONS
        instruction = "" if built_in else BOXED
    beside = [*(["limits"] if config.constraints else []), *(["parity"] if config.parity is not None else [])]
    name = config.output.name or "-".join([config.game.label, *beside, str(config.training.seed)])
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

    Only games that compare views, and want nothing else, have the reference's consensus for their equilibrium
    (theory.md 2.2); games of diversity lower the information of an answer about its question by design.
    """
    game, _ = _game(config.game)
    terms = [] if game is None else [part for _, part in (game.terms if isinstance(game, Sum) else [(1.0, game)])]
    compares = bool(terms) and all(part.needs_views > 1 for part in terms) and config.parity is None
    spreads = any(isinstance(part, DIVERSITY) for part in terms) or config.parity is not None
    given = {name: value for name, value in config.watch.model_dump().items() if value is not None}
    return {
        "probe_questions": PROBE_QUESTIONS if compares else 0,
        "information_loss": 1.0 if spreads else INFORMATION_LOSS,
    } | given


def _answer_rule(spec: GameSpec) -> AnswerRule:
    """Whether only some questions may have an answer: where the game says what it plays on those."""
    return "partial" if any(term.where != "all" for term in spec.terms) else "uniform"


def check_model(path: str) -> None:
    """Raise ConfigError if a local model directory is not one."""
    problems = list(_model_problems(path))
    if problems:
        raise ConfigError(problems)


def _game(spec: GameSpec) -> tuple[Game | None, Sequence[Problem]]:
    """The game, or what is wrong with it."""
    try:
        return spec.build(), ()
    except ConfigError as error:
        return None, error.problems


def _population_problems(config: RunConfig) -> Sequence[Problem]:
    """What is wrong with constraints, whose flags are made here once to see that they can be."""
    try:
        populations_of(config)
    except ConfigError as error:
        return error.problems
    return ()


def _model_problems(path: str) -> Iterator[Problem]:
    looks_local = path.startswith((".", "/", "~")) or path.count("/") > 1 or Path(path).exists()
    if path not in starter.MODELS and looks_local and not (Path(path) / "config.json").is_file():
        yield Problem(
            "model.path", f"{path!r} holds no config.json", "name a Hugging Face model directory or Hub id"
        )


def _package_problems(config: RunConfig) -> Iterator[Problem]:
    """What a configuration needs that is not installed."""
    needed = [(f"training.report_to ({name})", name, name) for name in config.training.report_to]
    if config.lora is not None:
        needed.append(("lora", "peft", "alft[lora]"))
    if config.training.vllm is not None:
        needed.append(("training.vllm", "vllm", "alft[vllm]"))
    for where, package, wanted in needed:
        if find_spec(package) is None:
            yield Problem(where, f"the package {package} is not installed", f"pip install '{wanted}'")


def _place_problems(directory: Path) -> Iterator[Problem]:
    """A run directory must be writable, and is written by one process."""
    there = next(path for path in (directory.absolute(), *directory.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        yield Problem("output.directory", f"{there} is no folder that can be written to", "choose another")
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1:
        told = f"`alft train` runs in one process, and {processes} were launched"
        remedy = "launch your own script with alft.AlignmentGameTrainer for several (recipes/accelerate)"
        yield Problem("WORLD_SIZE", told, remedy)


def _with_enough_views(questions: list[Question], config: RunConfig, game: Game | None) -> list[Question]:
    """The questions that a game which compares views can be played on: the term of any other is 0.

    Others are left out with a DataWarning; if there are only such, all stay, to be refused.
    """
    needed = 1 if game is None else game.needs_views
    enough = [question for question in questions if len(question.views) >= needed]
    few = [question.id for question in questions if len(question.views) < needed]
    if not enough or not few:
        return questions
    told = (
        f"{len(few)} of {len(questions)} questions have fewer than {needed} views: nothing to compare, so "
        f"they are not trained on: {', '.join(few[:5])}"
    )
    warnings.warn(f"{config.data.path}: {told}", DataWarning, stacklevel=2)
    return enough


def _data_problems(plan: Plan, game: Game) -> Iterator[Problem]:
    data = plan.config.data.path
    fewest = min(len(question.views) for question in plan.train)
    if plan.views > fewest:
        told = f"{plan.views} views a question are wanted, and a question has {fewest}"
        yield Problem("training.views_per_step", told, f"use at most {fewest}, or add phrasings")
    if min(plan.views, fewest) < game.needs_views:
        yield Problem(
            data,
            f"{plan.config.game} compares views, and questions have only {min(plan.views, fewest)}",
            f'add at least {game.needs_views - 1} phrasing under "views", or choose game: majority',
        )
    missing = [question.id for question in plan.train if question.answer is None]
    if game.needs_gold and missing:
        shown = ", ".join(missing[:5])
        yield Problem(
            data,
            f"{plan.config.game} needs answers; {len(missing)} questions have none: {shown}",
            "give them answers, or say what is played where: {game: …, where: answered}",
        )
    told = game.needs_gold or game.sees_gold or game.needs_reference or plan.config.game.wanted() is not None
    if plan.config.scoring.compare == "traces" and told:
        yield Problem(
            "scoring.compare",
            f"{plan.config.game} is told facts about answers, and a trace is none",
            "compare: answers, or choose a game of coherence or diversity",
        )
    if plan.config.parity is not None and len({q.group for q in plan.train} - {None}) < 2:
        yield Problem("parity", f"{data} has fewer than two groups", 'give questions the field "group"')
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
    yield from _batch_problems(plan)


def _batch_problems(plan: Plan) -> Iterator[Problem]:
    """Sizes that do not divide: a generation batch into optimiser steps, those into micro-batches."""
    training, batch, whole = plan.config.training, plan.completions_per_step, plan.steps_per_batch
    parts, micro = training.steps_per_generation, training.micro_batch_size
    if batch % parts:
        yield Problem(
            "training.steps_per_generation",
            f"{parts} does not divide the {batch} completions of a generation batch",
            f"the nearest that do are {' and '.join(map(str, _nearest_divisors(batch, parts)))}",
        )
    elif micro is not None and (batch // parts) % micro:
        yield Problem(
            "training.micro_batch_size",
            f"{micro} does not divide the {batch // parts} completions of a step",
            f"the nearest that do are {' and '.join(map(str, _nearest_divisors(batch // parts, micro)))}",
        )
    if training.steps % whole:
        low = training.steps // whole * whole
        yield Problem(
            "training.steps",
            f"{training.steps} steps end inside a generation batch, which is for {whole}",
            f"the nearest that fit are {' and '.join(str(n) for n in (low, low + whole) if n)}",
        )


def _nearest_divisors(total: int, wanted: int) -> list[int]:
    divisors = [n for n in range(1, total + 1) if total % n == 0]
    below = [n for n in divisors if n < wanted][-1:]
    return below + [n for n in divisors if n > wanted][:1]
