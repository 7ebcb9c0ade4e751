"""Bias and noise of any word of the sampled marginals, by enumerating the counts of two views on two answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from alft.estimators import Estimator, SampledMarginals
from alft.marginals import Marginals

WEIGHTS = np.array([0.5, 0.5])
POINTS = (1 - np.cos(np.pi * np.arange(1, 60) / 60)) / 2
OTHERS = np.array([0.05, 0.2, 0.5, 0.8, 0.95])
Word = Callable[[Marginals], np.ndarray]


@cache
def binomial(trials: int) -> np.ndarray:
    """P(N = n) for N ~ Bin(trials, p), axes (point p of POINTS and OTHERS, n)."""
    p = np.concatenate([POINTS, OTHERS])[:, None]
    n = np.arange(trials + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log((trials - n[:-1]) / (n[:-1] + 1)))])
    return np.exp(ways + n * np.log(p) + (trials - n) * np.log(1 - p))


def told(word: Word, samples: int, estimator: Estimator) -> np.ndarray:
    """What a sample of view 1 with answer 1 is told, axes (N' = 0…K−1 that agree, N_u = 0…K of view 2)."""
    own, other = np.meshgrid(np.arange(1, samples + 1), np.arange(samples + 1), indexing="ij")
    counts = np.stack([own, samples - own, other, samples - other], axis=-1).astype(float)
    marginals = SampledMarginals(counts.reshape(-1, 2, 2), WEIGHTS, estimator)
    return word(marginals)[:, 0, 0].reshape(own.shape)


def profile(word: Word, samples: int, estimator: Estimator, *, agreeing: bool = True) -> tuple[float, float]:
    """max of p·|E[g] − exact| and of p·E[g²] over p = ν_1(a), with ν_2(a) = p, or the worst of OTHERS."""
    table = told(word, samples, estimator)
    own, other = binomial(samples - 1)[: len(POINTS)], binomial(samples)
    apart = np.broadcast_to(other[len(POINTS) :], (len(POINTS), len(OTHERS), samples + 1))
    other = other[: len(POINTS), None] if agreeing else apart
    share = POINTS[:, None] if agreeing else np.broadcast_to(OTHERS, (len(POINTS), len(OTHERS)))
    mean, square = (np.einsum("pn,nm,pum->pu", own, values, other) for values in (table, table**2))
    nu = np.stack([np.broadcast_to(POINTS[:, None], share.shape), share], axis=-1)
    exact = word(Marginals(np.stack([nu, 1 - nu], axis=-1), WEIGHTS))[..., 0, 0]
    weight = POINTS[:, None]
    return float((weight * np.abs(mean - exact)).max()), float((weight * square).max())


WORDS: dict[str, tuple[Word, Estimator, str]] = {
    "ν, leave one out": (lambda m: m.own(), Estimator(), "0"),
    "ν, with the sample itself": (lambda m: m.own(), Estimator(own="plugin"), "1/K"),
    "ν², U-statistic": (lambda m: m.power_own(2.0), Estimator(), "0"),
    "√ν, plug-in": (lambda m: m.power_own(0.5), Estimator(), "1/K"),
    "ν of the other view": (lambda m: m.others(), Estimator(), "0"),
    "log ν of the other view, prior ½": (lambda m: m.log_others(), Estimator(), "1/K"),
    "log ν̄": (lambda m: m.log_mean(), Estimator(), "1/K"),
    "1/ν": (lambda m: m.inverse_own(), Estimator(), "1, at p → 0"),
    "geometric q, prior ½": (lambda m: m.geometric(), Estimator(), "measured"),
    "q/ν, prior ½": (lambda m: m.geometric() * m.inverse_own(), Estimator(), "measured"),
}
"""Each word with its estimator and the order that is stated of its weighted bias, for views that agree."""


def slope(name: str, sizes: tuple[int, ...], *, agreeing: bool = True) -> float:
    """Fitted order of a word's weighted bias in K."""
    word, estimator, _ = WORDS[name]
    biases = [profile(word, samples, estimator, agreeing=agreeing)[0] for samples in sizes]
    return float(np.polyfit(np.log(sizes), np.log(biases), 1)[0])
