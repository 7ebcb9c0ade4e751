"""Exact play on the answer simplex: the equilibrium of a concave game, certified by its gap (theory.md 1.4, 5)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from alft import simplex
from alft.consensus import equal_weights
from alft.games import Facts, Game, LinearEntropic
from alft.simplex import Array, PerBatch
from alft.tabular.certificate import SHOWN, gap_of_reward
from alft.tabular.hard import hard_equilibrium
from alft.tabular.newton import diagonal, inverse_blocks, move, newton_step, separable_step
from alft.tabular.play import Play, Position, start, start_apart

MAX_ITERATIONS = 60
Step = Callable[[Play, Position], Array]
ENTRIES_AT_ONCE = 1 << 15  # questions are solved together as long as their marginals fit a processor's cache


class NoEquilibriumError(ValueError):
    """There is no equilibrium, or none that a gap certifies, for a `cause`, at these `questions` (positions)."""

    def __init__(self, cause: str, questions: Array) -> None:
        self.cause, self.questions = cause, questions
        super().__init__(cause, questions)  # both arguments: an exception is pickled by them

    def __str__(self) -> str:
        return f"{self.cause}, for questions {self.questions[:SHOWN].tolist()}"


@dataclass(frozen=True)
class Equilibrium:
    """What `solve` found: axes (question…, view, answer) for `nu`, (question…) for the rest.

    `target` is the Target's best response to ν, `objective` F(ν), `value` J(ν) = F(ν) − β Σ_v w_v KL(ν_v‖ν_0v),
    `gap` an upper bound of J* − J(ν), `iterations` the Newton steps taken (0 for a closed form), `history` the
    gap after each of them, axes (iteration, question…), if it was asked for.
    """

    nu: Array
    target: Array
    objective: PerBatch
    value: PerBatch
    gap: PerBatch
    iterations: Array | np.integer
    history: Array | None = None


@np.errstate(over="ignore")  # rewards over a tiny β are infinite, which is dealt with
def solve(
    game: Game,
    reference: Array,
    beta: float,
    *,
    weights: Array | None = None,
    tol: float = 1e-10,
    history: bool = False,
) -> Equilibrium:
    """argmax over ν of F(ν) − β Σ_v w_v KL(ν_v‖ν_0v), every question on its own, to an absolute gap ≤ `tol`.

    `reference` ν_0, axes (view, answer) or (question, view, answer), rows with sum 1; answers that a question
    does not have are masked by probability 0 and keep it. `weights` w_v ≥ 0, axes (view) or (question, view), by
    default alike, are scaled to sum to 1. Closed form where the game has one, else Newton's method from the best
    of a few starts with the reference's support. A view of weight 0 has no part, and keeps its reference. The gap
    of the result is returned, not promised: look at it. Raises NoEquilibriumError where the objective is −∞, or
    where the game returns nan at the end of the search.
    β = 0 is hard coherence, the limit β → 0 (theory.md 2.2), for the games that have one (`alft.tabular.hard`).

    >>> from alft import games
    >>> found = solve(games.Correctness(np.array([1.0, 0.0])), np.array([[0.5, 0.5]]), beta=1.0)
    >>> found.nu.round(3), bool(found.gap <= 1e-10)
    (array([[0.731, 0.269]]), True)
    """
    check(game, reference, beta)
    shares = _shares(weights, reference)
    game = game.given(Facts(reference=reference, weights=shares))
    for size, wanted, what in zip(reference.shape[-2:], game.made_for(), ("views", "answers"), strict=True):
        if wanted not in (None, size):
            raise ValueError(f"{type(game).__name__} was made for {wanted} {what}, and the reference has {size}")
    if beta == 0:
        nu, value, certified = _hard(game, reference, shares)
        iterations, gaps = np.zeros(reference.shape[:-2], dtype=int), np.asarray(certified)[None]
    else:
        batch, first = (reference, slice(None)) if reference.ndim == 3 else (reference[None], 0)
        play = Play(game, batch.astype(float), float(beta), np.broadcast_to(shares, batch.shape[:-1]))
        form = game.closed_form()
        position, iterations, gaps = _search(play, tol) if form is None else _closed(play, form)
        _check_found(position.value, position.gap, position.reward)
        nu = np.where(play.weights[..., None] > 0, position.nu, play.reference)[first]
        value, certified = position.value[first], position.gap[first]
        iterations, gaps = iterations[first], gaps[:, first]
    target, objective = game.target(nu, shares), game.objective(nu, shares)
    return Equilibrium(nu, target, objective, value, certified, iterations, gaps if history else None)


def check(game: Game, reference: Array, beta: float) -> None:
    """Refuse what has no equilibrium that a gap can certify."""
    if not game.concave:
        name = type(game).__name__
        raise ValueError(f"{name} is not concave: no gap certifies its equilibria; see alft.tabular.dynamics")
    if reference.ndim not in (2, 3):
        axes = f"(view, answer) or (question, view, answer), not {reference.ndim} axes"
        raise ValueError(f"reference has axes {axes}")
    if not (np.isfinite(reference).all() and (reference >= 0).all()):
        raise ValueError("reference marginals must be finite and not negative")
    if not np.allclose(reference.sum(axis=-1), 1, rtol=0, atol=1e-6):
        raise ValueError("reference marginals must sum to 1 over answers")
    if not 0 <= beta < np.inf:
        raise ValueError(f"beta must be at least 0 and finite, not {beta}")


def _check_found(value: Array, certified: Array, reward: Array) -> None:
    """Refuse what is no equilibrium, axes (question), and say which of the game's formulas is to blame."""
    excluded, unknown, open_ended = np.isneginf(value), ~np.isfinite(value), ~np.isfinite(certified)
    if excluded.any():
        raise NoEquilibriumError("the objective is −∞ on all of the reference's support", np.flatnonzero(excluded))
    if unknown.any():
        cause = f"the game's objective is {value[unknown][0]}, so there is no gap"
        raise NoEquilibriumError(cause, np.flatnonzero(unknown))
    if open_ended.any():
        blamed = "the game's answer reward is nan, so " if np.isnan(reward[open_ended]).any() else ""
        raise NoEquilibriumError(f"{blamed}the gap is {certified[open_ended][0]}", np.flatnonzero(open_ended))


def _shares(weights: Array | None, reference: Array) -> Array:
    """View weights with sum 1, axes (view) or (question, view)."""
    if weights is None:
        return equal_weights(reference)
    given = np.asarray(weights, dtype=float)
    if given.shape not in (reference.shape[-2:-1], reference.shape[:-1]):
        views, questions = reference.shape[-2], reference.shape[:-1]
        raise ValueError(f"weights have axes (view) = ({views},) or {questions}, not {given.shape}")
    if not (np.isfinite(given).all() and (given >= 0).all() and (given.sum(axis=-1) > 0).all()):
        raise ValueError("view weights must be at least 0 and finite, with one of each question above 0")
    return simplex.normalise(given)


def _hard(game: Game, reference: Array, shares: Array) -> tuple[Array, PerBatch, PerBatch]:
    """The limit β → 0, where J = F, its worth and its Frank–Wolfe gap."""
    nu = hard_equilibrium(game, reference, shares)
    form = game.closed_form()
    reference = reference if form is None else _allowed(reference, form)
    reward, worth = game.reward(nu, shares), game.objective(nu, shares)
    certified = gap_of_reward(reward, nu, reference, 0.0, shares)
    seen = np.where(reference > 0, reward, 0.0).reshape(-1, *reference.shape[-2:])
    _check_found(np.atleast_1d(worth), np.atleast_1d(certified), seen)
    return nu, worth, certified


def _closed(play: Play, form: LinearEntropic) -> tuple[Position, Array, Array]:
    """ν* ∝ (ν_0^β e^R)^{1/(β+c)} (theory.md 2.1)."""
    logits = (play.beta * play.log_reference + form.gain) / (play.beta + form.entropy)
    nothing = np.isneginf(logits).all(axis=-1, keepdims=True)
    allowed = replace(play, reference=_allowed(play.reference, form))
    position = allowed.at(np.where(nothing, play.log_reference, logits))
    return position, np.zeros(len(logits), dtype=int), position.gap[None]


def _allowed(reference: Array, form: LinearEntropic) -> Array:
    """The reference without what a gain of −∞ excludes, which no best response says; all of it where none is left.

    At ν = 0 the reward there is log(0/0) := 0 (theory.md 1.2), which would seem worth something.
    """
    left = np.where(np.isneginf(form.gain), 0.0, reference)
    return np.where(left.any(axis=-1, keepdims=True), left, reference)


def _search(play: Play, tol: float) -> tuple[Position, Array, Array]:
    questions, views, answers = play.reference.shape
    size = max(ENTRIES_AT_ONCE // (views * answers), 1)
    parts = [np.arange(first, min(first + size, questions)) for first in range(0, questions, size)]
    found = [_search_together(play.on(part), tol) for part in parts]
    longest = max(len(gaps) for _, _, gaps in found)
    padded = [np.pad(gaps, ((0, longest - len(gaps)), (0, 0)), mode="edge") for _, _, gaps in found]
    iterations = np.concatenate([count for _, count, _ in found])
    return Position.join([position for position, _, _ in found]), iterations, np.concatenate(padded, axis=1)


def _search_together(play: Play, tol: float) -> tuple[Position, Array, Array]:
    """Newton with a cheap scale; what that leaves unsolved begins again elsewhere, then with the exact scale."""
    position = start(play)
    iterations, gaps = np.zeros(len(position.gap), dtype=int), [position.gap.copy()]
    _climb(play, position, tol, _cheap_step, iterations, gaps)
    for begin, step in ((start_apart, _cheap_step), (start, _exact_step)):
        unsolved = np.flatnonzero(np.isfinite(position.value) & ~(position.gap <= tol))
        if len(unsolved) == 0:
            break
        before = position.take(unsolved)
        position.put(unsolved, begin(play.on(unsolved)))
        _climb(play, position, tol, step, iterations, gaps)
        after = position.take(unsolved)
        position.put(unsolved, after.where((before.gap < after.gap) | np.isnan(after.gap), before))
        gaps.append(position.gap.copy())
    return position, iterations, np.array(gaps)


def _cheap_step(play: Play, position: Position) -> Array:
    """Directly where the game tells its curvature, else by conjugate gradients with a diagonal scale."""
    curvature = play.game.curvature(position.nu, play.weights)
    if curvature is not None:
        return separable_step(play, position, curvature)
    return newton_step(play, position, diagonal(play, position))


def _exact_step(play: Play, position: Position) -> Array:
    return newton_step(play, position, inverse_blocks(play, position))


def _climb(play: Play, position: Position, tol: float, step: Step, iterations: Array, gaps: list[Array]) -> None:
    """Newton steps, in place, on the questions above `tol` that still move."""
    moving = np.isfinite(position.value)
    for _ in range(MAX_ITERATIONS):
        active = np.flatnonzero(moving & ~(position.gap <= tol))
        if len(active) == 0:
            return
        part, here = play.on(active), position.take(active)
        there = move(part, here, step(part, here), tol)
        moving[active] = (there.log_nu != here.log_nu).any(axis=(-2, -1))
        position.put(active, there)
        iterations[active] += moving[active]
        gaps.append(position.gap.copy())
