"""The concave games in the words of a conic solver: another way to the same equilibrium."""

from __future__ import annotations

from typing import Any, cast

import cvxpy as cp
import numpy as np

from tests.tabular.problems import Problem

CONIC = (
    "correctness", "target match", "Shannon", "Gini", "Tsallis 0.5", "Tsallis 3", "arithmetic", "geometric",
    "Euclidean", "fixed", "Jeffreys", "parity", "sum",
)  # fmt: skip


Expression = Any  # cvxpy overloads the operators of arrays, and type checkers see those


def conic_program(kind: str, problem: Problem) -> cp.Problem:
    """max over ν of F(ν) − β Σ w KL(ν‖ν_0)."""
    nu = cp.Variable(problem.reference.shape)
    objective, constraints = _objective(kind, nu, problem)
    divergence = problem.weights @ cp.sum(cp.rel_entr(nu, problem.reference), axis=1)
    worth = cp.Maximize(objective - problem.beta * divergence)
    return cp.Problem(worth, [cp.sum(nu, axis=1) == 1, *constraints])  # pyright: ignore[reportArgumentType]


def _objective(kind: str, nu: cp.Variable, problem: Problem) -> tuple[Expression, list]:
    weights, game = problem.weights, cast(Any, problem.game)
    if kind == "geometric":
        return _geometric(nu, weights)
    if kind == "sum":
        shared, constraints = _geometric(nu, weights)
        return 0.5 * _expected(nu, weights, _gold(game)) + 0.3 * _gini(nu, weights) + shared, constraints
    return _plain(kind, nu, problem), []


def _plain(kind: str, nu: cp.Variable, problem: Problem) -> Expression:
    weights, game = problem.weights, cast(Any, problem.game)
    views, answers = problem.reference.shape
    stacked = cp.vstack([weights @ nu] * views)
    match kind:
        case "correctness":
            return _expected(nu, weights, _gold(game))
        case "target match":
            return -weights @ cp.sum(cp.rel_entr(nu, np.full((views, answers), 1 / answers)), axis=1)
        case "fixed":
            return -weights @ cp.sum(cp.rel_entr(nu, np.tile(game.fixed, (views, 1))), axis=1)
        case "Shannon":
            return weights @ cp.sum(cp.entr(nu), axis=1)
        case "Gini":
            return _gini(nu, weights)
        case "Tsallis 0.5":
            return weights @ (cp.sum(cp.sqrt(nu), axis=1) - 1) / 0.5
        case "Tsallis 3":
            return (1 - weights @ cp.sum(cp.power(nu, 3), axis=1)) / 2
        case "arithmetic":
            return -weights @ cp.sum(cp.rel_entr(nu, stacked), axis=1)
        case "Euclidean":
            return -weights @ cp.sum(cp.square(nu - stacked), axis=1)
        case "Jeffreys":
            pairs = [(u, v) for u in range(views) for v in range(views) if u != v]
            return -sum(cp.sum(cp.rel_entr(nu[u], nu[v])) for u, v in pairs) / (views * (views - 1))
        case "parity":
            groups = [nu[first::2].sum(axis=0) / len(range(first, views, 2)) for first in (0, 1)]
            q = (groups[0] + groups[1]) / 2
            return -sum(cp.sum(cp.rel_entr(group, q)) for group in groups) / 2
    raise ValueError(f"no program for {kind!r}")


def _gold(game) -> np.ndarray:
    return np.asarray(game.gold if hasattr(game, "gold") else game.terms[0][1].gold)


def _expected(nu: cp.Variable, weights: np.ndarray, gold: np.ndarray) -> Expression:
    return weights @ (nu @ gold)


def _gini(nu: cp.Variable, weights: np.ndarray) -> Expression:
    return 1 - weights @ cp.sum(cp.square(nu), axis=1)


def _geometric(nu: cp.Variable, weights: np.ndarray) -> tuple[Expression, list]:
    q = cp.Variable(nu.shape[1])
    return -weights @ cp.sum(cp.rel_entr(cp.vstack([q] * nu.shape[0]), nu), axis=1), [cp.sum(q) == 1]
