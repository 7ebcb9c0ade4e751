"""Several rounds against the first reference: ν* is that of its answers in all of them (theory.md 6)."""

import numpy as np
import pytest

from alft import games
from alft.offline.reweight import SolveSettings, reweight
from alft.offline.solve import solve_samples
from tests.offline.made import drawn
from tests.offline.test_borrowing import reached

FIRST = [[[0.6, 0.3, 0.1, 0.0], [0.4, 0.2, 0.4, 0.0]], [[0.2, 0.8, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]]]
LATER = [[[0.1, 0.5, 0.1, 0.3], [0.3, 0.3, 0.2, 0.2]], [[0.5, 0.4, 0.0, 0.1], [0.6, 0.1, 0.0, 0.3]]]


@pytest.fixture
def rounds(tmp_path):
    """Completions of a first reference, and of a model that it became, which also answers 3."""
    return drawn(tmp_path / "first.parquet", FIRST, 40), drawn(tmp_path / "later.parquet", LATER, 60, seed=1)


def by_key(samples, solution):
    """ν* that the weights reach, by question, view and key, in an order that no file has a part in."""
    table = reached(solution.tallies, solution.reweighting).reshape(2, 2, -1)
    told = np.zeros((2, 2, 4))
    for row in range(len(samples)):
        question, answer = solution.tallies.question[row], solution.tallies.answer[row]
        told[question, :, int(samples.keys[samples.key[row]])] = table[question, :, answer]
    return told


@pytest.mark.parametrize(
    "settings",
    [
        SolveSettings(games.GeometricCoherence(), power=4.0),
        SolveSettings(games.ArithmeticCoherence(), 0.2),
        SolveSettings(games.Correctness(), 0.3),
    ],
    ids=["geometric, hard", "arithmetic", "labels"],
)
def test_later_completions_are_weighed_to_the_equilibrium_of_the_first(rounds, settings):
    first, later = rounds
    target = by_key(first, solve_samples(first, settings, ""))
    assert (target[..., 3] == 0).all()
    solution = solve_samples(later, settings, "", first=first)
    assert by_key(later, solution) == pytest.approx(target, abs=1e-7)
    unanchored = by_key(later, solve_samples(later, settings, ""))
    assert np.abs(unanchored - target).max() > 0.05
    predicted = solution.summary()["metrics"]["accuracy"]
    assert predicted["after"]["mean"] == pytest.approx(target[..., 1].mean(), abs=1e-7)  # the right answer is 1
    assert predicted["now"]["mean"] == pytest.approx(later.right.mean())


def test_against_itself_a_round_is_the_first(rounds):
    first, _ = rounds
    settings = SolveSettings(games.GeometricCoherence(), power=4.0)
    alone, again = solve_samples(first, settings, ""), solve_samples(first, settings, "", first=first)
    assert (alone.weights == again.weights).all()
    assert alone.summary() == again.summary()


def test_an_answer_that_nobody_gave_at_first_weighs_nothing_and_one_view_lends_to_another(tmp_path):
    first = drawn(tmp_path / "first.parquet", [[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]], 20)
    later = drawn(tmp_path / "later.parquet", [[[0.3, 0.4, 0.3], [0.5, 0.0, 0.5]]], 20, seed=2)
    solution = solve_samples(later, SolveSettings(games.GeometricCoherence()), "", first=first)
    keys = np.array([int(later.keys[key]) for key in later.key])
    assert (solution.weights[keys == 2] == 0).all()
    assert (solution.weights[keys == 1] > 0).all()  # view 0 never gave it at first: shrinkage gives it a chance
    lent = keys[solution.loans.completion]
    assert set(lent[solution.loans.weight > 0]) == {1}  # view 1 does not give it any more


def test_scores_of_the_reference_say_nothing_of_a_later_model(rounds):
    first, later = rounds
    tallies = solve_samples(later, SolveSettings(games.GeometricCoherence()), "", first=first).tallies
    with pytest.raises(ValueError, match="completions of the reference itself"):
        reweight(tallies, SolveSettings(games.GeometricCoherence()), np.zeros((len(later), 2)), tallies)
