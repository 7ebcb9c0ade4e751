"""Bias and noise of every estimator, and of games that are no function of one count (theory.md 3, 4.4).

Run: python -m benchmarks.estimators     (38 CPU seconds)

Weighted bias is max_p p·|E[g] − exact|, the variance max_p p·Var g, the second moment max_p p·E[g²], p = ν_v(a) of
the view whose sample is rewarded. An order is the fitted slope of log bias in log K.
"""

from __future__ import annotations

import numpy as np

from alft.estimators import (
    LOG_KINDS,
    Estimator,
    log_table,
    minimax,
    weighted_bias,
    weighted_variance,
)
from alft.estimators.log_tables import weighted_bernstein
from alft.rewards import Scoring
from tests.estimators.profile import OTHERS, WORDS, profile, slope
from tests.estimators.test_oracle import MEASURED
from tests.reference import expected_update, policy_gradient

SIZES = (4, 6, 8, 12, 16, 24, 32, 48, 64)
NU = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])


def weighted_second_moment(table: np.ndarray, points: int = 4000) -> float:
    """max_p p·E[g(N')²] over (0, 1], which theory.md 3 bounds."""
    p = (1 - np.cos(np.pi * np.arange(1, points + 1) / points)) / 2
    return float((weighted_bernstein(p, len(table)) @ table**2).max())


def log_tables() -> None:
    """Weighted bias, worst weighted variance and second moment, and largest value, K = 4…64, and fitted orders."""
    for kind in LOG_KINDS:
        print(f"{kind}:   K   bias     variance   second moment   max |g|")
        for samples in SIZES:
            table = log_table(samples, kind)
            noise, moment = weighted_variance(table), weighted_second_moment(table)
            told = f"{weighted_bias(table):9.5f} {noise:12.3g} {moment:12.3g} {np.abs(table).max():12.3g}"
            print(f"{samples:12} {told}")
        for sizes in ((4, 8, 16, 32), (16, 32, 64)):
            biases = [weighted_bias(log_table(k, kind)) for k in sizes]
            print(f"   order over K = {sizes}: {np.polyfit(np.log(sizes), np.log(biases), 1)[0]:.3f}")
    least = [minimax(k)[1] for k in SIZES]
    print(f"least possible bias × K²: {np.round(np.array(least) * np.array(SIZES) ** 2, 4).tolist()}")
    print(f"   order over K = 4…64: {np.polyfit(np.log(SIZES), np.log(least), 1)[0]:.3f}")


def words() -> None:
    """The other words: views that agree (ν_u = p), then the worst over another view's ν_u."""
    print(f"two views, two answers; 'apart': the worst over the other view's share in {OTHERS.tolist()}")
    for name, (word, estimator, stated) in WORDS.items():
        print(f"{name}: stated order {stated}   K: bias / second moment agreeing, apart")
        for samples in SIZES:
            (near, noise), (far, loud) = (
                profile(word, samples, estimator, agreeing=same) for same in (True, False)
            )
            print(f"{samples:12} {near:9.5f} / {noise:8.3g} {far:12.5f} / {loud:8.3g}", flush=True)
        if stated != "0":
            orders = [slope(name, (16, 32, 64), agreeing=same) for same in (True, False)]
            print(f"   order over K = 16, 32, 64: {orders[0]:.3f} agreeing, {orders[1]:.3f} apart")


def games_without_a_theorem() -> None:
    """Error of the enumerated expected update, against ∇F: largest entry and size along ∇F, two views."""
    print("game, log, K: largest error / largest |∇F|; played weight (1 = exact)")
    weights = np.array([0.5, 0.5])
    for name, (game, *_) in MEASURED.items():
        exact = policy_gradient(NU, game.reward(NU, weights))
        for kind in ("plugin", "variance_optimal") if "log" in " ".join(game.wants or ()) else ("plugin",):
            for samples in (4, 6, 8):
                scoring = Scoring(game, Estimator(log=kind, cap=100.0), unread_penalty=0.0)
                update = expected_update(NU, weights, samples, scoring)
                error, weight = np.abs(update - exact).max(), (update * exact).sum() / (exact**2).sum()
                told = f"{error:.4f} / {np.abs(exact).max():.4f}; {weight:.3f}"
                print(f"{name:17} {kind:17} K={samples}: {told}", flush=True)


if __name__ == "__main__":
    log_tables()
    words()
    games_without_a_theorem()
