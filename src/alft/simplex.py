"""Distributions over answers: the last axis is always the answer, masked answers have probability 0.

What 0·log 0, log 0 and 0/0 mean is decided here and nowhere else (theory.md 1.2: log(0/0) := 0).
"""

import numpy as np
from jaxtyping import Float

Array = np.ndarray
Answers = Float[np.ndarray, "*batch answer"]
Broadcast = Float[np.ndarray, "*#batch answer"]
PerBatch = Float[np.ndarray, "*batch"] | float  # numpy gives a bare number where there is no batch
LARGEST_POWER = 64.0  # of a reference: .01 to this power is still a float64, and surer nobody needs
SMALLEST = -700.0  # log of the smallest share that `sharpened` leaves of the largest: float64 ends near e^−745


def normalise(mass: Answers) -> Answers:
    """Scale non-negative `mass` to sum to 1 over answers; a row without any mass stays all zero, nan stays nan.

    >>> normalise(np.array([1.0, 3.0]))
    array([0.25, 0.75])
    """
    total = mass.sum(axis=-1, keepdims=True)
    return np.divide(mass, total, out=np.zeros_like(mass, dtype=float), where=~(total <= 0))


def log(nu: Array | float) -> Array:
    """Natural logarithm with log 0 = −∞ and no warning.

    >>> log(np.array([0.0, 1.0]))
    array([-inf,   0.])
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.maximum(nu, 0.0)))


def log_ratio(p: Array, q: Array) -> Array:
    """log(p/q) with log(0/0) := 0; +∞ where only q is 0, −∞ where only p is 0.

    >>> log_ratio(np.array([0.0, 0.5]), np.array([0.0, 0.5]))
    array([0., 0.])
    """
    return subtract_logs(log(p), log(q))


def subtract_logs(log_p: Array, log_q: Array) -> Array:
    """log p − log q with log(0/0) := 0, for logarithms that may be −∞; what is no number stays none.

    >>> subtract_logs(np.array([-np.inf, 0.0, np.nan]), np.array([-np.inf, 1.0, 0.0]))
    array([ 0., -1., nan])
    """
    with np.errstate(invalid="ignore"):
        difference = np.subtract(log_p, log_q)
    undefined = np.isnan(difference)
    if not undefined.any():
        return difference
    return np.where(undefined & ~np.isnan(log_p) & ~np.isnan(log_q), 0.0, difference)


def scale(mass: Array, factor: Array) -> Array:
    """mass·factor with 0·∞ := 0."""
    with np.errstate(invalid="ignore"):
        product = np.asarray(np.multiply(mass, factor))
    undefined = np.isnan(product)
    return np.where(undefined & (mass == 0), 0.0, product) if undefined.any() else product


def inverse_shares(weights: Array) -> Array:
    """1/(n·w) for n positive weights, 0 where the weight is 0: 1 everywhere if the n weights are equal.

    >>> inverse_shares(np.array([0.5, 0.5, 0.0]))
    array([1., 1., 0.])
    """
    positive = weights > 0
    total = positive.sum(axis=-1, keepdims=True) * weights
    return np.divide(1.0, total, out=np.zeros(weights.shape), where=positive)


def power(nu: Array, exponent: float) -> Array:
    """ν^exponent, +∞ where ν = 0 and the exponent is negative.

    >>> power(np.array([0.0, 0.5]), -1.0)
    array([inf,  2.])
    """
    with np.errstate(divide="ignore"):
        return np.power(np.asarray(nu, dtype=float), exponent)


def sharpened(nu: Answers, exponent: float) -> Answers:
    """ν^α/Z along the last axis, with the support of ν whatever α; as it is for α = 1.

    >>> sharpened(np.array([0.75, 0.25]), 2.0)
    array([0.9, 0.1])
    """
    if exponent == 1:
        return nu
    most = nu.max(axis=-1, keepdims=True)
    logits = exponent * log(np.divide(nu, most, out=np.zeros_like(nu), where=most > 0))
    return softmax(np.where(nu > 0, np.maximum(logits, SMALLEST), -np.inf))


def xlogx(nu: Array) -> Array:
    """x·log x with 0·log 0 := 0."""
    return scale(nu, log(nu))


def entropy(nu: Answers) -> PerBatch:
    """Shannon entropy H(ν) = −Σ_a ν(a) log ν(a) in nats.

    >>> float(entropy(np.array([0.5, 0.5, 0.0])).round(6))
    0.693147
    """
    return -xlogx(nu).sum(axis=-1)


def kl(p: Broadcast, q: Broadcast) -> PerBatch:
    """KL(p‖q) = Σ_a p(a) log(p(a)/q(a)) in nats; +∞ where p has mass that q lacks.

    >>> float(kl(np.array([1.0, 0.0]), np.array([0.25, 0.75])).round(6))
    1.386294
    """
    return scale(p, log_ratio(p, q)).sum(axis=-1)


def softmax(logits: Answers) -> Answers:
    """exp(logits), normalised over answers, stable for any finite shift; −∞ marks a masked answer.

    >>> softmax(np.array([0.0, 0.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    top = logits.max(axis=-1, keepdims=True)
    return normalise(np.exp(logits - np.where(np.isfinite(top), top, 0.0)))


def log_sum_exp(logits: Answers) -> PerBatch:
    """log Σ_a exp(logits(a)), stable; −∞ where every logit is −∞.

    >>> float(log_sum_exp(np.log(np.array([0.25, 0.5]))).round(6)) == float(np.log(0.75).round(6))
    True
    """
    top = logits.max(axis=-1, keepdims=True)
    shift = np.where(np.isfinite(top), top, 0.0)
    return log(np.exp(logits - shift).sum(axis=-1)) + shift[..., 0]
