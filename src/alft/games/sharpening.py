"""Sharpening: reward what the samples already say most: majority, collision, cross-view agreement (theory.md 2).

These objectives are not concave: no gap certifies their equilibria, and each of them is also maximised
by answering every question alike (theory.md 4.6). `Format` rewards nothing but a readable answer: the control
that tells learning to answer in form from learning to agree (2.5).
"""

from __future__ import annotations

import numpy as np

from alft import consensus, simplex
from alft.games.base import Game, LinearEntropic, TangentGame
from alft.marginals import Marginals, mean_of_others
from alft.simplex import Array, PerBatch


def _agreement(nu: Array, target: Array, weights: Array) -> PerBatch:
    return (weights * (nu * target).sum(axis=-1)).sum(axis=-1)


class Majority(Game):
    """F = Σ_v w_v max_a ν_v(a): majority vote within each view, as in TTRL; r = 1{a = the view's mode}."""

    concave = False
    wants = frozenset({"own_mode"})
    bounded = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Mean over views of the largest answer probability."""
        return (weights * nu.max(axis=-1)).sum(axis=-1)

    def target(self, nu: Array, weights: Array) -> Array:
        """The mode of each view."""
        return consensus.mode(nu)

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """Σ_v w_v ⟨ν_v, q_v⟩, which the Target wants large."""
        return _agreement(nu, target, weights)

    def answer_reward(self, marginals: Marginals) -> Array:
        """1 for the view's majority answer."""
        return marginals.own_mode()


class PooledMajority(Game):
    """F = max_a ν̄(a): majority vote over all views together; r = 1{a = the pooled mode}."""

    concave = False
    wants = frozenset({"pooled_mode"})
    bounded = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Largest answer probability of the mixture of views."""
        return consensus.arithmetic(nu, weights).max(axis=-1)

    def target(self, nu: Array, weights: Array) -> Array:
        """The mode of the mixture of views."""
        return consensus.mode(consensus.arithmetic(nu, weights))[..., None, :]

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """⟨ν̄, q⟩, which the Target wants large."""
        return _agreement(nu, target, weights)

    def answer_reward(self, marginals: Marginals) -> Array:
        """1 for the majority answer of all views."""
        return marginals.pooled_mode()


class CrossMajority(Game):
    """r_v(a) = share of the other views whose majority answer is a: cross-view majority (Co-rewarding-I).

    F = Σ_v w_v ⟨ν_v, mean of the other views' modes⟩. From arXiv 2508.00410, for any number of views.
    """

    concave = False
    needs_views = 2
    own_degree = 0
    wants = frozenset({"other_modes"})
    bounded = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Mean chance that a view gives another view's majority answer."""
        return self.payoff(nu, self.target(nu, weights), weights)

    def target(self, nu: Array, weights: Array) -> Array:
        """The mean of the other views' modes."""
        return mean_of_others(consensus.mode(nu), weights > 0)

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """Σ_v w_v ⟨ν_v, q_v⟩."""
        return _agreement(nu, target, weights)

    def answer_reward(self, marginals: Marginals) -> Array:
        """Share of the other views whose majority answer it is."""
        return marginals.other_modes()


class HarmonicMajority(Game):
    """r = 1 for the answer with the largest harmonic consensus (Σ_u w_u/ν_u(a))^{-1} (Self-Harmony).

    An answer that one view never gives has none. From arXiv 2511.01191, for any number of views.
    """

    concave = False
    needs_views = 2
    wants = frozenset({"harmonic_mode"})
    bounded = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Mean chance of the answer with the largest harmonic consensus."""
        return self.payoff(nu, self.target(nu, weights), weights)

    def target(self, nu: Array, weights: Array) -> Array:
        """That answer, for every view."""
        return consensus.mode(consensus.harmonic(nu, weights))[..., None, :]

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """Σ_v w_v ⟨ν_v, q⟩."""
        return _agreement(nu, target, weights)

    def answer_reward(self, marginals: Marginals) -> Array:
        """1 for the answer with the largest harmonic consensus."""
        return marginals.harmonic_mode()


class Format(Game):
    """A control: every readable answer is worth the same, so that only the price of an unread one teaches.

    F = 0; offline all readable completions of a view weigh the same. What a game gains beyond it is not form.
    """

    concave = True
    own_degree = 0
    wants = frozenset()
    bounded = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """0."""
        return np.zeros(nu.shape[:-2])

    def target(self, nu: Array, weights: Array) -> Array:
        """0 for every answer; the Target has no choice."""
        return np.zeros((*nu.shape[:-2], 1, nu.shape[-1]))

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """0."""
        return np.zeros(nu.shape[:-2])

    def answer_reward(self, marginals: Marginals) -> Array:
        """0 for every answer."""
        return np.zeros(marginals.own().shape)

    def closed_form(self) -> LinearEntropic:
        """Nothing gained, no entropy: the reference is the solution."""
        return LinearEntropic(np.zeros((1, 1)), 0.0)


class Collision(TangentGame):
    """F = Σ_v w_v ‖ν_v‖²: the chance that two samples of a view agree (near EMPO); r = 2 ν_v(a).

    The payoff is Σ_v w_v (2⟨ν_v, q_v⟩ − ‖q_v‖²), which the Target wants large.
    """

    concave = False
    wants = frozenset({"own"})
    bounded = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Mean collision probability of the views."""
        return (weights * (nu**2).sum(axis=-1)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """2 ν_v(a)."""
        return 2 * marginals.own()


class Agreement(TangentGame):
    """F = Σ_{u≠v} ⟨ν_u, ν_v⟩ / (V(V−1)): the chance that two views agree.

    A potential game between the views: F is neither concave nor convex (moving all views together curves
    it up, moving them apart curves it down), so its tangent payoff has a saddle at q = ν, not a minimum.
    """

    concave = False
    needs_views = 2
    own_degree = 0
    wants = frozenset({"others"})
    bounded = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Chance that samples of two views agree, mean over the pairs; views of weight 0 have no part."""
        there = (weights > 0).astype(float)
        agreeing = (nu * mean_of_others(nu, there)).sum(axis=-1)
        return (there * agreeing).sum(axis=-1) / there.sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """(2/(V w_v)) · mean of the other views' ν_u(a)."""
        return 2 * simplex.inverse_shares(marginals.weights)[..., None] * marginals.others()
