"""Play under limits on mean costs (theory.md 1.4's constraint form, 2's safety row)."""

import numpy as np
import pytest

from alft import games, simplex
from alft.games import Moments
from alft.tabular import constrained_gap, solve, solve_constrained, value

RNG = np.random.default_rng(0)
REFERENCE = RNG.dirichlet(np.ones(5), 3)
WEIGHTS = np.full(3, 1 / 3)
COSTS = np.array([[0.0, 0.2, 1.0, 0.0, 0.5], [1.0, 0.0, 0.0, 0.3, 0.0]])


def test_one_limit_alone_tilts_the_reference_exponentially():
    """The I-projection: ν ∝ ν_0 exp(−λ f/β) with λ such that the limit just holds."""
    nothing = games.KnownReward(np.zeros((1, 5)))
    moments = Moments(COSTS[:1], 0.5 * Moments(COSTS[:1], np.zeros(1)).expectation(REFERENCE, WEIGHTS))
    found = solve_constrained(nothing, moments, REFERENCE, 0.7)
    expected = simplex.normalise(REFERENCE * np.exp(-found.multipliers[0] * COSTS[0] / 0.7))
    assert found.nu == pytest.approx(expected, abs=1e-12)
    assert moments.expectation(found.nu, WEIGHTS) == pytest.approx(moments.limits, abs=1e-8)


@pytest.mark.parametrize("game", [games.Coherence("arithmetic"), games.Coherence(), games.Diversity("gini")])
@pytest.mark.parametrize("beta", [0.05, 1.0])
def test_the_certificate_bounds_every_feasible_policy(game, beta):
    free = solve(game, REFERENCE, beta).nu
    moments = Moments(COSTS, 0.7 * Moments(COSTS, np.zeros(2)).expectation(free, WEIGHTS))
    found = solve_constrained(game, moments, REFERENCE, beta)
    best = value(game, found.nu, REFERENCE, beta)
    assert found.gap <= 1e-8
    assert (found.violation <= 1e-9).all()
    assert (found.multipliers >= 0).all()
    nu = 0.8 * found.nu + 0.2 * RNG.dirichlet(10 * simplex.softmax(-4 * COSTS.sum(axis=0)), (2000, 3))
    certified = constrained_gap(game, moments, nu, found.multipliers, REFERENCE, beta)
    feasible = (moments.violation(nu, WEIGHTS) <= 1e-9).all(axis=-1)
    assert feasible.sum() > 20
    assert (np.isnan(certified) == ~feasible).all()
    loss = best - np.asarray(value(game, nu, REFERENCE, beta))
    assert np.all((loss <= certified + 1e-8)[feasible])


def test_a_limit_that_does_not_bind_has_no_multiplier():
    game = games.Coherence()
    found = solve_constrained(game, Moments(COSTS, np.array([5.0, 5.0])), REFERENCE, 0.3)
    assert found.multipliers.tolist() == [0, 0]
    assert found.nu == pytest.approx(solve(game, REFERENCE, 0.3).nu, abs=1e-6)


def test_two_limits_that_say_the_same_do_not_make_play_cycle():
    """Collinear costs make the dual's curvature singular: one of them used to get all of a far too long step."""
    costs = np.array([[0.0, 1.0], [0.0, 0.4]])
    reference = RNG.dirichlet(np.ones(2), 9)
    moments = Moments(costs, np.array([0.2, 0.08]))
    found = solve_constrained(games.Coherence("euclidean"), moments, reference, 4.0)
    assert found.gap <= 1e-8
    assert (found.violation <= 1e-9).all()


def test_limits_that_nothing_keeps_are_refused():
    with pytest.raises(ValueError, match="no answer marginals keep all limits"):
        solve_constrained(games.Coherence(), Moments(COSTS + 1, np.array([0.5, 0.5])), REFERENCE, 0.3)
