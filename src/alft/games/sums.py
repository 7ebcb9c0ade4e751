"""Weighted sums of games: F = Σ_i c_i F_i and r = Σ_i c_i r_i, with exact scales (theory.md 2)."""

from __future__ import annotations

import numpy as np

from alft.games.base import Facts, Game, LinearEntropic
from alft.marginals import Marginals
from alft.simplex import Array, PerBatch


class Sum(Game):
    """Several games played at once, each with its coefficient c_i.

    The Target plays one distribution for every term: axes (term, question…, view, answer).

    >>> from alft import games
    >>> game = Sum((1.0, games.Correctness()), (0.1, games.Diversity("shannon")))
    >>> game.concave, game.needs_gold, game.own_degree
    (True, True, 1)
    """

    def __init__(self, *terms: tuple[float, Game]) -> None:
        if not terms:
            raise ValueError("a sum of games needs at least one (coefficient, game)")
        self.terms = terms
        self.concave = all(game.concave and c >= 0 for c, game in terms)
        self.needs_views = max(game.needs_views for _, game in terms)
        self.needs_gold = any(game.needs_gold for _, game in terms)
        self.sees_gold = any(game.sees_gold for _, game in terms)
        self.needs_reference = any(game.needs_reference for _, game in terms)
        self.own_degree = max(game.own_degree for _, game in terms)

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Σ_i c_i F_i(ν)."""
        return sum((c * game.objective(nu, weights) for c, game in self.terms), start=0.0)

    def target(self, nu: Array, weights: Array) -> Array:
        """Every term's best response, axes (term, question…, view, answer)."""
        return np.stack([np.broadcast_to(game.target(nu, weights), nu.shape) for _, game in self.terms])

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """Σ_i c_i P_i(ν, q_i)."""
        paid = [c * game.payoff(nu, q, weights) for (c, game), q in zip(self.terms, target, strict=True)]
        return sum(paid, start=0.0)

    def answer_reward(self, marginals: Marginals) -> Array:
        """Σ_i c_i r_i(a)."""
        return np.sum([c * game.answer_reward(marginals) for c, game in self.terms], axis=0)

    def given(self, facts: Facts) -> Sum:
        """The same sum, every term told the facts."""
        return Sum(*((c, game.given(facts)) for c, game in self.terms))

    def on(self, questions: Array) -> Sum:
        """The same sum on some of the questions."""
        return Sum(*((c, game.on(questions)) for c, game in self.terms))

    def closed_form(self) -> LinearEntropic | None:
        """The terms' gains and entropies added up, if all have such a form."""
        forms = [(c, game.closed_form()) for c, game in self.terms if c != 0]
        known = [(c, form) for c, form in forms if form is not None]
        if len(known) < len(forms) or any(c * form.entropy < 0 for c, form in known):
            return None
        gain = sum((c * form.gain for c, form in known), start=np.zeros((1, 1)))
        return LinearEntropic(gain, sum(c * form.entropy for c, form in known))
