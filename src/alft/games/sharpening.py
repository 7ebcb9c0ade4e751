"""Sharpening: reward what the samples already say most: majority, collision, cross-view agreement (theory.md 2).

These objectives are not concave: no gap certifies their equilibria, and each of them is also maximised
by answering every question alike (theory.md 4.6). `Format` rewards nothing but a readable answer: the control
that tells learning the answer format from learning to agree (2.5), and `Random` beside it that coins move nothing.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from alft import simplex
from alft.games.base import Game, TangentGame
from alft.games.known import KnownReward
from alft.marginals import Marginals, mean_of_others
from alft.simplex import Array, PerBatch


class Vote(Game):
    """A game whose Target plays votes, and pays the Policy for the chance to answer as it does: so r = q."""

    concave = False
    bounded = True

    def target(self, nu: Array, weights: Array) -> Array:
        """The votes, which are the rewards."""
        return self.reward(nu, weights)

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """Σ_v w_v ⟨ν_v, q_v⟩."""
        return (weights * (nu * target).sum(axis=-1)).sum(axis=-1)


class Majority(Vote):
    """F = Σ_v w_v max_a ν_v(a): majority vote within each view, as in TTRL; r = 1{a = the view's mode}."""

    wants = frozenset({"own_mode"})

    def answer_reward(self, marginals: Marginals) -> Array:
        """1 for the view's majority answer."""
        return marginals.own_mode()


class PooledMajority(Vote):
    """F = max_a ν̄(a): majority vote over all views together; r = 1{a = the pooled mode}."""

    wants = frozenset({"pooled_mode"})

    def answer_reward(self, marginals: Marginals) -> Array:
        """1 for the majority answer of all views."""
        return marginals.pooled_mode()


class CrossMajority(Vote):
    """r_v(a) = share of the other views whose majority answer is a: cross-view majority (Co-rewarding-I).

    F = Σ_v w_v ⟨ν_v, mean of the other views' modes⟩. From arXiv 2508.00410, for any number of views.
    """

    needs_views = 2
    own_degree = 0
    wants = frozenset({"other_modes"})

    def answer_reward(self, marginals: Marginals) -> Array:
        """Share of the other views whose majority answer it is."""
        return marginals.other_modes()


class HarmonicMajority(Vote):
    """r = 1 for the answer with the largest harmonic consensus (Σ_u w_u/ν_u(a))^{-1} (Self-Harmony).

    An answer that one view never gives has none. From arXiv 2511.01191, for any number of views.
    """

    needs_views = 2
    wants = frozenset({"harmonic_mode"})

    def answer_reward(self, marginals: Marginals) -> Array:
        """1 for the answer with the largest harmonic consensus."""
        return marginals.harmonic_mode()


class Format(KnownReward):
    """A control: every readable answer is worth the same, so that only the price of an unread one teaches.

    F = 0; offline all readable completions of a view weigh the same. What a game gains beyond it is not form.
    """

    def __init__(self) -> None:
        super().__init__(np.zeros((1, 1)))


@dataclass(frozen=True, eq=False)
class Random(Format):
    """A control: a fair coin for each readable completion, 1 or 0, whatever it answers (as in arXiv 2506.10947).

    No reward of answers says this, since one answer gets both. On average all answers are worth the same, so that
    objective, equilibrium and gap are those of `Format`. Coins are tossed where completions are at hand: live by
    `alft.rewards.populations.Coins`, offline by `alft.offline.reweight.tossed`.

    A coin is a hash of `seed` and the completion's name: its question, view, and number among the completions of
    both, and the batch or the sampling that it is from. So it says nothing of the text (a hash of the text would
    reward texts), and it is the same after a resume, in another order, and for any number of processes.
    """

    gain: Array = field(default_factory=lambda: np.zeros((1, 1)), init=False)
    seed: int = 0

    def heads(self, *named: object) -> bool:
        """The coin of the completion with this name.

        >>> Random(seed=1).heads("question 7", 0, 3) == Random(seed=1).heads("question 7", 0, 3)
        True
        """
        return bool(hashlib.blake2b(repr((self.seed, *named)).encode(), digest_size=1).digest()[0] & 1)


class Collision(TangentGame):
    """F = Σ_v w_v ‖ν_v‖²: the chance that two samples of a view agree (near EMPO); r = 2 ν_v(a).

    The payoff is Σ_v w_v (2⟨ν_v, q_v⟩ − ‖q_v‖²), which the Target wants large.
    """

    concave = False
    wants = frozenset({"own"})
    bounded = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Mean collision probability of the views."""
        return (weights * (nu**2).sum(axis=-1)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """2 ν_v(a)."""
        return 2 * marginals.own()


class Agreement(TangentGame):
    """F = Σ_{u≠v} ⟨ν_u, ν_v⟩ / (V(V−1)): the chance that two views agree.

    A potential game between the views: F is neither concave nor convex (moving all views together curves
    it up, moving them apart curves it down), so its tangent payoff has a saddle at q = ν, not a minimum.
    """

    concave = False
    needs_views = 2
    own_degree = 0
    wants = frozenset({"others"})
    bounded = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Chance that samples of two views agree, mean over the pairs; views of weight 0 have no part."""
        there = (weights > 0).astype(float)
        agreeing = (nu * mean_of_others(nu, there)).sum(axis=-1)
        return (there * agreeing).sum(axis=-1) / there.sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """(2/(V w_v)) · mean of the other views' ν_u(a)."""
        return 2 * simplex.inverse_shares(marginals.weights)[..., None] * marginals.others()
