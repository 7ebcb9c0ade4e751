"""What equilibria tend to as β → 0, for the games whose limit is known (theory.md 2.2); it has no gap.

At β = 0 itself every maximum of F is an equilibrium; the limit is the one that is nearest to the reference.
"""

from __future__ import annotations

import numpy as np

from alft import consensus, simplex
from alft.games import Correctness, FixedTargetCoherence, Game
from alft.simplex import Array


def has_limit(game: Game) -> bool:
    """Whether `limit` knows the game: views that agree and nothing else, one fixed Target, or right answers.

    >>> from alft.games import GeometricCoherence, Sum
    >>> coherence, labels = (2.0, GeometricCoherence()), (1.0, Correctness())
    >>> has_limit(Sum(coherence)), has_limit(Sum(coherence, labels))
    (True, False)
    """
    parts = _played(game)
    return _only_agreement(parts) or (len(parts) == 1 and isinstance(parts[0], FixedTargetCoherence | Correctness))


def limit(game: Game, reference: Array, shares: Array) -> Array:
    """lim ν* for β → 0, axes (question, view, answer); `reference` ν_0 likewise, `shares` w_v (question, view).

    A game of agreement alone: Π_v ν_0v^{w_v}, normalised, whatever its consensus (hard coherence). A fixed Target:
    q_0 on the support of ν_0v. Correctness: ν_0v given that the answer is right; ν_0v where no answer is.
    The game must have been told the facts of its questions.

    >>> limit(Correctness(np.array([[1.0, 0.0, 1.0]])), np.array([[[0.2, 0.6, 0.2]]]), np.ones((1, 1))).tolist()
    [[[0.5, 0.0, 0.5]]]
    """
    parts = _played(game)
    if not has_limit(game):
        raise ValueError("the limit of this game for β → 0 is not known")
    if _only_agreement(parts):
        wanted = consensus.geometric(reference, shares)[:, None]
    elif isinstance(parts[0], FixedTargetCoherence):
        wanted = np.where(reference > 0, parts[0].target(reference, shares), 0.0)
    else:
        wanted = simplex.scale(reference, parts[0].reward(reference, shares))
    missing = wanted.sum(axis=-1, keepdims=True) == 0
    return np.where(missing, reference, simplex.normalise(np.broadcast_to(wanted, reference.shape)))


def _played(game: Game) -> list[Game]:
    """The games of a sum that count for something."""
    return [part for coefficient, part in game.parts() if coefficient > 0]


def _only_agreement(parts: list[Game]) -> bool:
    return bool(parts) and all(part.only_agreement for part in parts)
