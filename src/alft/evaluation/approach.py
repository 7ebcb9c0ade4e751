"""How near training came to the exact equilibrium ν*, as far as samples can tell (theory.md 1.4, 4.5).

ν* is solved on the reference's sampled answer marginals. From so few samples every divergence is too large, also
at ν* itself: so each estimate stands beside its `null`, what it would be for a model AT ν* with as many samples.
"""

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

Costs = Mapping[str, Mapping[str, float]]


def approach(
    game: Game,
    before: Evaluation,
    after: Evaluation,
    beta: float,
    wanted: Wanted | None = None,
    limits: Mapping[MeasuredLimit, float] | None = None,
) -> Approach | None:
    """Estimates of the gap and of Σ_v w_v KL(ν_v‖ν*_v), means over questions, in the game's units and nats.

    `gap`, `distance` of the trained model, `distance_before` of the reference, each with its null; `samples` per
    view on which they rest; `questions`; `beta` at which ν* was solved, `played_beta` of the run; `wanted` is what
    `TargetMatch` is given. None for a game that is not concave, which no gap certifies, whose equilibrium is not
    found, or where no question has a readable answer in every view of both evaluations.

    Beside `limits`, each with its multiplier λ, ν* is the equilibrium at these λ, and the gap has Σ_k λ_k (c_k −
    E f_k) added (theory.md 1.4): with any λ ≥ 0 it bounds what a model that keeps its limits loses. Its null has
    that term at ν*, which is 0 only for the multipliers that ν* keeps its limits with. None if a limit is broken,
    as far as samples tell: there J = −∞, and the violation is what counts.
    """
    limits = limits or {}
    kept = limits_summary(after, list(limits))
    if not game.concave or any(one["violation"] != 0 for one in kept.values()):
        return None
    price = max(beta, SMALLEST_BETA)
    asked = _asked(before, after, _costs((before, after), limits), wanted)
    try:
        played = [_played(game, price, *each) for each in asked]
    except NoEquilibriumError:
        return None
    if not played:
        return None
    rng = np.random.default_rng(SEED)
    gap_at_end, distance, cost = _means([one.estimates(one.end) for one in played])
    nulls = [_means([one.estimates(one.draw(rng)) for one in played]) for _ in range(REPEATS)]
    gap_null, distance_null, cost_null = np.mean(nulls, axis=0).tolist()
    if limits:
        means = [(limit.at_most, each, kept[limit.name]["mean"]) for limit, each in limits.items()]
        slack = sum(each * (most - mean) for most, each, mean in means if mean is not None)
        gap_at_end, gap_null = gap_at_end + slack, gap_null + slack + (cost - cost_null)
    found: Approach = {
        "gap": gap_at_end,
        "distance": distance,
        "distance_before": _means([one.estimates(one.start) for one in played])[1],
        "gap_null": gap_null,
        "distance_null": distance_null,
        "beta": price,
        "played_beta": beta,
        "questions": sum(len(one.end) for one in played),
        "samples": _means([one.end.sum(axis=-1).mean(axis=-1)[None] for one in played])[0],
        "samples_of_reference": _means([one.start.sum(axis=-1).mean(axis=-1)[None] for one in played])[0],
    }
    if limits:
        found["multipliers"] = {limit.name: each for limit, each in limits.items()}
    return found


def _costs(evaluations: Sequence[Evaluation], limits: Mapping[MeasuredLimit, float]) -> Costs:
    """Σ_k λ_k E[f_k | answer] by question and key: a limit may look at more than the answer."""
    seen: dict[str, dict[str, list[float]]] = {}
    for one in (one for evaluation in evaluations for one in evaluation.records):
        if one.kind == "sampled" and one.key is not None:
            paid = np.nansum([price * limit.cost(one) for limit, price in limits.items() if limit.cost])
            seen.setdefault(one.question, {}).setdefault(one.key, []).append(float(paid))
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
class _Played:
    """Questions with equally many views: both models' counts of the same answers, and what the answers cost.

    The game on them, its reference as far as samples tell, and its equilibrium ν* at a price β.
    """

    start: Counts
    end: Counts
    costs: Array
    game: Game
    reference: Array
    nu: Array
    beta: float

    def estimates(self, counted: Counts) -> Array:
        """Gap, distance and mean cost of a model that gave these answers, axes (estimate, question)."""
        marginals = smoothed(counted, seen=_seen(self.start, self.end))
        shares = simplex.normalise(counted)
        far = np.asarray(simplex.kl(shares, self.nu)).mean(axis=-1)
        cost = (shares * self.costs[:, None, :]).sum(axis=-1).mean(axis=-1)
        return np.array([gap(self.game, marginals, self.reference, self.beta), far, cost])

    def draw(self, rng: np.random.Generator) -> Counts:
        """As many answers as the trained model gave, drawn from ν* itself."""
        return rng.multinomial(self.end.sum(axis=-1).astype(int), simplex.normalise(self.nu)).astype(float)


def _played(game: Game, beta: float, start: Counts, end: Counts, facts: Facts, costs: Array) -> _Played:
    """The game on these questions and its equilibrium. Raises NoEquilibriumError where none is found."""
    reference = smoothed(start, seen=_seen(start, end))
    game = game.given(replace(facts.seen_by(game), reference=reference))
    if costs.any():
        game = Sum((1.0, game), (1.0, KnownReward(-costs[:, None, :])))
    found = solve(game, reference, beta)
    lost = not_found(np.asarray(found.gap))
    if len(lost) > 0:
        raise NoEquilibriumError("no equilibrium was found", lost)
    return _Played(start, end, costs, game, reference, found.nu, beta)


def _seen(start: Counts, end: Counts) -> Array:
    """Which answers either model gave, axes (question, 1, answer)."""
    return (start + end).sum(axis=1, keepdims=True) > 0


def _means(parts: Sequence[Array]) -> list[float]:
    """Means over the questions of all parts, axes (estimate, question)."""
    return np.concatenate(parts, axis=-1).mean(axis=-1).tolist()


def _asked(
    before: Evaluation, after: Evaluation, costs: Costs, wanted: Wanted | None
) -> Iterator[tuple[Counts, Counts, Facts, Array]]:
    """The questions that have a readable answer in each view of both, by their number of views.

    Both models' counts of the same answers, facts about the answers, and what each costs.
    """
    tables = [evaluation.sampled_keys() for evaluation in (before, after)]
    gold = _right_keys(before, after)
    shared = [
        question
        for question, views in tables[0].items()
        if tables[1].get(question, {}).keys() == views.keys()
        and all(set(keys) - {None} for keys in (*views.values(), *tables[1][question].values()))
    ]
    for size in sorted({len(tables[0][question]) for question in shared}):
        alike = [question for question in shared if len(tables[0][question]) == size]
        given = [[table[name][view] for table in tables for view in tables[0][name]] for name in alike]
        longest = max(len(keys) for views in given for keys in views)
        padded = [[keys + [None] * (longest - len(keys)) for keys in views] for views in given]
        codes, names = counts.encode(padded)
        start, end = np.split(counts.count(codes), 2, axis=1)
        paid = np.zeros((len(alike), max(map(len, names))))
        for row, question, keys in zip(paid, alike, names, strict=True):
            row[: len(keys)] = [costs.get(question, {}).get(key, 0.0) for key in keys]
        answered = np.array([float(question in gold) for question in alike])
        marks = counts.marks(names, [gold.get(question) for question in alike])
        facts = Facts(gold=marks, answered=answered, wanted=None if wanted is None else wanted.table(names))
        yield start, end, facts, paid


def _right_keys(*evaluations: Evaluation) -> dict[str, frozenset[str]]:
    known = [one for evaluation in evaluations for one in evaluation.records if one.right is not None]
    found = {one.question: frozenset[str]() for one in known}
    for one in known:
        if one.right and one.key is not None:
            found[one.question] |= {one.key}
    return found
