"""How play gets to the equilibrium, step by step: mirror ascent and no-regret play (theory.md 5, paper app. B).

These are the slow, first-order ways that training takes; `alft.tabular.solve` is the fast way to the same point.
They also run on games that are not concave, where the gap only says how far ν is from its own best response.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from alft import simplex
from alft.games import Game
from alft.simplex import Array
from alft.tabular.certificate import equal_weights, gap, log_response


@dataclass(frozen=True)
class Trajectory:
    """Where play ended, `nu` (question…, view, answer), and the gap before each round and at the end."""

    nu: Array
    gaps: Float[np.ndarray, "round *question"]


def mirror_ascent(
    game: Game,
    reference: Array,
    beta: float,
    *,
    weights: Array | None = None,
    rounds: int = 100,
    step: float | None = None,
) -> Trajectory:
    """ν ← ν^{1−η}·BR(ν)^η, normalised: best response, damped; the natural policy gradient on logits, η = step.

    With F 1-smooth relative to the KL divergence, as in arithmetic coherence, η = β/(1 + β) (the default)
    shrinks the error of log ν by 1/(1 + β) a round, or faster; there it is block coordinate ascent.
    """
    weights = equal_weights(reference) if weights is None else weights
    eta = beta / (1 + beta) if step is None else step
    nu, gaps = reference, []
    for _ in range(rounds):
        gaps.append(gap(game, nu, reference, beta, weights))
        best = log_response(game.reward(nu, weights), reference, beta)
        nu = simplex.softmax(simplex.scale(np.full(nu.shape, 1 - eta), _finite(nu)) + eta * _held(best))
        nu = np.where(reference > 0, nu, 0.0)
    gaps.append(gap(game, nu, reference, beta, weights))
    return Trajectory(nu, np.array(gaps))


def no_regret(
    game: Game, reference: Array, beta: float, *, weights: Array | None = None, rounds: int = 100
) -> Trajectory:
    """The Target best-responds to the average of past play, the Policy to the Target; the average play converges.

    The average weighs round t by t, so that it moves 2/(t + 2) of the way to the newest play: the regret of the
    Target (follow the leader) and so the gap fall at least as fast as 1/T for a smooth concave F.
    """
    weights = equal_weights(reference) if weights is None else weights
    average, gaps = reference, []
    for t in range(rounds):
        gaps.append(gap(game, average, reference, beta, weights))
        newest = np.exp(log_response(game.reward(average, weights), reference, beta))
        average = average + 2 / (t + 2) * (newest - average) if t else (average + newest) / 2
    gaps.append(gap(game, average, reference, beta, weights))
    return Trajectory(average, np.array(gaps))


def _finite(nu: Array) -> Array:
    return _held(simplex.log(nu))


def _held(logits: Array) -> Array:
    return np.maximum(logits, -600.0)
