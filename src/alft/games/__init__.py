"""The games of the paper as small objects: objective, Target, payoff, answer reward (theory.md 2)."""

from __future__ import annotations

from collections.abc import Callable

from alft.games.base import Facts, Game
from alft.games.coherence import ArithmeticCoherence, Coherence, FixedTargetCoherence, GeometricCoherence
from alft.games.correctness import Correctness
from alft.games.sharpening import Agreement, Collision, Majority, PooledMajority

NAMED: dict[str, Callable[[], Game]] = {
    "correctness": Correctness,
    "coherence": GeometricCoherence,
    "coherence_geometric": GeometricCoherence,
    "coherence_arithmetic": ArithmeticCoherence,
    "majority": Majority,
    "majority_pooled": PooledMajority,
    "collision": Collision,
    "agreement": Agreement,
}
"""Games by the name that a configuration uses."""

__all__ = [
    "NAMED",
    "Agreement",
    "ArithmeticCoherence",
    "Coherence",
    "Collision",
    "Correctness",
    "Facts",
    "FixedTargetCoherence",
    "Game",
    "GeometricCoherence",
    "Majority",
    "PooledMajority",
]
