"""The games of the paper as small objects: objective, Target, payoff, answer reward (theory.md 2)."""

from __future__ import annotations

from collections.abc import Callable

from alft.games.base import Facts, Game, LinearEntropic, TangentGame
from alft.games.coherence import (
    ArithmeticCoherence,
    Coherence,
    EuclideanCoherence,
    FixedTargetCoherence,
    GeometricCoherence,
)
from alft.games.constraints import KnownReward, Moments
from alft.games.correctness import Correctness
from alft.games.diversity import Diversity, GiniDiversity, ShannonDiversity, TsallisDiversity
from alft.games.pairwise import JeffreysCoherence, PairwiseEuclideanCoherence
from alft.games.parity import Parity
from alft.games.sharpening import Agreement, Collision, Majority, PooledMajority
from alft.games.sums import Sum
from alft.games.target_match import TargetMatch
from alft.games.where import Where

NAMED: dict[str, Callable[..., Game]] = {
    "correctness": Correctness,
    "coherence": GeometricCoherence,
    "coherence_geometric": GeometricCoherence,
    "coherence_arithmetic": ArithmeticCoherence,
    "coherence_euclidean": EuclideanCoherence,
    "coherence_fixed": FixedTargetCoherence,
    "coherence_pairwise": JeffreysCoherence,
    "diversity": ShannonDiversity,
    "diversity_shannon": ShannonDiversity,
    "diversity_gini": GiniDiversity,
    "diversity_tsallis": TsallisDiversity,
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
    "Diversity",
    "EuclideanCoherence",
    "Facts",
    "FixedTargetCoherence",
    "Game",
    "GeometricCoherence",
    "GiniDiversity",
    "JeffreysCoherence",
    "KnownReward",
    "LinearEntropic",
    "Majority",
    "Moments",
    "PairwiseEuclideanCoherence",
    "Parity",
    "PooledMajority",
    "ShannonDiversity",
    "Sum",
    "TangentGame",
    "TargetMatch",
    "TsallisDiversity",
    "Where",
]
