"""The oracle: what the fast code must equal, written slowly and obviously, by enumeration."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from alft.games import Facts
from alft.rewards.scoring import Scoring, Tally, reward_table, score


def count_vectors(samples: int, answers: int) -> Iterator[np.ndarray]:
    """Every way in which `samples` samples can fall on `answers` answers."""
    for counts in itertools.product(range(samples + 1), repeat=answers):
        if sum(counts) == samples:
            yield np.array(counts)


def multinomial(counts: np.ndarray, nu: np.ndarray) -> float:
    """Probability of these counts under ν."""
    ways = math.factorial(counts.sum()) / math.prod(math.factorial(count) for count in counts)
    return ways * math.prod(nu**counts)


def expected_update(
    nu: np.ndarray,
    weights: np.ndarray,
    samples: int,
    scoring: Scoring,
    facts: Facts | None = None,
    unread: int | None = None,
) -> np.ndarray:
    """E[(1/K) Σ_j A_j ∇ log ν_v(a_j)] on softmax logits, axes (view, answer), over ALL outcomes of K samples.

    `unread` names the answer that stands for an unread completion.
    """
    views, answers = nu.shape
    vectors = list(count_vectors(samples, answers))
    total = np.zeros((views, answers))
    for outcome in itertools.product(vectors, repeat=views):
        chance = math.prod(multinomial(counts, row) for counts, row in zip(outcome, nu, strict=True))
        codes = np.array([[np.repeat(np.arange(answers), counts) for counts in outcome]])
        seen = codes if unread is None else np.where(codes == unread, -1, codes)
        advantages = score(seen, weights, scoring, facts).advantages[0]
        gradient = np.eye(answers)[codes[0]] - nu[:, None, :]
        total += chance * (advantages[..., None] * gradient).sum(axis=1) / samples
    return total


def policy_gradient(nu: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """∇F on the softmax logits of each view, by the answer reward r (theory.md 1.3), without the view weight."""
    return nu * (reward - (nu * reward).sum(axis=-1, keepdims=True))


def leave_two_out_by_deleting(codes: np.ndarray, weights: np.ndarray, scoring: Scoring) -> np.ndarray:
    """Every sample's baseline by deleting it from its question's list and scoring the rest, one by one."""
    views, samples = codes.shape
    answers = int(codes.max()) + 1
    baseline = np.full(codes.shape, np.nan)
    for view, sample in itertools.product(range(views), range(samples)):
        if codes[view, sample] < 0:
            continue
        rest = [
            [a for j, a in enumerate(row) if a >= 0 and (v, j) != (view, sample)] for v, row in enumerate(codes)
        ]
        counts = np.array([[[row.count(a) for a in range(answers)] for row in rest]], dtype=float)
        table = reward_table(Tally(counts, weights), scoring)[0, view]
        if len(rest[view]) > scoring.game.own_degree:
            baseline[view, sample] = np.mean([table[a] for a in rest[view]])
    return baseline
