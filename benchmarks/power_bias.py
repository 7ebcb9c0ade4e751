"""What K samples make of log ν_0 and of the solution against a sharper reference (theory.md 2.4), by enumeration.

Run: python -m benchmarks.power_bias        (seconds)

Two views and two answers: the first answer has the probability p in one view and q in the other. Every outcome of
K samples per view is enumerated with its chance; each gives shrunk marginals ν̂_0 (pooled, one pseudo-sample) and
the hard equilibrium of geometric coherence against ν̂_0^α. Printed: the weighted bias of log ν̂_0, which is
max p_v·|E[log ν̂_v] − log p_v|, and for each α the true ν*, its expectation under the estimate, and the chance that
the estimate's likelier answer is the wrong one.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.stats import binom

from alft import simplex
from alft.games import GeometricCoherence
from alft.offline.reweight import SHRINKAGE, reference_marginals
from alft.simplex import Array
from alft.tabular import hard_equilibrium

SAMPLES, POWERS = (4, 8, 16), (1.0, 2.0, 4.0, 8.0, 16.0)
VIEWS = ((0.7, 0.4), (0.9, 0.2), (0.6, 0.55))
"""Probabilities of the first answer in the two views."""
EVEN = np.array([0.5, 0.5])


def outcomes(chances: tuple[float, float], samples: int) -> tuple[Array, Array]:
    """All counts of K samples per view, axes (outcome, view, answer), and their probabilities, axis (outcome)."""
    first = np.array(list(product(range(samples + 1), repeat=2)))
    chance = binom.pmf(first, samples, np.array(chances)).prod(axis=-1)
    return np.stack([first, samples - first], axis=-1).astype(float), chance


def log_bias(chances: tuple[float, float], samples: int) -> float:
    """The weighted bias of log ν̂_0, the largest of both views and answers."""
    counts, chance = outcomes(chances, samples)
    estimate = reference_marginals(counts, SHRINKAGE)
    true = np.stack([chances, 1 - np.array(chances)], axis=-1)
    mean = (chance[:, None, None] * np.log(np.maximum(estimate, 1e-300))).sum(axis=0, where=estimate > 0)
    return float((true * np.abs(mean - np.log(true))).max())


def solution(chances: tuple[float, float], power: float) -> float:
    """The probability of the first answer at the true equilibrium."""
    true = np.stack([chances, 1 - np.array(chances)], axis=-1)
    return float(hard_equilibrium(GeometricCoherence(), simplex.sharpened(true, power), EVEN)[0, 0])


def estimated(chances: tuple[float, float], samples: int, power: float) -> tuple[float, float]:
    """Expectation of the same from K samples, and the chance of the wrong side of 1/2; a tie counts half."""
    counts, chance = outcomes(chances, samples)
    sharp = simplex.sharpened(reference_marginals(counts, SHRINKAGE), power)
    found = hard_equilibrium(GeometricCoherence(), sharp, EVEN)[:, 0, 0]
    right = np.sign(solution(chances, power) - 0.5)
    side = np.where(np.isclose(found, 0.5), 0.0, np.sign(found - 0.5))
    return float(chance @ found), float(chance @ np.where(side == 0, 0.5, side != right))


def main() -> None:
    """Print the table."""
    print("p, q        K   bias of log   " + "   ".join(f"α {power:g}: ν*, E ν̂*, wrong" for power in POWERS))
    for chances, samples in product(VIEWS, SAMPLES):
        cells = []
        for power in POWERS:
            mean, wrong = estimated(chances, samples, power)
            cells.append(f"{solution(chances, power):.3f} {mean:.3f} {wrong:.3f}".ljust(22))
        print(f"{chances}  {samples:2d}   {log_bias(chances, samples):.4f}        " + "   ".join(cells))


if __name__ == "__main__":
    main()
