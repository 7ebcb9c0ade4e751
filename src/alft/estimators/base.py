"""Answer marginals as sampled answers show them: each word of `alft.marginals` by its own estimator.

An entry for answer a of view v is what a SAMPLE of view v with answer a gets, given counts that
include that sample: N' = n_v(a) − 1 of the other K_v − 1 samples of its view say the same (theory.md 3).
Entries of answers that no sample of the view gave are finite and have no meaning.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from alft import consensus, simplex
from alft.estimators.log_tables import LogKind, subset_log_table
from alft.marginals import Marginals, at_least_two, mean_of_others
from alft.simplex import Array

WHOLE = 1e-9  # how far from a whole number a count is that shares of 1/V made
PRIOR = 0.5
"""Pseudo-samples for each distinct answer of a question, so that none is excluded where a view never gave it."""


def smoothed(counts: Array, prior: float = PRIOR, seen: Array | None = None) -> Array:
    """ν from counts (question…, view, answer) with `prior` pseudo-samples of each answer that some view gave.

    `seen` (question…, 1, answer) marks the answers that count as given. Offline (`reference_marginals`) and parity
    (`GroupParity`) add pseudo-samples in the proportion of all views or groups instead, so that many rare answers
    do not outweigh the common ones. Where answers are listed (problem files, `ReferenceAnswers`), all are seen.

    >>> smoothed(np.array([[3.0, 0.0, 0.0], [0.0, 1.0, 0.0]])).tolist()
    [[0.875, 0.125, 0.0], [0.25, 0.75, 0.0]]
    """
    given = counts.sum(axis=-2, keepdims=True) > 0 if seen is None else seen
    return simplex.normalise(counts + prior * given)


@dataclass(frozen=True)
class Estimator:
    """How the quantities of a reward are estimated from K samples per view.

    `own`: ν_v(a) and its integer powers by the other samples (N'/(K−1) and the U-statistics, unbiased), or with
    the sample itself (n/K).
    `log`: table of g(N') for log ν_v(a), see `alft.estimators.log_table`. Logs of mixtures of views are taken from
    the same table, so that they differ by 0 on average where the marginals are equal; "plugin" takes all
    frequencies as they are, the sample's own included, which favours what is said often. None: what suits the
    game that is played (`alft.rewards.default_log`), "variance_optimal" where none is.
    `prior`: pseudo-samples added per distinct readable answer of the question wherever another view's count
    can be zero (logs of other views, geometric consensus): ε = prior/K in units of probability.
    `cap`: the reward of each game that is not bounded by itself is held in [−cap, cap], before it is weighted:
    logs and ratios of counts are finite, but can be large.
    """

    own: Literal["leave_one_out", "plugin"] = "leave_one_out"
    log: LogKind | None = None
    prior: float = PRIOR
    cap: float = 5.0


class SampledMarginals(Marginals):
    """Marginals estimated from `counts` (question…, view, answer), views weighted by `weights`.

    A view without any readable sample does not count: its weight goes to the others.
    """

    def __init__(self, counts: Array, weights: Array, estimator: Estimator) -> None:
        self.counts = counts
        self.estimator = estimator
        self._log: LogKind = estimator.log or "variance_optimal"
        self.samples = counts.sum(axis=-1, keepdims=True)
        self.weights = weights
        self._say = simplex.normalise(weights * (self.samples[..., 0] > 0))

    def own(self) -> Array:
        """ν_v(a): N'/(K−1), or n/K with the sample itself."""
        if self.estimator.own == "plugin":
            return self._frequencies
        return np.maximum(self.counts - 1, 0) / np.maximum(self.samples - 1, 1)

    def log_own(self) -> Array:
        """log ν_v(a) by the table of the chosen kind at N', for this view's number of samples."""
        tables, which = self._tables(self.samples)
        return tables[which, np.maximum(self.counts - 1, 0).astype(int)]

    def power_own(self, exponent: float) -> Array:
        """ν_v(a)^m by the U-statistic N'(N'−1)…(N'−m+1)/((K−1)…(K−m)) for m = 1, 2, …, else (n/K)^exponent."""
        if self.estimator.own == "plugin" or exponent != int(exponent) or exponent < 1:
            return simplex.power(self._positive, exponent)
        used = np.arange(1, int(exponent) + 1)
        agreeing = np.maximum(self.counts[..., None] - used, 0)
        return (agreeing / np.maximum(self.samples[..., None] - used, 1)).prod(axis=-1)

    def inverse_own(self) -> Array:
        """1/ν_v(a): K/(N'+1), whose mean is (1 − (1−ν)^K)/ν exactly."""
        return 1 / self._positive

    def mean(self) -> Array:
        """ν̄(a), the view's own part by `own`."""
        others = self._pooled[..., None, :] - self._say[..., None] * self._frequencies
        return others + self._say[..., None] * self.own()

    def log_mean(self) -> Array:
        """log ν̄(a), as a mixture by the views' say."""
        return self.log_mixture(np.repeat(self._say[..., None, :], self.counts.shape[-2], axis=-2))

    def log_mixture(self, shares: Array) -> Array:
        """log Σ_u s_vu ν_u(a): "plugin" by the frequencies, else by the table for log ν_v(a) (theory.md 3).

        The other samples, each with its share, are a pool of Kish's effective size, (Σ s)²/Σ s², which is their
        number where shares are alike; the table is averaged over K_v − 1 of them.
        """
        mixture = np.broadcast_to(shares @ self._frequencies, self.counts.shape)
        if self._log == "plugin":
            return simplex.log(np.where((self.counts > 0) & (mixture > 0), mixture, 1.0))
        each = shares / np.maximum(self.samples, 1)[..., None, :, 0]
        itself = np.diagonal(each, axis1=-2, axis2=-1)[..., None]
        others = 1 - itself
        squares = (shares * each).sum(axis=-1)[..., None] - itself**2
        pool = np.rint(np.divide(others**2, squares, out=np.zeros_like(squares), where=squares > 0))
        agreeing = np.clip((mixture - itself) / np.where(others > 0, others, 1.0) * pool, 0, pool)
        tables, which = self._tables(pool + 1)
        below = np.floor(agreeing + WHOLE).astype(int)
        told, left = tables[which, below], np.maximum(agreeing - below, 0.0)
        return told + left * (tables[which, below + 1] - told) if left.max(initial=0.0) > WHOLE else told

    def geometric(self) -> Array:
        """Geometric consensus of the smoothed frequencies, on the answers that some view gave."""
        q = consensus.geometric(self._smoothed, self._say) * self._support
        return np.broadcast_to(simplex.normalise(q)[..., None, :], self.counts.shape)

    def others(self) -> Array:
        """Mean of the other views' frequencies."""
        return mean_of_others(self._frequencies, self._say > 0)

    def log_others(self) -> Array:
        """Mean of the other views' log smoothed frequencies."""
        logs = simplex.log(np.where(self._support[..., None, :], self._smoothed, 1.0))
        return mean_of_others(logs, self._say > 0)

    def compared(self) -> Array:
        """1 where at least two views have a readable sample."""
        return at_least_two(self._say > 0)

    def own_mode(self) -> Array:
        """The view's majority answer as a distribution."""
        return consensus.mode(self.counts)

    def pooled_mode(self) -> Array:
        """The majority answer of all views together as a distribution."""
        return np.broadcast_to(consensus.mode(self._pooled)[..., None, :], self.counts.shape)

    def other_modes(self) -> Array:
        """Mean of the other views' majority answers."""
        return mean_of_others(consensus.mode(self.counts), self._say > 0)

    def harmonic_mode(self) -> Array:
        """The answer with the largest harmonic consensus of the frequencies; none where no view shares any."""
        best = consensus.mode(consensus.harmonic(self._frequencies, self._say))
        return np.broadcast_to(best[..., None, :], self.counts.shape)

    def _tables(self, pools: Array) -> tuple[Array, Array]:
        """Log tables for K_v averaged over pools (question…, view, 1), axes (table, agreeing), and which is whose.

        A table's last entry stands twice, so that the one after it can be asked for.
        """
        sizes, pools = np.maximum(self.samples, 1).astype(int), np.maximum(pools, 1).astype(int)
        widest = int(pools.max(initial=1)) + 1
        kinds, which = np.unique(sizes * widest + pools, return_inverse=True)
        tables = np.zeros((len(kinds), widest))
        for row, kind in zip(tables, kinds.tolist(), strict=True):
            size, pool = divmod(kind, widest)
            row[:pool] = subset_log_table(size, pool, self._log)
            row[pool] = row[pool - 1]
        return tables, which.reshape(sizes.shape)

    @cached_property
    def _frequencies(self) -> Array:
        return self.counts / np.maximum(self.samples, 1)

    @cached_property
    def _positive(self) -> Array:
        return np.maximum(self.counts, 1) / np.maximum(self.samples, 1)

    @cached_property
    def _pooled(self) -> Array:
        return consensus.arithmetic(self._frequencies, self._say)

    @cached_property
    def _support(self) -> Array:
        return self.counts.sum(axis=-2) > 0

    @cached_property
    def _smoothed(self) -> Array:
        return smoothed(self.counts, self.estimator.prior)
