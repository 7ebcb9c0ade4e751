"""Metrics against slow, obvious enumeration, and against numbers derived by hand."""

from fractions import Fraction
from itertools import combinations, product
from math import comb, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from alft import counts
from alft.evaluation import metrics
from alft.evaluation.metrics import ABSENT

NAN = float("nan")
CODES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(ABSENT, 3))
)


def mean_of(values):
    values = [value for value in values if not np.isnan(value)]
    return sum(values) / len(values) if values else NAN


def shares(view):
    readable = [key for key in view if key >= 0]
    return {key: Fraction(readable.count(key), len(readable)) for key in set(readable)}


def entropy_of(distribution):
    return -sum(float(p) * log(p) for p in distribution.values() if p > 0)


def entropy(codes):
    return metrics.mean_over_last(metrics.view_entropy(codes))


def slow_agreement(question):
    views = [[key for key in view if key != ABSENT] for view in question]
    pairs = list(combinations([view for view in views if view], 2))
    return mean_of([mean_of([float(a == b >= 0) for a, b in product(u, v)]) for u, v in pairs])


def slow_incoherence(question):
    views = [shares(view) for view in question if shares(view)]
    if len(views) < 2:
        return NAN
    keys = {key for view in views for key in view}
    mixture = {key: sum(view.get(key, Fraction(0)) for view in views) / len(views) for key in keys}
    return sum(float(p) * log(p / mixture[key]) for view in views for key, p in view.items()) / len(views)


def slow_euclidean(question):
    views = [[key for key in view if key >= 0] for view in question]
    views = [view for view in views if len(view) >= 2]
    if len(views) < 2:
        return NAN

    def inner(u, v):
        same = [a == b for i, a in enumerate(u) for j, b in enumerate(v) if u is not v or i != j]
        return Fraction(sum(same), len(same))

    w = Fraction(1, len(views))
    own = sum(w * (1 - w) * inner(view, view) for view in views)
    return float(own - sum(w * w * inner(u, v) for u in views for v in views if u is not v))


@settings(max_examples=50, deadline=None)
@given(CODES)
def test_agreement_equals_enumeration_of_all_pairs_of_answers(codes):
    np.testing.assert_allclose(metrics.agreement(codes), [slow_agreement(q) for q in codes.tolist()], atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(CODES)
def test_incoherence_equals_the_divergence_from_the_mean_written_out(codes):
    slow = [slow_incoherence(q) for q in codes.tolist()]
    np.testing.assert_allclose(metrics.incoherence(codes), slow, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(CODES)
def test_euclidean_incoherence_equals_the_enumerated_u_statistic(codes):
    slow = [slow_euclidean(q) for q in codes.tolist()]
    np.testing.assert_allclose(metrics.incoherence_euclidean(codes), slow, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(CODES)
def test_entropy_and_unread_equal_enumeration(codes):
    slow = [mean_of([entropy_of(shares(v)) for v in q if shares(v)]) for q in codes.tolist()]
    np.testing.assert_allclose(entropy(codes), slow, atol=1e-12)
    asked = [[key for view in q for key in view if key != ABSENT] for q in codes.tolist()]
    np.testing.assert_allclose(metrics.unread(codes), [mean_of([float(k == -1) for k in q]) for q in asked])


@settings(max_examples=50, deadline=None)
@given(CODES)
def test_what_a_view_shows_equals_enumeration(codes):
    def per_view(value):
        return [[value([key for key in view if key != ABSENT]) for view in q] for q in codes.tolist()]

    def gini(view):
        readable = [key for key in view if key >= 0]
        return mean_of([float(a != b) for a, b in combinations(readable, 2)])

    def distinct(view):
        return float(len({key for key in view if key >= 0})) if view else NAN

    np.testing.assert_allclose(metrics.view_gini(codes), per_view(gini), atol=1e-12)
    np.testing.assert_allclose(metrics.view_distinct(codes), per_view(distinct))
    np.testing.assert_allclose(
        metrics.view_unread(codes), per_view(lambda view: mean_of([float(key == -1) for key in view]))
    )
    np.testing.assert_allclose(
        metrics.view_entropy(codes),
        per_view(lambda view: entropy_of(shares(view)) if shares(view) else NAN),
        atol=1e-12,
    )


@settings(max_examples=50, deadline=None)
@given(CODES, st.permutations(range(4)), st.randoms())
def test_names_of_answers_and_order_of_views_do_not_matter(codes, renaming, random):
    renamed = np.where(codes >= 0, np.array(renaming)[np.maximum(codes, 0)], codes)
    order = list(range(codes.shape[1]))
    random.shuffle(order)
    for metric in (metrics.agreement, metrics.incoherence, metrics.incoherence_euclidean, entropy):
        np.testing.assert_allclose(metric(renamed[:, order]), metric(codes), atol=1e-12)


def test_euclidean_incoherence_is_unbiased_over_all_outcomes():
    nu = [[Fraction(1, 4), Fraction(3, 4)], [Fraction(2, 3), Fraction(1, 3)]]
    expected = sum((a - b) ** 2 for a, b in zip(*nu, strict=True)) / 4  # Σ w_v‖ν_v − ν̄‖² of two views
    total = 0.0
    for outcome in product(range(2), repeat=6):
        views = outcome[:3], outcome[3:]
        chance = np.prod([float(nu[v][key]) for v in range(2) for key in views[v]])
        total += chance * metrics.incoherence_euclidean(np.array([views]))[0]
    assert total == pytest.approx(float(expected), abs=1e-12)


def test_incoherence_of_coherent_views_is_bias_that_the_estimate_of_the_bias_finds():
    rng = np.random.default_rng(0)
    codes = rng.choice(3, p=[0.5, 0.3, 0.2], size=(2000, 4, 32))
    plugin, bias = metrics.incoherence(codes).mean(), metrics.incoherence_bias(codes).mean()
    assert plugin == pytest.approx(2 / 64 - 2 / 256, rel=0.05)  # (|A|−1)/(2K) − (|A|−1)/(2VK): truly coherent
    assert bias == pytest.approx(plugin, rel=0.05)


def test_unread_is_never_equal_and_never_right():
    codes = np.array([[[-1], [-1]], [[2], [2]]])
    assert metrics.agreement(codes).tolist() == [0.0, 1.0]
    right = np.array([[[0.0], [0.0]], [[1.0], [1.0]]])
    assert metrics.vote_over_views(codes, right).tolist() == [0.0, 1.0]


def test_what_is_not_defined_is_nan_and_none_but_never_zero():
    unread = np.full((2, 2, 3), -1)
    lone = np.zeros((1, 1, 3), dtype=np.int64)
    no_gold = np.full((2, 2, 3), NAN)
    for values in (
        metrics.incoherence(unread),
        metrics.incoherence_bias(unread),
        metrics.incoherence_euclidean(unread),
        entropy(unread),
        metrics.agreement(lone),
        metrics.incoherence(lone),
        metrics.unread(np.full((1, 1, 1), ABSENT)),
        metrics.view_unread(np.full((1, 1, 1), ABSENT)),
        metrics.view_distinct(np.full((1, 1, 1), ABSENT)),
        metrics.view_gini(np.array([[[0, -1]]])),
        metrics.mean_over_last(no_gold),
        metrics.pass_at_k(no_gold, 1),
        metrics.majority_at_k(unread, no_gold, 3),
        metrics.majority_at_k(lone, np.ones((1, 1, 3)), 4),
        metrics.vote_over_views(unread, no_gold),
        metrics.geometric_vote(unread, no_gold),
    ):
        assert values.size
        assert np.isnan(values).all()
        assert metrics.mean(values) is None
    assert metrics.dominant_share(unread) is None
    assert metrics.pooled_entropy(unread) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=7), st.integers(1, 7))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_answer(right, k):
    value = metrics.pass_at_k(np.array([[right]], dtype=float), k)[0, 0]
    subsets = list(combinations(right, k))
    expected = Fraction(sum(any(subset) for subset in subsets), comb(len(right), k)) if subsets else NAN
    np.testing.assert_allclose(value, float(expected))


def test_pass_at_k_of_more_samples_than_a_float_can_count_subsets_of():
    right = np.array([[[1.0] + 12_999 * [0.0]]])
    np.testing.assert_allclose(metrics.pass_at_k(right, 128), 128 / 13_000)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-1, 2), min_size=1, max_size=9), st.integers(1, 9))
def test_majority_at_k_is_the_mean_over_runs_of_votes_with_shared_ties(keys, k):
    right = np.array([[[float(key == 1) for key in keys]]])
    value = metrics.majority_at_k(np.array([[keys]]), right, k)[0, 0]
    won = []
    for start in range(0, len(keys) - k + 1, k):
        votes = [key for key in keys[start : start + k] if key >= 0]
        best = {key for key in votes if votes.count(key) == max(map(votes.count, votes))}
        won.append(Fraction(1 in best, max(len(best), 1)))
    np.testing.assert_allclose(value, float(sum(won) / len(won)) if won else NAN)


def test_the_two_votes_over_views_differ_where_views_veto():
    codes = np.array([[[0, 0, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]], [[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 1, 0]]])
    codes[0, 2, :2] = 2  # pooled: six 0, four 1; geometric: (4.5·2.5·.5)=5.6 for 0, (.5·2.5·2.5)=3.1 for 1
    right = (codes == 0).astype(float)
    assert metrics.vote_over_views(codes, right).tolist() == [1.0, 1.0]
    assert metrics.geometric_vote(codes, right).tolist() == [1.0, 1.0]
    veto = np.array([[[0] * 8, [0] * 8, [1] * 8, [1] * 3 + [2] * 5]])  # pooled: 16 zeros of 32, 11 ones
    right = (veto == 1).astype(float)
    assert metrics.vote_over_views(veto, right).tolist() == [0.0]
    assert metrics.geometric_vote(veto, right).tolist() == [0.0]  # (8.5·8.5·.5·.5) = 18 > (.5·.5·8.5·3.5) = 7
    veto[0, :2, 6:] = 1  # now 12 zeros (6.5²·.5² = 10.6) and 15 ones (2.5²·8.5·3.5 = 186)
    right = (veto == 1).astype(float)
    assert metrics.geometric_vote(veto, right).tolist() == [1.0]
    veto[0, 2, :] = 3
    veto[0, 3, :] = [1, 1, 1, 2, 2, 2, 2, 2]  # 12 zeros, 7 ones: 6.5²·.5² = 10.6 against 2.5²·.5·3.5 = 10.9
    right = (veto == 1).astype(float)
    assert metrics.vote_over_views(veto, right).tolist() == [0.0]
    assert metrics.geometric_vote(veto, right).tolist() == [1.0]


def test_shared_codes_show_a_collapse_across_questions():
    keys = [[["0", "0"], ["7", None]], [["7", "7"], ["7", "7"]], [[None, None], [None, None]]]
    codes, names = counts.encode(keys)
    shared = metrics.share_codes(codes, names)
    assert shared.tolist() == [[[0, 0], [1, -1]], [[1, 1], [1, 1]], [[-1, -1], [-1, -1]]]
    # question 1: 0 ⅔, 7 ⅓; question 2: 7; question 3 says nothing
    assert metrics.dominant_share(shared) == pytest.approx(2 / 3)
    assert metrics.pooled_entropy(shared) == pytest.approx(-(2 / 3) * log(2 / 3) - (1 / 3) * log(1 / 3))


@settings(max_examples=50, deadline=None)
@given(CODES)
def test_tallies_count_every_readable_answer_once(codes):
    table = metrics.tally(codes)
    assert table.sum() == (codes >= 0).sum()
    slow = [sorted(v.count(k) for k in set(v) if k >= 0) for q in codes.tolist() for v in q]
    assert [sorted(int(n) for n in row if n) for q in table for row in q] == slow
