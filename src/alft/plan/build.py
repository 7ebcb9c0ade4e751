"""Everything that can be known to be wrong before a model is loaded: config against questions against disk."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from alft.config.build import flags_of, play_of
from alft.config.load import ConfigLike, PartlyReadError, load_config
from alft.config.schema import RunConfig
from alft.errors import ConfigError, Problem, collecting
from alft.games import Game
from alft.plan.defaults import resolve
from alft.plan.plan import Draft, Plan, config_problems, data_problems
from alft.plan.questions import Asked, asked_questions, label_problems
from alft.questions import DataWarning, Question
from alft.rewards.populations import Flag
from alft.rewards.scorer import Play


def load_plan(config: ConfigLike = None, overrides: Sequence[str] = ()) -> Plan:
    """The plan of a configuration with overrides; raises ConfigError, all problems at once."""
    try:
        read = load_config(config, overrides)
    except PartlyReadError as error:
        raise ConfigError([*error.problems, *rest_problems(error)]) from None
    plan, problems = inspect(read)
    problems += label_problems([*plan.train, *plan.held_out], plan.config.answers)
    if problems or not isinstance(plan, Plan):
        raise ConfigError(problems)
    return plan


def rest_problems(read: PartlyReadError) -> list[Problem]:
    """What is wrong with the sections that could be read, as far as the others have no part in it."""
    config = read.rest
    if "game" in read.sections:  # which would say whether only some questions may have an answer
        config = config.changed(data={"answers": config.data.answers or "partial"})
    return _Found(config).problems


def inspect(config: RunConfig) -> tuple[Draft, list[Problem]]:
    """A `Plan`, or what of it can be made and everything that keeps it from running."""
    found = _Found(config)
    asked, problems = found.asked, found.problems
    config = found.config.model_copy(update={"data": asked.data, "answers": asked.answers})
    train = _with_enough_views(asked.train, config, found.game)
    directory = Path(config.output.directory) / str(config.output.name)
    draft = Draft(config, train, asked.held_out, directory)
    if not train and not problems:
        problems.append(Problem(config.data.path, "no question is left to train on", "hold out fewer"))
    if not train or found.play is None:
        return draft, problems
    plan = Plan(config, train, asked.held_out, directory, found.play)
    return plan, [*problems, *data_problems(plan)]


class _Found:
    """What a configuration asks for, each made once as far as it can be, and the `problems` with it."""

    def __init__(self, config: RunConfig) -> None:
        self.problems: list[Problem] = []
        self.game: Game | None = None
        self.play: Play | None = None
        flags: dict[str, Flag] | None = None
        self.asked = Asked([], [], config.data, config.answers)
        with collecting(self.problems):
            self.game = config.game.build(seed=config.training.seed)
        self.config = config = resolve(config, self.game)
        with collecting(self.problems):
            _ = config.answers.policy  # loads and tries the reader
            flags = flags_of(config)
        with collecting(self.problems):
            if self.game is not None and flags is not None:
                self.play = play_of(config, self.game, flags)
        self.problems += config_problems(config)
        with collecting(self.problems):
            partly = any(term.where != "all" for term in config.game.terms)  # the game says what it plays where
            self.asked = asked_questions(config, "partial" if partly else "uniform")


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
