"""Reweighting against enumeration: ν* by hand, weights that reproduce it, questions that nothing helps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alft import consensus, games, simplex
from alft.evaluation.intervals import means
from alft.evaluation.metrics import agreement_of
from alft.games import NAMED, Facts
from alft.offline.outlook import outlook
from alft.offline.reweight import Reweighting, SolveSettings, effective_samples, reference_marginals, reweight
from alft.offline.solve import solve_samples
from alft.offline.tallies import Loans, Tallies
from alft.tabular import solve
from tests.offline.made import drawn

UNKNOWN = float("nan")


def tallies_of(answers, gold=None):
    """From answers[question][view] = list of keys, −1 unread."""
    rows = [
        (q, v, key, UNKNOWN if gold is None else float(key == gold[q]))
        for q, views in enumerate(answers)
        for v, keys in enumerate(views)
        for key in keys
    ]
    return Tallies.of(*(np.array(column) for column in zip(*rows, strict=True)))


def marginal(tallies, weights, question, view):
    """Reweighted marginal over the question's answers, by hand."""
    here = (tallies.question == question) & (tallies.view == view) & (tallies.answer >= 0)
    told = np.bincount(tallies.answer[here], weights[here], minlength=tallies.answers[question])
    return told / ((tallies.question == question) & (tallies.view == view)).sum()


def test_hard_coherence_by_hand():
    tallies = tallies_of([[[7, 7, 7, 8], [7, 8, 8, 8]]])
    found = reweight(tallies, SolveSettings(games.GeometricCoherence(), shrinkage=0.0))
    # q ∝ √(3/4·1/4), √(1/4·3/4): one half each, so weights (1/2)/(3/4) and (1/2)/(1/4)
    assert found.weights.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2, 2, 2 / 3, 2 / 3, 2 / 3])


@pytest.mark.parametrize("name", ["correctness", "coherence_geometric", "coherence_arithmetic", "diversity"])
def test_reweighted_samples_have_the_equilibrium_as_their_marginal(name):
    answers = [[[0, 0, 1, 2], [0, 1, 1, 2]], [[3, 3, 4, 4], [4, 4, 4, 3]], [[5, 5, 5, 5], [5, 5, 5, 5]]]
    tallies = tallies_of(answers, gold=[1, 4, 5])
    chosen = SolveSettings(NAMED[name](), 0.3, 0.0)
    found = reweight(tallies, chosen)
    for q, views in enumerate(answers):
        keys = sorted({key for view in views for key in view})
        reference = np.array([[view.count(key) / 4 for key in keys] for view in views])
        gold = np.array([float(key == [1, 4, 5][q]) for key in keys])
        nu = solve(chosen.game.given(Facts(gold=gold)), reference, 0.3).nu
        for v in range(2):
            assert marginal(tallies, found.weights, q, v) == pytest.approx(nu[v], abs=1e-6)


def test_questions_of_many_shapes_are_solved_as_if_each_were_alone():
    rng = np.random.default_rng(0)
    answers = [
        [rng.integers(0, rng.integers(1, 9), rng.integers(1, 12)).tolist() for _ in range(rng.integers(1, 4))]
        for _ in range(40)
    ]
    chosen = SolveSettings(games.GeometricCoherence(), 0.2)
    together = tallies_of(answers)
    found = reweight(together, chosen).weights
    for q, views in enumerate(answers):
        alone = reweight(tallies_of([views]), chosen).weights
        assert found[together.question == q] == pytest.approx(alone, abs=1e-7)


def test_unread_completions_weigh_nothing_and_their_share_goes_to_the_read():
    tallies = tallies_of([[[7, -1, 7, -1], [7, 7, 7, 7]]])
    found = reweight(tallies, SolveSettings(games.GeometricCoherence()))
    assert found.weights.tolist() == [2, 0, 2, 0, 1, 1, 1, 1]


def test_questions_without_a_common_answer_are_left_out_and_told():
    tallies = tallies_of([[[1, 1], [2, 2]], [[1, 2], [2, 2]], [[3], [-1]], [[-1], [-1]], [[5]]])
    found = reweight(tallies, SolveSettings(games.GeometricCoherence(), borrow=False))
    told = outlook(tallies, found.solved)
    assert told.helped.tolist() == [False, True, False, False, False]
    assert (found.weights[tallies.question != 1] == 0).all()


def test_labels_help_where_no_answer_is_common():
    tallies = tallies_of([[[1, 2], [2, 3]], [[1, 1], [3, 3]]], gold=[1, 3])
    found = reweight(tallies, SolveSettings(games.Correctness(), 0.01))
    assert found.weights.round(6).tolist() == [2, 0, 1, 1, 1, 1, 1, 1]


def test_what_a_view_never_said_is_missed_where_nothing_is_borrowed():
    tallies = tallies_of([[[1] * 6 + [2] * 2, [2] * 8]])
    found = reweight(tallies, SolveSettings(games.GeometricCoherence(), shrinkage=1.0, borrow=False))
    reference = reference_marginals(np.array([[[6.0, 2.0], [0.0, 8.0]]]), 1.0)[0]
    q = consensus.geometric(reference, np.array([0.5, 0.5]))
    first, second = (found.weights[tallies.view == v].sum() / 8 for v in (0, 1))
    assert first == pytest.approx(1)
    assert second == pytest.approx(q[1])
    assert q[0] > 0


def test_a_change_of_shares_is_as_sure_as_one_that_is_measured(tmp_path):
    """8 questions whose views agree: nothing changes in them, and something may in others."""
    samples = drawn(tmp_path / "s.parquet", 8 * [[[0.0, 1.0]] * 2], 4)
    metrics = solve_samples(samples, SolveSettings(games.GeometricCoherence()), "").summary()["metrics"]
    same = means({"x": np.zeros(8)}, True, differences=True)["x"]
    assert [metrics[name]["change"] for name in ("accuracy", "agreement")] == [same, same]
    assert same["interval"][0] < 0 < same["interval"][1]
    assert metrics["entropy"]["change"]["interval"] == [0.0, 0.0]


def test_the_outlook_by_hand():
    tallies = tallies_of([[[0, 0, 0, 1], [1, 1, 0, -1]]], gold=[0])
    found = reweight(tallies, SolveSettings(games.GeometricCoherence(), shrinkage=0.0))
    told = outlook(tallies, found.solved)
    q = simplex.normalise(np.sqrt([3 / 4 * 1 / 3, 1 / 4 * 2 / 3]))
    assert told.now["accuracy"][0] == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert told.now["agreement"][0] == pytest.approx(3 / 4 * 1 / 4 + 1 / 4 * 2 / 4)
    assert told.after["accuracy"][0] == pytest.approx(q[0])
    assert told.after["agreement"][0] == pytest.approx((q**2).sum())
    assert told.after["incoherence"][0] == pytest.approx(0)
    assert told.accuracy_now.tolist() == pytest.approx([3 / 4, 1 / 4])


def test_accuracy_of_readable_answers_is_not_moved_by_form():
    """All views learn to answer in form: accuracy rises, and among readable answers it stays."""
    tallies = tallies_of([[[0, 1, -1, -1], [0, 1, -1, -1], [-1, -1, -1, -1]], [[-1], [-1]]], gold=[0, 0])
    told = outlook(tallies, reweight(tallies, SolveSettings(games.Format())).solved)
    assert told.now["accuracy"].tolist() == pytest.approx([(1 / 4 + 1 / 4 + 0) / 3, 0])
    assert told.now["accuracy_readable"][0] == pytest.approx(1 / 2)
    assert told.after["accuracy_readable"][0] == pytest.approx(1 / 2)
    assert told.after["accuracy"][0] > told.now["accuracy"][0] + 0.1
    assert np.isnan(told.now["accuracy_readable"][1])


def test_a_lone_view_has_no_agreement():
    assert np.isnan(agreement_of(np.array([[[1.0, 0.0]]]), np.array([1]))).all()


def test_effective_samples_of_equal_weights_are_their_number():
    tallies = tallies_of([[[0, 0, 0, 1], [1, 1]]])
    weighted = Reweighting(np.array([1, 1, 1, 0, 2, 2.0]), Loans.joined(), ())
    effective, asked, reached = effective_samples(tallies, weighted)
    assert (effective.tolist(), asked.tolist(), reached.tolist()) == ([3, 2], [4, 2], [3 / 4, 2])


@pytest.mark.parametrize(
    "game",
    [
        games.Correctness(),
        games.GeometricCoherence(),
        games.ArithmeticCoherence(),
        games.Sum((0.5, games.EuclideanCoherence()), (2.0, games.JeffreysCoherence())),
        games.FixedTargetCoherence("geometric"),
        games.FixedTargetCoherence("arithmetic"),
    ],
    ids=lambda game: type(game).__name__,
)
def test_the_limit_is_that_of_smaller_and_smaller_betas(game):
    tallies = tallies_of([[[0, 0, 1, 2], [0, 1, 1, 2]], [[3, 3, 4, 4], [4, 4, 4, 3]]], gold=[1, 4])
    found = reweight(tallies, SolveSettings(game, 0.0))
    apart = [np.abs(reweight(tallies, SolveSettings(game, b)).weights - found.weights).max() for b in (1e-2, 1e-4)]
    assert apart[1] < 1e-3
    assert apart[1] <= apart[0]
    assert all(np.isnan(part.gap).all() for part in found.solved)


def test_labels_are_not_forgotten_beside_coherence():
    both = games.Sum((1.0, games.GeometricCoherence()), (5.0, games.Correctness()))
    tallies = tallies_of([[[0, 0, 0, 1], [0, 0, 1, 1]]], gold=[1])
    after = outlook(tallies, reweight(tallies, SolveSettings(both, 0.01)).solved).after["accuracy"]
    assert after[0] == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(ValueError, match="limit"):
        SolveSettings(both, 0.0)


@pytest.mark.parametrize(("game", "beta"), [(games.Majority(), 0.1), (games.GiniDiversity(), 0.0)])
def test_what_has_no_certified_equilibrium_is_refused(game, beta):
    with pytest.raises(ValueError, match=r"concave|limit"):
        SolveSettings(game, beta)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 3), min_size=1, max_size=6), min_size=2, max_size=3), st.randoms())
def test_weights_do_not_depend_on_names_or_order(views, random):
    chosen = SolveSettings(games.ArithmeticCoherence(), 0.5)
    first = tallies_of([views])
    order = list(range(len(first.question)))
    random.shuffle(order)
    renamed = Tallies.of(
        first.question[order],
        np.max(first.view) - first.view[order],
        np.where(first.answer < 0, -1, 10 - first.answer)[order],
        first.right[order],
    )
    assert reweight(renamed, chosen).weights == pytest.approx(reweight(first, chosen).weights[order], abs=1e-6)
