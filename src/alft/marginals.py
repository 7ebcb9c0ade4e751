"""What the formula of an answer reward may ask about the answer marginals of a question's views.

A game writes its reward r_v(a) once, in these words. `Marginals` answers from known marginals (tabular play,
certificates); `alft.estimators.SampledMarginals` answers from counts of sampled answers, each word by its own
estimator (theory.md 3). So exact and sampled play can't drift apart.
"""

from dataclasses import dataclass

import numpy as np

from alft import consensus, simplex
from alft.simplex import Array

OF_ONE_VIEW = frozenset({"own", "log_own", "power_own", "inverse_own", "own_mode"})
"""The words of `Marginals` that look at one view alone."""


def mean_of_others(values: Array, present: Array | None = None) -> Array:
    """Mean of `values` over the other views u ≠ v, axes (question…, view, answer); 0 where there is no other.

    `present` (question…, view) tells which views count as others; all do if it is not given.

    >>> mean_of_others(np.array([[1.0], [2.0], [3.0]])).ravel()
    array([2.5, 2. , 1.5])
    """
    there = np.ones(values.shape[:-1]) if present is None else present.astype(float)
    values = values * there[..., None]
    others = (there.sum(axis=-1, keepdims=True) - there)[..., None]
    return (values.sum(axis=-2, keepdims=True) - values) / np.maximum(others, 1)


def at_least_two(there: Array) -> Array:
    """1 where at least two of a question's views are `there` (question…, view), else 0, axes (question…, 1, 1)."""
    return (there.sum(axis=-1) > 1).astype(float)[..., None, None]


@dataclass(eq=False)
class Marginals:
    """Known answer marginals `nu`, axes (question…, view, answer), with view `weights` (question…, view).

    Each method is a word: a quantity with the axes of `nu`, as it concerns answer a of view v.
    """

    nu: Array
    weights: Array

    def own(self) -> Array:
        """ν_v(a)."""
        return self.nu

    def log_own(self) -> Array:
        """log ν_v(a), −∞ off the support."""
        return simplex.log(self.nu)

    def power_own(self, exponent: float) -> Array:
        """ν_v(a)^exponent, +∞ at 0 for a negative exponent."""
        return simplex.power(self.nu, exponent)

    def inverse_own(self) -> Array:
        """1/ν_v(a), +∞ off the support."""
        return simplex.power(self.nu, -1.0)

    def mean(self) -> Array:
        """Arithmetic consensus ν̄(a), the same for every view."""
        return np.broadcast_to(consensus.arithmetic(self.nu, self.weights)[..., None, :], self.nu.shape)

    def log_mean(self) -> Array:
        """log ν̄(a)."""
        return simplex.log(self.mean())

    def log_mixture(self, shares: Array) -> Array:
        """log Σ_u s_vu ν_u(a)."""
        return simplex.log(shares @ self.nu)

    def geometric(self) -> Array:
        """Geometric consensus q(a), the same for every view."""
        return np.broadcast_to(consensus.geometric(self.nu, self.weights)[..., None, :], self.nu.shape)

    def others(self) -> Array:
        """Mean of ν_u(a) over u ≠ v of positive weight."""
        return mean_of_others(self.nu, self.weights > 0)

    def log_others(self) -> Array:
        """Mean of log ν_u(a) over u ≠ v of positive weight; −∞ where another such view is 0."""
        zero, there = self.nu == 0, self.weights > 0
        finite = mean_of_others(np.where(zero, 0.0, self.log_own()), there)
        return np.where(mean_of_others(zero.astype(float), there) > 0, -np.inf, finite)

    def compared(self) -> Array:
        """1 where at least two views count, 0 where there is nothing to compare, axes (question…, 1, 1)."""
        return at_least_two(self.weights > 0)

    def own_mode(self) -> Array:
        """The view's majority answer as a distribution."""
        return consensus.mode(self.nu)

    def pooled_mode(self) -> Array:
        """The majority answer of the weighted mixture of views as a distribution."""
        return np.broadcast_to(consensus.mode(self.mean()), self.nu.shape)

    def other_modes(self) -> Array:
        """Mean of the other views' modes, over u ≠ v of positive weight."""
        return mean_of_others(consensus.mode(self.nu), self.weights > 0)

    def harmonic_mode(self) -> Array:
        """The mode of the harmonic consensus."""
        best = consensus.mode(consensus.harmonic(self.nu, self.weights))
        return np.broadcast_to(best[..., None, :], self.nu.shape)
