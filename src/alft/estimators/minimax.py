"""The estimator of log ν with the least weighted bias: a linear program, solved by exchange (theory.md 3).

min over g of max_p p·|Σ_n g_n B_{n,K−1}(p) − log p| has infinitely many constraints (one per p) and K + 1
active ones. Remez' exchange is the simplex method on it: it keeps K + 1 points where the error alternates,
and swaps them for the extrema of the error, in a Chebyshev basis (the Bernstein basis is too ill-conditioned).
"""

from __future__ import annotations

from functools import cache
from math import comb

import numpy as np
from jaxtyping import Float, Int

from alft import simplex

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
    grid = _chebyshev_points(POINTS_PER_DEGREE * samples)
    columns, goal = grid[:, None] * _chebyshev(grid, degree), simplex.xlogx(grid)
    points = _chebyshev_points(samples)
    for _ in range(MAX_EXCHANGES):
        signs = (-1.0) ** np.arange(samples + 1)
        matrix = np.column_stack([points[:, None] * _chebyshev(points, degree), signs])
        *coefficients, level = np.linalg.solve(matrix, simplex.xlogx(points))
        error = columns @ coefficients - goal
        points = grid[_extrema(error, samples + 1)]
        if np.abs(error).max() <= abs(level) * (1 + 1e-6):
            break
    return np.array(coefficients), float(np.abs(error).max())


def bernstein(coefficients: Float[np.ndarray, "samples"]) -> Float[np.ndarray, "samples"]:
    """The same polynomial in Bernstein form: the table g(N'), converted in exact integers.

    T_j(2p − 1) has the Bernstein coefficients (−1)^{j−i} C(2j, 2i)/C(j, i) of degree j, then raised in degree.

    >>> bernstein(np.array([0.5, 0.5])).tolist()
    [0.0, 1.0]
    """
    degree = len(coefficients) - 1
    scaled = [int(np.ldexp(np.longdouble(c), 200)) if c else 0 for c in coefficients]
    return np.array([_row(n, degree, scaled) for n in range(degree + 1)])


def _row(n: int, degree: int, scaled: list[int]) -> float:
    total = sum(
        c * (-1) ** (j - i) * comb(2 * j, 2 * i) * comb(degree - j, n - i)
        for j, c in enumerate(scaled)
        for i in range(max(0, n - degree + j), min(j, n) + 1)
    )
    return total / (comb(degree, n) << 200)


def _chebyshev_points(number: int) -> Float[np.ndarray, "points"]:
    return (1 - np.cos(np.pi * np.arange(1, number + 2) / (number + 1))) / 2


def _chebyshev(points: Float[np.ndarray, "points"], degree: int) -> Float[np.ndarray, "points basis"]:
    return np.polynomial.chebyshev.chebvander(2 * points - 1, degree)


def _extrema(error: Float[np.ndarray, "points"], wanted: int) -> Int[np.ndarray, "wanted"]:
    """Where |error| is largest between two changes of sign, the `wanted` neighbours with the largest minimum."""
    runs = np.split(np.arange(len(error)), np.nonzero(np.diff(np.sign(error)))[0] + 1)
    peaks = np.array([run[np.abs(error[run]).argmax()] for run in runs])
    while len(peaks) > wanted:
        weaker_end = 0 if abs(error[peaks[0]]) < abs(error[peaks[-1]]) else -1
        peaks = np.delete(peaks, weaker_end)
    return peaks
