"""Exact and sampled marginals speak the same words, and agree where samples tell all."""

import numpy as np
import pytest

from alft.estimators import Estimator, SampledMarginals
from alft.marginals import Marginals, mean_of_others

NU = np.array([[[0.5, 0.25, 0.25], [0.125, 0.5, 0.375]]])
WEIGHTS = np.array([0.4, 0.6])
WORDS = ["own", "log_own", "inverse_own", "mean", "log_mean", "geometric", "others", "log_others"]


@pytest.mark.parametrize("word", WORDS)
def test_sampled_words_tend_to_the_exact_ones(word):
    samples = 2_000_000
    sampled = SampledMarginals(NU * samples, WEIGHTS, Estimator(own="plugin"))
    exact = getattr(Marginals(NU, WEIGHTS), word)()
    assert getattr(sampled, word)() == pytest.approx(exact, abs=1e-5)


def test_powers_and_mixtures_tend_to_the_exact_ones():
    sampled, exact = SampledMarginals(NU * 2e6, WEIGHTS, Estimator()), Marginals(NU, WEIGHTS)
    for exponent in (-0.5, 0.5, 2.0, 3.0):
        assert sampled.power_own(exponent) == pytest.approx(exact.power_own(exponent), abs=1e-5)
    shares = np.array([[0.5, 0.5], [0.0, 1.0]])
    assert sampled.log_mixture(shares) == pytest.approx(exact.log_mixture(shares), abs=1e-5)


def test_every_word_is_estimated():
    """None is left to the formula for known marginals."""
    words = {name for name in vars(Marginals) if not name.startswith("_")}
    assert words == words & vars(SampledMarginals).keys()


def test_other_views_are_averaged_without_the_own_and_the_absent():
    values = np.array([[1.0], [2.0], [6.0]])
    assert mean_of_others(values).ravel().tolist() == [4.0, 3.5, 1.5]
    assert mean_of_others(values, np.array([True, False, True])).ravel().tolist() == [6.0, 3.5, 1.0]
    assert mean_of_others(values[:1]).tolist() == [[0.0]]
