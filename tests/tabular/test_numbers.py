"""No certificate for what is no number, and none that is worse than it must be where answers are excluded."""

import numpy as np
import pytest

from alft import games, simplex
from alft.tabular import NoEquilibriumError, best_response, gap, mirror_ascent, solve

HALF = np.full((3, 2, 2), 0.5)


class Broken(games.TangentGame):
    """Nothing is paid, but on question 1, where `objective` or `answer_reward` is no number."""

    concave = True

    def __init__(self, objective=0.0, reward=0.0, question=1):
        self.worth, self.paid, self.question = objective, reward, question

    def objective(self, nu, weights):
        told = np.zeros(nu.shape[:-2])
        told[self.question] = self.worth
        return told

    def answer_reward(self, marginals):
        told = np.zeros(marginals.own().shape)
        told[self.question, 0, 1] = self.paid
        return told

    def on(self, questions):
        here = np.flatnonzero(questions == self.question)
        return Broken(self.worth, self.paid, here[0]) if here.size else Broken(question=0)


@pytest.mark.parametrize("beta", [0.5, 0.0])
def test_a_reward_that_is_no_number_has_no_gap(beta):
    found = np.asarray(gap(Broken(reward=np.nan), HALF, HALF, beta))
    assert np.isnan(found).tolist() == [False, True, False]
    assert found[[0, 2]].tolist() == [0, 0]


def test_it_has_no_best_response_and_no_play_either():
    game = Broken(reward=np.nan)
    assert np.isnan(best_response(game, HALF, HALF, 0.5)).any(axis=-1).tolist() == [
        [False, False],
        [True, False],
        [False, False],
    ]
    assert np.isnan(mirror_ascent(game, HALF, 0.5, rounds=3).gaps).any(axis=0).tolist() == [False, True, False]


def test_a_reward_off_the_support_does_not_matter():
    reference = HALF.copy()
    reference[1, 0] = [1.0, 0.0]
    assert np.asarray(gap(Broken(reward=np.nan), reference, reference, 0.5)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("game", "told"),
    [
        (Broken(reward=np.nan), r"the game's answer reward is nan, so the gap is nan, for questions \[1\]"),
        (Broken(objective=np.nan), r"the game's objective is nan, so there is no gap, for questions \[1\]"),
        (Broken(objective=np.inf), r"the game's objective is inf, so there is no gap, for questions \[1\]"),
        (Broken(objective=-np.inf), r"the objective is −∞ on all of the reference's support, for questions \[1\]"),
    ],
)
def test_an_equilibrium_that_is_no_number_is_none(game, told):
    with pytest.raises(NoEquilibriumError, match=told) as error:
        solve(game, HALF, 0.5)
    assert error.value.questions.tolist() == [1]


def different_supports(rng):
    """Views that can't give every answer, with one that all can."""
    reference = rng.dirichlet(np.ones(6), (50, 3))
    reference[rng.random(reference.shape) < 0.3] = 0
    reference[..., 0] = np.maximum(reference[..., 0], 0.05)
    return simplex.normalise(reference)


@pytest.mark.parametrize("beta", [1.0, 1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("kind", ["geometric", "arithmetic", "euclidean", "fixed"])
def test_views_of_different_support_are_solved_at_any_beta(kind, beta):
    """What not all views say ends at ν ∝ e^{−1/β}: too far to walk there, and of no weight."""
    reference = different_supports(np.random.default_rng(0))
    found = solve(games.Coherence(kind), reference, beta)
    assert np.asarray(found.gap).max() <= 1e-10
    assert (found.nu[reference == 0] == 0).all()


@pytest.mark.parametrize("beta", [1.0, 0.1, 0.0])
def test_an_answer_that_the_target_excludes_is_worth_nothing(beta):
    """ν* ∝ (ν_0^β q)^{1/(1+β)} is exact, and certified as exact."""
    q, reference = np.array([0.3, 0.0, 0.7]), np.array([[0.5, 0.5, 0.0], [0.5, 0.25, 0.25]])
    match = games.TargetMatch(q)
    found = solve(match, reference, beta)
    inside = np.where(reference > 0, q, 0.0)
    assert found.nu == pytest.approx(simplex.normalise((reference**beta * inside) ** (1 / (1 + beta))))
    assert found.gap <= 1e-12
    varied = games.Sum((1.0, match), (0.5, games.Diversity()))
    assert solve(varied, reference, beta).gap <= 1e-12


@pytest.mark.parametrize("beta", [0.1, 0.0])
def test_a_target_that_excludes_all_of_a_view_has_no_equilibrium(beta):
    with pytest.raises(NoEquilibriumError, match="−∞"):
        solve(games.TargetMatch(np.array([1.0, 0.0])), np.eye(2), beta)
