"""Correctness: the answer is the gold answer (theory.md 2, first row)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from alft.games.base import Facts, Game, LinearEntropic
from alft.marginals import Marginals
from alft.simplex import Array, PerBatch


@dataclass(frozen=True, eq=False)
class Correctness(Game):
    """F = Σ_v w_v ν_v(gold), so r = 1{a = gold}. `gold` marks right answers, axes (question…, answer).

    >>> game = Correctness(gold=np.array([0.0, 1.0]))
    >>> float(game.objective(np.array([[0.25, 0.75]]), np.array([1.0])))
    0.75
    """

    gold: Array | None = None
    concave = True
    needs_gold = True
    sees_gold = True
    own_degree = 0
    wants = frozenset()
    bounded = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Mean probability of the gold answer."""
        return self.payoff(nu, self.target(nu, weights), weights)

    def target(self, nu: Array, weights: Array) -> Array:
        """The gold answers; the Target has no choice."""
        return self._gold()

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """Σ_v w_v ⟨ν_v, gold⟩."""
        return (weights * (nu * target).sum(axis=-1)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """1 for the gold answer, else 0."""
        return np.broadcast_to(self._gold(), marginals.own().shape).astype(float)

    def given(self, facts: Facts) -> Correctness:
        """Correctness with the gold answers of these questions."""
        return self if facts.gold is None else replace(self, gold=facts.gold)

    def on(self, questions: Array) -> Correctness:
        """Correctness on some of the questions."""
        return self if self.gold is None or self.gold.ndim == 1 else replace(self, gold=self.gold[questions])

    def made_for(self) -> tuple[int | None, int | None]:
        """As many answers as the gold answers mark."""
        return None, None if self.gold is None else self.gold.shape[-1]

    def closed_form(self) -> LinearEntropic:
        """Gain 1 for the gold answer, no entropy."""
        return LinearEntropic(self._gold(), 0.0)

    def _gold(self) -> Array:
        if self.gold is None:
            raise ValueError("Correctness needs gold answers: Correctness(gold=…), axes (question…, answer)")
        return self.gold[..., None, :]
