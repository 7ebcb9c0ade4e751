"""A game of your own, in one file: train on it, and see how near it came to its exact equilibrium.

alft train --set game=examples/own_game.py:QuadraticPairs
"""

from numpy import ndarray

from alft.games import TangentGame
from alft.marginals import Marginals, mean_of_others


class QuadraticPairs(TangentGame):
    """F = −(mean over pairs of views of ‖ν_u − ν_v‖²), so r_v(a) = 4·(mean of the other views' ν_u(a) − ν_v(a)).

    Both words are estimated without bias from samples.
    """

    concave = True
    needs_views = 2

    def objective(self, nu: ndarray, weights: ndarray) -> ndarray:
        """Pairs of views are as far apart as each view is from the mean of the others, up to a factor."""
        views = nu.shape[-2]
        apart = nu - mean_of_others(nu)
        return -2 * (views - 1) / views**2 * (apart**2).sum(axis=(-2, -1))

    def answer_reward(self, marginals: Marginals) -> ndarray:
        """In the words of `alft.marginals`: exact play and sampled play read the same line."""
        return 4 * (marginals.others() - marginals.own())
