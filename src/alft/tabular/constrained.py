"""Play under moment constraints: multipliers beside the game, found on the dual (theory.md 1.4, 2)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alft.consensus import equal_weights
from alft.games import Game, Moments, Sum
from alft.simplex import Array, PerBatch
from alft.tabular.certificate import gap
from alft.tabular.solver import solve

MAX_ROUNDS = 100
HALVINGS = 40
ARMIJO = 1e-4  # the share of the fall promised by the slope that a step must keep
ROUNDING = 1e-14  # relative differences of D below this are noise
ALIKE = 1e-9  # costs whose covariance is nearer to singular than this say the same
FEASIBLE = 1e-9  # a mean cost this far above its limit still counts as kept


@dataclass(frozen=True)
class ConstrainedEquilibrium:
    """`nu` (view, answer) and multipliers λ (constraint), the gap at these, and each constraint's violation."""

    nu: Array
    multipliers: Array
    gap: PerBatch
    violation: Array
    rounds: int


def constrained_gap(
    game: Game, moments: Moments, nu: Array, multipliers: Array, reference: Array, beta: float
) -> PerBatch:
    """Upper bound of J* − J(ν) for feasible ν and any λ ≥ 0: β Σ w KL(ν_v‖BR_λ) + Σ_k λ_k (c_k − E_ν f_k).

    Views count alike. nan where ν breaks a limit: J = −∞ there, look at `moments.violation`.
    """
    weights = equal_weights(reference)
    penalised = Sum((1.0, game), (1.0, moments.game(multipliers)))
    slack = moments.limits - moments.expectation(nu, weights)
    found = gap(penalised, nu, reference, beta, weights) + (multipliers * slack).sum(axis=-1)
    return np.where((slack >= -FEASIBLE).all(axis=-1), found, np.nan)


def solve_constrained(
    game: Game, moments: Moments, reference: Array, beta: float, *, tol: float = 1e-8
) -> ConstrainedEquilibrium:
    """argmax of J(ν) subject to E_ν[f_k] ≤ c_k, for one question, axes (view, answer), views alike.

    Projected quasi-Newton steps on the dual D(λ) = max_ν J(ν) − Σ_k λ_k (E_ν f_k − c_k), whose slope is the slack
    at the penalised game's equilibrium; its curvature starts at Cov(f)/β, which is never too small, and learns
    from the steps (BFGS), which are halved until D falls. Raises if no ν keeps the limits.

    >>> from alft import games
    >>> found = solve_constrained(
    ...     games.Diversity(), Moments(np.array([[0.0, 1.0]]), np.array([0.1])), np.array([[0.5, 0.5]]), 1.0
    ... )
    >>> found.nu.round(6).tolist()
    [[0.9, 0.1]]
    """
    _check_feasible(moments, reference)

    def respond(multipliers: Array) -> _Dual:
        found = solve(Sum((1.0, game), (1.0, moments.game(multipliers))), reference, beta, tol=tol / 100)
        slack = moments.limits - moments.expectation(found.nu, equal_weights(reference))
        height = float(found.value + multipliers @ moments.limits)
        return _Dual(multipliers, found.nu, slack, height, float(found.gap))

    here = respond(np.zeros(len(moments.limits)))
    curvature = _covariance(moments.costs, here.nu, equal_weights(reference)) / beta
    for done in range(MAX_ROUNDS):
        if (here.slack >= -FEASIBLE).all() and (here.multipliers * here.slack).sum() <= tol / 2:
            found = constrained_gap(game, moments, here.nu, here.multipliers, reference, beta)
            return ConstrainedEquilibrium(here.nu, here.multipliers, found, np.maximum(-here.slack, 0.0), done)
        goal = _dual_step(here.multipliers, here.slack, curvature)
        there = _descend(here, goal, respond)
        if (there.multipliers == goal).all():
            curvature = _learn(curvature, there.multipliers - here.multipliers, there.slack - here.slack)
        else:  # the curvature promised too much
            curvature = _covariance(moments.costs, there.nu, equal_weights(reference)) / beta
        here = there
    raise ArithmeticError(f"no multipliers found in {MAX_ROUNDS} rounds: the limits are too near to infeasible")


@dataclass(frozen=True)
class _Dual:
    """The dual at `multipliers`: the equilibrium `nu` there, the `slack` of the limits (the slope of D), and D.

    `height` is below D by `unsure` at most.
    """

    multipliers: Array
    nu: Array
    slack: Array
    height: float
    unsure: float


def _descend(here: _Dual, goal: Array, respond: Callable[[Array], _Dual]) -> _Dual:
    """On the way to `goal`, the first of the half steps at which D falls as its slope promises."""
    way = goal - here.multipliers
    there, share = respond(goal), 1.0
    for _ in range(HALVINGS):
        noise = here.unsure + there.unsure + ROUNDING * (1 + abs(here.height))
        if there.height <= here.height + ARMIJO * share * (here.slack @ way) + noise:
            break
        share /= 2
        there = respond(here.multipliers + share * way)
    return there


def _check_feasible(moments: Moments, reference: Array) -> None:
    """Whether some answer marginals on the reference's support keep all limits, by a linear program."""
    from scipy.optimize import linprog

    views, answers = reference.shape
    mean_costs = np.tile(moments.costs, views) / views
    one_each = np.kron(np.eye(views), np.ones(answers))
    most = (reference > 0).astype(float).ravel()
    bounds = np.column_stack([np.zeros(len(most)), most])
    program = linprog(np.zeros(len(most)), mean_costs, moments.limits, one_each, np.ones(views), bounds)
    if program.status == 2:
        raise ValueError(f"no answer marginals keep all limits {moments.limits.tolist()}")


def _learn(curvature: Array, step: Array, change: Array) -> Array:
    """The BFGS update: afterwards curvature · step = change of slope."""
    bend, pushed = step @ change, curvature @ step
    if bend <= 1e-12 * np.linalg.norm(step) * np.linalg.norm(change):
        return curvature
    return curvature - np.outer(pushed, pushed) / (step @ pushed) + np.outer(change, change) / bend


def _dual_step(multipliers: Array, slack: Array, curvature: Array) -> Array:
    """λ − H⁺·slack over the constraints that bind, kept ≥ 0; limits on like costs share the step."""
    free = (multipliers > 0) | (slack < 0)
    stepped = multipliers.copy()
    stepped[free] -= np.linalg.lstsq(curvature[np.ix_(free, free)], slack[free], rcond=ALIKE)[0]
    return np.maximum(stepped, 0.0)


def _covariance(costs: Array, nu: Array, weights: Array) -> Array:
    """Σ_v w_v Cov_{ν_v}(f_k, f_l), axes (constraint, constraint)."""
    mean = nu @ costs.T
    return np.einsum("v,va,ka,la->kl", weights, nu, costs, costs) - np.einsum("v,vk,vl->kl", weights, mean, mean)
