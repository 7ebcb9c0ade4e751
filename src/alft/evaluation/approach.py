"""How near training came to the exact equilibrium ν*, as far as samples can tell (theory.md 1.4, 4.5).

ν* is solved on the reference's sampled answer marginals. From so few samples every divergence is too large, also
at ν* itself: so each estimate stands beside its `null`, what it would be for a model AT ν* with as many samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alft import counts, simplex
from alft.counts import Counts
from alft.evaluation.evaluation import Evaluation
from alft.games import Facts, Game
from alft.simplex import Array
from alft.tabular import gap, solve

PRIOR = 0.5  # pseudo-samples for each answer of a question that either model gave
SMALLEST_BETA = 0.05  # a game without KL penalty is solved at this one: its limit without a penalty needs no model
REPEATS = 8  # of the null
SEED = 20262

Approach = dict[str, Any]


def approach(game: Game, before: Evaluation, after: Evaluation, beta: float) -> Approach | None:
    """Estimates of the gap and of Σ_v w_v KL(ν_v‖ν*_v), means over questions, in the game's units and nats.

    `gap`, `distance` of the trained model, `distance_before` of the reference, each with its null; `samples` per
    view on which they rest; `beta` at which ν* was solved. None for a game that is not concave, which no gap
    certifies, or where nothing was sampled.
    """
    if not game.concave or not before.grids[0].codes.size or not after.grids[0].codes.size:
        return None
    start, end, right, answered = _counts(before, after)
    support = ((start + end).sum(axis=1, keepdims=True) > 0).astype(float)
    reference = simplex.normalise(start + PRIOR * support)
    played = game.given(Facts(gold=right, answered=answered, reference=reference))
    price = max(beta, SMALLEST_BETA)
    found = solve(played, reference, price)

    def estimates(seen: Counts) -> dict[str, float]:
        smoothed = simplex.normalise(seen + PRIOR * support)
        far = simplex.kl(simplex.normalise(seen), found.nu).mean(axis=-1)
        return {
            "gap": float(np.mean(gap(played, smoothed, reference, price))),
            "distance": float(np.mean(far)),
        }

    null = _null(found.nu, end.sum(axis=-1).astype(int), estimates)
    return {
        **estimates(end),
        "distance_before": estimates(start)["distance"],
        **{f"{name}_null": value for name, value in null.items()},
        "beta": price,
        "samples": float(end.sum(axis=-1).mean()),
        "samples_of_reference": float(start.sum(axis=-1).mean()),
    }


def in_words(seen: Approach) -> str:
    """The estimates in a sentence, each with its null."""
    return (
        f"distance to the equilibrium at β = {seen['beta']:g}: {seen['distance']:.3f} nats "
        f"(before {seen['distance_before']:.3f}, at the equilibrium itself {seen['distance_null']:.3f}), "
        f"gap {seen['gap']:.3f} (there {seen['gap_null']:.3f}), from {seen['samples']:.0f} answers a view"
    )


def _null(nu: Array, samples: Array, estimates: Any) -> Mapping[str, float]:
    """What `estimates` says of answers that are drawn from ν* itself, mean over repeats."""
    rng = np.random.default_rng(SEED)
    draws = [estimates(rng.multinomial(samples, simplex.normalise(nu)).astype(float)) for _ in range(REPEATS)]
    return {name: float(np.mean([draw[name] for draw in draws])) for name in draws[0]}


def _counts(before: Evaluation, after: Evaluation) -> tuple[Counts, Counts, Array, Array]:
    """Counts of both on one set of answers (question, view, answer), gold marks (question, answer), who has gold.

    Questions without a readable answer in each view of both are left out.
    """
    tables = [_keys(evaluation) for evaluation in (before, after)]
    gold = _right_keys(before, after)
    shared = [q for q in tables[0] if q in tables[1] and all(map(len, (*tables[0][q], *tables[1][q])))]
    size = max((len(view) for table in tables for q in shared for view in table[q]), default=0)
    padded = [[[view + [None] * (size - len(view)) for view in table[q]] for table in tables] for q in shared]
    codes, names = counts.encode([first + second for first, second in padded])
    counted = counts.count(codes)
    views = counted.shape[1] // 2
    marks = counts.marks(names, [gold.get(question) for question in shared])
    answered = np.array([float(question in gold) for question in shared])
    return counted[:, :views], counted[:, views:], marks, answered


def _keys(evaluation: Evaluation) -> dict[str, list[list[str | None]]]:
    """Readable sampled keys by question and view; views in the order of the evaluation."""
    found: dict[str, dict[str, list[str | None]]] = {}
    for record in evaluation.records:
        if record.kind == "sampled":
            given = found.setdefault(record.question, {}).setdefault(record.view, [])
            if record.key is not None:
                given.append(record.key)
    return {question: list(views.values()) for question, views in found.items()}


def _right_keys(*evaluations: Evaluation) -> dict[str, frozenset[str]]:
    """Keys that were right, by question; a question whose gold is not known is left out."""
    found: dict[str, set[str]] = {}
    for record in (record for evaluation in evaluations for record in evaluation.records):
        if record.right is not None:
            found.setdefault(record.question, set())
            if record.right and record.key is not None:
                found[record.question].add(record.key)
    return {question: frozenset(keys) for question, keys in found.items()}
