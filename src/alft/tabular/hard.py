"""Hard coherence: the equilibrium in the limit β → 0, where the reference only breaks ties (theory.md 2.2)."""

import numpy as np

from alft import consensus, simplex
from alft.games import Game
from alft.simplex import Array

TIED = 1e-12  # gains this near to the largest are as good: sums of coefficients round


def has_limit(game: Game) -> bool:
    """Whether `hard_equilibrium` knows the game: views that agree and nothing else, or linear plus entropy.

    A game need not have its facts yet.

    >>> from alft.games import Correctness, GeometricCoherence, Sum
    >>> coherence, labels = (2.0, GeometricCoherence()), (1.0, Correctness())
    >>> has_limit(Sum(coherence)), has_limit(Sum(labels)), has_limit(Sum(coherence, labels))
    (True, True, False)
    """
    played = [(coefficient, type(part)) for coefficient, part in game.parts() if coefficient != 0]
    return game.only_agreement or all(c > 0 and kind.closed_form is not Game.closed_form for c, kind in played)


def hard_equilibrium(game: Game, reference: Array, weights: Array) -> Array:
    """lim β → 0 of the equilibrium, axes (question…, view, answer).

    Every coherence game with a moving Target tends to the geometric consensus of the reference, on the answers
    that all views may give. A game that is linear plus entropy (the fixed Target, Shannon, target match) tends to
    ∝ e^{R/c} on the view's support: q_0, for the fixed Target; one that is linear (correctness) to the reference
    given that the answer is one of the best that it may give. Raises ValueError for all others: their limit may be
    a face, or not be one point.

    >>> from alft import games
    >>> reference = np.array([[0.8, 0.2], [0.2, 0.8]])
    >>> hard_equilibrium(games.Coherence(), reference, np.array([0.5, 0.5])).round(3).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    form = game.closed_form()
    if form is not None and form.entropy > 0:
        return _on_support(simplex.softmax(form.gain / form.entropy), reference)
    if form is not None:
        within = np.where(reference > 0, form.gain, -np.inf)
        most = within.max(axis=-1, keepdims=True)
        best = np.where(within >= most - TIED, reference, np.where(np.isnan(most), np.nan, 0.0))
        return simplex.normalise(best)
    if not game.only_agreement:
        raise ValueError(f"the limit of {type(game).__name__} for beta 0 is not known: give one above 0, say 0.1")
    q = consensus.geometric(reference, weights)
    apart = np.flatnonzero(np.atleast_1d(q.sum(axis=-1) == 0))
    if apart.size:
        raise ValueError(f"no answer has a chance in every view, for questions {apart[:5].tolist()}")
    return _on_support(q[..., None, :], reference)


def _on_support(nu: Array, reference: Array) -> Array:
    """ν given that the reference can answer so; the reference where it never can."""
    inside = simplex.normalise(np.where(reference > 0, nu, 0.0))
    return np.where(inside.sum(axis=-1, keepdims=True) > 0, inside, reference)
