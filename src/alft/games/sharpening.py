"""Sharpening: reward what the samples already say most: majority, collision, cross-view agreement (theory.md 2).

These objectives are not concave: no gap certifies their equilibria, and each of them is also maximised
by answering every question alike (theory.md 4.6).
"""

from __future__ import annotations

from typing import ClassVar


from alft import consensus
from alft.games.base import Game
from alft.marginals import Marginals, mean_of_others
from alft.simplex import Array


def _agreement(nu: Array, target: Array, weights: Array) -> Array:
    return (weights * (nu * target).sum(axis=-1)).sum(axis=-1)


class Majority(Game):
    """F = Σ_v w_v max_a ν_v(a): majority vote within each view, as in TTRL; r = 1{a = the view's mode}."""

    concave: ClassVar[bool] = False

    def objective(self, nu: Array, weights: Array) -> Array:
        """Mean over views of the largest answer probability."""
        return (weights * nu.max(axis=-1)).sum(axis=-1)

    def target(self, nu: Array, weights: Array) -> Array:
        """The mode of each view."""
        return consensus.mode(nu)

    def payoff(self, nu: Array, target: Array, weights: Array) -> Array:
        """Σ_v w_v ⟨ν_v, q_v⟩."""
        return _agreement(nu, target, weights)

    def answer_reward(self, marginals: Marginals) -> Array:
        """1 for the view's majority answer."""
        return marginals.own_mode()


class PooledMajority(Game):
    """F = max_a ν̄(a): majority vote over all views together; r = 1{a = the pooled mode}."""

    concave: ClassVar[bool] = False

    def objective(self, nu: Array, weights: Array) -> Array:
        """Largest answer probability of the mixture of views."""
        return consensus.arithmetic(nu, weights).max(axis=-1)

    def target(self, nu: Array, weights: Array) -> Array:
        """The mode of the mixture of views."""
        return consensus.mode(consensus.arithmetic(nu, weights))[..., None, :]

    def payoff(self, nu: Array, target: Array, weights: Array) -> Array:
        """⟨ν̄, q⟩."""
        return _agreement(nu, target, weights)

    def answer_reward(self, marginals: Marginals) -> Array:
        """1 for the majority answer of all views."""
        return marginals.pooled_mode()


class Collision(Game):
    """F = Σ_v w_v ‖ν_v‖²: the chance that two samples of a view agree (near EMPO); r = 2 ν_v(a)."""

    concave: ClassVar[bool] = False

    def objective(self, nu: Array, weights: Array) -> Array:
        """Mean collision probability of the views."""
        return (weights * (nu**2).sum(axis=-1)).sum(axis=-1)

    def target(self, nu: Array, weights: Array) -> Array:
        """q_v = ν_v."""
        return nu

    def payoff(self, nu: Array, target: Array, weights: Array) -> Array:
        """Σ_v w_v (2⟨ν_v, q_v⟩ − ‖q_v‖²), maximal over q at q = ν."""
        return 2 * _agreement(nu, target, weights) - _agreement(target, target, weights)

    def answer_reward(self, marginals: Marginals) -> Array:
        """2 ν_v(a)."""
        return 2 * marginals.own()


class Agreement(Game):
    """F = Σ_{u≠v} ⟨ν_u, ν_v⟩ / (V(V−1)): the chance that two views agree; a potential game, not concave."""

    concave: ClassVar[bool] = False
    needs_views: ClassVar[int] = 2
    own_degree: ClassVar[int] = 0

    def objective(self, nu: Array, weights: Array) -> Array:
        """Mean over pairs of views of the chance that one sample of each agrees."""
        return (nu * mean_of_others(nu)).sum(axis=-1).mean(axis=-1)

    def target(self, nu: Array, weights: Array) -> Array:
        """For each view, the mean of the others."""
        return mean_of_others(nu)

    def payoff(self, nu: Array, target: Array, weights: Array) -> Array:
        """(1/V) Σ_v ⟨ν_v, q_v⟩: equals F where q is the Target's play; r counts each pair from both sides."""
        return (nu * target).sum(axis=-1).mean(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """(2/(V w_v)) · mean of the other views' ν_u(a)."""
        views = marginals.weights.shape[-1]
        return 2 / (views * marginals.weights[..., None]) * marginals.others()
