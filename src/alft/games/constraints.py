"""Moment constraints: what answers cost on average has a limit (theory.md 2, paper section 7: safety).

A constraint is no function with a gradient, so it is no `Game`: it lives beside one, as multipliers λ ≥ 0 whose
reward −Σ_k λ_k f_k(a) is added to the game's (`alft.tabular.solve_constrained` finds them).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alft.games.known import KnownReward
from alft.simplex import Array


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
