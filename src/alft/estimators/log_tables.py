"""Tables g(N') that estimate log ν_v(a) from how many of the other K−1 samples of the view agree (theory.md 3).

A sample with answer a, of probability p, meets N' ~ Bin(K−1, p) others that agree. The reward that the
policy feels is R(p) = E[g(N')], with weight p: so what counts is the weighted bias max_p p·|R(p) − log p|,
and the noise is the weighted variance max_p p·Var g(N'). No table is unbiased: R is a polynomial.
"""

from fractions import Fraction
from functools import cache
from importlib import import_module
from math import comb
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int
from numpy.polynomial.chebyshev import chebvander

from alft import simplex

LogKind = Literal["plugin", "digamma", "minimax", "variance_optimal"]
LOG_KINDS: tuple[LogKind, ...] = get_args(LogKind)
NOISE_SHARE = 1.2  # weighted variance of the variance-optimal table over digamma's
MANY = 512  # samples of a view above which digamma's bias, 0.0005, is not worth a table of its own
CANCELLATION = 0.01  # the largest share of the bias that rounding of a table's values may cause


def log_table(samples: int, kind: LogKind = "variance_optimal") -> Float[np.ndarray, "samples"]:
    """The K values g(N'), N' = 0…K−1, by which the estimator of this kind answers for log ν.

    `plugin` is log((N'+1)/K), the sample itself counted: weighted bias Θ(1/K) (0.066 at K = 8).
    `digamma` is ψ(N'+1) − ψ(K): about half of that (0.036).
    `variance_optimal` has the least weighted bias with about 1.2 times digamma's noise (0.024).
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

    So the log of a marginal that many samples show is estimated by the SAME function R of it as the log of one
    that K samples show: their difference has mean 0 where the marginals are equal, whatever the table's bias.
    A pool smaller than K, or one of which more than MANY count, is estimated by its own table.

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


def _points(number: int, reach: float = 1.0) -> Float[np.ndarray, "points"]:
    """Chebyshev points of (0, reach]."""
    return reach * (1 - np.cos(np.pi * np.arange(1, number + 1) / number)) / 2


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


MAX_EXCHANGES = 100
POINTS_PER_DEGREE = 60


@cache
def minimax(samples: int) -> tuple[Float[np.ndarray, "samples"], float]:
    """Chebyshev coefficients on [0, 1] of the best polynomial for log p, and its weighted bias.

    The weighted bias falls as 0.3248/K².

    >>> round(minimax(8)[1], 4)
    0.0051
    """
    degree = samples - 1
    grid = _points(POINTS_PER_DEGREE * samples + 1)
    columns, goal = grid[:, None] * chebvander(2 * grid - 1, degree), simplex.xlogx(grid)
    points = _points(samples + 1)
    for _ in range(MAX_EXCHANGES):
        signs = (-1.0) ** np.arange(samples + 1)
        matrix = np.column_stack([points[:, None] * chebvander(2 * points - 1, degree), signs])
        *coefficients, level = np.linalg.solve(matrix, simplex.xlogx(points))
        error = columns @ coefficients - goal
        points = grid[_extrema(error, samples + 1)]
        if np.abs(error).max() <= abs(level) * (1 + 1e-6):
            break
    return np.array(coefficients), float(np.abs(error).max())


def bernstein(coefficients: Float[np.ndarray, "samples"]) -> list[Fraction]:
    """The same polynomial in Bernstein form: the table g(N'), exactly.

    T_j(2p − 1) has the Bernstein coefficients (−1)^{j−i} C(2j, 2i)/C(j, i) of degree j, then raised in degree.
    The values alternate and grow like 4^K/K: from K = 45 on no 64-bit number holds them closely enough.

    >>> bernstein(np.array([0.5, 0.5]))
    [Fraction(0, 1), Fraction(1, 1)]
    """
    degree = len(coefficients) - 1
    exact = [Fraction(float(c)) for c in coefficients]
    return [_value(n, degree, exact) for n in range(degree + 1)]


def _value(n: int, degree: int, coefficients: list[Fraction]) -> Fraction:
    total = sum(
        c * ((-1) ** (j - i) * comb(2 * j, 2 * i) * comb(degree - j, n - i))
        for j, c in enumerate(coefficients)
        for i in range(max(0, n - degree + j), min(j, n) + 1)
    )
    return Fraction(total) / comb(degree, n)


def _extrema(error: Float[np.ndarray, "points"], wanted: int) -> Int[np.ndarray, "wanted"]:
    """Where |error| is largest between two changes of sign, the `wanted` neighbours with the largest minimum."""
    runs = np.split(np.arange(len(error)), np.nonzero(np.diff(np.sign(error)))[0] + 1)
    peaks = np.array([run[np.abs(error[run]).argmax()] for run in runs])
    while len(peaks) > wanted:
        weaker_end = 0 if abs(error[peaks[0]]) < abs(error[peaks[-1]]) else -1
        peaks = np.delete(peaks, weaker_end)
    return peaks


BIAS_POINTS, NOISE_POINTS = 240, 60
FREE = 16
"""Entries of a table that are solved for; with more agreeing samples log ν is estimated without bias anyway."""
REACH = 4  # the entries solved for are seen at marginals up to REACH·FREE/K; beyond, the rest is what counts
Table = Float[np.ndarray, "samples"]


def variance_optimal(beyond: Table, noise: float) -> Table:
    """argmin over tables g of max_p p·|E g(N') − log p| subject to max_p p·Var g(N') ≤ `noise`, N' ~ Bin(K−1, p).

    g never falls: more agreement never means a smaller ν, which costs nothing of the bias and makes the
    program easier. From FREE on g is `beyond`. The maxima are taken over Chebyshev points, dense near 0 where the
    bias sits. Raises ArithmeticError if the solver finds no table.
    """
    from scipy import sparse

    clarabel = import_module("clarabel")  # compiled, without type stubs

    samples, free = len(beyond), min(FREE, len(beyond))
    linear, bound = map(np.concatenate, zip(_bias_rows(beyond, free), _rising_rows(beyond, free), strict=True))
    cones = [_noise_rows(p, beyond, free, noise) for p in _tight_points(NOISE_POINTS + 1, samples)[:-1]]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix((free + 1, free + 1)),
        np.append(np.zeros(free), 1.0),
        sparse.csc_matrix(np.vstack([linear, *(rows for rows, _ in cones)])),
        np.concatenate([bound, *(offset for _, offset in cones)]),
        [clarabel.NonnegativeConeT(len(bound)), *(clarabel.SecondOrderConeT(len(o)) for _, o in cones)],
        settings,
    )
    solution = solver.solve()
    if solution.status not in (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved):
        raise ArithmeticError(f"no variance-optimal table for {samples} samples: Clarabel says {solution.status}")
    return np.concatenate([np.maximum.accumulate(solution.x[:free]), beyond[free:]])


def weighted_bernstein(points: Float[np.ndarray, "points"], samples: int) -> Float[np.ndarray, "points samples"]:
    """p·B_{n,K−1}(p): the chance that n of the other K − 1 samples agree, weighted by p."""
    n = np.arange(samples)
    log_ways = np.concatenate([[0.0], np.cumsum(np.log((samples - n[1:]) / n[1:]))])
    inside = simplex.scale(n, simplex.log(points)[:, None])
    outside = simplex.scale(samples - 1 - n, simplex.log(1 - points)[:, None])
    return points[:, None] * np.exp(log_ways + inside + outside)


Rows = tuple[Float[np.ndarray, "rows columns"], Float[np.ndarray, "rows"]]
"""A and b of b − A x, x = (g_0 … g_{free−1}, K·bias)."""


def _tight_points(number: int, samples: int) -> Float[np.ndarray, "points"]:
    return _points(number, min(1.0, REACH * FREE / samples))


def _bias_rows(beyond: Table, free: int) -> Rows:
    """±p·(E g − log p) ≤ bias, as numbers of at least 0."""
    points = _tight_points(BIAS_POINTS, len(beyond))
    basis, one = weighted_bernstein(points, len(beyond)), np.full((BIAS_POINTS, 1), 1 / len(beyond))
    wanted = simplex.xlogx(points) - basis[:, free:] @ beyond[free:]
    rows = np.block([[basis[:, :free], -one], [-basis[:, :free], -one]])
    return rows, np.concatenate([wanted, -wanted])


def _rising_rows(beyond: Table, free: int) -> Rows:
    """g_n ≤ g_{n+1}, and the last of them at most the first of `beyond`, as numbers of at least 0."""
    steps = (np.eye(free + 1) - np.eye(free + 1, k=1))[: free if free < len(beyond) else free - 1]
    steps[:, free] = 0.0
    offset = np.zeros(len(steps))
    if free < len(beyond):
        offset[-1] = beyond[free]
    return steps, offset


def _noise_rows(p: float, beyond: Table, free: int, noise: float) -> Rows:
    """1 ≥ ‖L g‖ with ‖L g‖² = p·Var g(N')/noise, what is known of g folded into one column (QR)."""
    chances = weighted_bernstein(np.array([p]), len(beyond))[0]
    spread = np.sqrt(chances / noise)[:, None] * (np.eye(len(beyond)) - chances / p)
    known = spread[:, free:] @ beyond[free:]
    folded = np.asarray(np.linalg.qr(np.column_stack([spread[:, :free], known]), mode="r"))
    rows = np.zeros((len(folded) + 1, free + 1))
    rows[1:, :free] = -folded[:, :free]
    return rows, np.concatenate([[1.0], folded[:, free]])
