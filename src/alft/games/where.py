"""A game on some questions only: those with a gold answer, or those without (mixed gold)."""

from __future__ import annotations

import numpy as np

from alft import simplex
from alft.games.base import Facts, Game
from alft.marginals import Marginals
from alft.simplex import Array, PerBatch


class Where(Game):
    """F(ν) of `game` on questions that have a gold answer (`answered`) or have none (not), and 0 on all others.

    `played` marks the questions that it is played on, axes (question…); `given` fills it from the facts.

    >>> from alft import games
    >>> unlabelled = Where(games.Collision(), answered=False).given(Facts(answered=np.array([1.0, 0.0])))
    >>> unlabelled.objective(np.array([[[0.5, 0.5]], [[0.5, 0.5]]]), np.array([1.0])).tolist()
    [0.0, 0.5]
    """

    sees_gold = True

    def __init__(self, game: Game, answered: bool, played: Array | None = None) -> None:
        self.game, self.answered, self.played = game, answered, played
        self.concave = game.concave
        self.needs_views = game.needs_views
        self.needs_gold = game.needs_gold and not answered
        self.needs_reference = game.needs_reference
        self.own_degree = game.own_degree
        self.wants = game.wants
        self.bounded = game.bounded

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """F of the game where it is played, else 0."""
        return simplex.scale(self._played(), np.asarray(self.game.objective(nu, weights)))

    def target(self, nu: Array, weights: Array) -> Array:
        """The game's own Target, also where it does not count."""
        return self.game.target(nu, weights)

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """P of the game where it is played, else 0."""
        return simplex.scale(self._played(), np.asarray(self.game.payoff(nu, target, weights)))

    def answer_reward(self, marginals: Marginals) -> Array:
        """r of the game where it is played, else 0."""
        return simplex.scale(self._played()[..., None, None], self.game.answer_reward(marginals))

    def given(self, facts: Facts) -> Where:
        """The same with the facts of the questions."""
        told = self.game.given(facts)
        if facts.answered is None:
            return Where(told, self.answered, self.played)
        return Where(told, self.answered, facts.answered if self.answered else 1 - facts.answered)

    def on(self, questions: Array) -> Where:
        """The same on some of the questions."""
        chosen = None if self.played is None or np.ndim(self.played) == 0 else self.played[questions]
        return Where(self.game.on(questions), self.answered, self.played if chosen is None else chosen)

    def made_for(self) -> tuple[int | None, int | None]:
        """What the game was made for."""
        return self.game.made_for()

    def parts(self) -> tuple[tuple[float, Game], ...]:
        """The parts of the game, each on these questions only."""
        return tuple((c, Where(part, self.answered, self.played)) for c, part in self.game.parts())

    def _played(self) -> Array:
        if self.played is None:
            raise ValueError("Where needs to know which questions have a gold answer: given(Facts(answered=…))")
        return np.asarray(self.played, dtype=float)
