"""Is a user's own game what it says? Checked on random marginals before a model is loaded (theory.md 1.2, 1.3).

A wrong sign or a forgotten factor trains the wrong thing in silence, and a false `concave` makes the gap a
certificate of nothing. Both show on a few marginals in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from alft.errors import Problem
from alft.games import Facts, Game
from alft.simplex import Array

QUESTIONS, VIEWS, ANSWERS = 5, 3, 4
STEP = 1e-5
TOLERANCE = 1e-3
"""Largest difference between the reward and the slope of the objective, of the size of the reward."""


def problems_of(game: Game, where: str) -> Iterator[Problem]:
    """What is wrong with a game: shapes, a reward that is not the gradient of F, F that is not concave.

    A game that needs facts is given random ones.
    """
    rng = np.random.default_rng(0)
    nu, other = (rng.dirichlet(np.full(ANSWERS, 2.0), (QUESTIONS, VIEWS)) for _ in range(2))
    weights = np.full(VIEWS, 1 / VIEWS)
    gold = np.zeros((QUESTIONS, ANSWERS))
    gold[:, 0] = 1
    answered = np.ones(QUESTIONS)
    try:
        told = game.given(Facts(gold=gold, reference=other, weights=weights, answered=answered))
        value, reward = np.asarray(told.objective(nu, weights)), np.asarray(told.reward(nu, weights))
    except Exception as error:
        yield Problem(where, f"fails on answer marginals: {type(error).__name__}: {error}")
        return
    if value.shape != (QUESTIONS,) or reward.shape != nu.shape:
        told_shapes = f"objective has shape {value.shape}, answer_reward {reward.shape}"
        wanted = f"for marginals {nu.shape} they are {(QUESTIONS,)} and {nu.shape}"
        yield Problem(where, told_shapes, f"{wanted}: axes (question, view, answer)")
        return
    if not (np.isfinite(value).all() and np.isfinite(reward).all()):
        yield Problem(where, "objective or answer_reward is not finite on marginals inside the simplex")
        return
    yield from _slope_problems(told, nu, weights, where)
    middle = told.objective((nu + other) / 2, weights)
    chord = (value + told.objective(other, weights)) / 2
    if game.concave and (middle < chord - 1e-9).any():
        yield Problem(where, "says concave = True, and its objective is not", "say concave = False: no gap then")


def _slope_problems(game: Game, nu: Array, weights: Array, where: str) -> Iterator[Problem]:
    """Compare the reward with finite differences of F along random directions inside the simplex."""
    rng = np.random.default_rng(1)
    direction = rng.normal(size=nu.shape) * nu
    direction -= direction.sum(axis=-1, keepdims=True) * nu
    ahead, behind = (np.asarray(game.objective(nu + s * STEP * direction, weights)) for s in (1, -1))
    slope = (ahead - behind) / (2 * STEP)
    reward = np.asarray(game.reward(nu, weights))
    told = (weights[:, None] * reward * direction).sum(axis=(-2, -1))
    size = np.abs(weights[:, None] * reward * direction).sum(axis=(-2, -1)).max() + 1e-12
    if np.abs(slope - told).max() > TOLERANCE * size:
        yield Problem(
            where,
            "answer_reward is not (1/w_v) ∂F/∂ν_v(a) of its objective: "
            f"F changes by {slope[0]:.4g} where the reward says {told[0]:.4g}",
            "mend one of the two (docs/adding-a-game.md)",
        )
