"""How play gets to the equilibrium, step by step: mirror ascent and no-regret play (theory.md 5, paper app. B).

These are the slow, first-order ways that training takes; `alft.tabular.solve` is the fast way to the same point.
They also run on games that are not concave, where the gap only says how far ν is from its own best response.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from alft import simplex
from alft.consensus import equal_weights
from alft.games import Game
from alft.simplex import Array
from alft.tabular.certificate import gap, gap_of_reward, log_response
from alft.tabular.play import FLOOR

DOUBLINGS = 60
ROUNDING = 1e-13  # relative differences of F below this are noise


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

    Without a step, η = β/(L + β) with the least L = 2^k ≥ 1 at which F lies above its tangent less L·Σ w KL(ν'‖ν),
    found again in each round and question (backtracking): so J never falls. A concave F that is L-smooth relative
    to the KL divergence has a gap that falls by 1/(1 + β/L) a round in the long run, or faster. L = 1 for
    arithmetic coherence, where it is block coordinate ascent; q/ν of geometric coherence is as steep as its
    rarest answer, and L with it, at first. A step that is given is taken as it is, and may diverge.
    """
    weights = equal_weights(reference) if weights is None else weights
    nu, gaps, smoothness = reference, [], np.ones(reference.shape[:-2])
    for _ in range(rounds):
        reward = game.reward(nu, weights)
        gaps.append(gap_of_reward(reward, nu, reference, beta, weights))
        best = np.maximum(log_response(reward, reference, beta), FLOOR)
        if step is None:
            least = np.asarray(np.maximum(smoothness / 2, 1.0))
            nu, smoothness = _backtracked(game, nu, (reward, best), (beta, weights), least)
        else:
            nu = _damped(nu, best, np.asarray(step))
    gaps.append(gap(game, nu, reference, beta, weights))
    return Trajectory(nu, np.array(gaps))


def _backtracked(
    game: Game, nu: Array, told: tuple[Array, Array], play: tuple[float, Array], smoothness: Array
) -> tuple[Array, Array]:
    """The next ν, and the L it took, from the reward and best response at ν; `play` is β and weights."""
    (reward, best), (beta, weights) = told, play
    here = np.asarray(game.objective(nu, weights))
    for _ in range(DOUBLINGS):
        moved = _damped(nu, best, np.asarray(beta / (smoothness + beta)))
        slope = (weights * simplex.scale(moved - nu, reward).sum(axis=-1)).sum(axis=-1)
        price = smoothness * (weights * simplex.kl(moved, nu)).sum(axis=-1)
        steep = game.objective(moved, weights) < here + slope - price - ROUNDING * (1 + np.abs(here))
        if not steep.any():
            break
        smoothness = np.where(steep, 2 * smoothness, smoothness)
    return moved, np.asarray(smoothness)


def _damped(nu: Array, best: Array, eta: Array) -> Array:
    """ν^{1−η}·BR^η, normalised, on the support of ν; `best` is log BR, `eta` one number per question."""
    share = eta[..., None, None]
    mixed = simplex.softmax((1 - share) * np.maximum(simplex.log(nu), FLOOR) + share * best)
    return np.where(nu > 0, mixed, 0.0)


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
