"""A game of your own, in one file: train on it, and see how near it came to its exact equilibrium.

alft train --set game=examples/own_game.py:QuadraticPairs
"""

from numpy import ndarray

from alft.games import TangentGame
from alft.marginals import Marginals, mean_of_others
from alft.simplex import inverse_shares


class QuadraticPairs(TangentGame):
    """F = −(mean over pairs of views of ‖ν_u − ν_v‖²), every pair alike; views of weight 0 have no part.

    So r_v(a) = (4/(V w_v))·(mean of the other views' ν_u(a) − ν_v(a)). Both words are estimated without bias.
    """

    concave = True
    needs_views = 2
    wants = frozenset({"others", "own"})
    only_agreement = True

    def objective(self, nu: ndarray, weights: ndarray) -> ndarray:
        """Pairs of views are as far apart as each view is from the mean of the others, up to a factor."""
        there = (weights > 0).astype(float)
        views = there.sum(axis=-1)
        apart = ((nu - mean_of_others(nu, there)) ** 2).sum(axis=-1)
        return -2 * (views - 1) / views**2 * (there * apart).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> ndarray:
        """In the words of `alft.marginals`: exact play and sampled play read the same line."""
        return 4 * inverse_shares(marginals.weights)[..., None] * (marginals.others() - marginals.own())
