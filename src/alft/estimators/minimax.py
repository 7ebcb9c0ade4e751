"""The estimator of log ν with the least weighted bias: a linear program, solved by exchange (theory.md 3).

min over g of max_p p·|Σ_n g_n B_{n,K−1}(p) − log p| has infinitely many constraints (one per p) and K + 1
active ones. Remez' exchange is the simplex method on it: it keeps K + 1 points where the error alternates,
and swaps them for the extrema of the error, in a Chebyshev basis (the Bernstein basis is too ill-conditioned).
"""

from __future__ import annotations

from fractions import Fraction
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
