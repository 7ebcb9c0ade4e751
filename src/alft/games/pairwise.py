"""Pairwise coherence: every two views must agree, without a consensus between them (theory.md 2, paper section 6).

The Euclidean pairwise game is the Euclidean consensus game: Σ_{u<v} w_u w_v ‖ν_u − ν_v‖² = Σ_v w_v ‖ν_v − ν̄‖².
"""

from __future__ import annotations

import numpy as np

from alft import simplex
from alft.games.base import TangentGame
from alft.games.coherence import EuclideanCoherence
from alft.marginals import Marginals, mean_of_others
from alft.simplex import Array, PerBatch


class JeffreysCoherence(TangentGame):
    """F = −mean over u ≠ v of KL(ν_u‖ν_v), every pair alike; views of weight 0 have no part.

    r = (1/(V w_v)) · mean over u ≠ v of [log(ν_u(a)/ν_v(a)) + ν_u(a)/ν_v(a)], of one size whatever V, so that
    `Estimator.cap` holds only what is far out. F = −∞ unless all views give the same answers a chance, so sampled
    play leans on the prior of the other views' counts.
    """

    concave = True
    needs_views = 2
    wants = frozenset({"log_others", "log_own", "others", "inverse_own"})
    only_agreement = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """−(1/V) Σ_v Σ_a (ν_v(a) − mean of the others' ν_u(a)) log ν_v(a), the same mean ordered by view."""
        there = weights > 0
        apart = np.where(there[..., None], nu - mean_of_others(nu, there), 0.0)
        return -simplex.scale(apart, simplex.log(nu)).sum(axis=(-2, -1)) / there.sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """(1/(V w_v)) · mean over u ≠ v of [log ν_u(a) − log ν_v(a) + ν_u(a)/ν_v(a)]."""
        log_part = simplex.subtract_logs(marginals.log_others(), marginals.log_own())
        ratio = simplex.scale(marginals.others(), marginals.inverse_own())
        return simplex.scale(simplex.inverse_shares(marginals.weights)[..., None], log_part + ratio)


PairwiseEuclideanCoherence = EuclideanCoherence
"""Another name of the same game."""
