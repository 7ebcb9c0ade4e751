"""The games of the paper as small objects: objective, Target, payoff, answer reward (theory.md 2)."""

from collections.abc import Callable

from alft.games.base import Facts, Game, LinearEntropic, TangentGame
from alft.games.coherence import (
    ArithmeticCoherence,
    Coherence,
    EuclideanCoherence,
    FixedTargetCoherence,
    GeometricCoherence,
    JeffreysCoherence,
    PairwiseEuclideanCoherence,
)
from alft.games.diversity import Diversity, GiniDiversity, ShannonDiversity, TsallisDiversity
from alft.games.known import Correctness, KnownReward, Moments, ReferenceScore, TargetMatch
from alft.games.parity import Parity
from alft.games.sharpening import (
    Agreement,
    Collision,
    CrossMajority,
    Format,
    HarmonicMajority,
    Majority,
    PooledMajority,
    Random,
)
from alft.games.sums import Sum, Where

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
    "reference_score": ReferenceScore,
    "majority": Majority,
    "majority_pooled": PooledMajority,
    "majority_cross": CrossMajority,
    "majority_harmonic": HarmonicMajority,
    "collision": Collision,
    "agreement": Agreement,
    "format": Format,
    "random": Random,
}
"""Games by the name that a configuration uses."""

__all__ = [
    "NAMED",
    "Agreement",
    "ArithmeticCoherence",
    "Coherence",
    "Collision",
    "Correctness",
    "CrossMajority",
    "Diversity",
    "EuclideanCoherence",
    "Facts",
    "FixedTargetCoherence",
    "Format",
    "Game",
    "GeometricCoherence",
    "GiniDiversity",
    "HarmonicMajority",
    "JeffreysCoherence",
    "KnownReward",
    "LinearEntropic",
    "Majority",
    "Moments",
    "PairwiseEuclideanCoherence",
    "Parity",
    "PooledMajority",
    "Random",
    "ReferenceScore",
    "ShannonDiversity",
    "Sum",
    "TangentGame",
    "TargetMatch",
    "TsallisDiversity",
    "Where",
]
