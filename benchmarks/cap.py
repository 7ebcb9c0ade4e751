"""How many rewards of pairwise coherence stand at the cap: as a mean over pairs, and V times as large, as it was.

python -m benchmarks.cap
"""

from __future__ import annotations

import numpy as np

from alft.estimators import Estimator, LogKind, SampledMarginals
from alft.games import JeffreysCoherence
from alft.simplex import Array

QUESTIONS, SAMPLES, SEED = 2000, 8, 0
AROUND = 10 * np.array([0.6, 0.3, 0.1])
"""Views are drawn from this Dirichlet distribution: they disagree a little."""
LOGS: tuple[LogKind, ...] = ("plugin", "variance_optimal")


def at_the_cap(counts: Array, log: LogKind, scale: float) -> float:
    """Share of the completions whose reward, times `scale`, is cut off."""
    shares = np.full(counts.shape[:-1], 1 / counts.shape[1])
    estimator = Estimator(log=log)
    reward = scale * JeffreysCoherence().answer_reward(SampledMarginals(counts, shares, estimator))
    return float((counts * (np.abs(reward) >= estimator.cap)).sum() / counts.sum())


def main() -> None:
    """Print a line a number of views and estimator of logs."""
    rng = np.random.default_rng(SEED)
    print("| views | log | mean over pairs | V times as large |\n|---|---|---|---|")
    for views in (2, 4, 8):
        counts = rng.multinomial(SAMPLES, rng.dirichlet(AROUND, (QUESTIONS, views))).astype(float)
        for log in LOGS:
            now, before = (at_the_cap(counts, log, scale) for scale in (1, views))
            print(f"| {views} | {log} | {now:.3f} | {before:.3f} |")


if __name__ == "__main__":
    main()
