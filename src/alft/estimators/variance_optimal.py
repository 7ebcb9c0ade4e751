"""The estimator of log ν of least weighted bias at a bounded noise: a conic program (theory.md 3).

The noise is the VARIANCE of what is told, not its second moment as theory.md has it: a value far from zero that
all samples of an answer are told costs a second moment and moves no gradient. Tables made with a bounded second
moment oscillate where log ν is small; at K = 16 they had nine times the noise of digamma's (EXPERIMENTS.md).
"""

from __future__ import annotations

from importlib import import_module

import numpy as np
from jaxtyping import Float

from alft import simplex

BIAS_POINTS, NOISE_POINTS = 240, 60
FREE = 16
"""Entries of a table that are solved for; above so many agreeing samples log ν is told without bias anyway."""
REACH = 4
"""The entries solved for are seen at marginals up to REACH·FREE/K; beyond, the rest is what counts."""
Table = Float[np.ndarray, "samples"]


def variance_optimal(beyond: Table, noise: float) -> Table:
    """argmin over tables g of max_p p·|E g(N') − log p| subject to max_p p·Var g(N') ≤ `noise`, N' ~ Bin(K−1, p).

    g never falls: more agreement is never told as a smaller ν, which costs nothing of the bias and makes the
    program easier. From FREE on g is `beyond`. The maxima are taken over Chebyshev points, dense near 0 where the
    bias sits. Raises ArithmeticError if the solver finds no table.
    """
    from scipy import sparse

    clarabel = import_module("clarabel")  # compiled, without type stubs

    samples, free = len(beyond), min(FREE, len(beyond))
    linear, bound = map(np.concatenate, zip(_bias_rows(beyond, free), _rising_rows(beyond, free), strict=True))
    cones = [_noise_rows(p, beyond, free, noise) for p in _points(NOISE_POINTS + 1, samples)[:-1]]
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


def _points(number: int, samples: int) -> Float[np.ndarray, "points"]:
    reach = min(1.0, REACH * FREE / samples)
    return reach * (1 - np.cos(np.pi * np.arange(1, number + 1) / number)) / 2


def _bias_rows(beyond: Table, free: int) -> Rows:
    """±p·(E g − log p) ≤ bias, as numbers of at least 0."""
    points = _points(BIAS_POINTS, len(beyond))
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
