"""The certificate: how far answer marginals are from the solution, and who would answer them best (theory.md 1.4).

Axes (question…, view, answer) for marginals, (question…, view) for weights, (question…) for values.
β > 0 weighs KL(ν‖ν_0); every value is in the units of the game's objective.
"""

import warnings
from collections.abc import Sequence

import numpy as np

from alft import simplex
from alft.consensus import equal_weights
from alft.errors import DataWarning
from alft.games import Game
from alft.simplex import Array, PerBatch


def value(game: Game, nu: Array, reference: Array, beta: float, weights: Array | None = None) -> PerBatch:
    """J(ν) = F(ν) − β Σ_v w_v KL(ν_v‖ν_0v), which the Policy maximises; −∞ off the reference's support."""
    weights = equal_weights(reference) if weights is None else weights
    price = simplex.scale(beta * weights, np.asarray(simplex.kl(nu, reference))).sum(axis=-1)
    left = ((nu > 0) & (reference == 0)).any(axis=(-2, -1))
    return np.where(left, -np.inf, game.objective(nu, weights) - price)


def log_response(reward: Array, reference: Array, beta: float) -> Array:
    """log BR_v(a) = log ν_{0,v}(a) + r_v(a)/β, normalised; −∞ off the support of ν_0, whatever the reward.

    A view with a reward that is no number (nan) on the support has no best response: nan for all of it.
    """
    logits = np.where(reference > 0, simplex.log(reference) + np.where(reference > 0, reward, 0.0) / beta, -np.inf)
    unbounded = np.isposinf(logits).any(axis=-1, keepdims=True)
    logits = np.where(unbounded, np.where(np.isposinf(logits), 0.0, -np.inf), logits)
    total = simplex.log_sum_exp(logits)
    return logits - np.where(np.isneginf(total), 0.0, total)[..., None]


def best_response(game: Game, nu: Array, reference: Array, beta: float, weights: Array | None = None) -> Array:
    """BR_v(ν) ∝ ν_{0,v}·exp(r_v/β): the Policy's best answer to the Target's best answer to ν.

    ν is the equilibrium of a concave game exactly if it is its own best response.
    """
    weights = equal_weights(reference) if weights is None else weights
    return np.exp(log_response(game.reward(nu, weights), reference, beta))


def gap(game: Game, nu: Array, reference: Array, beta: float, weights: Array | None = None) -> PerBatch:
    """Upper bound of J* − J(ν) for a concave game, 0 at its equilibrium only: β Σ_v w_v KL(ν_v‖BR_v(ν)).

    At β = 0 the limit: the Frank–Wolfe gap Σ_v w_v (max_a r_v(a) − ⟨r_v, ν_v⟩) over the reference's support.
    +∞ where ν leaves that support, nan where a reward on it is nan. For games that are not concave it says nothing
    about J*.

    >>> from alft import games
    >>> half = np.array([[0.5, 0.5]])
    >>> float(gap(games.Correctness(np.array([1.0, 0.0])), half, half, beta=1.0).round(4))
    0.1201
    """
    weights = equal_weights(reference) if weights is None else weights
    return gap_of_reward(game.reward(nu, weights), nu, reference, beta, weights)


def drift(trace_divergence: Array, nu: Array, reference: Array, weights: Array | None = None) -> PerBatch:
    """What a policy changed in the reasoning given the answer: Σ_v w_v [KL(π‖π_0) − KL(ν_v‖ν_0v)] ≥ 0, in nats.

    `trace_divergence` KL(π(·|x_v)‖π_0(·|x_v)), axes (question…, view). J* − J(π) ≤ gap(ν) + β·drift.
    """
    weights = equal_weights(reference) if weights is None else weights
    return (weights * (trace_divergence - simplex.kl(nu, reference))).sum(axis=-1)


def gap_of_reward(reward: Array, nu: Array, reference: Array, beta: float, weights: Array) -> PerBatch:
    """The gap at ν from the answer reward there, see `gap`."""
    left = ((nu > 0) & (reference == 0)).any(axis=(-2, -1))
    if beta == 0:
        best = np.where(reference > 0, reward, -np.inf).max(axis=-1)
        with np.errstate(invalid="ignore"):  # nan where nothing is worth anything
            found = (weights * (best - simplex.scale(nu, reward).sum(axis=-1))).sum(axis=-1)
    else:
        found = beta * (weights * _divergence(nu, log_response(reward, reference, beta))).sum(axis=-1)
    return np.where(left, np.inf, found)


def _divergence(nu: Array, log_other: Array) -> PerBatch:
    """KL(ν‖other) as Σ (ν·x + other − ν), x = log ν − log other: exact near 0: no term cancels another."""
    x = simplex.subtract_logs(simplex.log(nu), log_other)
    near = np.abs(x) < 1
    small = np.where(near, x, 0.0)
    far = simplex.scale(nu, x) + np.exp(log_other) - nu
    return np.where(near, nu * (small + np.expm1(-small)), far).sum(axis=-1)


CERTIFIED = 1e-6  # an equilibrium with a larger gap counts as not found: the solution may be worth so much more
SHOWN = 5  # so many questions a message names


class GapWarning(DataWarning):
    """The equilibrium of some questions was not found."""


def not_found(gaps: Array) -> Array:
    """Positions of the questions whose gap is too large for an equilibrium, the largest first.

    >>> not_found(np.array([0.0, 0.5, np.nan, 2.0])).tolist()
    [3, 1]
    """
    order = np.argsort(-gaps, kind="stable")
    return order[gaps[order] > CERTIFIED]


def warn_of_gaps(names: Sequence[str], gaps: Array, place: str) -> None:
    """Warn where no equilibrium was found: of how many questions, and of the worst by name. nan is not shown."""
    lost = not_found(gaps)
    if len(lost) > 0:
        worst = ", ".join(f"{names[index]} ({gaps[index]:.2g})" for index in lost[:SHOWN])
        more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
        many = f"{len(lost)} of {len(gaps)} questions"
        told = f"{place}: the equilibrium of {many} was NOT found, by gap: {worst}{more}"
        remedy = "what is shown is not the solution: give a larger beta or a smaller power, or fix the game"
        warnings.warn(f"{told} — {remedy}", GapWarning, stacklevel=3)
