"""Second-order play: Newton's method on the best-response condition, in log-probabilities (theory.md 1.4).

At an equilibrium e_v = r_v/β − log(ν_v/ν_0v) is constant over answers. Damped best response walks along e,
and slows down as β falls; Newton's step d solves d − Dr[ν∘d]/β = e instead, by conjugate gradients in the
inner product Σ_v w_v ⟨ν_v, x_v y_v⟩, where the operator is symmetric and at least 1 for a concave game. Near a
consensus its spectrum has two clusters (views together, views apart), so few products are needed, and a
product is one more evaluation of the reward: no game has to supply second derivatives.
"""

from __future__ import annotations

import numpy as np

from alft.simplex import Array
from alft.tabular.play import PROBE, Play, Position

LARGEST_MOVE = 4.0
"""No log-probability moves further in one step."""
PROBES = 2
MAX_PRODUCTS = 60
HALVINGS = 30
ARMIJO = 1e-4
"""The share of the gain promised by the slope that a step must keep."""
ROUNDING = 1e-13
"""Relative differences of J below this are noise."""


def scaling(play: Play, nu: Array, reward: Array) -> Array:
    """A diagonal for the curvature: 1 + (root mean square change of each reward when log ν moves by ±1)/β."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(PROBES, *nu.shape))
    changes = [play.game.reward(nu * (1 + PROBE * sign), play.weights) - reward for sign in signs]
    size = np.sqrt(np.mean(np.square(changes), axis=0)) / (PROBE * play.beta)
    return 1 + np.where(nu > 0, size, 0.0)


def precondition(values: Array, diagonal: Array, nu: Array) -> Array:
    """Values over the diagonal, shifted view by view so that their mean under ν is 0."""
    shift = (nu * values / diagonal).sum(axis=-1, keepdims=True) / (nu / diagonal).sum(axis=-1, keepdims=True)
    return np.where(nu > 0, (values - shift) / diagonal, 0.0)


def newton_step(play: Play, position: Position) -> Array:
    """The direction d with d − Dr[ν∘d]/β ≈ e, by preconditioned conjugate gradients, every question on its own."""
    nu, left = position.nu, position.residual
    diagonal = scaling(play, nu, position.reward)
    search = scaled = precondition(left, diagonal, nu)
    direction, size = np.zeros_like(left), play.inner(nu, left, scaled)
    goal = size * np.minimum(0.1, np.sqrt(size)) ** 2
    for _ in range(MAX_PRODUCTS):
        active = size > goal
        if not active.any():
            break
        product = play.curvature(nu, position.reward, search)
        bend = play.inner(nu, search, product)
        length = np.divide(size, bend, out=np.zeros_like(size), where=active & (bend > 0))[:, None, None]
        direction, left = direction + length * search, left - length * product
        scaled = precondition(left, diagonal, nu)
        new_size = play.inner(nu, left, scaled)
        turn = np.divide(new_size, size, out=np.zeros_like(size), where=active)
        search, size = scaled + turn[:, None, None] * search, np.where(active, new_size, size)
    return direction


def move(play: Play, position: Position, direction: Array, tol: float) -> Position:
    """The longest step along d, halved until J gains what its slope promises, or the gap shrinks at equal J."""
    slope = play.beta * play.inner(position.nu, position.residual, direction)
    furthest = np.abs(direction).max(axis=(-2, -1))
    step = np.minimum(1.0, LARGEST_MOVE / np.maximum(furthest, 1e-300))
    resting = position.gap <= tol
    found = position
    for _ in range(HALVINGS):
        tried = play.at(position.log_nu + step[:, None, None] * direction)
        slack = ROUNDING * (1 + np.abs(position.value))
        gains = tried.value >= position.value + ARMIJO * step * slope - slack
        accepted = ~resting & gains & ((tried.gap < position.gap) | (step * slope > 10 * slack))
        found = found.where(accepted, tried)
        resting = resting | accepted
        if resting.all():
            break
        step = np.where(resting, step, step / 2)
    return found
