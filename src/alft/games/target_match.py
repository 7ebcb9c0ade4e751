"""Target match: the answer marginal shall be a given distribution (theory.md 2)."""

from __future__ import annotations

import numpy as np

from alft import simplex
from alft.games.base import Facts, Game, LinearEntropic
from alft.marginals import Marginals
from alft.simplex import Array, PerBatch

SUM_TOLERANCE = 1e-6


class TargetMatch(Game):
    """F = −Σ_v w_v KL(ν_v‖q) with q given, axes (question…, answer); r = log q(a) − log ν_v(a).

    q is `wanted`, or `Facts.wanted` of the questions at hand.

    >>> game = TargetMatch(np.array([0.5, 0.5]))
    >>> float(game.objective(np.array([[1.0, 0.0]]), np.array([1.0])).round(6))
    -0.693147
    """

    concave = True
    wants = frozenset({"log_own"})

    def __init__(self, wanted: Array | None = None) -> None:
        if wanted is not None and not (
            (wanted >= 0).all() and np.allclose(wanted.sum(axis=-1), 1, rtol=0, atol=SUM_TOLERANCE)
        ):
            raise ValueError("the wanted distribution must be at least 0 and sum to 1 over answers")
        self.wanted = wanted

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """−Σ_v w_v KL(ν_v‖q); −∞ if a view answers what q excludes."""
        return self.payoff(nu, self.target(nu, weights), weights)

    def target(self, nu: Array, weights: Array) -> Array:
        """q, whatever ν."""
        return self._wanted()

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """−Σ_v w_v KL(ν_v‖q)."""
        return -(weights * simplex.kl(nu, target)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """log q(a) − log ν_v(a)."""
        return simplex.subtract_logs(simplex.log(self._wanted()), marginals.log_own())

    def given(self, facts: Facts) -> TargetMatch:
        """The game with the distribution wanted of these questions, unless it is known already."""
        return self if facts.wanted is None or self.wanted is not None else TargetMatch(facts.wanted)

    def on(self, questions: Array) -> TargetMatch:
        """The game on some of the questions."""
        return self if self.wanted is None or self.wanted.ndim == 1 else TargetMatch(self.wanted[questions])

    def made_for(self) -> tuple[int | None, int | None]:
        """As many answers as q has."""
        return None, None if self.wanted is None else self.wanted.shape[-1]

    def closed_form(self) -> LinearEntropic:
        """Gain log q, and once the entropy."""
        return LinearEntropic(simplex.log(self._wanted()), 1.0)

    def _wanted(self) -> Array:
        if self.wanted is None:
            raise ValueError("TargetMatch needs q: TargetMatch(wanted), axes (question…, answer)")
        return self.wanted[..., None, :]
