"""A configuration → how its game is played: scoring, and the games on all questions together."""

from __future__ import annotations

from alft.answers import DEFAULT, KeyPolicy
from alft.config.schema import ConstraintConfig, RunConfig
from alft.errors import ConfigError, Problem
from alft.estimators import Estimator
from alft.rewards import Scoring
from alft.rewards.costs import code_flag, key_flag, regex_flag
from alft.rewards.populations import DualSettings, Flag, GroupParity, Limit, Population


def scoring_of(config: RunConfig) -> Scoring:
    """The game of a configuration with its estimators, baseline and unread penalty."""
    chosen = config.scoring
    common = Estimator(own=chosen.own, log=chosen.log, prior=chosen.prior, cap=chosen.cap)
    return Scoring(
        config.game.build(),
        common,
        chosen.baseline,
        chosen.unread_penalty,
        config.game.estimators(common),
        beta=chosen.beta,
        compare=chosen.compare,
    )


def populations_of(config: RunConfig) -> dict[str, Population]:
    """The games on all questions together, by name. Raises ConfigError with everything wrong about their flags."""
    made: dict[str, Population] = {}
    problems: list[Problem] = []
    for index, chosen in enumerate(config.constraints):
        name, where = f"constraint/{chosen.label}", f"constraints[{index}]"
        if name in made:
            problems.append(Problem(where, f"a second constraint is called {chosen.label!r}", "give it a name"))
        try:
            settings = DualSettings(chosen.rate, chosen.damping, chosen.decay, chosen.largest)
            made[name] = Limit(
                chosen.label, flag_of(chosen, where, config.answers.policy.keys), chosen.at_most, settings
            )
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    if config.parity is not None:
        made["parity"] = GroupParity(config.parity.weight, config.parity.decay, cap=config.scoring.cap)
    return made


def flag_of(chosen: ConstraintConfig, where: str, policy: KeyPolicy = DEFAULT) -> Flag:
    """What the constraint counts. Raises ConfigError if it can't be had."""
    if chosen.regex is not None:
        return regex_flag(chosen.regex, f"{where}.regex")
    if chosen.function is not None:
        return code_flag(chosen.function, f"{where}.function")
    keys = [chosen.key] if isinstance(chosen.key, str) else list(chosen.key or ())
    return key_flag(keys, f"{where}.key", policy)
