"""Reference score: how sure the reference was of an answer (theory.md 2.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from alft import simplex
from alft.games.base import Facts, Game, LinearEntropic
from alft.marginals import Marginals
from alft.simplex import Array, PerBatch


@dataclass(frozen=True, eq=False)
class ReferenceScore(Game):
    """F = Σ_v w_v E_{ν_v}[log ν_{0,v}], so r_v(a) = log ν_{0,v}(a).

    `reference` is ν_0, axes (question…, view, answer). Beside another game, with the coefficient β(α − 1), it
    sharpens the reference to ν_0^α/Z: coherence alone makes views agree, however unsure they are; with it they
    agree and are sure.

    >>> import numpy as np
    >>> game = ReferenceScore(np.array([[0.5, 0.5]]))
    >>> float(game.objective(np.array([[1.0, 0.0]]), np.array([1.0])).round(6))
    -0.693147
    """

    reference: Array | None = None
    concave = True
    needs_reference = True
    own_degree = 0
    wants = frozenset()

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Mean log-probability of the answer under the reference; −∞ where the reference excludes it."""
        return self.payoff(nu, self.target(nu, weights), weights)

    def target(self, nu: Array, weights: Array) -> Array:
        """log ν_0; the Target has no choice."""
        return self._scores()

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """Σ_v w_v ⟨ν_v, log ν_{0,v}⟩."""
        return (weights * simplex.scale(nu, target).sum(axis=-1)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """log ν_{0,v}(a)."""
        return np.broadcast_to(self._scores(), marginals.own().shape)

    def given(self, facts: Facts) -> ReferenceScore:
        """The game with the reference's marginals, unless they are known already."""
        return self if facts.reference is None or self.reference is not None else ReferenceScore(facts.reference)

    def on(self, questions: Array) -> ReferenceScore:
        """The game on some of the questions."""
        known = self.reference
        return self if known is None or known.ndim == 2 else replace(self, reference=known[questions])

    def made_for(self) -> tuple[int | None, int | None]:
        """As many views and answers as the reference has."""
        return (None, None) if self.reference is None else self.reference.shape[-2:]

    def closed_form(self) -> LinearEntropic:
        """Gain log ν_0, no entropy."""
        return LinearEntropic(self._scores(), 0.0)

    def _scores(self) -> Array:
        if self.reference is None:
            raise ValueError("ReferenceScore needs ν_0: ReferenceScore(reference), axes (question…, view, answer)")
        return simplex.log(self.reference)
