"""Coherence: the views of one question must agree (theory.md 2, paper section 5 and app. C)."""

from dataclasses import dataclass, replace

import numpy as np

from alft import consensus, simplex
from alft.games.base import Curvature, Facts, Game, TangentGame
from alft.games.known import Match
from alft.marginals import Marginals, at_least_two, mean_of_others
from alft.simplex import Array, PerBatch

REFERENCE_CONSENSUS = {
    "arithmetic": consensus.arithmetic,
    "geometric": consensus.geometric,
    "harmonic": consensus.harmonic,
}


class _ViewsAgree(Game):
    """What the coherence games with a moving Target have in common."""

    concave = True
    needs_views = 2
    only_agreement = True

    def target(self, nu: Array, weights: Array) -> Array:
        """The arithmetic consensus ν̄."""
        return consensus.arithmetic(nu, weights)[..., None, :]


class ArithmeticCoherence(_ViewsAgree):
    """F = −Σ_v w_v KL(ν_v‖ν̄), minus the generalised Jensen–Shannon divergence; r = log ν̄(a) − log ν_v(a).

    >>> nu = np.array([[0.9, 0.1], [0.9, 0.1]])
    >>> float(abs(ArithmeticCoherence().objective(nu, np.array([0.5, 0.5]))))
    0.0
    """

    wants = frozenset({"log_mean", "log_own"})

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """−Σ_v w_v KL(ν_v‖q)."""
        return -(weights * simplex.kl(nu, target)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """log ν̄(a) − log ν_v(a)."""
        return simplex.subtract_logs(marginals.log_mean(), marginals.log_own())

    def curvature(self, nu: Array, weights: Array) -> Curvature:
        """Each view's own answer costs 1, their mean pays it back."""
        mass = weights[..., None] * nu
        return Curvature(own=mass, pull=mass, joint=simplex.power(mass.sum(axis=-2), -1.0))


class GeometricCoherence(_ViewsAgree):
    """F = −min_q Σ_v w_v KL(q‖ν_v) = log Σ_a Π_v ν_v(a)^{w_v}; r = q(a)/ν_v(a) at the geometric consensus q.

    An answer that one view all but excludes has no place in the consensus, so a mistake that is
    peculiar to one view loses to an answer that every view gives at least sometimes (theory.md 2.3).
    """

    wants = frozenset({"geometric", "inverse_own", "compared"})

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """log Σ_a Π_v ν_v(a)^{w_v}; −∞ if no answer is shared by all views."""
        return simplex.log_sum_exp(consensus.log_geometric_mass(nu, weights))

    def target(self, nu: Array, weights: Array) -> Array:
        """The geometric consensus q ∝ Π_v ν_v^{w_v}."""
        return consensus.geometric(nu, weights)[..., None, :]

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """−Σ_v w_v KL(q‖ν_v)."""
        return -(weights * simplex.kl(target, nu)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """q(a)/ν_v(a), 0 where there is one view alone."""
        return simplex.scale(marginals.compared() * marginals.geometric(), marginals.inverse_own())

    def curvature(self, nu: Array, weights: Array) -> Curvature:
        """The covariance under q of the views' weighted log-probabilities, less what each view has alone."""
        q = consensus.geometric(nu, weights)
        pull = np.broadcast_to(weights[..., None], nu.shape)
        return Curvature(own=pull * q[..., None, :], pull=pull, joint=q, overall=pull * q[..., None, :])


class EuclideanCoherence(_ViewsAgree):
    """F = −Σ_v w_v ‖ν_v − ν̄‖², which samples estimate without bias; r = 2(ν̄(a) − ν_v(a)).

    >>> nu = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> float(EuclideanCoherence().objective(nu, np.array([0.5, 0.5])))
    -0.5
    """

    wants = frozenset({"mean", "own"})
    bounded = True

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """−Σ_v w_v ‖ν_v − q‖²."""
        return -(weights * ((nu - target) ** 2).sum(axis=-1)).sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """2(ν̄(a) − ν_v(a))."""
        return 2 * (marginals.mean() - marginals.own())

    def curvature(self, nu: Array, weights: Array) -> Curvature:
        """Twice the weighted square of each ν, less that of their mean."""
        mass = weights[..., None] * nu
        return Curvature(own=2 * mass * nu, pull=mass, joint=np.full_like(nu[..., 0, :], 2.0))


PairwiseEuclideanCoherence = EuclideanCoherence
"""Another name of the same game: Σ_{u<v} w_u w_v ‖ν_u − ν_v‖² = Σ_v w_v ‖ν_v − ν̄‖²."""


class JeffreysCoherence(TangentGame):
    """F = −mean over u ≠ v of KL(ν_u‖ν_v), every pair alike; views of weight 0 have no part.

    r = (1/(V w_v)) · mean over u ≠ v of [log(ν_u(a)/ν_v(a)) + ν_u(a)/ν_v(a)], of one size whatever V, so that
    `Estimator.cap` holds only what is far out. F = −∞ unless all views give the same answers a chance, so sampled
    play leans on the prior of the other views' counts.
    """

    concave = True
    needs_views = 2
    wants = frozenset({"log_others", "log_own", "others", "inverse_own", "compared"})
    only_agreement = True

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """−(1/V) Σ_v Σ_a (ν_v(a) − mean of the others' ν_u(a)) log ν_v(a), the same mean ordered by view."""
        there = weights > 0
        counted = at_least_two(there) * there[..., None]
        apart = np.where(counted > 0, nu - mean_of_others(nu, there), 0.0)
        return -simplex.scale(apart, simplex.log(nu)).sum(axis=(-2, -1)) / there.sum(axis=-1)

    def answer_reward(self, marginals: Marginals) -> Array:
        """(1/(V w_v)) · mean over u ≠ v of [log ν_u(a) − log ν_v(a) + ν_u(a)/ν_v(a)]."""
        log_part = simplex.subtract_logs(marginals.log_others(), marginals.log_own())
        ratio = simplex.scale(marginals.others(), marginals.inverse_own())
        scale = marginals.compared() * simplex.inverse_shares(marginals.weights)[..., None]
        return simplex.scale(scale, log_part + ratio)


@dataclass(frozen=True, eq=False)
class FixedTargetCoherence(Match):
    """F = −Σ_v w_v KL(ν_v‖q_0^α/Z) with q_0 the consensus of the REFERENCE: the two-step projection.

    `fixed` is q_0^α/Z, axes (question…, answer); `kind` is the consensus that makes q_0 from reference marginals,
    and `power` α sharpens it: agreed and sure (theory.md 2.4). Where the reference gave no readable answer there
    is no q_0 (all zero), and the reward is 0.
    """

    kind: str = "geometric"
    fixed: Array | None = None
    power: float = 1.0
    known = "fixed"
    missing = "the fixed Target needs q_0: FixedTargetCoherence(fixed=…) or reference marginals"
    needs_views = 2
    needs_reference = True

    def __post_init__(self) -> None:
        if self.kind not in REFERENCE_CONSENSUS:
            raise ValueError(f"kind must be one of {', '.join(REFERENCE_CONSENSUS)}, not {self.kind!r}")
        if not 1 <= self.power <= simplex.LARGEST_POWER:
            raise ValueError(f"power must be from 1 to {simplex.LARGEST_POWER:g}, not {self.power}")

    def given(self, facts: Facts) -> Game:
        """The game with q_0 made from the reference's marginals, unless q_0 is known already."""
        if facts.reference is None or self.fixed is not None:
            return self
        weights = consensus.equal_weights(facts.reference) if facts.weights is None else facts.weights
        agreed = REFERENCE_CONSENSUS[self.kind](facts.reference, weights)
        known = np.asarray(weights.sum(axis=-1) > 0)[..., None]
        return self.knowing(np.where(known, simplex.sharpened(agreed, self.power), 0.0))

    def answer_reward(self, marginals: Marginals) -> Array:
        """log q(a) − log ν_v(a), 0 where there is no q."""
        known = self.played().any(axis=-1, keepdims=True)
        return np.where(known, super().answer_reward(marginals), 0.0)

    def sharpened(self, power: float) -> Game:
        """The game with its own power times `power`, at most `LARGEST_POWER`; a Target that is known stays."""
        both = min(self.power * power, simplex.LARGEST_POWER)
        return self if self.fixed is not None else replace(self, power=both)


COHERENCE_KINDS: dict[str, type[Game]] = {
    "arithmetic": ArithmeticCoherence,
    "geometric": GeometricCoherence,
    "euclidean": EuclideanCoherence,
    "fixed": FixedTargetCoherence,
}


def Coherence(consensus: str = "geometric") -> Game:
    """The coherence game: "arithmetic", "geometric", "euclidean" consensus, or "fixed" to the reference's."""
    if consensus not in COHERENCE_KINDS:
        raise ValueError(f"consensus must be one of {', '.join(COHERENCE_KINDS)}, not {consensus!r}")
    return COHERENCE_KINDS[consensus]()
