"""The tempered reference (theory.md 2.4): agreed and sure, with the same certificate as before."""

import numpy as np
import pytest

from alft import consensus, games, simplex
from alft.offline.reweight import SolveSettings, reweight
from alft.offline.tallies import Tallies
from alft.tabular import gap, solve
from alft.tabular.problem import TabularProblem, TabularQuestion, solve_problem

RNG = np.random.default_rng(7)
REFERENCE = RNG.dirichlet(np.ones(6), (5, 4))
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.4])
GAMES = {
    "geometric": games.GeometricCoherence(),
    "arithmetic": games.ArithmeticCoherence(),
    "Euclidean": games.EuclideanCoherence(),
    "Jeffreys": games.JeffreysCoherence(),
    "Shannon": games.ShannonDiversity(),
}


def with_score(game, beta, power):
    return games.Sum((1.0, game), (beta * (power - 1), games.ReferenceScore()))


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("power", [1.5, 4.0])
def test_the_reference_score_is_the_same_game_against_a_sharper_reference(name, power):
    beta, game = 0.3, GAMES[name]
    sharp = simplex.sharpened(REFERENCE, power)
    scored = solve(with_score(game, beta, power), REFERENCE, beta, weights=WEIGHTS, tol=1e-12)
    tempered = solve(game, sharp, beta, weights=WEIGHTS, tol=1e-12)
    assert scored.nu == pytest.approx(tempered.nu, abs=1e-6)
    shift = beta * (WEIGHTS * np.log((REFERENCE**power).sum(axis=-1))).sum(axis=-1)
    assert scored.value == pytest.approx(tempered.value + shift, abs=1e-9)


@pytest.mark.parametrize("name", GAMES)
def test_the_gap_is_the_same_at_any_marginals(name):
    beta, power, game = 0.3, 3.0, GAMES[name]
    nu = RNG.dirichlet(np.ones(6), (5, 4))
    told = with_score(game, beta, power).given(games.Facts(reference=REFERENCE))
    plain = gap(told, nu, REFERENCE, beta, WEIGHTS)
    assert plain == pytest.approx(gap(game, nu, simplex.sharpened(REFERENCE, power), beta, WEIGHTS), abs=1e-9)
    assert (plain > 1e-3).all()


def test_alone_it_has_the_closed_form():
    """J = S − β KL is solved by ν_0^{(1 + β)/β}/Z."""
    found = solve(games.ReferenceScore(), REFERENCE, 0.5)
    assert found.nu == pytest.approx(simplex.normalise(REFERENCE**3.0), abs=1e-9)
    assert found.gap == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_the_limit_is_the_consensus_of_the_sharper_reference(power):
    """The distance falls like β (2.4), to q ∝ Π ν_0^{α w}."""
    q = simplex.normalise((REFERENCE ** (power * WEIGHTS[:, None])).prod(axis=-2))[:, None]
    sharp = simplex.sharpened(REFERENCE, power)
    far, near = (
        np.abs(solve(games.GeometricCoherence(), sharp, beta, weights=WEIGHTS).nu - q).max()
        for beta in (1e-2, 1e-3)
    )
    assert near < far / 8
    assert near < 5e-3
    hard = solve(games.GeometricCoherence(), sharp, 0.0, weights=WEIGHTS).nu
    assert hard == pytest.approx(np.broadcast_to(q, hard.shape), abs=1e-9)


def test_sharper_and_sharper_is_the_vote_of_the_geometric_consensus():
    best = consensus.geometric(REFERENCE, WEIGHTS).argmax(axis=-1)
    hard = solve(games.GeometricCoherence(), simplex.sharpened(REFERENCE, 60.0), 0.0, weights=WEIGHTS).nu
    assert hard.argmax(axis=-1).tolist() == np.repeat(best[:, None], 4, axis=1).tolist()
    assert hard.max(axis=-1).min() > 0.9


def test_the_fixed_target_takes_a_power_and_each_consensus():
    for kind in ("geometric", "arithmetic", "harmonic"):
        game = games.FixedTargetCoherence(kind, power=4.0)
        found = solve(game, REFERENCE, 0.0, weights=WEIGHTS)
        q = {"geometric": consensus.geometric, "arithmetic": consensus.arithmetic, "harmonic": consensus.harmonic}
        wanted = simplex.normalise(q[kind](REFERENCE, WEIGHTS) ** 4)
        assert found.nu == pytest.approx(np.broadcast_to(wanted[:, None], found.nu.shape), abs=1e-9)
    with pytest.raises(ValueError, match="power must be from 1 to 64"):
        games.FixedTargetCoherence(power=0.5)


def test_the_harmonic_consensus_is_the_harmonic_mean():
    nu, weights = np.array([[0.5, 0.5, 0.0], [0.25, 0.5, 0.25]]), np.array([0.25, 0.75])
    mass = np.array([1 / (0.25 / 0.5 + 0.75 / 0.25), 1 / (0.25 / 0.5 + 0.75 / 0.5), 0.0])
    assert consensus.harmonic(nu, weights) == pytest.approx(simplex.normalise(mass))


def test_a_power_sharpens_the_consensus_and_not_what_it_is_made_of():
    """The fixed Target of J_α is q_0^α, q_0 the consensus of ν_0 itself (2.4): a vote of votes is another."""
    reference = np.array([[[0.8, 0.05, 0.15], [0.375, 0.575, 0.05], [0.375, 0.575, 0.05]]])
    question = TabularQuestion("q", ("a", "b", "c"), reference[0], games.Facts(reference=reference[0]))
    problem = TabularProblem(games.FixedTargetCoherence("arithmetic"), 0.0, (question,)).sharpened(16.0)
    nu = solve_problem(problem)[0].equilibrium.nu
    assert nu[0].argmax() == 0  # a has .52 of all; b has .40, and most of two views
    wanted = simplex.normalise(reference[0].mean(axis=0) ** 16)
    assert nu[0] == pytest.approx(wanted, abs=1e-9)
    counts = (reference * 200).round().astype(int)[0]
    view, answer = (np.repeat(index, counts.ravel()) for index in np.indices(counts.shape).reshape(2, -1))
    tallies = Tallies.of(np.zeros(len(view), int), view, answer, np.full(len(view), np.nan))
    settings = SolveSettings(games.FixedTargetCoherence("arithmetic"), shrinkage=0.0, power=16.0)
    [found] = reweight(tallies, settings).solved
    assert found.nu[0, 0, :3] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("kind", ["geometric", "arithmetic", "harmonic"])
def test_live_and_offline_play_the_same_game_under_a_power(kind):
    beta, power, game = 0.1, 4.0, games.FixedTargetCoherence(kind)
    live = solve(with_score(game.sharpened(power), beta, power), REFERENCE, beta, weights=WEIGHTS, tol=1e-12)
    told = game.sharpened(power).given(games.Facts(reference=REFERENCE, weights=np.tile(WEIGHTS, (5, 1))))
    offline = solve(told, simplex.sharpened(REFERENCE, power), beta, weights=WEIGHTS, tol=1e-12)
    assert live.nu == pytest.approx(offline.nu, abs=1e-7)
    assert games.Sum((0.5, game)).sharpened(99.0).terms[0][1].power == simplex.LARGEST_POWER
