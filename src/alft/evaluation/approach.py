"""How near training came to the exact equilibrium ν*, as far as samples can tell (theory.md 1.4, 4.5).

ν* is solved on the reference's sampled answer marginals. From so few samples every divergence is too large, also
at ν* itself: so each estimate stands beside its `null`, what it would be for a model AT ν* with as many samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alft import counts, simplex
from alft.counts import Counts
from alft.estimators.base import smoothed
from alft.evaluation.evaluation import Evaluation
from alft.evaluation.limits import MeasuredLimit, limits_summary
from alft.evaluation.results import Approach
from alft.games import Facts, Game, KnownReward, Sum
from alft.rewards.target import Wanted
from alft.simplex import Array
from alft.tabular import NoEquilibriumError, gap, solve
from alft.tabular.certificate import not_found

SMALLEST_BETA = 0.05  # a game without KL penalty is solved at this one: its limit without a penalty needs no model
REPEATS = 8  # of the null
SEED = 20262

Keys = dict[str, dict[str, list[str | None]]]
Costs = Mapping[str, Mapping[str, float]]


def approach(
    game: Game, before: Evaluation, after: Evaluation, beta: float, wanted: Wanted | None = None
) -> Approach | None:
    """Estimates of the gap and of Σ_v w_v KL(ν_v‖ν*_v), means over questions, in the game's units and nats.

    `gap`, `distance` of the trained model, `distance_before` of the reference, each with its null; `samples` per
    view on which they rest; `questions`; `beta` at which ν* was solved, `played_beta` of the run; `wanted` is what
    `TargetMatch` is given. None for a game that is not concave, which no gap certifies, whose equilibrium is not
    found, or where no question has a readable answer in every view of both evaluations.
    """
    estimated = _estimated(game, (before, after), beta, {}, wanted)
    return None if estimated is None else estimated[0]


def _estimated(
    game: Game, evaluations: tuple[Evaluation, Evaluation], beta: float, costs: Costs, wanted: Wanted | None
) -> tuple[Approach, float] | None:
    """The estimates where `costs` are taken off the rewards, and what trained answers cost above those of ν*."""
    if not game.concave:
        return None
    price = max(beta, SMALLEST_BETA)
    try:
        played = [_Played.make(game, asked, price) for asked in _asked(*evaluations, costs, wanted)]
    except NoEquilibriumError:
        return None
    if not played:
        return None
    rng = np.random.default_rng(SEED)
    at_end = _means([one.estimates(one.asked.end) for one in played])
    null = np.mean([_means([one.estimates(one.draw(rng)) for one in played]) for _ in range(REPEATS)], axis=0)
    told: Approach = {
        "gap": at_end[0],
        "distance": at_end[1],
        "distance_before": _means([one.estimates(one.asked.start) for one in played])[1],
        "gap_null": float(null[0]),
        "distance_null": float(null[1]),
        "beta": price,
        "played_beta": beta,
        "questions": sum(len(one.asked.end) for one in played),
        "samples": _means([one.asked.end.sum(axis=-1).mean(axis=-1)[None] for one in played])[0],
        "samples_of_reference": _means([one.asked.start.sum(axis=-1).mean(axis=-1)[None] for one in played])[0],
    }
    return told, float(at_end[2] - null[2])


def approach_under_limits(
    game: Game,
    evaluations: tuple[Evaluation, Evaluation],
    beta: float,
    limits: Mapping[MeasuredLimit, float],
    wanted: Wanted | None = None,
) -> Approach | None:
    """The same beside `limits`, each with its multiplier λ, for the evaluations before and after.

    ν* is the equilibrium at these λ, and the gap has Σ_k λ_k (c_k − E f_k) added (theory.md 1.4): with any λ ≥ 0
    it bounds what a model that keeps its limits loses. Its null has that term at ν*, which is 0 only for the
    multipliers that ν* keeps its limits with. None if a limit is broken, as far as samples tell: there J = −∞, and
    the violation is what counts.
    """
    told = limits_summary(evaluations[1], list(limits))
    if any(one["violation"] != 0 for one in told.values()):
        return None
    estimated = _estimated(game, evaluations, beta, _costs(evaluations, limits), wanted)
    if estimated is None:
        return None
    found, dearer = estimated
    means = [(limit.at_most, price, told[limit.name]["mean"]) for limit, price in limits.items()]
    slack = sum(price * (most - mean) for most, price, mean in means if mean is not None)
    return {
        **found,
        "gap": found["gap"] + slack,
        "gap_null": found["gap_null"] + slack + dearer,
        "multipliers": {one.name: price for one, price in limits.items()},
    }


def _costs(evaluations: Sequence[Evaluation], limits: Mapping[MeasuredLimit, float]) -> Costs:
    """Σ_k λ_k E[f_k | answer] by question and key: a limit may look at more than the answer."""
    seen: dict[str, dict[str, list[float]]] = {}
    for record in (record for evaluation in evaluations for record in evaluation.records):
        if record.kind == "sampled" and record.key is not None:
            paid = np.nansum([price * limit.cost(record) for limit, price in limits.items() if limit.cost])
            seen.setdefault(record.question, {}).setdefault(record.key, []).append(float(paid))
    return {q: {key: float(np.mean(paid)) for key, paid in keys.items()} for q, keys in seen.items()}


def in_words(seen: Approach) -> str:
    """The estimates in a sentence or two, each with its null; that samples are too few, where they can't tell.

    The β of the estimates is not always that of the run. One without a price on leaving the reference has many
    solutions and need not go to this one (theory.md 2.2).
    """
    if seen["distance_null"] >= seen["distance_before"]:
        return (
            f"how near the equilibrium is can't be estimated from {seen['samples']:.0f} answers a view: "
            "a model that is exactly there would look as far from it as the model before training"
        )
    played = seen.get("played_beta", seen["beta"])
    smallest = ", the smallest at which it is solved" if played < seen["beta"] else ""
    free = "; at β = 0, as played, there are other solutions too" if played == 0 else ""
    return (
        f"distance to the equilibrium at β = {seen['beta']:g}{smallest}: {seen['distance']:.3f} nats "
        f"(before {seen['distance_before']:.3f}, at the equilibrium itself {seen['distance_null']:.3f}), "
        f"gap {seen['gap']:.3f} (there {seen['gap_null']:.3f}). From {seen['samples']:.0f} answers a view such "
        f"estimates are too large, so read each beside its value at the equilibrium itself{free}"
    )


@dataclass(frozen=True)
class _Asked:
    """Questions with equally many views: counts of the reference and of the trained model on the same answers."""

    start: Counts
    end: Counts
    facts: Facts
    costs: Array

    @property
    def seen(self) -> Array:
        """Which answers either model gave, axes (question, 1, answer)."""
        return (self.start + self.end).sum(axis=1, keepdims=True) > 0


@dataclass(frozen=True)
class _Played:
    """A game on these questions, its reference as far as samples tell, and its equilibrium ν* at a price β."""

    asked: _Asked
    game: Game
    reference: Array
    nu: Array
    beta: float

    @staticmethod
    def make(game: Game, asked: _Asked, beta: float) -> _Played:
        """The game and its equilibrium. Raises NoEquilibriumError where none is found, as its gap tells."""
        reference = smoothed(asked.start, seen=asked.seen)
        told = game.given(replace(asked.facts, reference=reference))
        if asked.costs.any():
            told = Sum((1.0, told), (1.0, KnownReward(-asked.costs[:, None, :])))
        found = solve(told, reference, beta)
        lost = not_found(np.asarray(found.gap))
        if len(lost) > 0:
            raise NoEquilibriumError("no equilibrium was found", lost)
        return _Played(asked, told, reference, found.nu, beta)

    def estimates(self, seen: Counts) -> Array:
        """Gap, distance and mean cost of a model that gave these answers, axes (estimate, question)."""
        marginals, shares = smoothed(seen, seen=self.asked.seen), simplex.normalise(seen)
        far = np.asarray(simplex.kl(shares, self.nu)).mean(axis=-1)
        cost = (shares * self.asked.costs[:, None, :]).sum(axis=-1).mean(axis=-1)
        return np.array([gap(self.game, marginals, self.reference, self.beta), far, cost])

    def draw(self, rng: np.random.Generator) -> Counts:
        """As many answers as the trained model gave, drawn from ν* itself."""
        return rng.multinomial(self.asked.end.sum(axis=-1).astype(int), simplex.normalise(self.nu)).astype(float)


def _means(parts: Sequence[Array]) -> list[float]:
    """Means over the questions of all parts, axes (estimate, question)."""
    return np.concatenate(parts, axis=-1).mean(axis=-1).tolist()


def _asked(before: Evaluation, after: Evaluation, costs: Costs, wanted: Wanted | None) -> Iterator[_Asked]:
    """The questions that have a readable answer in each view of both, by their number of views."""
    tables = [_keys(evaluation) for evaluation in (before, after)]
    gold = _right_keys(before, after)
    shared = [
        question
        for question, views in tables[0].items()
        if tables[1].get(question, {}).keys() == views.keys()
        and all(map(len, (*views.values(), *tables[1][question].values())))
    ]
    for size in sorted({len(tables[0][question]) for question in shared}):
        alike = [question for question in shared if len(tables[0][question]) == size]
        start, end, names = _counted(alike, tables)
        answered = np.array([float(question in gold) for question in alike])
        marks = counts.marks(names, [gold.get(question) for question in alike])
        facts = Facts(gold=marks, answered=answered, wanted=None if wanted is None else wanted.table(names))
        yield _Asked(start, end, facts, _priced(alike, names, costs))


def _counted(questions: Sequence[str], tables: Sequence[Keys]) -> tuple[Counts, Counts, list[list[str]]]:
    """Counts of both models' answers to questions with equally many views, and the answers' keys by code."""
    told = [[table[question][view] for table in tables for view in tables[0][question]] for question in questions]
    longest = max(len(keys) for views in told for keys in views)
    codes, names = counts.encode([[keys + [None] * (longest - len(keys)) for keys in views] for views in told])
    start, end = np.split(counts.count(codes), 2, axis=1)
    return start, end, names


def _priced(questions: Sequence[str], names: Sequence[Sequence[str]], costs: Costs) -> Array:
    """What each answer costs, axes (question, answer)."""
    table = np.zeros((len(questions), max(map(len, names))))
    for row, question, keys in zip(table, questions, names, strict=True):
        row[: len(keys)] = [costs.get(question, {}).get(key, 0.0) for key in keys]
    return table


def _keys(evaluation: Evaluation) -> Keys:
    """Readable sampled keys by question and view; a view that was asked and left unread has none."""
    return {
        question: {view: [key for key in keys if key is not None] for view, keys in views.items()}
        for question, views in evaluation.sampled_keys().items()
    }


def _right_keys(*evaluations: Evaluation) -> dict[str, frozenset[str]]:
    """Keys that were right, by question; a question whose gold is not known is left out."""
    found: dict[str, set[str]] = {}
    for record in (record for evaluation in evaluations for record in evaluation.records):
        if record.right is not None:
            found.setdefault(record.question, set())
            if record.right and record.key is not None:
                found[record.question].add(record.key)
    return {question: frozenset(keys) for question, keys in found.items()}
