"""What a game is: an objective on answer marginals, a Target, a payoff, and the reward they imply.

The Policy plays answer marginals ν (question…, view, answer), the Target plays q. `objective` is F(ν),
`payoff` is P(ν, q), and the Target's best response attains F (theory.md 1.2). The answer reward
r_v(a) = (1/w_v) ∂P/∂ν_v(a) at that best response is what a policy-gradient trainer is fed (1.3).

A new game is one small file: subclass `Game`, write the formulas of its row in theory.md 2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from alft.marginals import ExactMarginals, Marginals
from alft.simplex import Array


@dataclass(frozen=True)
class Facts:
    """What is known of the questions at hand besides the samples.

    `gold`: 1 for the right answers of a question, axes (question…, answer); all zero without a gold answer.
    `reference`: answer marginals of the reference, axes (question…, view, answer).
    """

    gold: Array | None = None
    reference: Array | None = None


class Game(ABC):
    """A distributional alignment game between the Policy and a Target (theory.md 1.2, paper section 2)."""

    concave: ClassVar[bool]
    """Whether F is concave, so that the gap certifies an equilibrium (theory.md 1.4)."""
    needs_views: ClassVar[int] = 1
    """The fewest views of a question with which the game says anything."""
    needs_gold: ClassVar[bool] = False
    """Whether the game is played on gold answers; all others never see one."""
    own_degree: ClassVar[int] = 1
    """Degree m of r in the view's own marginal: leave-two-out needs m + 2 samples (theory.md 4.1)."""

    @abstractmethod
    def objective(self, nu: Array, weights: Array) -> Array:
        """F(ν), axes (question…), for `nu` (question…, view, answer) and `weights` (question…, view)."""

    @abstractmethod
    def target(self, nu: Array, weights: Array) -> Array:
        """The Target's best response q to ν, axes (question…, view or 1, answer)."""

    @abstractmethod
    def payoff(self, nu: Array, target: Array, weights: Array) -> Array:
        """P(ν, q), axes (question…)."""

    @abstractmethod
    def answer_reward(self, marginals: Marginals) -> Array:
        """r_v(a), axes (question…, view, answer), up to a constant per view, from what marginals can tell."""

    def given(self, facts: Facts) -> Game:
        """The same game, told the facts of the questions it is played on."""
        return self

    def reward(self, nu: Array, weights: Array) -> Array:
        """r_v(a) at known answer marginals ν, axes (question…, view, answer)."""
        return self.answer_reward(ExactMarginals(nu, weights))
