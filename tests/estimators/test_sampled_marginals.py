"""Each word of the sampled marginals against its expectation by enumeration (theory.md 3)."""

import itertools

import numpy as np
import pytest

from alft.estimators import Estimator, SampledMarginals, log_table
from tests.estimators.profile import WORDS, profile, slope
from tests.reference import count_vectors, multinomial

NU = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])
WEIGHTS = np.array([0.4, 0.6])
SAMPLES = 4


def told(word, estimator=None):
    """E of what a sample of view v with answer a is told, axes (view, answer): the other samples are random."""
    total = np.zeros(NU.shape)
    for view, answer in np.ndindex(NU.shape):
        sizes = [SAMPLES - (v == view) for v in range(2)]
        for counts in itertools.product(*(list(count_vectors(size, 3)) for size in sizes)):
            chance = np.prod([multinomial(c, row) for c, row in zip(counts, NU, strict=True)])
            seen = np.array(counts, dtype=float)
            seen[view, answer] += 1
            marginals = SampledMarginals(seen[None], WEIGHTS, estimator or Estimator())
            total[view, answer] += chance * word(marginals)[0, view, answer]
    return total


def test_own_mean_others_and_powers_are_unbiased():
    assert told(lambda m: m.own()) == pytest.approx(NU)
    assert told(lambda m: m.others()) == pytest.approx(NU[::-1])
    assert told(lambda m: m.mean()) == pytest.approx(np.tile(WEIGHTS @ NU, (2, 1)))
    for degree in (1, 2, 3):
        assert told(lambda m, d=degree: m.power_own(float(d))) == pytest.approx(NU**degree)


def test_with_the_sample_itself_the_own_marginal_is_biased_by_one_over_samples():
    plugin = Estimator(own="plugin")
    assert told(lambda m: m.own(), plugin) == pytest.approx(NU + (1 - NU) / SAMPLES)


def test_inverse_is_off_by_the_chance_that_nobody_answers_so():
    """E[K/(N'+1)] = (1 − (1−p)^K)/p exactly."""
    assert told(lambda m: m.inverse_own()) == pytest.approx((1 - (1 - NU) ** SAMPLES) / NU)


@pytest.mark.parametrize("kind", ["plugin", "digamma", "minimax", "variance_optimal"])
def test_log_is_the_mean_of_its_table(kind):
    n = np.arange(SAMPLES)
    ways = np.array([1, 3, 3, 1])
    chances = ways * NU[..., None] ** n * (1 - NU[..., None]) ** (SAMPLES - 1 - n)
    expected = chances @ log_table(SAMPLES, kind)
    assert told(lambda m: m.log_own(), Estimator(log=kind)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "measured"), [("plugin", 0.0764), ("digamma", 0.0703), ("variance_optimal", 0.0721)]
)
def test_log_of_the_mean_is_biased_by_less_than_the_plug_in_of_the_own_marginal(kind, measured):
    """Measured: weighted bias of log ν̄ at K = 4 and two views that disagree."""
    exact = np.log(WEIGHTS @ NU)
    bias = NU * np.abs(told(lambda m: m.log_mean(), Estimator(log=kind)) - exact)
    assert bias.max() == pytest.approx(measured, abs=1e-4)
    assert bias.max() < 0.122


@pytest.mark.parametrize("kind", ["digamma", "minimax", "variance_optimal"])
def test_logs_of_equal_marginals_are_told_alike(kind, monkeypatch):
    """Where views agree, what is told of log ν̄ has the mean of what is told of log ν_v, whatever their bias."""
    monkeypatch.setitem(globals(), "NU", np.array([[0.6, 0.3, 0.1]] * 2))
    monkeypatch.setitem(globals(), "WEIGHTS", np.array([0.5, 0.5]))
    estimator = Estimator(log=kind)
    own = told(lambda m: m.log_own(), estimator)
    assert told(lambda m: m.log_mean(), estimator) == pytest.approx(own, abs=1e-12)
    assert told(lambda m: m.log_mixture(np.full((2, 2), 0.5)), estimator) == pytest.approx(own, abs=1e-12)
    assert told(lambda m: m.log_mixture(np.eye(2)), estimator) == pytest.approx(own, abs=1e-12)
    assert told(lambda m: m.log_mean(), Estimator(log="plugin")) != pytest.approx(own, abs=0.1)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_where_views_agree_the_plug_in_costs_rare_answers_what_theory_says(share):
    """Its mean of log ν̄ − log ν_v is −(1 − 1/V)(1 − ν)/(2Kν), but for O(1/K²): it sharpens (theory.md 8)."""
    size = 100
    own, other = (count[:, None] for count in np.indices((size, size + 1)).reshape(2, -1))
    chances = multinomial_of(size - 1, share)[own[:, 0]] * multinomial_of(size, share)[other[:, 0]]
    counts = np.stack([np.hstack([own + 1, size - 1 - own]), np.hstack([other, size - other])], axis=1)
    marginals = SampledMarginals(counts.astype(float), np.array([0.5, 0.5]), Estimator(log="plugin"))
    paid = (chances * (marginals.log_mean() - marginals.log_own())[:, 0, 0]).sum()
    assert paid == pytest.approx(-(1 - 1 / 2) * (1 - share) / (2 * size * share), rel=0.03)


def multinomial_of(size, share):
    """Chances that 0, 1, …, `size` samples give an answer of this share."""
    return np.array([multinomial(np.array([n, size - n]), np.array([share, 1 - share])) for n in range(size + 1)])


def test_views_that_read_nothing_have_no_say():
    counts = np.array([[[2.0, 2.0], [0.0, 0.0]]])
    marginals = SampledMarginals(counts, np.array([0.5, 0.5]), Estimator())
    assert marginals.mean()[0, 0].tolist() == pytest.approx([1 / 3, 1 / 3])
    assert marginals.geometric()[0, 0].tolist() == [0.5, 0.5]
    assert marginals.others()[0, 1].tolist() == [0.5, 0.5]


def test_a_prior_keeps_other_views_zeros_finite():
    counts = np.array([[[4.0, 0.0], [2.0, 2.0]]])
    marginals = SampledMarginals(counts, np.array([0.5, 0.5]), Estimator(prior=0.5))
    assert marginals.log_others()[0, 1, 1] == pytest.approx(np.log(0.5 / 5))
    assert np.isfinite(marginals.geometric()).all()


@pytest.mark.parametrize("name", [name for name, (_, _, order) in WORDS.items() if order == "0"])
def test_words_that_are_stated_without_bias_have_none(name):
    word, estimator, _ = WORDS[name]
    for samples in (4, 16):
        assert profile(word, samples, estimator)[0] < 1e-12
        assert profile(word, samples, estimator, agreeing=False)[0] < 1e-12


@pytest.mark.parametrize("name", [name for name, (_, _, order) in WORDS.items() if order == "1/K"])
def test_stated_orders_of_bias_are_the_fitted_ones(name):
    assert slope(name, (16, 32, 64)) == pytest.approx(-1, abs=0.1)


@pytest.mark.parametrize(
    ("name", "agreeing", "apart"), [("geometric q, prior ½", -0.76, -0.37), ("q/ν, prior ½", -0.88, -0.37)]
)
def test_measured_orders_of_the_geometric_consensus(name, agreeing, apart):
    """No theorem: near 1/K where the views agree, and slower where one view hardly gives the other's answer."""
    assert slope(name, (16, 32, 64)) == pytest.approx(agreeing, abs=0.01)
    assert slope(name, (16, 32, 64), agreeing=False) == pytest.approx(apart, abs=0.01)


def test_the_bias_of_one_over_a_marginal_does_not_fall_with_samples_at_rare_answers():
    """p·|E[K/(N'+1)] − 1/p| = (1 − p)^K tends to 1 as p → 0: only q/ν, weighted by q, is worth playing."""
    word, estimator, _ = WORDS["1/ν"]
    assert profile(word, 64, estimator)[0] > 0.9
