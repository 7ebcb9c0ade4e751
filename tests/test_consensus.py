"""A consensus is nearest to the views in its own divergence (theory.md 2)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alft import consensus, simplex

SEEDS = st.integers(0, 10_000)


def drawn(seed):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(4), 3), rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(4))


@given(SEEDS)
def test_arithmetic_is_nearest_from_the_views(seed):
    nu, weights, other = drawn(seed)
    q = consensus.arithmetic(nu, weights)
    assert weights @ simplex.kl(nu, q[None]) <= weights @ simplex.kl(nu, other[None]) + 1e-12


@given(SEEDS)
def test_geometric_is_nearest_to_the_views(seed):
    nu, weights, other = drawn(seed)
    q = consensus.geometric(nu, weights)
    assert weights @ simplex.kl(q[None], nu) <= weights @ simplex.kl(other[None], nu) + 1e-12


@given(SEEDS, st.permutations(range(3)), st.permutations(range(4)))
def test_views_and_answers_have_no_order(seed, views, answers):
    nu, weights, _ = drawn(seed)
    for make in (consensus.arithmetic, consensus.geometric):
        moved = make(nu[views][:, answers], weights[views])
        assert moved == pytest.approx(make(nu, weights)[answers], abs=1e-12)


def test_views_that_agree_are_their_consensus():
    nu = np.tile([0.7, 0.2, 0.1], (4, 1))
    for make in (consensus.arithmetic, consensus.geometric):
        assert make(nu, np.full(4, 0.25)) == pytest.approx(nu[0])


def test_an_answer_that_one_view_excludes_has_no_place_in_the_geometric_consensus():
    nu = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
    assert consensus.geometric(nu, np.array([0.5, 0.5])).tolist() == [0.0, 1.0, 0.0]
    assert consensus.geometric(np.eye(2), np.array([0.5, 0.5])).tolist() == [0.0, 0.0]
    assert consensus.geometric(np.eye(2), np.array([1.0, 0.0])).tolist() == [1.0, 0.0]


def test_ties_share_the_mode():
    assert consensus.mode(np.array([0.4, 0.4, 0.2])).tolist() == [0.5, 0.5, 0.0]
    assert consensus.mode(np.zeros(2)).tolist() == [0.0, 0.0]
