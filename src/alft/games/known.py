"""Games whose Target has no choice: answers have known rewards, or a known distribution to match (theory.md 2).

What is known is an array of the game's own, or made from the facts of the questions that it is played on. A limit
on what answers cost on average (paper section 7: safety) is no function with a gradient, so it is no `Game`: it
lives beside one, as multipliers λ ≥ 0 whose reward −Σ_k λ_k f_k(a) is added to the game's
(`alft.tabular.solve_constrained` finds them).
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from alft import simplex
from alft.games.base import Facts, Game, LinearEntropic
from alft.marginals import Marginals
from alft.simplex import Array, PerBatch

SUM_TOLERANCE = 1e-6


class KnownTarget(Game):
    """A game, a dataclass, whose Target plays the array in its field `known` (None: not known yet) whatever ν.

    What is not known yet is filled from the field of the same name of `Facts`, if there is one.
    """

    concave = True
    known: ClassVar[str]
    axes: ClassVar[int] = 1
    """Axes of the array besides those of questions: (answer), or (view, answer)."""
    missing: ClassVar[str]
    """What to say where the array is not known."""

    def played(self) -> Array:
        """What the Target plays, axes (question…, view or 1, answer). Raises ValueError if it is not known."""
        array = getattr(self, self.known)
        if array is None:
            raise ValueError(self.missing)
        return array[..., None, :] if self.axes == 1 else array

    def target(self, nu: Array, weights: Array) -> Array:
        """The same whatever ν."""
        return self.played()

    def given(self, facts: Facts) -> Game:
        """The game with what the facts say, unless that is known already."""
        fact = getattr(facts, self.known, None)
        return self if fact is None or getattr(self, self.known) is not None else self.knowing(fact)

    def on(self, questions: Array) -> Game:
        """The game on some of the questions."""
        array = getattr(self, self.known)
        return self if array is None or array.ndim == self.axes else self.knowing(array[questions])

    def made_for(self) -> tuple[int | None, int | None]:
        """As many answers as the array has, and as many views if it has that axis."""
        array = getattr(self, self.known)
        if array is None:
            return None, None
        return array.shape[-2] if self.axes == 2 else None, array.shape[-1]

    def knowing(self, array: Array) -> Game:
        """The same game with this array."""
        own: Any = self
        return replace(own, **{self.known: array})


class Linear(KnownTarget):
    """F = Σ_v w_v ⟨ν_v, R⟩ with R = `played()`, so r = R."""

    own_degree = 0
    wants = frozenset()

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """Σ_v w_v ⟨ν_v, R⟩; −∞ where a view gives what R excludes."""
        return (weights * simplex.scale(nu, target).sum(axis=-1)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """R."""
        return np.broadcast_to(self.played(), marginals.own().shape).astype(float)

    def closed_form(self) -> LinearEntropic:
        """Gain R, no entropy."""
        return LinearEntropic(self.played(), 0.0)


@dataclass(frozen=True, eq=False)
class KnownReward(Linear):
    """F = Σ_v w_v ⟨ν_v, R⟩: the answer reward R is known, axes (question…, view or 1, answer)."""

    gain: Array
    known = "gain"
    axes = 2
    bounded = True

    def made_for(self) -> tuple[int | None, int | None]:
        """As many views and answers as the rewards have; one stands for any number."""
        views, answers = (size if size > 1 else None for size in self.gain.shape[-2:])
        return views, answers


@dataclass(frozen=True, eq=False)
class Correctness(Linear):
    """F = Σ_v w_v ν_v(gold), so r = 1{a = gold}. `gold` marks right answers, axes (question…, answer).

    >>> game = Correctness(gold=np.array([0.0, 1.0]))
    >>> float(game.objective(np.array([[0.25, 0.75]]), np.array([1.0])))
    0.75
    """

    gold: Array | None = None
    known = "gold"
    missing = "Correctness needs gold answers: Correctness(gold=…), axes (question…, answer)"
    needs_gold = True
    sees_gold = True
    bounded = True

    def given(self, facts: Facts) -> Game:
        """Correctness with the gold answers of these questions."""
        return self if facts.gold is None else self.knowing(facts.gold)


@dataclass(frozen=True, eq=False)
class ReferenceScore(Linear):
    """F = Σ_v w_v E_{ν_v}[log ν_{0,v}], so r_v(a) = log ν_{0,v}(a): how sure the reference was (theory.md 2.4).

    `reference` is ν_0, axes (question…, view, answer). Beside another game, with the coefficient β(α − 1), it
    sharpens the reference to ν_0^α/Z: coherence alone makes views agree, however unsure they are; with it they
    agree and are sure.

    >>> game = ReferenceScore(np.array([[0.5, 0.5]]))
    >>> float(game.objective(np.array([[1.0, 0.0]]), np.array([1.0])).round(6))
    -0.693147
    """

    reference: Array | None = None
    known = "reference"
    axes = 2
    missing = "ReferenceScore needs ν_0: ReferenceScore(reference), axes (question…, view, answer)"
    needs_reference = True

    def played(self) -> Array:
        """log ν_0."""
        return simplex.log(KnownTarget.played(self))


class Match(KnownTarget):
    """F = −Σ_v w_v KL(ν_v‖q) with q = `played()`, so r = log q(a) − log ν_v(a)."""

    wants = frozenset({"log_own"})

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """−Σ_v w_v KL(ν_v‖q); −∞ if a view answers what q excludes."""
        return -(weights * simplex.kl(nu, target)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """log q(a) − log ν_v(a)."""
        return simplex.subtract_logs(simplex.log(self.played()), marginals.log_own())

    def closed_form(self) -> LinearEntropic:
        """Gain log q, and once the entropy."""
        return LinearEntropic(simplex.log(self.played()), 1.0)


@dataclass(frozen=True, eq=False)
class TargetMatch(Match):
    """F = −Σ_v w_v KL(ν_v‖q) with q given, axes (question…, answer); r = log q(a) − log ν_v(a).

    q is `wanted`, or `Facts.wanted` of the questions at hand.

    >>> game = TargetMatch(np.array([0.5, 0.5]))
    >>> float(game.objective(np.array([[1.0, 0.0]]), np.array([1.0])).round(6))
    -0.693147
    """

    wanted: Array | None = None
    known = "wanted"
    missing = "TargetMatch needs q: TargetMatch(wanted), axes (question…, answer)"

    def __post_init__(self) -> None:
        q = self.wanted
        if q is not None and not ((q >= 0).all() and np.allclose(q.sum(axis=-1), 1, rtol=0, atol=SUM_TOLERANCE)):
            raise ValueError("the wanted distribution must be at least 0 and sum to 1 over answers")


@dataclass(frozen=True, eq=False)
class Moments:
    """E_ν[f_k] = Σ_v w_v ⟨ν_v, f_k⟩ ≤ c_k for every k.

    `costs` f, axes (constraint, answer), what an answer costs; `limits` c, axes (constraint).

    >>> unsafe = Moments(costs=np.array([[0.0, 1.0]]), limits=np.array([0.1]))
    >>> unsafe.violation(np.array([[0.5, 0.5]]), np.array([1.0])).tolist()
    [0.4]
    """

    costs: Array
    limits: Array

    def expectation(self, nu: Array, weights: Array) -> Array:
        """E_ν[f_k], axes (question…, constraint)."""
        return np.einsum("...v,...va,ka->...k", weights, nu, self.costs)

    def violation(self, nu: Array, weights: Array) -> Array:
        """How far each mean cost is above its limit, 0 where the limit is kept, axes (question…, constraint)."""
        return np.maximum(self.expectation(nu, weights) - self.limits, 0.0)

    def game(self, multipliers: Array) -> KnownReward:
        """The linear game with reward −Σ_k λ_k f_k(a), for multipliers λ (question…, constraint)."""
        return KnownReward(-(multipliers @ self.costs)[..., None, :])
