"""Target match: the answer marginal shall be a given distribution (theory.md 2)."""

from __future__ import annotations

from alft import simplex
from alft.games.base import Game, LinearEntropic
from alft.marginals import Marginals
from alft.simplex import Array, PerBatch


class TargetMatch(Game):
    """F = −Σ_v w_v KL(ν_v‖q) with q given, axes (question…, answer); r = log q(a) − log ν_v(a).

    >>> import numpy as np
    >>> game = TargetMatch(np.array([0.5, 0.5]))
    >>> float(game.objective(np.array([[1.0, 0.0]]), np.array([1.0])).round(6))
    -0.693147
    """

    concave = True

    def __init__(self, wanted: Array) -> None:
        self.wanted = wanted

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """−Σ_v w_v KL(ν_v‖q); −∞ if a view answers what q excludes."""
        return self.payoff(nu, self.target(nu, weights), weights)

    def target(self, nu: Array, weights: Array) -> Array:
        """q, whatever ν."""
        return self.wanted[..., None, :]

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """−Σ_v w_v KL(ν_v‖q)."""
        return -(weights * simplex.kl(nu, target)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """log q(a) − log ν_v(a)."""
        return simplex.subtract_logs(simplex.log(self.wanted[..., None, :]), marginals.log_own())

    def on(self, questions: Array) -> TargetMatch:
        """The game on some of the questions."""
        return self if self.wanted.ndim == 1 else TargetMatch(self.wanted[questions])

    def closed_form(self) -> LinearEntropic:
        """Gain log q, and once the entropy."""
        return LinearEntropic(simplex.log(self.wanted[..., None, :]), 1.0)
