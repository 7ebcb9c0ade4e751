"""Newton's step for a game that is a sum over answers, solved directly instead of by conjugate gradients.

The step d solves M d + C x = b, b = w∘ν∘e, where M is diagonal plus one rank per answer (Sherman–Morrison), and
the columns of C keep the mass of each view and carry what couples all answers (Woodbury): one small system of
the size of the views is all that is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alft.games.base import Curvature
from alft.simplex import Array
from alft.tabular.play import Play, Position


def separable_step(play: Play, position: Position, curvature: Curvature) -> Array:
    """The direction d with d − Dr[ν∘d]/β = e up to a constant per view, axes (question, view, answer)."""
    mass = play.weights[..., None] * position.nu
    answers = _AnswerSystems.of(mass + curvature.own / play.beta, curvature, play.beta)
    wanted = mass * position.residual
    matrix = _within(answers, mass)
    if curvature.overall is None:
        free = answers.solve(wanted)
        price = _solve(matrix, (mass * free).sum(axis=-1))
        return answers.solve(wanted - mass * price[..., None])
    coupled = answers.solve(curvature.overall)
    free = answers.solve(wanted)
    across = (mass * coupled).sum(axis=-1)
    corner = play.beta + (curvature.overall * coupled).sum(axis=(-2, -1))
    bordered = np.concatenate(
        [
            np.concatenate([matrix, across[..., None]], axis=-1),
            np.concatenate([across, corner[..., None]], axis=-1)[..., None, :],
        ],
        axis=-2,
    )
    right = np.append(
        (mass * free).sum(axis=-1), (curvature.overall * free).sum(axis=(-2, -1))[..., None], axis=-1
    )
    price = _solve(bordered, right)
    return answers.solve(wanted - mass * price[..., :-1, None]) - coupled * price[..., -1, None, None]


@dataclass(frozen=True)
class _AnswerSystems:
    """M⁻¹, answer by answer: `inverse` of the diagonal, and the rank-one correction `rank · spreadᵀ spread`."""

    inverse: Array
    spread: Array | None
    rank: Array | None

    @staticmethod
    def of(diagonal: Array, curvature: Curvature, beta: float) -> _AnswerSystems:
        inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        if curvature.pull is None or curvature.joint is None:
            return _AnswerSystems(inverse, None, None)
        spread = curvature.pull * inverse
        joint = np.where(np.isfinite(curvature.joint), curvature.joint, 0.0) / beta  # +∞ where nobody answers so
        left = 1 - joint * (curvature.pull * spread).sum(axis=-2)
        rank = np.divide(joint, left, out=np.zeros_like(joint), where=left > 0)
        return _AnswerSystems(inverse, spread, rank)

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
