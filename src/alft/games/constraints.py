"""Moment constraints: what answers cost on average has a limit (theory.md 2, paper section 7: safety).

A constraint is no function with a gradient, so it is no `Game`: it lives beside one, as multipliers λ ≥ 0 whose
reward −Σ_k λ_k f_k(a) is added to the game's (`alft.tabular.solve_constrained` finds them).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alft.games.base import Game, LinearEntropic
from alft.marginals import Marginals
from alft.simplex import Array, PerBatch


@dataclass(frozen=True, eq=False)
class Moments:
    """E_ν[f_k] = Σ_v w_v ⟨ν_v, f_k⟩ ≤ c_k for every k.

    `costs` f, axes (constraint, answer), what an answer costs; `limits` c, axes (constraint).

    >>> unsafe = Moments(costs=np.array([[0.0, 1.0]]), limits=np.array([0.1]))
    >>> unsafe.violation(np.array([[0.5, 0.5]]), np.array([1.0])).tolist()
    [0.4]
    """

    costs: Array
    limits: Array

    def expectation(self, nu: Array, weights: Array) -> Array:
        """E_ν[f_k], axes (question…, constraint)."""
        return np.einsum("...v,...va,ka->...k", weights, nu, self.costs)

    def violation(self, nu: Array, weights: Array) -> Array:
        """How far each mean cost is above its limit, 0 where the limit is kept, axes (question…, constraint)."""
        return np.maximum(self.expectation(nu, weights) - self.limits, 0.0)

    def game(self, multipliers: Array) -> KnownReward:
        """The linear game with reward −Σ_k λ_k f_k(a), for multipliers λ (question…, constraint)."""
        return KnownReward(-(multipliers @ self.costs)[..., None, :])


class KnownReward(Game):
    """F = Σ_v w_v ⟨ν_v, R⟩: the answer reward R is known, axes (question…, view or 1, answer)."""

    concave = True
    own_degree = 0
    wants = frozenset()
    bounded = True

    def __init__(self, gain: Array) -> None:
        self.gain = gain

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Mean reward."""
        return self.payoff(nu, self.gain, weights)

    def target(self, nu: Array, weights: Array) -> Array:
        """R; the Target has no choice."""
        return self.gain

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """Σ_v w_v ⟨ν_v, R⟩."""
        return (weights * (nu * target).sum(axis=-1)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """R."""
        return np.broadcast_to(self.gain, marginals.own().shape)

    def on(self, questions: Array) -> KnownReward:
        """The rewards of some of the questions."""
        return self if self.gain.ndim == 2 else KnownReward(self.gain[questions])

    def made_for(self) -> tuple[int | None, int | None]:
        """As many views and answers as the rewards have; one stands for any number."""
        views, answers = (size if size > 1 else None for size in self.gain.shape[-2:])
        return views, answers

    def closed_form(self) -> LinearEntropic:
        """Gain R, no entropy."""
        return LinearEntropic(self.gain, 0.0)
