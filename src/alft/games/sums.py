"""Games made of games: weighted sums with exact scales, and a game on some of the questions (theory.md 2)."""

from __future__ import annotations

import numpy as np

from alft import simplex
from alft.games.base import Facts, Game, LinearEntropic
from alft.marginals import Marginals
from alft.simplex import Array, PerBatch


class Sum(Game):
    """F = Σ_i c_i F_i and r = Σ_i c_i r_i: games played at once; one with the coefficient c_i = 0 is left out.

    The Target plays one distribution for every term: axes (term, question…, view, answer).

    >>> from alft import games
    >>> game = Sum((1.0, games.Correctness()), (0.1, games.Diversity("shannon")))
    >>> game.concave, game.needs_gold, game.own_degree
    (True, True, 1)
    """

    def __init__(self, *terms: tuple[float, Game]) -> None:
        if not terms:
            raise ValueError("a sum of games needs at least one (coefficient, game)")
        if not np.isfinite([c for c, _ in terms]).all():
            raise ValueError(f"coefficients must be finite, not {[c for c, _ in terms]}")
        self.terms = terms
        self.played = tuple((c * inner, part) for c, game in terms if c != 0 for inner, part in game.parts())
        self.concave = all(game.concave and c > 0 for c, game in self.played)
        self.needs_views = max((game.needs_views for _, game in self.played), default=1)
        self.needs_gold = any(game.needs_gold for _, game in self.played)
        self.sees_gold = any(game.sees_gold for _, game in self.played)
        self.needs_reference = any(game.needs_reference for _, game in self.played)
        self.own_degree = max((game.own_degree for _, game in self.played), default=0)
        told = [game.wants for _, game in self.played]
        self.wants = None if None in told else frozenset().union(*(words for words in told if words is not None))
        self.bounded = all(game.bounded for _, game in self.played)
        self.only_agreement = bool(self.played) and all(c > 0 and game.only_agreement for c, game in self.played)

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Σ_i c_i F_i(ν)."""
        nothing = np.zeros(nu.shape[:-2])
        return sum((c * game.objective(nu, weights) for c, game in self.played), start=nothing)

    def target(self, nu: Array, weights: Array) -> Array:
        """Best response of every term that is played, axes (term, question…, view, answer)."""
        return np.array([np.broadcast_to(game.target(nu, weights), nu.shape) for _, game in self.played])

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """Σ_i c_i P_i(ν, q_i)."""
        paid = [c * game.payoff(nu, q, weights) for (c, game), q in zip(self.played, target, strict=True)]
        return sum(paid, start=np.zeros(nu.shape[:-2]))

    def answer_reward(self, marginals: Marginals) -> Array:
        """Σ_i c_i r_i(a)."""
        nothing = np.zeros(marginals.own().shape)
        return sum((c * game.answer_reward(marginals) for c, game in self.played), start=nothing)

    def given(self, facts: Facts) -> Sum:
        """The same sum, every term with the facts that it may see."""
        return Sum(*((c, game.given(facts.seen_by(game))) for c, game in self.terms))

    def on(self, questions: Array) -> Sum:
        """The same sum on some of the questions."""
        return Sum(*((c, game.on(questions)) for c, game in self.terms))

    def sharpened(self, power: float) -> Sum:
        """The same sum of games beside a sharpened reference."""
        return Sum(*((c, game.sharpened(power)) for c, game in self.terms))

    def made_for(self) -> tuple[int | None, int | None]:
        """What the first term says that was made for a number of views, or of answers."""
        views, answers = zip(*(game.made_for() for _, game in self.terms), strict=True)
        return next((n for n in views if n is not None), None), next((n for n in answers if n is not None), None)

    def parts(self) -> tuple[tuple[float, Game], ...]:
        """The terms that are played, sums among them taken apart."""
        return self.played

    def closed_form(self) -> LinearEntropic | None:
        """The terms' gains and entropies added up, if all have such a form."""
        forms = [(c, game.closed_form()) for c, game in self.played]
        known = [(c, form) for c, form in forms if form is not None]
        if len(known) < len(forms) or any(c * form.entropy < 0 for c, form in known):
            return None
        gain = sum((c * form.gain for c, form in known), start=np.zeros((1, 1)))
        return LinearEntropic(gain, sum(c * form.entropy for c, form in known))


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
        told = self.game.given(facts.seen_by(self.game))
        if facts.answered is None:
            return Where(told, self.answered, self.played)
        return Where(told, self.answered, facts.answered if self.answered else 1 - facts.answered)

    def on(self, questions: Array) -> Where:
        """The same on some of the questions."""
        chosen = None if self.played is None or np.ndim(self.played) == 0 else self.played[questions]
        return Where(self.game.on(questions), self.answered, self.played if chosen is None else chosen)

    def sharpened(self, power: float) -> Where:
        """The same with the game beside a sharpened reference."""
        return Where(self.game.sharpened(power), self.answered, self.played)

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
