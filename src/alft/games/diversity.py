"""Diversity: answers must stay varied (theory.md 2, paper section 4).

All three entropies are concave, and their Target copies the Policy: its payoff is the tangent plane, which
for Shannon is the cross-entropy −Σ_v w_v ⟨ν_v, log q_v⟩.
"""

import numpy as np

from alft import simplex
from alft.games.base import Curvature, Game, LinearEntropic, TangentGame
from alft.marginals import Marginals
from alft.simplex import Array, PerBatch


class ShannonDiversity(TangentGame):
    """F = Σ_v w_v H(ν_v), the mean Shannon entropy in nats; r = −log ν_v(a).

    >>> game = ShannonDiversity()
    >>> float(game.objective(np.array([[0.5, 0.5]]), np.array([1.0])).round(6))
    0.693147
    """

    concave = True
    wants = frozenset({"log_own"})

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Mean entropy of the views."""
        return (weights * simplex.entropy(nu)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """−log ν_v(a)."""
        return -marginals.log_own()

    def closed_form(self) -> LinearEntropic:
        """No gain, once the entropy."""
        return LinearEntropic(np.zeros((1, 1)), 1.0)


class GiniDiversity(TangentGame):
    """F = Σ_v w_v (1 − ‖ν_v‖²): the chance that two samples of a view differ; r = −2 ν_v(a).

    >>> game = GiniDiversity()
    >>> float(game.objective(np.array([[0.5, 0.5]]), np.array([1.0])))
    0.5
    """

    concave = True
    wants = frozenset({"own"})
    bounded = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Mean probability that two samples of a view differ."""
        return (weights * (1 - (nu**2).sum(axis=-1))).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """−2 ν_v(a)."""
        return -2 * marginals.own()

    def curvature(self, nu: Array, weights: Array) -> Curvature:
        """2 w ν²."""
        return Curvature(own=2 * weights[..., None] * nu**2)


class TsallisDiversity(TangentGame):
    """F = Σ_v w_v (1 − Σ_a ν_v(a)^α)/(α − 1), α > 0, α ≠ 1; r = α/(α−1) · (1 − ν_v(a)^{α−1}).

    α = 2 is Gini; α → 1 tends to Shannon, and so does r, with the constant that makes it 0 at ν = 1. For an
    integer α the reward is a polynomial of degree α − 1, which samples estimate without bias.
    """

    concave = True
    wants = frozenset({"power_own"})

    def __init__(self, alpha: float = 2.0) -> None:
        if not 0 < alpha < np.inf or alpha == 1:
            raise ValueError(f"alpha must be positive and not 1 (1 is ShannonDiversity), and finite, not {alpha}")
        self.alpha = float(alpha)
        self.bounded = self.alpha > 1
        self.own_degree = max(int(np.ceil(self.alpha)) - 1, 1)

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """Mean Tsallis entropy of the views."""
        spread = 1 - simplex.power(nu, self.alpha).sum(axis=-1)
        return (weights * spread).sum(axis=-1) / (self.alpha - 1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """α/(α−1) · (1 − ν_v(a)^{α−1})."""
        return self.alpha / (self.alpha - 1) * (1 - marginals.power_own(self.alpha - 1))

    def curvature(self, nu: Array, weights: Array) -> Curvature:
        """α w ν^α."""
        return Curvature(own=self.alpha * weights[..., None] * simplex.power(nu, self.alpha))


def Diversity(entropy: str | float = "shannon") -> Game:
    """The diversity game of the named entropy: "shannon", "gini", or the order α of a Tsallis entropy."""
    kinds: dict[str, type[Game]] = {"shannon": ShannonDiversity, "gini": GiniDiversity}
    if isinstance(entropy, str):
        if entropy not in kinds:
            raise ValueError(f"entropy must be one of {', '.join(kinds)} or a Tsallis order, not {entropy!r}")
        return kinds[entropy]()
    return TsallisDiversity(entropy)
