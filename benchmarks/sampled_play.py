"""Which estimator of log ν plays arithmetic coherence best: sampled play on a table of logits (theory.md 3, 4).

Run: python -m benchmarks.sampled_play [steps]     (2000 steps: 124 CPU seconds)

A softmax policy over answers, 4 views × 5 answers, K = 8 samples a view and step, policy gradient with leave-two-
out advantages and the exact gradient of the KL penalty, at β/c in {0.1, 1}. The error is KL(ν_T‖ν*), mean over
views, 20 seeds (the same references for every estimator). Beside it the noise-free fixed point of the same
estimator (its bias alone), and what noise adds to that.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from alft import games, simplex
from alft.estimators import Estimator, log_table, subset_log_table
from alft.rewards import Scoring, score
from alft.tabular import solve

SEEDS, VIEWS, ANSWERS, SAMPLES = 20, 4, 5, 8
KINDS: tuple[Any, ...] = ("plugin", "digamma", "minimax", "variance_optimal")
LARGEST_STEP, HALF_TIME = 2.0, 300
NO_CAP = 1e6


def binomial(samples: int, p: np.ndarray) -> np.ndarray:
    """P(N = n), N ~ Bin(samples, p), axes (…, n)."""
    n = np.arange(samples + 1)
    ways = np.concatenate([[1.0], np.cumprod((samples - n[:-1]) / (n[:-1] + 1))])
    return ways * p[..., None] ** n * (1 - p[..., None]) ** (samples - n)


def felt_reward(nu: np.ndarray, kind: Any) -> np.ndarray:
    """E of log ν̄ − log ν_v as a sample of view v with answer a is told, by convolving the views' counts."""
    table, reward = log_table(SAMPLES, kind), np.empty(nu.shape)
    pool = VIEWS * SAMPLES
    logs = np.log(np.arange(1, pool + 1) / pool) if kind == "plugin" else subset_log_table(SAMPLES, pool, kind)
    for place in np.ndindex(*nu.shape[:-2], VIEWS, ANSWERS):
        *question, view, answer = place
        p = nu[(*question, slice(None), answer)]
        own = binomial(SAMPLES - 1, p[view : view + 1])[0]
        pooled = own
        for other in np.delete(p, view):
            pooled = np.convolve(pooled, binomial(SAMPLES, np.array([other]))[0])
        reward[place] = pooled @ logs - own @ table
    return reward


def mean_field(reference: np.ndarray, beta: float, kind: Any) -> np.ndarray:
    """The noise-free fixed point: ν = BR to the reward that the estimator makes the policy feel."""
    nu = reference
    for _ in range(200):
        best = np.log(reference) + felt_reward(nu, kind) / beta
        step = beta / (1 + beta)
        nu = simplex.softmax((1 - step) * np.log(nu) + step * best)
    return nu


def sampled_gradient(nu: np.ndarray, scoring: Scoring, rng: np.random.Generator) -> np.ndarray:
    """The policy gradient on logits that SAMPLES a view give, axes (question, view, answer) as ν."""
    drawn = rng.random((*nu.shape[:-1], SAMPLES, 1)) > nu.cumsum(axis=-1)[..., None, :]
    codes = np.minimum(drawn.sum(axis=-1), nu.shape[-1] - 1)
    advantages = score(codes, np.full(nu.shape[1], 1 / nu.shape[1]), scoring).advantages
    answered = (codes[..., None] == np.arange(nu.shape[-1])).astype(float)
    told = (answered * advantages[..., None]).mean(axis=-2)
    return told - nu * advantages.mean(axis=-1, keepdims=True)


def play(reference: np.ndarray, beta: float, kind: Any, steps: int) -> np.ndarray:
    """ν_T of stochastic policy gradient on logits, step size 2/(1 + t/300), seeds on the question axis."""
    rng = np.random.default_rng(11)
    scoring = Scoring(games.Coherence("arithmetic"), Estimator(log=kind, cap=NO_CAP), unread_penalty=0.0)
    log_reference = np.log(reference)
    logits = log_reference.copy()
    for t in range(steps):
        nu = simplex.softmax(logits)
        game = sampled_gradient(nu, scoring, rng)
        excess = np.log(nu) - log_reference
        penalty = nu * (excess - (nu * excess).sum(axis=-1, keepdims=True))
        logits = logits + LARGEST_STEP / (1 + t / HALF_TIME) * (game - beta * penalty)
    return simplex.softmax(logits)


def error(nu: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """KL(ν‖ν*), mean over views, axes (seed)."""
    return np.asarray(simplex.kl(nu, wanted)).mean(axis=-1)


def main(steps: int) -> None:
    """One line per β and estimator: mean error with a 95 % interval over seeds, and the bias alone."""
    reference = np.random.default_rng(5).dirichlet(np.ones(ANSWERS), (SEEDS, VIEWS))
    reference = simplex.normalise(reference + 0.02)
    for beta in (0.1, 1.0):
        wanted = solve(games.Coherence("arithmetic"), reference, beta).nu
        print(f"β/c = {beta}: before play {error(reference, wanted).mean():.4f}; K = {SAMPLES}, {steps} steps")
        for kind in KINDS:
            found, fixed = play(reference, beta, kind, steps), mean_field(reference, beta, kind)
            sampled, bias, noise = error(found, wanted), error(fixed, wanted), error(found, fixed)
            half = 1.96 * sampled.std(ddof=1) / np.sqrt(SEEDS)
            print(
                f"  {kind:17} KL(ν_T‖ν*) {sampled.mean():.4f} ± {half:.4f}   fixed point {bias.mean():.4f}"
                f"   around it {noise.mean():.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
