"""Counts of the reference's answers → the equilibrium of a game → one weight per completion (theory.md 6).

The optimum keeps the reasoning given the answer (1.1), so π* is π_0 reweighted by ν*(A)/ν_0(A). Numbers only.

Views lend completions to each other (6.1). Unscored, an answer that a view never gave is lent by the other views'
completions, all alike. Scored, by log π_0(z|x_v) of each completion under each view, a completion is shared out by
the balance heuristic: it belongs to view v with the responsibility K_v π_0(z|x_v) / Σ_u K_u π_0(z|x_u), over the
views in its space of answers. A view's marginal is then ν̂_v(a) = (1/K_v) Σ_z responsibility of the z with answer
a, which is unbiased. Its variance is at most that of the view's own frequency where ν_v(a) ≤ 1/2; above, it can be
larger.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alft import consensus, simplex
from alft.games import Facts, Game
from alft.offline.tallies import Batch, Loans, Tallies
from alft.simplex import Array
from alft.tabular import NoEquilibriumError, hard_equilibrium, has_limit, solve

SHRINKAGE = 1.0
"""Pseudo-completions a view, measured to come nearest to the consensus of the true marginals (EXPERIMENTS.md)."""


@dataclass(frozen=True)
class SolveSettings:
    """What is solved: a concave `game` at `beta`; β = 0 is the limit, for the games that have one (2.2).

    `shrinkage` τ: the reference's marginal is estimated by (n_v(a) + τ·p(a))/(K_v + τ), p the answers of all views
    pooled: as if each view had given τ more answers like the others'. With 0 it is the frequency n_v(a)/K_v, which
    leaves out of a consensus what one view happened not to say among K answers. None: 1 for games that compare
    views, 0 for others, where another view's answers say nothing.
    `power` α sharpens the reference to ν_0^α/Z (theory.md 2.4): 1 makes views agree, more makes them sure too.
    `borrow`: a view is also trained on the completions of other views, for answers that it never gave (6.1).
    """

    game: Game
    beta: float = 0.0
    shrinkage: float | None = None
    power: float = 1.0
    borrow: bool = True

    def __post_init__(self) -> None:
        if not self.game.concave:
            raise ValueError("the game is not concave: no gap certifies its equilibria")
        if self.beta == 0 and not has_limit(self.game):
            raise ValueError("the limit of this game for beta 0 is not known; it needs beta above 0")
        if not 1 <= self.power <= simplex.LARGEST_POWER:
            raise ValueError(f"power must be from 1 to {simplex.LARGEST_POWER:g}, not {self.power}")

    @property
    def pooled(self) -> float:
        """τ, decided."""
        if self.shrinkage is not None:
            return self.shrinkage
        return SHRINKAGE if self.game.needs_views > 1 else 0.0

    @property
    def only_common(self) -> bool:
        """Whether a question is helped only if all of its views gave the same answer at least once."""
        return self.game.needs_views > 1 and not (self.borrow and self.pooled > 0)

    def describe(self, name: str) -> dict[str, Any]:
        """What is solved as a file records it; `name` is the game as the user wrote it."""
        solved = {"game": name, "beta": self.beta, "shrinkage": self.pooled}
        return solved | {"power": self.power, "borrow": self.borrow}


@dataclass(frozen=True)
class Solved:
    """Equilibria of a batch: `nu` (question, view, answer), `shares` w_v (question, view), `gap` (question).

    `gap` is nan where β = 0: a limit is computed, and nothing certifies it. `helped` (question) is False where no
    weights are made: views without a common answer, or nothing readable.
    """

    batch: Batch
    nu: Array
    shares: Array
    gap: Array
    helped: Array


@dataclass(frozen=True)
class Reweighting:
    """`weights` (completion), 0 for unread ones, the `loans` to other views, and the `solved` batches behind them.

    A view's weights, with what is lent to it, average to the share of ν* that completions reach: 1 if all of it.
    """

    weights: Array
    loans: Loans
    solved: tuple[Solved, ...]


def reweight(
    tallies: Tallies, settings: SolveSettings, log_probs: Array | None = None, first: Tallies | None = None
) -> Reweighting:
    """Solve every question and weight every completion.

    `first`: completions of the reference, numbered alike, where those of `tallies` are of a model that was trained
    since, π_t. The game is solved against ν_0 of the `first`, and a completion's weight is ν*(a)/ν_t(a) (theory.md
    6). An answer that no view gave at first has ν_0 = 0, and weight 0; shrinkage gives a view what others gave.

    With `log_probs`, log π_0(z|x_v) of every completion under every view of its question, axes (completion, view),
    marginals are estimated from all completions and views borrow by score (theory.md 6.1).

    Within a view, the weights of the completions with answer a add up to ν*(a)·(completions of the view): the
    self-normalised form of ν*(a)/ν_0(a), which makes the reweighted completions have ν* as their marginal.

    >>> from alft.games import GeometricCoherence
    >>> question, view, right = np.zeros(4, int), np.array([0, 0, 1, 1]), np.full(4, np.nan)
    >>> tallies = Tallies.of(question, view, np.array([0, 1, 0, 0]), right)
    >>> reweight(tallies, SolveSettings(GeometricCoherence(), shrinkage=0.0)).weights
    array([2., 0., 1., 1.])

    Raises NoEquilibriumError with the positions of all questions that have none.
    """
    if log_probs is not None and (first is not None or not settings.borrow):
        raise ValueError("log_probs are for views that borrow, and for completions of the reference itself")
    weights = np.zeros(len(tallies.question))
    shared = None if log_probs is None else responsibilities(tallies, log_probs)
    solved, loans = _solve_all(tallies, settings, shared, first), []
    for found in solved:
        batch = found.batch
        scale = np.where(found.helped[:, None], batch.asked, 0.0)[..., None]
        per_answer = simplex.scale(scale, found.nu)
        if shared is not None:
            here, weights[here], lent = share_out(tallies, batch, per_answer, shared)
            loans.append(lent)
            continue
        table = np.divide(per_answer, batch.counts, out=np.zeros_like(per_answer), where=batch.counts > 0)
        question, here = tallies.rows(batch.questions)
        weights[here] = table[question, tallies.view[here], tallies.answer[here]]
        if settings.borrow:
            loans.append(lend(tallies, batch, per_answer))
    return Reweighting(weights, Loans.joined(loans), solved)


def tossed(found: Reweighting, tallies: Tallies, heads: Array, beta: float) -> Reweighting:
    """The same where `heads` (completion) earn 1, others 0: the weights of tails times e^{−1/β}, 0 in the limit.

    Each view keeps its total weight; in the limit a view without heads keeps all of its weights. This maximizes
    E[coin] − β·KL over completions, not answers: the coins of two completions with one answer may differ.
    """
    loans, views = found.loans, len(tallies.space)
    lender = np.concatenate([np.arange(len(heads)), loans.completion])
    place, answer = np.concatenate([tallies.place, loans.view]), tallies.answer[lender]
    weights = np.concatenate([found.weights, loans.weight])
    luck = np.where(heads[lender], 1.0, np.exp(-1 / beta) if beta > 0 else 0.0)
    luck[np.bincount(place, weights * luck, minlength=views)[place] == 0] = 1.0
    scale = [np.bincount(place, each, minlength=views) for each in (weights, weights * luck)]
    paid = weights * luck * np.divide(*scale, out=np.zeros(views), where=scale[1] > 0)[place]
    mass = np.zeros((views, max(part.batch.shape[2] for part in found.solved)))
    np.add.at(mass, (place[answer >= 0], answer[answer >= 0]), paid[answer >= 0])
    solved = []
    for part in found.solved:
        _, width, answers = part.batch.shape
        nu = mass[tallies.places(part.batch.questions, width), :answers]
        solved.append(replace(part, nu=np.where(nu.any(axis=-1, keepdims=True), simplex.normalise(nu), part.nu)))
    own, lent = np.split(paid, [len(heads)])
    return Reweighting(own, replace(loans, weight=lent), tuple(solved))


def reference_marginals(counts: Array, shrinkage: float) -> Array:
    """ν_0 from counts (question, view, answer): frequencies, shrunk towards the pooled answers of all views.

    A view without a readable answer gets the pooled answers, and does not count in the game.

    >>> reference_marginals(np.array([[[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]]), shrinkage=2.0).tolist()
    [[[0.75, 0.25, 0.0], [0.25, 0.75, 0.0]]]
    """
    pooled = simplex.normalise(counts.sum(axis=1, keepdims=True))
    read = counts.sum(axis=-1, keepdims=True) > 0
    return np.where(read, simplex.normalise(counts + shrinkage * pooled), pooled)


def _solve_all(
    tallies: Tallies, settings: SolveSettings, shared: Array | None, first: Tallies | None
) -> tuple[Solved, ...]:
    """All batches, or all questions that spoil theirs."""
    solved, without = [], []
    for own, known in zip(tallies.batches(), (first or tallies).batches(), strict=True):
        batch = replace(own, gold=np.fmax(own.gold, known.gold))  # of answers that either gave
        try:
            counts = known.counts if shared is None else scored_counts(tallies, batch, shared)
            read = np.asarray(known.counts.sum(axis=-1) > 0)
            solved.append(replace(_solve(replace(batch, counts=counts), read, settings), batch=batch))
        except NoEquilibriumError as error:
            without.append(error)
    if without:
        raise NoEquilibriumError(without[0].cause, np.sort(np.concatenate([error.questions for error in without])))
    return tuple(solved)


def _solve(batch: Batch, read: Array, settings: SolveSettings) -> Solved:
    """The equilibria of a batch.

    A view that was not `read` (question, view) does not count in the game. Its ν is the mean of the others'.
    """
    estimated = reference_marginals(batch.counts, settings.pooled)
    reference, shares = simplex.sharpened(estimated, settings.power), simplex.normalise(read.astype(float))
    helped = _helped(batch, settings)
    nu, gap = reference.copy(), np.zeros(len(reference))
    some = np.flatnonzero(helped)
    if len(some) == 0:
        return Solved(batch, nu, shares, gap, helped)
    facts = Facts(
        gold=np.nan_to_num(batch.gold[some]),
        reference=estimated[some],
        weights=shares[some],
        answered=(~np.isnan(batch.gold[some, 0])).astype(float),
    )
    try:
        game = settings.game.sharpened(settings.power).given(facts.seen_by(settings.game))
        if settings.beta == 0:
            nu[some], gap[some] = hard_equilibrium(game, reference[some], shares[some]), np.nan
            lost = np.flatnonzero(~np.isfinite(nu[some]).all(axis=(1, 2)))
            if len(lost) > 0:
                raise NoEquilibriumError("the limit for β → 0 is nan, and has no gap", lost)
        else:
            found = solve(game, reference[some], settings.beta, weights=shares[some])
            nu[some], gap[some] = found.nu, found.gap
    except NoEquilibriumError as error:
        raise NoEquilibriumError(error.cause, batch.questions[some[error.questions]]) from None
    others = consensus.arithmetic(nu, shares)[:, None]
    return Solved(batch, np.where(read[..., None] | ~helped[:, None, None], nu, others), shares, gap, helped)


def _helped(batch: Batch, settings: SolveSettings) -> Array:
    """Questions that the game can move: readable, and with a common answer if it is about views that agree.

    Where views borrow, and shrinkage gives every view the others' answers, any readable answer will do.
    """
    given = np.asarray(batch.counts > 0)
    read = np.asarray(given.any(axis=-1))
    if settings.game.needs_views < 2 or (not settings.only_common and batch.shape[1] > 1):
        return np.asarray(read.any(axis=1))
    common = (given | ~read[..., None]).all(axis=1).any(axis=-1)
    return np.asarray(common & (read.sum(axis=1) >= 2))


def effective_samples(tallies: Tallies, found: Reweighting) -> tuple[Array, Array, Array]:
    """Effective sample size (Σw)²/Σw², completions and reached share Σw/K of each view, axis (view of a question).

    Views of all questions in a row; 0 where a view has no weight.
    """
    place = np.concatenate([tallies.place, found.loans.view])
    weights = np.concatenate([found.weights, found.loans.weight])
    asked = tallies.asked
    total, square = (np.bincount(place, each, minlength=len(asked)) for each in (weights, weights**2))
    effective = np.divide(total**2, square, out=np.zeros(len(asked)), where=square > 0)
    return effective, asked, total / np.maximum(asked, 1)


LEAST_LOAN = 0.01  # completions: an answer that deserves less weight in a view is not borrowed
LEAST_SHARE = 1e-3
"""Of the largest share in the same answer of the same view: a completion that would lend less does not lend."""
TINY = 1e-300  # smallest responsibility: below, float64 keeps no ratios


def lend(tallies: Tallies, batch: Batch, per_answer: Array) -> Loans:
    """Each answer that a view never gave, from the completions of other views with that answer, all alike.

    `per_answer` is the weight that answers deserve, in completions, axes (question, view, answer).
    """
    lacked = np.nonzero((batch.counts == 0) & (per_answer >= LEAST_LOAN))
    loan, completion = tallies.lenders(batch, lacked)
    lenders = np.bincount(loan, minlength=len(lacked[0]))
    weight = per_answer[lacked][loan] / lenders[loan]
    place = tallies.places(batch.questions, batch.shape[1])[lacked[:2]]
    return Loans(completion, place[loan], weight)


def responsibilities(tallies: Tallies, log_probs: Array) -> Array:
    """The share of each completion that belongs to each view, axes (completion, view of its question).

    `log_probs` are log π_0(z|x_v) with the same axes. A row sums to 1; views that the question does not have, or
    that are asked in another space of answers, have 0.

    >>> question, view = np.array([0, 0, 0]), np.array([0, 0, 1])
    >>> tallies = Tallies.of(question, view, np.zeros(3, int), np.full(3, np.nan))
    >>> responsibilities(tallies, np.log([[0.2, 0.4], [0.3, 0.0001], [0.1, 0.2]])).round(2).tolist()
    [[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]]
    """
    views = np.arange(log_probs.shape[1])
    there = views < tallies.views[tallies.question][:, None]
    place = np.where(there, tallies.starts[tallies.question][:, None] + views, 0)
    there &= tallies.space[place] == tallies.space[tallies.place][:, None]
    mass = np.where(there, log_probs, -np.inf) + np.log(np.maximum(tallies.asked, 1))[place]
    found = np.exp(mass - np.logaddexp.reduce(mass, axis=1, keepdims=True))
    return np.where(there, np.maximum(found, TINY), 0.0)


def scored_counts(tallies: Tallies, batch: Batch, shares: Array) -> Array:
    """K_v ν̂_v(a) from all completions, axes (question, view, answer); `shares` are `responsibilities`."""
    table = np.zeros(batch.shape)
    question, here = tallies.rows(batch.questions)
    views = np.arange(batch.shape[1])
    np.add.at(table, (question[:, None], views[None, :], tallies.answer[here][:, None]), shares[here][:, views])
    return table


def share_out(tallies: Tallies, batch: Batch, per_answer: Array, shares: Array) -> tuple[Array, Array, Loans]:
    """Readable completions of the batch, their weights in their own view, and what they lend to the others.

    Within a view and answer, weights are proportional to the responsibilities and add up to `per_answer`.
    """
    question, here = tallies.rows(batch.questions)
    answer, own = tallies.answer[here], tallies.view[here]
    wanted = per_answer[question, :, answer]
    mass = shares[here, : batch.shape[1]]
    itself = own[:, None] == np.arange(batch.shape[1])
    mass = np.where(itself | (wanted >= LEAST_LOAN), mass, 0.0)
    most, total = np.zeros(batch.shape), np.zeros(batch.shape)
    entries = question[:, None], np.arange(batch.shape[1])[None, :], answer[:, None]
    np.maximum.at(most, entries, mass)
    mass = np.where(mass >= LEAST_SHARE * most[entries], mass, 0.0)
    np.add.at(total, entries, mass)
    weight = np.divide(wanted * mass, total[entries], out=np.zeros_like(mass), where=total[entries] > 0)
    lent = np.nonzero(~itself & (weight > 0))
    place = tallies.starts[tallies.question[here[lent[0]]]] + lent[1]
    return here, weight[itself], Loans(here[lent[0]], place, weight[lent])
