"""Is a user's own game what it says? Checked on random marginals before a model is loaded (theory.md 1.2, 1.3).

A wrong sign or a forgotten factor trains the wrong thing in silence, and a false `concave` makes the gap a
certificate of nothing. Both show on a few marginals in milliseconds. So do formulas that hold in some places only:
where views weigh alike, where no probability is 0, where answers have the numbers that they had in one batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from alft.consensus import equal_weights
from alft.errors import ConfigError, Problem
from alft.estimators import Estimator, SampledMarginals
from alft.games import Facts, Game
from alft.marginals import Marginals
from alft.simplex import Array, normalise

QUESTIONS, VIEWS, ANSWERS = 5, 3, 4
SAMPLES, SAMPLED_ANSWERS = 8, 6
STEP = 1e-5
RARE_STEP, RAREST = 1e-2, -6.0
"""Step along a rare answer, of its probability, which is 10^RAREST at least."""
TOLERANCE = 1e-3
"""Largest difference between the reward and the slope of the objective, of the size of the reward."""
ROUNDING = 1e-9
"""Differences of F below this, of its size, are noise."""
PAIRS = 20
"""Number of chord comparisons, on each question."""
PAGE = "docs/adding-a-game.md"
WORDS = ", ".join(["weights", *(name for name in vars(Marginals) if not name.startswith("_"))])
ASK = (
    f"answer_reward may ask for {WORDS} (alft.marginals) and knows no answer by its position; given() gets "
    f"gold answers if the game says needs_gold or sees_gold, the reference if it says needs_reference: {PAGE}"
)
SHARES = "it holds 1/w_v unless F weighs its views; 1/(V w_v) is alft.simplex.inverse_shares(marginals.weights)"
ZEROS = "log, power, kl, scale and subtract_logs of alft.simplex handle 0"
ANEW = f"answers are renumbered in every batch, so that no position means anything: {PAGE}"
Complaint = tuple[str, str]
"""What is wrong, and the remedy."""


def check_game(game: Game) -> None:
    """Raise ConfigError with what is wrong with a game, as `problems_of` finds it.

    >>> from alft.games import GiniDiversity
    >>> check_game(GiniDiversity())
    """
    if problems := problems_of(game, type(game).__name__):
        raise ConfigError(problems)


def problems_of(game: Game, where: str) -> list[Problem]:
    """What is wrong with a game, at `where`: the first place where it can't be played, else all that is not true.

    It is played on known marginals (a batch and a lone question; view weights alike, different, and 0; answers of
    probability 0) and on sampled answers. Then r is compared with the slope of F, the payoff at the Target's best
    response with F, a claim to be `concave` or `only_agreement` with F, and nothing may depend on the order of
    answers. A game that asks for facts is given random ones.
    """
    if not isinstance(getattr(game, "concave", None), bool | np.bool_):
        what = "does not say concave: whether its objective is, which makes the gap a certificate"
        return [Problem(where, what, f"say concave = True or concave = False ({PAGE})")]
    for name in ("needs_views", "own_degree"):
        if not isinstance(number := getattr(game, name, None), int) or number < 0:
            return [Problem(where, f"{name} is {number!r:.40}", f"it must be a whole number: {PAGE}")]
    try:
        with np.errstate(all="ignore"):
            complaints = list(_unplayable(game)) or list(_untrue(game))
    except (Exception, SystemExit) as error:
        complaints = [(f"fails: {type(error).__name__}: {error}", ASK)]
    return [Problem(where, *complaint) for complaint in complaints]


@dataclass(frozen=True)
class _Play:
    """A game that has its facts, on marginals `nu` (question…, view, answer) with view `weights`.

    `value` is F(ν), `paid` is P(ν, q) at the Target's best response q, `reward` is r_v(a).
    """

    game: Game
    nu: Array
    weights: Array

    @staticmethod
    def of(game: Game, nu: Array, weights: Array, order: Array | slice = slice(None)) -> _Play:
        """Given what it asks for, as in training, and wanted answers, all in this `order` of the answers."""
        rng, (*batch, views, answers) = np.random.default_rng(1), nu.shape
        reference, wanted = (rng.dirichlet(np.full(answers, 2.0), shape) for shape in ((*batch, views), batch))
        gold = np.broadcast_to(np.eye(answers)[0], (*batch, answers))
        facts = Facts(
            gold=gold[..., order],
            answered=np.ones(batch),
            reference=reference[..., order] if game.needs_reference else None,
            wanted=wanted[..., order],
        )
        return _Play(game.given(facts.seen_by(game)), nu[..., order], weights)

    def objective(self, nu: Array) -> Array:
        return np.asarray(self.game.objective(nu, self.weights))

    @property
    def value(self) -> Array:
        return self.objective(self.nu)

    @property
    def paid(self) -> Array:
        target = self.game.target(self.nu, self.weights)
        return np.asarray(self.game.payoff(self.nu, target, self.weights))

    @property
    def reward(self) -> Array:
        return np.asarray(self.game.reward(self.nu, self.weights))


def _marginals(game: Game, *batch: int) -> Array:
    """Random marginals without a 0, of as many views and answers as the game was made for."""
    views, answers = game.made_for()
    shape = (*batch, views or max(VIEWS, game.needs_views))
    return np.random.default_rng(0).dirichlet(np.full(answers or ANSWERS, 2.0), shape)


def _apart(nu: Array) -> Array:
    """View weights that differ, and by question, axes (question…, view)."""
    return np.random.default_rng(2).dirichlet(np.full(nu.shape[-2], 5.0), nu.shape[:-2])


def _unplayable(game: Game) -> Iterator[Complaint]:
    """The first place where the game fails or tells no numbers, since it would fail alike at the others."""
    for place, nu, weights, remedy in _places(game):
        try:
            found = _unsound(_Play.of(game, nu, weights), place, remedy)
        except (Exception, SystemExit) as error:
            found = f"fails on {place}: {type(error).__name__}: {error}", remedy or ASK
        if found is not None:
            yield found
            return
    yield from _unsampled(game)


def _places(game: Game) -> Iterator[tuple[str, Array, Array, str]]:
    """A name, known marginals and view weights to play on, and what helps a game that fails there."""
    inside, alone = _marginals(game, QUESTIONS), _marginals(game)
    yield "answer marginals", inside, equal_weights(inside), ""
    remedy = "count axes from the last: answer is -1"
    yield "the answer marginals of one question", alone, equal_weights(alone), remedy
    apart, zeros = _apart(inside), inside.copy()
    yield "view weights that differ by question", inside, apart, "weights have axes (question…, view)"
    if game.made_for()[0] is None:  # views that are named are all there
        lacking = normalise(apart * (np.arange(apart.shape[-1]) > 0))
        yield "a view of weight 0, of which nothing could be read", inside, lacking, SHARES
    zeros[:, 0, 0] = zeros[..., -1] = 0
    yield "answers of probability 0", normalise(zeros), equal_weights(zeros), ZEROS


def _unsound(play: _Play, place: str, remedy: str) -> Complaint | None:
    """Numbers of other axes than they should have, or none; where ν is 0, ±∞ is one."""
    value, reward, batch = play.value, play.reward, play.nu.shape[:-2]
    if value.shape != batch or reward.shape != play.nu.shape:
        shapes = f"for marginals {play.nu.shape} they are {batch} and {play.nu.shape}"
        what = f"objective has shape {value.shape}, answer_reward {reward.shape}"
        return what, f"{shapes}: axes (question, view, answer)"
    paid = play.paid
    if paid.shape != batch:
        return f"payoff has shape {paid.shape}", f"for marginals {play.nu.shape} it is {batch}: axes (question)"
    for name, numbers in {"objective": value, "answer_reward": reward, "payoff": paid}.items():
        unsound = np.isnan(numbers) | (np.isinf(numbers) & (play.nu > 0).all())
        if unsound.any():
            return f"{name} is {numbers[unsound][0]} on {place}", remedy
    return None


def _unsampled(game: Game) -> Iterator[Complaint]:
    """Answers as a batch brings them: counted, and of another number."""
    place = f"sampled answers, {game.made_for()[1] or SAMPLED_ANSWERS} of them"
    try:
        counts, reward = _sampled(game)
    except (Exception, SystemExit) as error:
        yield f"fails on {place}: {type(error).__name__}: {error}", ASK
        return
    if reward.shape != counts.shape:
        what = f"answer_reward has shape {reward.shape} for {place}"
        yield what, f"it is {counts.shape}: (question, view, answer)"
    elif not np.isfinite(reward[counts > 0]).all():
        yield f"answer_reward is not finite on {place}", f"ask for log_own or inverse_own, which are: {ASK}"


def _sampled(game: Game, order: Array | slice = slice(None)) -> tuple[Array, Array]:
    """Counts of answers, many of them alike, in this `order` of the answers, and what they are paid."""
    answers = game.made_for()[1] or SAMPLED_ANSWERS
    nu = np.random.default_rng(3).dirichlet(np.ones(answers), (QUESTIONS, _marginals(game).shape[-2]))
    counts = np.random.default_rng(4).multinomial(SAMPLES, nu).astype(float)[..., order]
    marginals = SampledMarginals(counts, equal_weights(nu), Estimator(log="plugin"))
    return counts, np.asarray(_Play.of(game, nu, equal_weights(nu), order).game.answer_reward(marginals))


def _untrue(game: Game) -> Iterator[Complaint]:
    nu = _marginals(game, QUESTIONS)
    alike, apart = (_Play.of(game, nu, weights) for weights in (equal_weights(nu), _apart(nu)))
    yield from _not_the_slope(alike, apart)
    yield from _unattained(apart)
    if game.concave:
        yield from _bent(apart)
    if game.only_agreement and nu.shape[-2] > 1:
        yield from _not_agreement(apart)
    if game.made_for()[1] is None:
        yield from _ordered(game, apart)


def _not_the_slope(alike: _Play, apart: _Play) -> Iterator[Complaint]:
    """A reward that is not the slope of F: at all, only where views weigh alike, or for rare answers alone."""
    rng, nu, same = np.random.default_rng(1), alike.nu, f"fix one of the two ({PAGE})"
    inside = rng.normal(size=nu.shape) * nu
    inside -= inside.sum(axis=-1, keepdims=True) * nu
    found = [(_slopes(alike, STEP, inside), "", same)]
    found.append((_slopes(apart, STEP, inside), " where view weights differ", SHARES))
    found += [(each, " for rare answers", same) for each in _slopes_of_rare(alike)]
    for (slope, stated, size), where, remedy in found:
        worst = np.abs(slope - stated).argmax()
        if abs(slope[worst] - stated[worst]) > TOLERANCE * size.max():
            what = f"answer_reward is not (1/w_v) ∂F/∂ν_v(a) of its objective{where}"
            yield f"{what}: F changes by {slope[worst]:.4g} where the reward says {stated[worst]:.4g}", remedy
            return


def _slopes(play: _Play, step: float, direction: Array) -> tuple[Array, Array, Array]:
    """How F changes along a direction inside the simplex; how it would by the reward; the size of that."""
    ahead, behind = (play.objective(play.nu + sign * step * direction) for sign in (1, -1))
    parts = play.weights[..., None] * play.reward * direction
    return (ahead - behind) / (2 * step), parts.sum(axis=(-2, -1)), np.abs(parts).sum(axis=(-2, -1)) + 1e-12


def _slopes_of_rare(play: _Play) -> Iterator[tuple[Array, Array, Array]]:
    """The same toward single answers, per unit of their probability, where all answers but one are rare."""
    rng, shape = np.random.default_rng(6), play.nu.shape
    nu = 10 ** rng.uniform(RAREST, -3, shape)
    nu[..., 0] += 1 - nu.sum(axis=-1)
    play = replace(play, nu=rng.permuted(nu, axis=-1))
    for view, answer in np.ndindex(*shape[-2:]):
        own, direction = play.nu[:, view], np.zeros(shape)
        direction[:, view] = own[:, [answer]] * (np.eye(shape[-1])[answer] - own)
        slope, stated, _ = _slopes(play, RARE_STEP, direction)
        mass = own[:, answer] * play.weights[..., view]
        yield slope / mass, stated / mass, np.abs(play.reward) + 1e-12


def _unattained(play: _Play) -> Iterator[Complaint]:
    """A Target whose best response does not pay F (theory.md 1.2)."""
    value, paid = play.value, play.paid
    worst = np.abs(paid - value).argmax()
    if _differ(paid, value):
        what = f"pays {paid[worst]:.4g} at the Target's best response, where the objective is {value[worst]:.4g}"
        yield f"payoff {what}", "payoff(ν, target(ν)) is objective(ν); TangentGame brings both"


def _bent(play: _Play) -> Iterator[Complaint]:
    """An objective that is below its own chord."""
    rng, views = np.random.default_rng(5), play.nu.shape
    for _ in range(PAIRS):
        one, two = rng.dirichlet(np.ones(views[-1]), (2, *views[:-1]))
        ends = (play.objective(one) + play.objective(two)) / 2
        if (play.objective((one + two) / 2) < ends - ROUNDING * (1 + np.abs(ends))).any():
            yield "says concave = True, and its objective is not", "say concave = False: no gap then"
            return


def _not_agreement(play: _Play) -> Iterator[Complaint]:
    """An objective that is not 0 where all views answer alike, or not below 0 where one of them does not."""
    shared = np.broadcast_to(play.nu[:, :1], play.nu.shape)
    apart = shared.copy()
    apart[:, 0] = play.nu[:, 1]
    agreed, worth = play.objective(shared), np.maximum(play.objective(apart), play.value)
    lone = np.broadcast_to(np.eye(play.nu.shape[-2])[0], play.nu.shape[:-1])
    alone = np.zeros_like(agreed) if play.game.made_for()[0] else np.asarray(play.game.objective(play.nu, lone))
    remedy = "say only_agreement = False: beta 0 is not solved then, and logs are estimated without bias"
    if _differ(agreed, np.zeros_like(agreed)):
        yield f"says only_agreement = True, and F is {agreed[0]:.4g} where all views answer alike, not 0", remedy
    elif _differ(alone, np.zeros_like(alone)):
        what = f"says only_agreement = True, and F is {alone[0]:.4g} where one view has all the weight, not 0"
        yield what, f"nothing is compared there: objective must leave out views of weight 0 ({PAGE})"
    elif not (worth < -ROUNDING).all():
        yield f"says only_agreement = True, and F is {worth.max():.4g} where views differ, not below 0", remedy


def _ordered(game: Game, play: _Play) -> Iterator[Complaint]:
    """Answers that are worth something else once they are renamed; on samples, which often tie, too."""
    order, other = (np.r_[1:size:2, 0:size:2] for size in (play.nu.shape[-1], SAMPLED_ANSWERS))  # none stays
    renamed = _Play.of(game, play.nu, play.weights, order)
    same = _spread(play.nu, play.reward)[..., order], _spread(*_sampled(game))[..., other]
    found = _spread(renamed.nu, renamed.reward), _spread(*_sampled(game, other))
    if _differ(renamed.value, play.value) or any(map(_differ, found, same)):
        yield "knows answers by their position: in another order they are worth something else", ANEW


def _spread(counts: Array, reward: Array) -> Array:
    """Rewards around their mean, of the answers that were given."""
    paid = np.where(counts > 0, reward, np.nan)
    return np.nan_to_num(paid - np.nanmean(paid, axis=-1, keepdims=True))


def _differ(one: Array, other: Array) -> bool:
    return bool((np.abs(one - other) > ROUNDING * (1 + np.abs(other))).any())
