"""First-order play arrives where the solver says, at the theory's rates (theory.md 2.1, 5)."""

import numpy as np
import pytest

from alft import games, simplex
from alft.tabular import best_response, mirror_ascent, no_regret, solve, value

RNG = np.random.default_rng(0)
REFERENCE = RNG.dirichlet(np.ones(6), 4)


@pytest.mark.parametrize("beta", [0.1, 0.5])
def test_mirror_ascent_contracts_arithmetic_coherence_by_one_over_one_plus_beta(beta):
    """Block coordinate ascent: the error of log ν shrinks by c/(c+β) a round, so the gap by its square."""
    gaps = mirror_ascent(games.Coherence("arithmetic"), REFERENCE, beta, rounds=60).gaps
    late = gaps[(gaps > 1e-11) & (gaps < 1e-4)]
    rate = (late[-1] / late[0]) ** (1 / (len(late) - 1))
    assert rate == pytest.approx((1 + beta) ** -2, rel=0.02)


@pytest.mark.parametrize("kind", ["arithmetic", "geometric", "euclidean"])
def test_both_dynamics_reach_the_equilibrium(kind):
    game, beta = games.Coherence(kind), 0.5
    best = solve(game, REFERENCE, beta, tol=1e-18).nu
    assert mirror_ascent(game, REFERENCE, beta, rounds=80).nu == pytest.approx(best, abs=1e-6)
    assert no_regret(game, REFERENCE, beta, rounds=300).nu == pytest.approx(best, abs=0.02)


@pytest.mark.parametrize("game", [games.Coherence(), games.JeffreysCoherence(), games.Diversity(0.5)])
def test_mirror_ascent_never_falls_where_rewards_are_steep(game):
    """q/ν has no bounded slope: the plain step β/(1+β) sent these gaps to 1e15; backtracking keeps J rising."""
    batch = np.stack([REFERENCE, REFERENCE[::-1]])
    values = [value(game, mirror_ascent(game, batch, 0.1, rounds=n).nu, batch, 0.1) for n in (0, 1, 2, 5, 20, 200)]
    assert (np.diff(np.array(values), axis=0) >= -1e-12).all()
    gaps = mirror_ascent(game, batch, 0.1, rounds=200).gaps
    assert (gaps[-1] <= 1e-6 * gaps[0]).all()
    assert gaps[-1] == pytest.approx(mirror_ascent(game, REFERENCE, 0.1, rounds=200).gaps[-1], abs=1e-9)


def test_a_step_that_is_given_is_taken_as_it_is():
    plain = mirror_ascent(games.Coherence(), REFERENCE, 0.1, rounds=1, step=0.25).nu
    best = best_response(games.Coherence(), REFERENCE, REFERENCE, 0.1)
    assert plain == pytest.approx(simplex.normalise(REFERENCE**0.75 * best**0.25))


def test_no_regret_play_closes_the_gap_at_least_as_fast_as_one_over_rounds():
    gaps = no_regret(games.Coherence("euclidean"), REFERENCE, 0.2, rounds=600).gaps
    rounds = np.arange(50, 600)
    slope = np.polyfit(np.log(rounds), np.log(gaps[rounds]), 1)[0]
    assert slope <= -0.95


def test_sharpening_has_several_resting_points():
    """Agreement is not concave: from two sides of a tie, play ends in two different answers."""
    ends = []
    for lean in (0.01, -0.01):
        reference = np.tile([0.5 + lean, 0.5 - lean], (2, 1))
        trajectory = mirror_ascent(games.Agreement(), reference, 0.05, rounds=200, step=0.3)
        assert trajectory.gaps[-1] < 1e-9
        ends.append(trajectory.nu[0])
    assert ends[0] == pytest.approx(ends[1][::-1])
    assert ends[0].max() > 0.95


def test_answers_outside_the_reference_stay_out():
    reference = simplex.normalise(np.array([[1.0, 1.0, 0.0], [2.0, 1.0, 0.0]]))
    assert (mirror_ascent(games.Coherence(), reference, 1.0).nu[:, 2] == 0).all()
    assert (no_regret(games.Coherence(), reference, 1.0).nu[:, 2] == 0).all()
