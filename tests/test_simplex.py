"""0·log 0, log 0 and 0/0, and the laws of distributions (theory.md 1.2)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from alft import simplex

MASS = arrays(float, (3, 4), elements=st.floats(0, 1).map(lambda x: 0.0 if x < 1e-6 else x))


@given(MASS)
def test_normalised_rows_sum_to_one_or_stay_empty(mass):
    total = simplex.normalise(mass).sum(axis=-1)
    assert total == pytest.approx((mass.sum(axis=-1) > 0).astype(float))


@given(MASS)
def test_softmax_undoes_log(mass):
    assert simplex.softmax(simplex.log(mass)) == pytest.approx(simplex.normalise(mass), abs=1e-12)
    assert simplex.log_sum_exp(simplex.log(mass)) == pytest.approx(simplex.log(mass.sum(axis=-1)), abs=1e-9)


@given(MASS, MASS)
def test_divergence_is_positive_and_zero_only_at_home(p, q):
    p, q = simplex.normalise(p), simplex.normalise(q)
    assert np.all(simplex.kl(p, q) >= -1e-12)
    assert simplex.kl(p, p) == pytest.approx(np.zeros(3))


def test_divergence_is_infinite_where_the_other_has_no_mass():
    assert simplex.kl(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == np.inf
    assert simplex.kl(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(np.log(2))


@given(MASS)
def test_entropy_is_at_most_that_of_the_uniform_distribution(mass):
    entropy = simplex.entropy(simplex.normalise(mass))
    assert np.all(entropy >= 0)
    assert np.all(entropy <= np.log(4) + 1e-12)


def test_softmax_is_stable():
    assert simplex.softmax(np.array([1e300, 0.0])).tolist() == [1.0, 0.0]
    assert simplex.softmax(np.array([-1e300, -np.inf])).tolist() == [1.0, 0.0]
    assert simplex.softmax(np.array([-np.inf, -np.inf])).tolist() == [0.0, 0.0]
    assert simplex.log_sum_exp(np.array([-1e4, -1e4])) == pytest.approx(-1e4 + np.log(2))


def test_nothing_over_nothing():
    zero, one = np.zeros(1), np.ones(1)
    assert simplex.log_ratio(zero, zero).tolist() == [0.0]
    assert simplex.log_ratio(one, zero).tolist() == [np.inf]
    assert simplex.log_ratio(zero, one).tolist() == [-np.inf]
    assert simplex.scale(zero, np.array([np.inf])).tolist() == [0.0]
