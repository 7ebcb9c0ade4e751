"""Borrowing by score (theory.md 6.1), by enumeration of all samples: ν̂ unbiased, its variance, ν* met exactly."""

import itertools

import numpy as np
import pytest

from alft import games
from alft.offline.reweight import LEAST_LOAN, SolveSettings, responsibilities, reweight, scored_counts
from alft.offline.tallies import Tallies

KEYS = np.array([0, 0, 1, 2, -1])  # of five traces
GEOMETRIC = games.GeometricCoherence()


def outcomes(policy, sizes):
    """Every sample of `sizes` traces a view from `policy` (view, trace): probability, views and traces."""
    view = np.repeat(np.arange(len(sizes)), sizes)
    for traces in itertools.product(range(policy.shape[1]), repeat=len(view)):
        yield float(policy[view, traces].prod()), view, np.array(traces)


def estimates(policy, view, traces, scored):
    """Marginals by view and key, from the scores of all completions or from each view's own counts."""
    key = KEYS[traces]
    tallies = Tallies.of(np.zeros(len(view), int), view, key, np.full(len(view), np.nan))
    found = np.zeros((len(policy), 3))
    for batch in tallies.batches():
        shares = responsibilities(tallies, np.log(policy[:, traces].T))
        counts = scored_counts(tallies, batch, shares) if scored else batch.counts
        numbers = dict(zip(tallies.answer[key >= 0].tolist(), key[key >= 0].tolist(), strict=True))
        for number, own in numbers.items():
            found[:, own] = counts[0, :, number] / np.bincount(view)
    return found


def moments(policy, sizes, scored):
    """Mean and variance of the estimates, over all samples."""
    drawn = [(chance, estimates(policy, *rest, scored)) for chance, *rest in outcomes(policy, sizes)]
    mean = sum(chance * found for chance, found in drawn)
    return mean, sum(chance * (found - mean) ** 2 for chance, found in drawn)


@pytest.mark.parametrize(("seed", "sizes"), [(0, (2, 2)), (1, (3, 1)), (2, (1, 1, 1))])
def test_the_estimate_is_unbiased_and_varies_no_more_than_own_counts(seed, sizes):
    """Where ν_v(a) ≤ 1/2, it varies no more; everywhere by no more than ν²(1/K_v − 1/K) more."""
    policy = np.random.default_rng(seed).dirichlet(np.ones(5), len(sizes))
    nu = np.stack([policy[:, key == KEYS].sum(axis=1) for key in range(3)], axis=1)
    (mean, variance), (own_mean, own) = (moments(policy, sizes, scored) for scored in (True, False))
    assert mean == pytest.approx(nu, abs=1e-12)
    assert own_mean == pytest.approx(nu, abs=1e-12)
    each, total = np.array(sizes)[:, None], sum(sizes)
    assert own == pytest.approx(nu * (1 - nu) / each, abs=1e-12)
    assert (variance <= own + nu**2 * (1 / each - 1 / total) + 1e-12).all()
    assert (variance <= own + 1e-12)[nu <= 0.5].all()
    assert variance.mean() < 0.9 * own.mean()


def test_an_answer_that_a_view_always_gives_is_estimated_worse_than_by_its_own_counts():
    """Own counts are exact there, the estimate is not: no variance bound holds above 1/2."""
    policy = np.array([[0.9, 0.1, 0.0, 0.0, 0.0], [0.1, 0.5, 0.2, 0.1, 0.1]])
    with np.errstate(divide="ignore"):
        (_, variance), (_, own) = (moments(policy, (2, 2), scored) for scored in (True, False))
    assert own[0, 0] == pytest.approx(0, abs=1e-12)
    assert variance[0, 0] > 0.01


def scored_tallies(seed, spaces=None):
    """Eight questions × three views × four completions, and log π_0 of each under each view."""
    rng = np.random.default_rng(seed)
    question, view = (part.ravel() for part in np.divmod(np.repeat(np.arange(24), 4), 3))
    key = rng.choice([-1, -1, 0, 1, 2, 3], size=len(view))
    told = Tallies.of(question, view, key, np.full(len(view), np.nan), None if spaces is None else spaces[view])
    return told, rng.normal(-20, 3, (len(view), 3))


@pytest.mark.parametrize("power", [1.0, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_solution_is_met_and_completions_serve_views_by_their_score(seed, power):
    tallies, log_probs = scored_tallies(seed)
    found = reweight(tallies, SolveSettings(GEOMETRIC, power=power), log_probs)
    weights = np.zeros((len(tallies.question), 3))
    weights[np.arange(len(weights)), tallies.view] = found.weights
    loans = found.loans
    weights[loans.completion, loans.view - tallies.starts[tallies.question[loans.completion]]] = loans.weight
    shares = responsibilities(tallies, log_probs)
    assert shares.sum(axis=1) == pytest.approx(1)
    for part in found.solved:
        assert part.helped.tolist() == (part.batch.counts > 0).any(axis=(1, 2)).tolist()
        for question, nu in zip(part.batch.questions, part.nu, strict=True):
            for answer in range(tallies.answers[question]):
                here = (tallies.question == question) & (tallies.answer == answer)
                reached = weights[here].sum(axis=0)
                wanted = 4 * nu[:, answer]
                some = wanted >= LEAST_LOAN
                assert reached[some] == pytest.approx(wanted[some], abs=1e-9)
                for view in np.flatnonzero(some):
                    used = weights[here, view] > 0
                    ratio = weights[here, view][used] / shares[here, view][used]
                    assert ratio == pytest.approx(np.full(len(ratio), ratio[0]))


def test_completions_serve_only_views_in_their_space_of_answers():
    tallies, log_probs = scored_tallies(3, np.array([0, 1, 0]))
    shares = responsibilities(tallies, log_probs)
    assert (shares[tallies.view == 1] == [0, 1, 0]).all()
    assert (shares[tallies.view != 1, 1] == 0).all()
    lent = reweight(tallies, SolveSettings(GEOMETRIC), log_probs).loans
    assert len(lent.weight) > 0
    assert set((lent.view % 3).tolist()) == {0, 2}


def test_equal_scores_are_the_pooled_counts():
    """Views that the model takes for the same question have the same marginal: that of all their completions."""
    tallies, _ = scored_tallies(4)
    shares = responsibilities(tallies, np.full((len(tallies.question), 3), -7.0))
    for batch in tallies.batches():
        pooled = batch.counts.mean(axis=1, keepdims=True).repeat(3, axis=1)
        assert scored_counts(tallies, batch, shares) == pytest.approx(pooled)


def test_scores_are_for_views_that_borrow():
    tallies, log_probs = scored_tallies(5)
    with pytest.raises(ValueError, match="views that borrow"):
        reweight(tallies, SolveSettings(GEOMETRIC, borrow=False), log_probs)


@pytest.mark.parametrize("game", [GEOMETRIC, games.JeffreysCoherence(), games.GiniDiversity()])
@pytest.mark.parametrize("beta", [0.0, 0.1])
@pytest.mark.parametrize("scored", [False, True])
def test_a_view_of_which_nothing_is_read_has_no_part_and_answers_as_the_others_do(game, beta, scored):
    if beta == 0 and not game.only_agreement:
        pytest.skip("it has no limit")
    key = np.array([0] * 9 + [1] + [0] * 5 + [1] * 5 + [-1] * 10)
    view, log_probs = np.repeat([0, 1, 2], 10), np.full((30, 3), -3.0)
    log_probs[:, 2] = -500.0
    tallies = Tallies.of(np.zeros(30, int), view, key, np.full(30, np.nan))
    [found] = reweight(tallies, SolveSettings(game, beta), log_probs if scored else None).solved
    assert found.shares.tolist() == [[0.5, 0.5, 0]]
    assert found.nu[0, 2] == pytest.approx(found.nu[0, :2].mean(axis=0))
