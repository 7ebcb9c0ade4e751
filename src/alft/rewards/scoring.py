"""Counts + game + estimator → one reward per completion: the sentence of the paper (theory.md 1.3, 3, 4.1).

An advantage is the reward less a baseline. A completion's reward contains its neighbours' answers, so a
baseline made of the group's rewards is not independent of it and plays the game at a wrong weight; the
leave-two-out baseline averages the neighbours' rewards as they would be WITHOUT the completion.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from alft.counts import ABSENT, UNREAD, Codes, Counts, count
from alft.errors import ConfigError, Problem
from alft.estimators import Estimator, LogKind, SampledMarginals
from alft.games import Facts, Game, Sum
from alft.simplex import Array

Baseline = Literal["leave_two_out", "leave_one_out", "group_mean", "group_mean_std", "none"]
Compared = Literal["answers", "traces"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
PerSample = Float[np.ndarray, "question view sample"]
ENTRIES_AT_ONCE = 1 << 17  # of counts with one sample taken away: what a processor's cache holds
STD_FLOOR = 1e-4  # as TRL's GRPO divides, for the baseline "group_mean_std" that is there to compare with


@dataclass(frozen=True)
class Scoring:
    """How a game is played on samples: estimator, baseline, what an unread completion costs, and staying close.

    `unread_penalty` λ_⊥ is taken off an unread completion's reward, apart from the game (theory.md 2.0). `beta` is
    the price of leaving the reference, in nats; a trainer takes it off the rewards of completions (theory.md 4.2).
    `compare` "traces" plays the game on whole completions as if each text were an answer (paper, appendix D).
    `term_estimators` gives the terms of a sum estimators of their own, in the order of the terms. Estimators that
    name no log get the one that suits the whole game, `default_log`.
    """

    game: Game
    estimator: Estimator = field(default_factory=Estimator)
    baseline: Baseline = "leave_two_out"
    unread_penalty: float = 0.5
    term_estimators: tuple[Estimator, ...] = ()
    beta: float = 0.0
    compare: Compared = "answers"

    def __post_init__(self) -> None:
        if self.term_estimators and not (
            isinstance(self.game, Sum) and len(self.game.terms) == len(self.term_estimators)
        ):
            raise ValueError("term_estimators must have one estimator for each term of a sum")
        if self.compare == "traces" and needs_facts(self.game):
            raise ValueError("a game that needs facts about answers can't compare traces")
        if self.baseline not in BASELINES:
            raise ValueError(f"baseline must be one of {', '.join(BASELINES)}, not {self.baseline!r}")

    def played_by(self, estimator: Estimator) -> Estimator:
        """The estimator, with a log where it names none."""
        return estimator if estimator.log else replace(estimator, log=default_log(self.game, self.beta))


def default_log(game: Game, beta: float) -> LogKind:
    """The log of a game that names none: nearly unbiased where there is one solution, else the plug-in.

    At β = 0 a game that only compares views is solved by every ν that they share. Played without bias it has
    nothing to say there, and on samples it gained nothing; the plug-in leans to the sharper of these solutions
    (theory.md 8; EXPERIMENTS.md, the study). At β > 0, or beside a game with a solution of its own, bias leads
    away from the equilibrium.
    """
    return "plugin" if game.only_agreement and beta == 0 else "variance_optimal"


def needs_facts(game: Game) -> bool:
    """Whether a game needs facts about answers: a trace, compared as a whole text, has none."""
    return game.needs_gold or game.sees_gold or game.needs_reference


@dataclass(frozen=True)
class Tally:
    """What was answered: `counts` (question, view, answer), view `weights` (view), and the `facts` known."""

    counts: Counts
    weights: Array
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True)
class Scores:
    """Rewards and advantages of completions, axes (question, view, sample); an unread reward is nan."""

    rewards: PerSample
    advantages: PerSample


def score(codes: Codes, weights: Array, scoring: Scoring, facts: Facts | None = None) -> Scores:
    """Reward and advantage of every sampled answer.

    `codes` (question, view, sample) as from `alft.counts.encode`, ABSENT where a completion is missing; `weights`
    (view) with sum 1, `facts` on the same questions and answers. An unread completion has reward nan, and only its
    penalty as advantage, an absent one nan and 0; readable ones are scaled by 1/(readable share of those present):
    the game is played given that an answer is read (2.0).
    Where the baseline is not defined, as leave-two-out is for fewer than own_degree + 2 readable samples (4.1),
    the game has no advantage. Raises ConfigError if it pays nan to an answer that was given.
    """
    facts = (facts or Facts()).seen_by(scoring.game)
    tally = Tally(count(codes, _known_answers(codes, scoring.game.given(facts), facts)), weights, facts)
    rewards = _look_up(reward_table(tally, scoring), codes)
    centred = np.nan_to_num(_centre(rewards, codes, tally, scoring))
    readable = np.maximum((codes >= 0).sum(axis=-1, keepdims=True), 1)
    unread, present = (codes == UNREAD).astype(float), codes != ABSENT
    here = present.sum(axis=-1, keepdims=True)
    advantages = centred / (readable / np.maximum(here, 1)) * (weights * len(weights))[:, None]
    others = (unread.sum(axis=-1, keepdims=True) - unread) / np.maximum(here - 1, 1)
    penalty = np.where(present, scoring.unread_penalty * (unread - others), 0.0)
    return Scores(rewards, advantages - penalty)


def reward_table(tally: Tally, scoring: Scoring) -> Counts:
    """r_v(a) for a sample of view v with answer a, axes (question, view, answer).

    What a game that is not bounded by itself is estimated to pay is held within ±cap BEFORE it is weighted, so
    that the terms of a sum keep their scales to each other exactly. Raises ConfigError where an answer that was
    given is paid what is no number: later on nan means that a completion does not count.
    """
    game = scoring.game.given(tally.facts)
    terms = [(1.0, game, scoring.estimator)]
    if isinstance(game, Sum) and scoring.term_estimators:
        terms = [(*term, own) for term, own in zip(game.terms, scoring.term_estimators, strict=True)]
    paid = np.zeros(tally.counts.shape)
    for weight, term, estimator in terms:
        marginals = SampledMarginals(tally.counts, tally.weights, scoring.played_by(estimator))
        for share, part in term.parts() if weight else ():
            reward = part.answer_reward(marginals)
            held = reward if part.bounded else np.clip(reward, -estimator.cap, estimator.cap)
            paid += weight * share * held
    given = paid[tally.counts > 0]
    broken = given[~np.isfinite(given)]
    if broken.size:
        what = f"{type(game).__name__} pays {broken[0]} to {broken.size} of {given.size} answers that were given"
        raise ConfigError(Problem("game", what, "`alft.check_game` names the tables on which it does"))
    return paid


def leave_two_out(tally: Tally, scoring: Scoring) -> Counts:
    """For a sample with answer a of view v: its neighbours' mean reward, as it would be WITHOUT the sample.

    Counts, support and prior are those of the remaining samples. nan where fewer than own_degree + 1
    neighbours remain, since then their rewards are not defined (theory.md 4.1: K ≥ m + 2).
    """
    baseline = np.full(tally.counts.shape, np.nan)
    given = np.transpose(np.nonzero(tally.counts))
    size = max(ENTRIES_AT_ONCE // tally.counts[0].size, 1)
    for first in range(0, len(given), size):
        question, view, answer = given[first : first + size].T
        counts, here = tally.counts[question], np.arange(len(question))
        counts[here, view, answer] -= 1
        there = replace(scoring, game=scoring.game.on(question))  # a game may hold facts of its own questions
        paid = reward_table(Tally(counts, tally.weights, tally.facts.on(question)), there)
        neighbours = counts[here, view]
        rewards = np.where(neighbours > 0, paid[here, view], 0.0)
        left = neighbours.sum(axis=-1)
        mean = (neighbours * rewards).sum(axis=-1) / np.maximum(left, 1)
        baseline[question, view, answer] = np.where(left > scoring.game.own_degree, mean, np.nan)
    return baseline


def leave_one_out(rewards: Float[np.ndarray, "completion"], group: int) -> Float[np.ndarray, "completion"]:
    """Rewards that do not depend on other completions, less the mean of the rest of their group.

    Groups are `group` completions in a row; nan rewards do not count and have no advantage, and neither has the
    only reward of a group, since there is nothing to compare it with.

    >>> leave_one_out(np.array([1.0, 0.0, 0.0]), 3).tolist()
    [1.0, -0.5, -0.5]
    """
    grouped = rewards.reshape(-1, group)
    known = np.isfinite(grouped)
    total = np.where(known, grouped, 0.0).sum(axis=-1, keepdims=True)
    others = known.sum(axis=-1, keepdims=True) - 1
    return np.where(known & (others > 0), grouped - (total - grouped) / np.maximum(others, 1), 0.0).reshape(-1)


def independent_advantages(rewards: PerSample) -> PerSample:
    """Advantages of rewards that do not depend on the other completions, by the leave-one-out baseline, exactly.

    nan rewards have no advantage, and the rest is scaled by 1/(their share): played given that it counts (2.0).
    """
    share = np.isfinite(rewards).mean(axis=-1, keepdims=True)
    centred = leave_one_out(rewards.reshape(-1), rewards.shape[-1]).reshape(rewards.shape)
    return centred / np.maximum(share, 1 / rewards.shape[-1])


def _centre(rewards: PerSample, codes: Codes, tally: Tally, scoring: Scoring) -> PerSample:
    """Rewards less the chosen baseline; nan where the baseline is not defined."""
    if scoring.baseline == "none":
        return rewards
    if scoring.baseline == "leave_two_out":
        return rewards - _look_up(leave_two_out(tally, scoring), codes)
    readable = np.isfinite(rewards)
    size = readable.sum(axis=-1, keepdims=True)
    mean = np.where(readable, rewards, 0.0).sum(axis=-1, keepdims=True) / np.maximum(size, 1)
    if scoring.baseline == "leave_one_out":
        return np.where(size > 1, (rewards - mean) * size / np.maximum(size - 1, 1), np.nan)
    if scoring.baseline == "group_mean":
        return rewards - mean
    spread = np.sqrt(np.where(readable, (rewards - mean) ** 2, 0.0).sum(axis=-1, keepdims=True))
    return (rewards - mean) / (spread / np.sqrt(np.maximum(size - 1, 1)) + STD_FLOOR)


def _known_answers(codes: Codes, game: Game, facts: Facts) -> int | None:
    """How many answers there are by what is known beside the samples; None: as many as the samples name."""
    sizes = [fact.shape[-1] for fact in (facts.gold, facts.reference, facts.wanted) if fact is not None]
    known = next((n for n in (*sizes, game.made_for()[1]) if n is not None), None)
    if known is not None and codes.max(initial=UNREAD) >= known:
        raise ValueError(f"a sample has answer number {codes.max()}, and the game knows {known} answers")
    return known


def _look_up(table: Counts, codes: Codes) -> PerSample:
    values = np.take_along_axis(table, np.maximum(codes, 0), axis=-1)
    return np.where(codes < 0, np.nan, values)
