"""Intervals: nominal coverage in simulation, and what they are at the edges."""

import numpy as np
import pytest

from alft.evaluation.intervals import bootstrap, intervals, wilson


def test_the_bootstrap_covers_at_its_nominal_rate_when_samples_of_a_question_depend_on_each_other():
    rng = np.random.default_rng(1)
    skill = rng.beta(2, 1, size=(64, 400))  # 400 repetitions of 64 questions, each with 8 dependent samples
    values = rng.binomial(8, skill) / 8
    low, high = bootstrap(values, resamples=1000).T
    covered = np.mean((low <= 2 / 3) & (high >= 2 / 3))
    assert 0.915 <= covered <= 0.98  # 0.95 ± 3 standard errors
    naive = 1.96 * np.sqrt(values.mean(0) * (1 - values.mean(0)) / (64 * 8))
    assert np.mean(np.abs(values.mean(0) - 2 / 3) <= naive) < 0.85  # resampling samples would not do


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_wilson_covers_at_its_nominal_rate(share):
    rng = np.random.default_rng(2)
    low, high = wilson((rng.random((40, 2000)) < share).astype(float)).T
    assert 0.93 <= np.mean((low <= share) & (share <= high)) <= 0.98


def test_columns_share_resamples_so_equal_columns_have_equal_intervals_and_shifts_shift():
    values = np.random.default_rng(3).random((30, 1))
    bounds = bootstrap(np.hstack([values, values, values + 1]))
    np.testing.assert_allclose(bounds[0], bounds[1])
    np.testing.assert_allclose(bounds[2], bounds[0] + 1)


def test_undefined_questions_have_no_say():
    values = np.random.default_rng(4).random((50, 1))
    padded = np.vstack([values, np.full((10, 1), np.nan)])
    own, with_gaps = bootstrap(values)[0], bootstrap(padded)[0]
    np.testing.assert_allclose(with_gaps, own, atol=0.02)
    assert np.isnan(bootstrap(np.array([[1.0, 0.5], [np.nan, np.nan]]))).all()
    assert bootstrap(np.empty((0, 2))).shape == (2, 2)


def test_shares_that_are_all_one_have_an_interval_and_differences_that_are_all_zero_a_point():
    ones = np.ones((20, 1))
    assert intervals(ones, shares=True)[0, 0] < 0.9
    np.testing.assert_allclose(intervals(ones * 0), [[0.0, 0.0]])


def test_a_count_that_is_always_one_and_an_entropy_that_is_always_zero_are_no_shares():
    values = np.repeat([[1.0, 0.0, 1.0]], 30, axis=0)
    bounds = intervals(values, shares=np.array([False, False, True]))
    np.testing.assert_allclose(bounds[:2], [[1.0, 1.0], [0.0, 0.0]])
    assert bounds[2, 0] < 0.9


def test_the_width_is_that_of_the_normal_interval_for_many_questions():
    values = np.random.default_rng(5).normal(size=(400, 3))
    width = np.diff(bootstrap(values, resamples=4000), axis=1)[:, 0]
    np.testing.assert_allclose(width, 2 * 1.96 * values.std(axis=0, ddof=1) / 20, rtol=0.06)


def test_an_accuracy_has_no_bound_beyond_one():
    values = np.array([[1.0, 3.0]] * 7 + [[0.6, 0.5]])
    assert bootstrap(values)[0, 1] > 1
    assert intervals(values, shares=np.array([True, False]))[0, 1] == 1
    assert intervals(values, shares=np.array([True, False]))[1, 1] > 1


@pytest.mark.parametrize("questions", [8, 37, 128])
@pytest.mark.parametrize(("rise", "fall"), [(0.02, 0.01), (0.05, 0.01), (0.0, 0.0)])
def test_few_changes_are_not_taken_for_none(questions, rise, fall):
    """The bootstrap knows only the changes that it saw: of 8 questions it covered 15 %."""
    rng = np.random.default_rng(0)
    values = rng.choice([1.0, -1.0, 0.0], p=[rise, fall, 1 - rise - fall], size=(questions, 300))
    bounds = intervals(values, shares=True, differences=True)
    truth = rise - fall
    assert np.mean((bounds[:, 0] <= truth) & (truth <= bounds[:, 1])) >= 0.93
    assert (np.diff(bounds) > 0).all()


def test_a_worse_model_has_no_narrower_interval():
    right = np.ones((16, 2))
    right[0, 1] = 0.99
    perfect, nearly = intervals(right, shares=True)
    assert nearly[0] <= perfect[0] + 1e-9
    moved = np.full((16, 1), 0.5)
    assert intervals(moved, shares=True, differences=True).tolist() == [[0.5, 0.5]]  # every question did
