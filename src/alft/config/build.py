"""A configuration → how its game is played: scoring, the wanted distribution, and limits on all questions."""

import math
from collections.abc import Collection, Iterator, Mapping

from alft.config.schema import RunConfig
from alft.errors import ConfigError, Problem, collecting
from alft.estimators import Estimator
from alft.games import Game, Random, ReferenceScore, Sum
from alft.rewards import Scoring, needs_facts
from alft.rewards.costs import code_flag, key_flag, regex_flag
from alft.rewards.populations import Coins, DualSettings, Flag, GroupParity, Limit, Population
from alft.rewards.scorer import Play
from alft.tabular import has_limit


def populations_of(config: RunConfig, play: Play) -> dict[str, Population]:
    """The games on all questions together, by name, with nothing in their memory yet."""
    made: dict[str, Population] = {}
    for chosen in config.constraints:
        settings = DualSettings(chosen.rate, chosen.damping, chosen.decay, chosen.largest)
        limit = Limit(chosen.label, play.flags[chosen.label], chosen.at_most, settings)
        made[f"constraint/{chosen.label}"] = limit
    if config.parity is not None:
        made["parity"] = GroupParity(config.parity.weight, config.parity.decay, cap=config.scoring.cap)
    return made


def play_of(config: RunConfig, game: Game, flags: Mapping[str, Flag]) -> Play:
    """How `game`, the configuration's own, is played. Raises ConfigError if it can't be."""
    chosen, wanted = config.scoring, config.game.wanted(config.answers.policy.keys)
    if chosen.compare == "traces" and (needs_facts(game) or wanted is not None):
        told = f"{config.game} needs facts about answers, and a trace has none"
        remedy = "compare: answers, or choose a game of coherence or diversity"
        raise ConfigError(Problem("scoring.compare", told, remedy))
    offline, power = config.training.trainer == "offline", chosen.power or 1.0
    problems = list(_offline_problems(config, game)) if offline else []
    if not offline and power > 1 and chosen.beta == 0:
        told = f"{power:g} sharpens the reference, which scoring.beta: 0 leaves out"
        remedy = "give, say, scoring.beta: 0.1, or play {game: reference_score, weight: 0.1} beside yours"
        problems.append(Problem("scoring.power", told, remedy))
    if problems:
        raise ConfigError(problems)
    common = Estimator(own=chosen.own, log=chosen.log, prior=chosen.prior, cap=chosen.cap)
    played, estimators = _sharpened(config, game, common, 1.0 if offline else power)
    penalty, compare = chosen.unread_penalty, chosen.compare
    scoring = Scoring(played, common, chosen.baseline, penalty, estimators, beta=chosen.beta, compare=compare)
    return Play(scoring, wanted, flags)


def offline_problems(
    game: Game, name: str, beta: float, places: tuple[str, str] = ("game", "scoring.beta")
) -> Iterator[Problem]:
    """Why a game at this β has no equilibrium that is found exactly; `places` are where the two are written."""
    written = "{} {}" if places[0].startswith("-") else "{}: {}"  # options of a command, or settings
    if not game.concave:
        what = f"{name} can't be solved exactly: it is not concave, so no gap certifies its equilibria"
        live = "play it live by `alft train` with training.trainer: grpo"
        yield Problem(places[0], what, f"{live}, or choose another, say coherence_geometric")
    if Coins.of(game) and not isinstance(game, Random):
        what = f"{name}: offline, random is played as the only game, with weight 1 and without `where`"
        yield Problem(places[0], what, f"give {written.format(places[0], 'random')}")
    if not (math.isfinite(beta) and beta >= 0):
        yield Problem(places[1], f"must be a number of at least 0, not {beta}")
    elif beta == 0 and game.concave and not has_limit(game):
        what = f"0 is the limit of one game of coherence or of correctness, and {name} is none of these"
        yield Problem(places[1], what, f"give, say, {written.format(places[1], 0.1)}")


def _offline_problems(config: RunConfig, game: Game) -> Iterator[Problem]:
    """What of a configuration has no offline form, and why its game is not solved."""
    if config.offline.scored and not config.offline.borrow:
        yield Problem(
            "offline.scored",
            "only applies to borrowed completions, and views don't borrow",
            "set offline.borrow: true",
        )
    yield from offline_problems(game, str(config.game), config.scoring.beta)
    live = (
        ("game", config.game.wanted() is not None, "target_match is only played live"),
        ("constraints", config.constraints, "limits on all questions is only played live"),
        ("parity", config.parity is not None, "parity between groups is only played live"),
        ("scoring.compare", config.scoring.compare == "traces", "a game on whole texts is only played live"),
        ("training.vllm", config.training.vllm is not None, "vLLM is for `alft sample --vllm`"),
    )
    for place, chosen, what in live:
        if chosen:
            yield Problem(place, what, "choose training.trainer: grpo, or leave it out")


def _sharpened(
    config: RunConfig, game: Game, common: Estimator, power: float
) -> tuple[Game, tuple[Estimator, ...]]:
    """The game against ν_0^α, F + β(α − 1)·S (theory.md 2.4), and the estimators of its terms."""
    estimators, game = config.game.estimators(common), game.sharpened(power)
    if power == 1:
        return game, estimators
    score = (config.scoring.beta * (power - 1), ReferenceScore())
    if isinstance(game, Sum) and estimators:
        return Sum(*game.terms, score), (*estimators, common)
    return Sum((1.0, game), score), ()


def flags_of(config: RunConfig, code: Collection[str] | None = None) -> dict[str, Flag]:
    """What each limit of a configuration counts, by its name. Raises ConfigError, all problems at once.

    `code` are the user's functions that may be run (None: all); a limit by another one is left out.
    """
    made: dict[str, Flag] = {}
    problems: list[Problem] = []
    for index, chosen in enumerate(config.constraints):
        name, where = chosen.label, f"constraints[{index}]"
        if name in made:
            problems.append(Problem(where, f"a second constraint is called {name!r}", "give it a name"))
        if chosen.function is not None and code is not None and chosen.function not in code:
            continue
        with collecting(problems):
            if chosen.key is not None:
                keys = [chosen.key] if isinstance(chosen.key, str) else chosen.key
                made[name] = key_flag(keys, f"{where}.key", config.answers.policy.keys)
            elif chosen.function is not None:
                made[name] = code_flag(chosen.function, f"{where}.function")
            else:
                made[name] = regex_flag(chosen.regex or "", f"{where}.regex")
    if problems:
        raise ConfigError(problems)
    return made
