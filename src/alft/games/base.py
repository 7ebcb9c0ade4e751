"""What a game is: an objective on answer marginals, a Target, a payoff, and the reward they imply.

The Policy plays answer marginals ν (question…, view, answer), the Target plays q. `objective` is F(ν),
`payoff` is P(ν, q), and the Target's best response attains F (theory.md 1.2). The answer reward
r_v(a) = (1/w_v) ∂P/∂ν_v(a) at that best response is what a policy-gradient trainer is fed (1.3).

A new game is one small file: subclass `Game`, write the formulas of its row in theory.md 2
(docs/adding-a-game.md shows one).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from alft import simplex
from alft.marginals import OF_ONE_VIEW, Marginals
from alft.simplex import Array, PerBatch


@dataclass(frozen=True)
class Facts:
    """What is known of the questions at hand besides the samples.

    `gold`: 1 for the right answers of a question, axes (question…, answer); all zero without a gold answer.
    `reference`: answer marginals of the reference, axes (question…, view, answer), and its view `weights`
    (question…, view), all alike by default. `answered`: 1 where a gold answer is known, axes (question…).
    `wanted`: the distribution that answers shall have, axes (question…, answer), for `TargetMatch`.
    """

    gold: Array | None = None
    reference: Array | None = None
    weights: Array | None = None
    answered: Array | None = None
    wanted: Array | None = None

    def on(self, questions: Array) -> Facts:
        """The facts of some of the questions: those at these positions of the question axis."""
        return Facts(**{name: fact[questions] for name, fact in vars(self).items() if fact is not None})

    def seen_by(self, game: Game) -> Facts:
        """The facts without gold answers, unless the game says that it needs or sees them."""
        return self if game.needs_gold or game.sees_gold else replace(self, gold=None, answered=None)


@dataclass(frozen=True)
class LinearEntropic:
    """A game F = Σ_v w_v (⟨ν_v, R⟩ + c·H(ν_v)), whose equilibrium has a closed form (theory.md 2.1).

    `gain` R, axes (question…, view or 1, answer), and `entropy` c ≥ 0.
    """

    gain: Array
    entropy: float


class Game(ABC):
    """A distributional alignment game between the Policy and a Target (theory.md 1.2, paper section 2)."""

    concave: bool
    """Whether F is concave, so that the gap certifies an equilibrium (theory.md 1.4)."""
    needs_views: int = 1
    """The fewest views of a question with which the game says anything."""
    needs_gold: bool = False
    """Whether every question must have a gold answer."""
    sees_gold: bool = False
    """Whether the game looks at gold answers where there are some; a game that neither needs nor sees them never
    meets one."""
    needs_reference: bool = False
    """Whether the Target is made from the reference's answers (`Facts.reference`)."""
    own_degree: int = 1
    """Degree m of r in the view's own marginal: leave-two-out needs m + 2 samples (theory.md 4.1)."""
    wants: frozenset[str] | None = None
    """The words of `alft.marginals.Marginals` that r is made of, each with an estimator of its own (theory.md 3):
    what a term wants to be estimated, and so how sampled play is biased. None: not known."""
    bounded: bool = False
    """Whether r is bounded whatever is sampled, so that `Estimator.cap` has no business with it."""
    only_agreement: bool = False
    """Whether F = 0 where all views answer alike and F < 0 elsewhere: the limit β → 0 is hard coherence (2.2)."""

    @property
    def across_views(self) -> bool:
        """Whether a view's reward depends on the answers of other views."""
        return self.needs_views > 1 or bool((self.wants or frozenset()) - OF_ONE_VIEW)

    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """F(ν), axes (question…), for `nu` (question…, view, answer) and `weights` (question…, view).

        The payoff of the Target's best response, unless a game says it in another way.
        """
        return self.payoff(nu, self.target(nu, weights), weights)

    @abstractmethod
    def target(self, nu: Array, weights: Array) -> Array:
        """The Target's best response q to ν, axes (question…, view or 1, answer)."""

    @abstractmethod
    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """P(ν, q), axes (question…)."""

    @abstractmethod
    def answer_reward(self, marginals: Marginals) -> Array:
        """r_v(a), axes (question…, view, answer), up to a constant per view, from what marginals can tell."""

    def given(self, facts: Facts) -> Game:
        """The same game with the facts of the questions it is played on."""
        return self

    def on(self, questions: Array) -> Game:
        """The same game on some of its questions: those at these positions of the question axis."""
        return self

    def sharpened(self, power: float) -> Game:
        """The game beside a reference ν_0^power/Z (theory.md 2.4): itself, unless it makes its Target of ν_0."""
        return self

    def made_for(self) -> tuple[int | None, int | None]:
        """How many views and how many answers the game was made for; None: any number."""
        return None, None

    def parts(self) -> tuple[tuple[float, Game], ...]:
        """The games that this one is a weighted sum of, with their coefficients."""
        return ((1.0, self),)

    def closed_form(self) -> LinearEntropic | None:
        """The game's gain and entropy if it has no more than these; None: its equilibrium must be searched for."""
        return None

    def curvature(self, nu: Array, weights: Array) -> Curvature | None:
        """The second derivative of F at ν if the game is a sum over answers, for speed alone; None: not known."""
        return None

    def reward(self, nu: Array, weights: Array) -> Array:
        """r_v(a) at known answer marginals ν, axes (question…, view, answer)."""
        return self.answer_reward(Marginals(nu, weights))


class TangentGame(Game):
    """A game whose Target copies the Policy's marginals and pays by the tangent plane of F there.

    P(ν, q) = F(q) + Σ_v w_v ⟨r_v(q), ν_v − q_v⟩ is attained by q = ν: the minimum over q if F is concave,
    the maximum if F is convex, and a saddle if it is neither.
    """

    @abstractmethod
    def objective(self, nu: Array, weights: Array) -> PerBatch:
        """F(ν)."""

    def target(self, nu: Array, weights: Array) -> Array:
        """q_v = ν_v."""
        return nu

    def payoff(self, nu: Array, target: Array, weights: Array) -> PerBatch:
        """The tangent plane of F at q, read at ν."""
        slope = simplex.scale(nu - target, self.reward(target, weights)).sum(axis=-1)
        return self.objective(target, weights) + (weights * slope).sum(axis=-1)


@dataclass(frozen=True)
class Curvature:
    """How F bends along log-probabilities.

    Where log ν moves along d, Σ_v w_v ⟨ν_v e_v, r_v⟩ (the weights of the e held still) changes at the rate

        −Σ_va own·e·d + Σ_a joint_a (Σ_v pull·e)(Σ_v pull·d) − (Σ_va overall·e)(Σ_va overall·d).

    A number per view and answer, one rank per answer and one more: a Newton step costs no more than a few
    rewards (`alft.tabular.newton`). `own`, `pull` and `overall` have axes (question…, view, answer),
    `joint` (question…, answer); None stands for zeros.
    """

    own: Array
    pull: Array | None = None
    joint: Array | None = None
    overall: Array | None = None
