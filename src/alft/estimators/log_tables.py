"""Tables g(N') that estimate log ν_v(a) from how many of the other K−1 samples of the view agree (theory.md 3).

A sample with answer a, of probability p, meets N' ~ Bin(K−1, p) others that agree. The reward that the
policy feels is R(p) = E[g(N')], with weight p: so what counts is the weighted bias max_p p·|R(p) − log p|,
and the noise is the weighted variance max_p p·Var g(N'). No table is unbiased: R is a polynomial.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from alft import simplex
from alft.estimators.minimax import bernstein, minimax
from alft.estimators.variance_optimal import variance_optimal, weighted_bernstein

LogKind = Literal["plugin", "digamma", "minimax", "variance_optimal"]
LOG_KINDS: tuple[LogKind, ...] = get_args(LogKind)
NOISE_SHARE = 1.2
"""Weighted variance of the variance-optimal table over digamma's."""
MANY = 512
"""Samples of a view above which digamma's bias, 0.0005, is not worth a table of its own."""
CANCELLATION = 0.01
"""The largest share of the bias that rounding of a table's values may cause."""


def log_table(samples: int, kind: LogKind = "variance_optimal") -> Float[np.ndarray, "samples"]:
    """The K values g(N'), N' = 0…K−1, by which the estimator of this kind answers for log ν.

    `plugin` is log((N'+1)/K), the sample itself counted: weighted bias Θ(1/K) (0.066 at K = 8).
    `digamma` is ψ(N'+1) − ψ(K): about half of that (0.036).
    `variance_optimal` has the least weighted bias with at most 1.2 times digamma's noise (0.024).
    `minimax` has the least weighted bias of all, 0.325/K² (0.005), but its values grow like 4^K/K (139 at
    K = 16, 2e6 at K = 32): for comparison, not for training. Above K = 44 they would drown in rounding, so the
    table is that of the highest degree that does not.

    >>> log_table(samples=2, kind="plugin").round(6).tolist()
    [-0.693147, 0.0]
    """
    if kind not in LOG_KINDS:
        raise ValueError(f"kind must be one of {', '.join(LOG_KINDS)}, not {kind!r}")
    if samples < 1:
        raise ValueError(f"a log table needs at least 1 sample, not {samples}")
    return _solved(samples, "plugin" if samples == 1 else kind)


@cache
def subset_log_table(samples: int, pool: int, kind: LogKind = "variance_optimal") -> Float[np.ndarray, "pool"]:
    """What `log_table` tells on average of K−1 samples drawn from the other pool−1, n = 0…pool−1 of which agree.

    So the log of a marginal that many samples show is told by the SAME function R of it as the log of one that K
    samples show: the difference of the two has mean 0 where the marginals are equal, whatever the table's bias.
    A pool smaller than K, or one of which more than MANY count, is told by its own table.

    >>> subset_log_table(samples=2, pool=3, kind="plugin").round(6).tolist()
    [-0.693147, -0.346574, 0.0]
    """
    drawn = pool if samples > MANY else min(samples, pool)
    table = log_table(drawn, kind)
    for others in range(drawn, pool):  # of these, one is left out at random: one that agrees, or one that does not
        agree, padded = np.arange(others + 1) / others, np.concatenate([table[:1], table, table[-1:]])
        table = agree * padded[:-1] + (1 - agree) * padded[1:]
        table.flags.writeable = False
    return table


@cache
def _solved(samples: int, kind: LogKind) -> Float[np.ndarray, "samples"]:
    """The table, made once per number of samples, kind and process."""
    make = {"plugin": _plugin, "digamma": _digamma, "minimax": _minimax, "variance_optimal": _variance_optimal}
    table = make[kind](samples)
    table.flags.writeable = False
    return table


def weighted_bias(table: Float[np.ndarray, "samples"], points: int = 4000) -> float:
    """max_p p·|E[g(N')] − log p| over (0, 1], by Chebyshev points.

    >>> round(weighted_bias(log_table(8, "plugin")), 3)
    0.066
    """
    p = _points(points)
    return float(np.abs(weighted_bernstein(p, len(table)) @ table - simplex.xlogx(p)).max())


def weighted_variance(table: Float[np.ndarray, "samples"], points: int = 4000) -> float:
    """max_p p·Var g(N') over (0, 1]: the noise that the policy meets.

    >>> round(weighted_variance(log_table(8, "digamma")), 3)
    0.095
    """
    p = _points(points)
    chances, g = weighted_bernstein(p, len(table)), np.asarray(table)
    return float((chances @ g**2 - (chances @ g) ** 2 / p).max())


def weighted_second_moment(table: Float[np.ndarray, "samples"], points: int = 4000) -> float:
    """max_p p·E[g(N')²] over (0, 1], which theory.md 3 bounds.

    >>> round(weighted_second_moment(log_table(8, "digamma")), 2)
    0.55
    """
    return float((weighted_bernstein(_points(points), len(table)) @ np.asarray(table) ** 2).max())


def _points(number: int) -> Float[np.ndarray, "points"]:
    return (1 - np.cos(np.pi * np.arange(1, number + 1) / number)) / 2


def _plugin(samples: int) -> Float[np.ndarray, "samples"]:
    return np.log(np.arange(1, samples + 1) / samples)


def _digamma(samples: int) -> Float[np.ndarray, "samples"]:
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, samples))])
    return harmonic - harmonic[-1]


def _minimax(samples: int) -> Float[np.ndarray, "samples"]:
    for degree in range(samples, 0, -1):
        coefficients, bias = minimax(degree)
        table = np.array(bernstein(np.pad(coefficients, (0, samples - degree))), dtype=float)
        if np.abs(table).max() * np.finfo(float).eps <= CANCELLATION * bias:
            return table
    return _plugin(samples)


def _variance_optimal(samples: int) -> Float[np.ndarray, "samples"]:
    digamma = _digamma(samples)
    if samples > MANY:
        return digamma
    return variance_optimal(digamma, NOISE_SHARE * weighted_variance(digamma))
