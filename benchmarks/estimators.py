"""Bias and noise of every estimator of log ν, and of what is no function of one count (theory.md 3).

Run: python -m benchmarks.estimators
"""

from __future__ import annotations

import numpy as np

from alft import games
from alft.estimators import LOG_KINDS, Estimator, log_table, minimax, weighted_bias, weighted_second_moment
from alft.rewards import Scoring
from tests.reference import expected_update, policy_gradient

SIZES = (4, 6, 8, 12, 16, 24, 32, 48, 64)
NU = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])


def log_tables() -> None:
    """Weighted bias, worst weighted second moment and largest value, K = 4…64, and fitted orders."""
    for kind in LOG_KINDS:
        print(f"{kind}:   K   bias     second moment   max |g|")
        for samples in SIZES:
            table = log_table(samples, kind)
            moment = weighted_second_moment(table)
            print(f"{samples:12} {weighted_bias(table):9.5f} {moment:12.3g} {np.abs(table).max():12.3g}")
        for sizes in ((4, 8, 16, 32), (16, 32, 64)):
            biases = [weighted_bias(log_table(k, kind)) for k in sizes]
            print(f"   order over K = {sizes}: {np.polyfit(np.log(sizes), np.log(biases), 1)[0]:.3f}")
    least = [minimax(k)[1] for k in SIZES]
    print(f"least possible bias × K²: {np.round(np.array(least) * np.array(SIZES) ** 2, 4).tolist()}")
    print(f"   order over K = 4…64: {np.polyfit(np.log(SIZES), np.log(least), 1)[0]:.3f}")


def games_without_a_theorem() -> None:
    """Error of the enumerated expected update, against ∇F: largest entry and size along ∇F, two views."""
    print("game, K: largest error / largest |∇F|; played weight (1 = exact)")
    weights = np.array([0.5, 0.5])
    for name, game in {
        "geometric": games.Coherence("geometric"),
        "arithmetic": games.Coherence("arithmetic"),
        "Jeffreys": games.JeffreysCoherence(),
    }.items():
        exact = policy_gradient(NU, game.reward(NU, weights))
        for samples in (4, 6, 8):
            scoring = Scoring(game, Estimator(cap=100.0), unread_penalty=0.0)
            update = expected_update(NU, weights, samples, scoring)
            error, weight = np.abs(update - exact).max(), (update * exact).sum() / (exact**2).sum()
            print(f"{name:11} K={samples}: {error:.4f} / {np.abs(exact).max():.4f}; {weight:.3f}", flush=True)


if __name__ == "__main__":
    log_tables()
    games_without_a_theorem()
