"""Parity: groups of questions must be answered alike (theory.md 2, paper section 7: fairness)."""

from collections.abc import Sequence

import numpy as np

from alft import consensus, simplex
from alft.games.base import Game
from alft.marginals import Marginals
from alft.simplex import Array, PerBatch


class Parity(Game):
    """F = −Σ_g w_g KL(ν̄_g‖q) at q = Σ_g w_g ν̄_g, ν̄_g the mean marginal of the questions of group g.

    A game on a population with one answer space (e.g. yes and no): the questions of the population stand on
    the view axis, `groups` names the group of each, `group_weights` w_g (by default equal) are in the order of
    the sorted group names. r_x = (w_g/(n_g w_x)) · (log q − log ν̄_g) for question x of weight w_x.

    >>> game = Parity(["old", "young", "young"])
    >>> nu = np.array([[0.4, 0.6], [0.2, 0.8], [0.6, 0.4]])
    >>> float(abs(game.objective(nu, np.full(3, 1 / 3)).round(9)))
    0.0
    """

    concave = True
    needs_views = 2
    wants = frozenset({"log_mixture"})

    def __init__(self, groups: Sequence[str | int], group_weights: Sequence[float] | None = None) -> None:
        names, self.group_of = np.unique(np.asarray(groups), return_inverse=True)
        size = np.bincount(self.group_of)
        given = np.ones(len(names)) if group_weights is None else np.asarray(group_weights, dtype=float)
        if given.shape != size.shape:
            raise ValueError(f"group_weights must have one entry for each of {', '.join(map(str, names))}")
        if not (np.isfinite(given).all() and (given >= 0).all() and given.sum() > 0):
            raise ValueError(f"group_weights must be at least 0, finite and not all 0, not {given.tolist()}")
        self.group_weights = given / given.sum()
        self.shares = (self.group_of == np.arange(len(names))[:, None]) / size[:, None]

    def target(self, nu: Array, weights: Array) -> Array:
        """q = Σ_g w_g ν̄_g."""
        return consensus.arithmetic(self.shares @ nu, self.group_weights)[..., None, :]

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """−Σ_g w_g KL(ν̄_g‖q)."""
        return -(self.group_weights * simplex.kl(self.shares @ nu, target)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """(w_g/(n_g w_x)) · (log q(a) − log ν̄_g(a)) of the question's group g."""
        if not (marginals.weights > 0).all():
            raise ValueError("Parity needs a weight above 0 for every question")
        everyone = np.broadcast_to(self.group_weights @ self.shares, (len(self.group_of), len(self.group_of)))
        own_group = self.shares[self.group_of]
        say = (self.group_weights @ self.shares) / marginals.weights
        difference = simplex.subtract_logs(marginals.log_mixture(everyone), marginals.log_mixture(own_group))
        return say[..., None] * difference

    def made_for(self) -> tuple[int | None, int | None]:
        """As many questions, on the view axis, as `groups` names."""
        return len(self.group_of), None
