"""Everything that can be known to be wrong before a model is loaded: config against questions against disk."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from alft.config.game import GameSpec
from alft.config.load import PartlyReadError, load_config
from alft.config.schema import RunConfig
from alft.errors import AlftError, ConfigError, Problem
from alft.games import Game
from alft.plan.checks import config_problems, data_problems
from alft.plan.defaults import resolve
from alft.plan.plan import Plan
from alft.plan.questions import Asked, asked_questions
from alft.questions import AnswerRule, DataWarning, Question


def load_plan(path: Path | None, overrides: Sequence[str] = ()) -> Plan:
    """The plan of a file (or the defaults) with overrides; raises ConfigError, all problems at once."""
    try:
        config = load_config(path, overrides)
    except PartlyReadError as error:
        raise ConfigError([*error.problems, *rest_problems(error)]) from None
    return make_plan(config)


def rest_problems(read: PartlyReadError) -> list[Problem]:
    """What is wrong with the sections that could be read, as far as the others have no part in it."""
    config = resolve(read.rest)
    if "game" in read.sections:  # which would say whether only some questions may have an answer
        data = config.data.model_copy(update={"answers": config.data.answers or "partial"})
        config = config.model_copy(update={"data": data})
    return _asked(config)[2]


def make_plan(config: RunConfig) -> Plan:
    """Resolve and check a configuration; raises ConfigError, all problems at once."""
    plan, problems = inspect(config)
    if problems:
        raise ConfigError(problems)
    return plan


def inspect(config: RunConfig) -> tuple[Plan, list[Problem]]:
    """The plan of a configuration as far as it can be made, and everything that keeps it from running."""
    config = resolve(config)
    game, asked, problems = _asked(config)
    config = config.model_copy(update={"data": asked.data})
    train = _with_enough_views(asked.train, config, game)
    plan = Plan(config, train, asked.held_out, Path(config.output.directory) / str(config.output.name))
    if not plan.train and not problems:
        problems.append(Problem(config.data.path, "no question is left to train on", "hold out fewer"))
    if plan.train and game is not None:
        problems += data_problems(plan, game)
    return plan, problems


def _asked(config: RunConfig) -> tuple[Game | None, Asked, list[Problem]]:
    """Game and questions of a resolved configuration, as far as they can be had, and what is wrong so far."""
    game, problems = _game(config.game)
    found = [*problems, *config_problems(config)]
    try:
        return game, asked_questions(config, _answer_rule(config.game)), found
    except AlftError as error:
        return game, Asked([], [], config.data), [*found, *error.problems]


def _game(spec: GameSpec) -> tuple[Game | None, Sequence[Problem]]:
    """The game, or what is wrong with it."""
    try:
        return spec.build(), ()
    except ConfigError as error:
        return None, error.problems


def _answer_rule(spec: GameSpec) -> AnswerRule:
    """Whether only some questions may have an answer: where the game says what it plays on those."""
    return "partial" if any(term.where != "all" for term in spec.terms) else "uniform"


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
