"""Second-order play: Newton's method on the best-response condition, in log-probabilities (theory.md 1.4).

At an equilibrium e_v = r_v/β − log(ν_v/ν_0v) is constant over answers. Damped best response walks along e,
and slows down as β falls; Newton's step d solves d − Dr[ν∘d]/β = e instead, by conjugate gradients in the
inner product Σ_v w_v ⟨ν_v, x_v y_v⟩, where the operator is symmetric and at least 1 for a concave game. Near a
consensus its spectrum has two clusters (views together, views apart), so few products are needed, and a
product is one more evaluation of the reward: no game has to supply second derivatives.

For a game that is a sum over answers the step is solved directly (`separable_step`): d solves M d + C x = b,
b = w∘ν∘e, where M is diagonal plus one rank per answer (Sherman–Morrison), and the columns of C keep the mass of
each view and carry what couples all answers (Woodbury): one small system of the size of the views is left.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from alft.games.base import Curvature
from alft.simplex import Array
from alft.tabular.play import PROBE, Play, Position

LARGEST_MOVE = 4.0  # no log-probability moves further in one step
NEGLIGIBLE = 1e-20
"""An answer this rare that keeps falling does not hold back the others: its equilibrium may be e^{−1/β}."""
PROBES = 2
MAX_PRODUCTS = 60
HALVINGS = 30
ARMIJO = 1e-4  # the share of the gain promised by the slope that a step must keep
ROUNDING = 1e-13  # relative differences of J below this are noise


def diagonal(play: Play, position: Position) -> Array:
    """A diagonal for the curvature: 1 + (root mean square change of each reward when log ν moves by ±1)/β.

    Axes (question, view, answer): cheap, and enough for nearly every problem.
    """
    nu = position.nu
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(PROBES, *nu.shape))
    changes = [play.game.reward(nu * (1 + PROBE * sign), play.weights) - position.reward for sign in signs]
    size = np.sqrt(np.mean(np.square(changes), axis=0)) / (PROBE * play.beta)
    return 1 + np.where(nu > 0, size, 0.0)


def inverse_blocks(play: Play, position: Position) -> Array:
    """The inverse of the curvature between the views of each answer, axes (question, answer, view, view).

    One probe per view: dearer, but exact for a game that is a sum over answers, however small β is.
    """
    nu, views = position.nu, position.nu.shape[-2]
    curvature = np.empty((*nu.shape, views))
    for view in range(views):
        push = PROBE * (np.arange(views) == view)[:, None]
        ahead, behind = (play.game.reward(nu * (1 + sign * push), play.weights) for sign in (1, -1))
        change = np.subtract(ahead, behind, out=np.zeros_like(nu), where=nu > 0) / (2 * PROBE * play.beta)
        curvature[..., view] = push / PROBE - change
    return np.linalg.inv(np.swapaxes(curvature, -3, -2))


def precondition(values: Array, scale: Array, nu: Array) -> Array:
    """Values by the inverse of `scale` (a diagonal, or blocks), shifted so that each view's mean under ν is 0."""
    if scale.ndim == nu.ndim:
        shift = (nu * values / scale).sum(axis=-1, keepdims=True) / (nu / scale).sum(axis=-1, keepdims=True)
        return np.where(nu > 0, (values - shift) / scale, 0.0)
    raw = np.einsum("qauv,qva->qua", scale, values)
    shift = np.linalg.solve(np.einsum("qua,qauv->quv", nu, scale), (nu * raw).sum(axis=-1)[..., None])[..., 0]
    return np.where(nu > 0, raw - np.einsum("qauv,qv->qua", scale, shift), 0.0)


def newton_step(play: Play, position: Position, scale: Array) -> Array:
    """The direction d with d − Dr[ν∘d]/β ≈ e, by preconditioned conjugate gradients, every question on its own."""
    nu, left = position.nu, position.residual
    search = scaled = precondition(left, scale, nu)
    direction, size = np.zeros_like(left), play.inner(nu, left, scaled)
    goal = size * np.minimum(0.1, np.sqrt(np.maximum(size, 0))) ** 2
    for _ in range(MAX_PRODUCTS):
        active = size > goal
        if not active.any():
            break
        product = play.curvature(nu, position.reward, search)
        bend = play.inner(nu, search, product)
        length = np.divide(size, bend, out=np.zeros_like(size), where=active & (bend > 0))[:, None, None]
        direction, left = direction + length * search, left - length * product
        scaled = precondition(left, scale, nu)
        new_size = play.inner(nu, left, scaled)
        turn = np.divide(new_size, size, out=np.zeros_like(size), where=active)
        search, size = scaled + turn[:, None, None] * search, np.where(active, new_size, size)
    return direction


def move(play: Play, position: Position, direction: Array, tol: float) -> Position:
    """The longest step along d, halved until J gains what its slope promises, or the gap shrinks at equal J."""
    slope = play.beta * play.inner(position.nu, position.residual, direction)
    leaving = (position.nu < NEGLIGIBLE) & (direction < 0)
    furthest = np.where(leaving, 0.0, np.abs(direction)).max(axis=(-2, -1))
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


def separable_step(play: Play, position: Position, curvature: Curvature) -> Array:
    """The direction d with d − Dr[ν∘d]/β = e up to a constant per view, axes (question, view, answer)."""
    mass = play.weights[..., None] * position.nu
    answers = _AnswerSystems.of(mass + curvature.own / play.beta, curvature, play.beta)
    wanted = mass * position.residual
    free, matrix = answers.solve(wanted), _within(answers, mass)
    if curvature.overall is None:
        price = _solve(matrix, (mass * free).sum(axis=-1))
        return answers.solve(wanted - mass * price[..., None])
    coupled = answers.solve(curvature.overall)
    across = (mass * coupled).sum(axis=-1)
    corner = play.beta + (curvature.overall * coupled).sum(axis=(-2, -1))
    bordered = np.block([[matrix, across[..., None]], [across[..., None, :], corner[..., None, None]]])
    needed = (curvature.overall * free).sum(axis=(-2, -1))
    right = np.append((mass * free).sum(axis=-1), needed[..., None], axis=-1)
    price = _solve(bordered, right)
    return answers.solve(wanted - mass * price[..., :-1, None]) - coupled * price[..., -1, None, None]


@dataclass(frozen=True)
class _AnswerSystems:
    """M⁻¹, answer by answer: `inverse` of the diagonal, and the rank-one correction `rank · spreadᵀ spread`."""

    inverse: Array
    spread: Array | None
    rank: Array | None

    @classmethod
    def of(cls, diagonal: Array, curvature: Curvature, beta: float) -> Self:
        inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        if curvature.pull is None or curvature.joint is None:
            return cls(inverse, None, None)
        spread = curvature.pull * inverse
        joint = np.where(np.isfinite(curvature.joint), curvature.joint, 0.0) / beta  # +∞ where nobody answers so
        left = 1 - joint * (curvature.pull * spread).sum(axis=-2)
        rank = np.divide(joint, left, out=np.zeros_like(joint), where=left > 0)
        return cls(inverse, spread, rank)

    def solve(self, right: Array) -> Array:
        found = self.inverse * right
        if self.spread is None or self.rank is None:
            return found
        return found + self.spread * (self.rank * (self.spread * right).sum(axis=-2))[..., None, :]


def _within(answers: _AnswerSystems, mass: Array) -> Array:
    """massᵀ M⁻¹ mass between the views, axes (question, view, view)."""
    own = (mass * mass * answers.inverse).sum(axis=-1)
    matrix = np.eye(mass.shape[-2]) * np.where(own > 0, own, 1.0)[..., None]
    if answers.spread is None or answers.rank is None:
        return matrix
    shared = mass * answers.spread
    return matrix + (shared * answers.rank[..., None, :]) @ np.swapaxes(shared, -1, -2)


def _solve(matrix: Array, right: Array) -> Array:
    return np.linalg.solve(matrix, right[..., None])[..., 0]
