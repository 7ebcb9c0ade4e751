"""The estimator of log ν of least weighted bias at a bounded second moment: a conic program (theory.md 3)."""

from __future__ import annotations

from importlib import import_module

import numpy as np
from jaxtyping import Float

from alft import simplex

POINTS = 240


def variance_optimal(samples: int, moment: float) -> Float[np.ndarray, "samples"]:
    """argmin over g of max_p p·|Σ_n g_n B_{n,K−1}(p) − log p| subject to max_p p·Σ_n g_n² B_{n,K−1}(p) ≤ `moment`.

    The squares are bounded by variables y_n ≥ g_n² (second-order cones), so that every other constraint is
    linear; both maxima are taken over Chebyshev points, dense near 0 where the bias sits. Raises ArithmeticError
    if the solver does not call its answer solved.
    """
    from scipy import sparse

    clarabel = import_module("clarabel")  # compiled, without type stubs

    points = (1 - np.cos(np.pi * np.arange(1, POINTS + 1) / POINTS)) / 2
    basis = weighted_bernstein(points, samples)
    goal, none, one = simplex.xlogx(points), np.zeros_like(basis), np.ones((POINTS, 1))
    linear = np.block([[basis, none, -one / samples], [-basis, none, -one / samples], [none, basis, 0 * one]])
    bound = np.concatenate([goal, -goal, np.full(POINTS, moment)])
    cones, offset = _square_cones(samples)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix((2 * samples + 1, 2 * samples + 1)),
        np.append(np.zeros(2 * samples), 1.0),
        sparse.csc_matrix(np.vstack([linear, cones])),
        np.concatenate([bound, offset]),
        [clarabel.NonnegativeConeT(len(bound)), *[clarabel.SecondOrderConeT(3)] * samples],
        settings,
    )
    solution = solver.solve()
    if solution.status != clarabel.SolverStatus.Solved:
        raise ArithmeticError(f"no variance-optimal table for {samples} samples: Clarabel says {solution.status}")
    return np.array(solution.x[:samples])


def weighted_bernstein(points: Float[np.ndarray, "points"], samples: int) -> Float[np.ndarray, "points samples"]:
    """p·B_{n,K−1}(p): the chance that n of the other K − 1 samples agree, weighted by p."""
    n = np.arange(samples)
    log_ways = np.concatenate([[0.0], np.cumsum(np.log((samples - n[1:]) / n[1:]))])
    inside = simplex.scale(n, simplex.log(points)[:, None])
    outside = simplex.scale(samples - 1 - n, simplex.log(1 - points)[:, None])
    return points[:, None] * np.exp(log_ways + inside + outside)


def _square_cones(samples: int) -> tuple[Float[np.ndarray, "rows columns"], Float[np.ndarray, "rows"]]:
    """Rows of s = b − A x with (y_n + 1)/2 ≥ ‖(g_n, (y_n − 1)/2)‖, which says y_n ≥ g_n²."""
    rows = np.zeros((samples, 3, 2 * samples + 1))
    n = np.arange(samples)
    rows[n, 0, samples + n] = rows[n, 2, samples + n] = -0.5
    rows[n, 1, n] = -1.0
    return rows.reshape(3 * samples, -1), np.tile([0.5, 0.0, -0.5], samples)
