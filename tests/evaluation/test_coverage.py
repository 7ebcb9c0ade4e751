"""Intervals of the metrics cover at their nominal rate: 200 simulated evaluations of a known population.

A population of 4,000 questions, its metrics' true means by all its questions; an evaluation draws 64 of them
anew and samples 8 answers for each of 3 views. 95 % intervals must hold the truth in 0.91 to 0.985 of them.
"""

import numpy as np
import pytest

from alft.evaluation import metrics
from alft.evaluation.intervals import bootstrap, intervals
from alft.evaluation.limits import parity, parity_interval

REPETITIONS, QUESTIONS, VIEWS, SAMPLES, ANSWERS = 200, 64, 3, 8, 5
POPULATION = 4000
RNG = np.random.default_rng(11)
NU = RNG.dirichlet([2.0, 1, 0.7, 0.5, 0.3], size=(POPULATION, 1)) * 0.6 + 0.4 * RNG.dirichlet(
    [1.0] * ANSWERS, size=(POPULATION, VIEWS)
)  # answers of a question's views depend on each other; answer 0 is right


def sampled(rng, nu):
    """Codes (question, view, sample), drawn from marginals (question, view, answer)."""
    u = rng.random((*nu.shape[:2], SAMPLES, 1))
    return (u > nu.cumsum(axis=-1)[:, :, None, :-1]).sum(axis=-1)


def covered(value, truth, rng, shares=False):
    drawn = rng.integers(POPULATION, size=REPETITIONS * QUESTIONS)
    values = value(rng, drawn).reshape(REPETITIONS, QUESTIONS).T
    low, high = intervals(values, shares=shares).T
    return np.mean((low <= truth) & (truth <= high))


def right(codes):
    return (codes == 0).astype(float)


METRICS = {
    "accuracy": lambda codes: metrics.mean_over_last(right(codes)).mean(axis=-1),
    "accuracy of one view": lambda codes: metrics.mean_over_last(right(codes))[:, 0],
    "pass@4": lambda codes: metrics.pass_at_k(right(codes), 4).mean(axis=-1),
    "maj@8": lambda codes: metrics.majority_at_k(codes, right(codes), 8).mean(axis=-1),
    "vote over views": lambda codes: metrics.vote_over_views(codes, right(codes)),
    "agreement": metrics.agreement,
    "incoherence, Euclidean": metrics.incoherence_euclidean,
    "Gini": lambda codes: metrics.view_gini(codes).mean(axis=-1),
}


@pytest.mark.parametrize("name", METRICS)
def test_intervals_of_metrics_cover_at_their_nominal_rate(name):
    rng = np.random.default_rng(12)
    truth = np.mean([METRICS[name](sampled(rng, NU)).mean() for _ in range(10)])
    shares = name != "incoherence, Euclidean"
    rate = covered(lambda rng, drawn: METRICS[name](sampled(rng, NU[drawn])), truth, rng, shares)
    assert 0.91 <= rate <= 0.985


def test_what_is_unbiased_has_its_closed_form_for_a_truth():
    rng = np.random.default_rng(13)
    spread = ((NU - NU.mean(axis=1, keepdims=True)) ** 2).sum(axis=-1).mean(axis=-1)
    rate = covered(lambda rng, drawn: metrics.incoherence_euclidean(sampled(rng, NU[drawn])), spread.mean(), rng)
    assert 0.91 <= rate <= 0.985
    share = NU[..., 0].mean()
    assert 0.91 <= covered(lambda rng, drawn: METRICS["accuracy"](sampled(rng, NU[drawn])), share, rng) <= 0.985


def test_a_paired_difference_covers_and_is_tighter_than_an_unpaired_one():
    rng = np.random.default_rng(14)
    better = NU.copy()
    better[..., 0] += 0.1
    better /= better.sum(axis=-1, keepdims=True)
    truth = (better[..., 0] - NU[..., 0]).mean()
    drawn = rng.integers(POPULATION, size=REPETITIONS * QUESTIONS)
    values = [
        METRICS["accuracy"](sampled(rng, nu[drawn])).reshape(REPETITIONS, QUESTIONS).T for nu in (NU, better)
    ]
    low, high = intervals(values[1] - values[0]).T
    assert 0.91 <= np.mean((low <= truth) & (truth <= high)) <= 0.985
    unpaired = [np.diff(bootstrap(part), axis=1).mean() for part in values]
    assert np.mean(high - low) < 0.8 * np.hypot(*unpaired)


def test_the_share_over_a_limit_covers_and_so_does_the_difference_between_groups():
    """Answers of a limit's class; parity of two groups whose questions have different marginals on average."""
    rng = np.random.default_rng(16)
    share = NU[..., 3:].sum(axis=-1).mean()

    def flagged(rng, drawn):
        return (sampled(rng, NU[drawn]) >= 3).mean(axis=(1, 2))

    assert 0.91 <= covered(flagged, share, rng, True) <= 0.985
    other = NU[:, :, [1, 0, 2, 3, 4]]  # the second group's questions swap two answers
    groups = ["a"] * QUESTIONS + ["b"] * QUESTIONS
    truth = parity(np.stack([NU.mean(axis=(0, 1)), other.mean(axis=(0, 1))]), ["a", "b"])
    assert truth is not None
    held = []
    for _ in range(REPETITIONS):
        asked = np.concatenate([nu[rng.integers(POPULATION, size=QUESTIONS)] for nu in (NU, other)])
        codes = sampled(rng, asked).reshape(2 * QUESTIONS, VIEWS * SAMPLES)
        low, high = parity_interval((codes[..., None] == np.arange(ANSWERS)).mean(axis=1), groups, rng)
        held.append(low <= truth <= high)
    assert 0.91 <= np.mean(held) <= 0.985
