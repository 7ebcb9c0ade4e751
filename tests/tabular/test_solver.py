"""The equilibrium and its certificate (theory.md 1.4, 2.1, 2.2): found, bounded, agreed with by another solver."""

from dataclasses import replace

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import minimize

from alft import consensus, games, simplex
from alft.tabular import best_response, drift, gap, has_limit, solve, value
from alft.tabular.newton import separable_step
from alft.tabular.play import Play, start
from tests.tabular.conic import CONIC, conic_program
from tests.tabular.problems import CONCAVE, draw

PROBLEMS = 20


@pytest.mark.parametrize("kind", CONCAVE)
def test_equilibria_are_certified_and_are_their_own_best_response(kind):
    rng = np.random.default_rng(1)
    for _ in range(PROBLEMS):
        problem = draw(kind, rng)
        game, reference, beta, weights = problem.game, problem.reference, problem.beta, problem.weights
        found = solve(game, reference, beta, weights=weights)
        assert found.gap <= 1e-10, problem.setting
        assert gap(game, found.nu, reference, beta, weights) <= 1.1e-10, problem.setting
        moved = np.abs(best_response(game, found.nu, reference, beta, weights) - found.nu).sum(axis=-1)
        assert (weights * moved).sum() <= np.sqrt(2 * found.gap / beta) + 1e-12
        assert found.value == pytest.approx(value(game, found.nu, reference, beta, weights), abs=1e-9)
        assert found.objective == pytest.approx(game.payoff(found.nu, found.target, weights), abs=1e-9)


@pytest.mark.parametrize("kind", CONCAVE)
def test_the_gap_bounds_what_any_policy_loses(kind):
    rng = np.random.default_rng(2)
    problem = draw(kind, rng, most_answers=20)
    game, reference, beta, weights = problem.game, problem.reference, problem.beta, problem.weights
    best = solve(game, reference, beta, weights=weights).value
    nu = rng.dirichlet(np.ones(reference.shape[-1]), (800, reference.shape[0]))
    loss = best - value(game, nu, reference, beta, weights)
    certified = gap(game, nu, reference, beta, weights)
    assert np.all(loss <= certified + 1e-9)
    assert np.all(certified >= 0)
    assert np.median(certified / np.maximum(loss, 1e-12)) < 1e6, "a bound that says nothing"


@pytest.mark.parametrize("kind", CONIC)
@pytest.mark.parametrize("beta", [0.05, 1.0])
def test_a_conic_solver_agrees(kind, beta):
    problem = replace(draw(kind, np.random.default_rng(3), most_answers=8, views=4), beta=beta)
    program = conic_program(kind, problem)
    program.solve(solver=cp.CLARABEL)
    found = solve(problem.game, problem.reference, beta, weights=problem.weights)
    assert program.status == "optimal"
    assert found.value == pytest.approx(program.value, abs=1e-7)


def test_closed_forms():
    """theory.md 2.1: correctness + c·Shannon, and target match with weight c."""
    rng = np.random.default_rng(4)
    reference, gold, wanted = rng.dirichlet(np.ones(5), 3), np.eye(5)[2], rng.dirichlet(np.ones(5))
    for beta, c in [(0.1, 0.5), (2.0, 0.01)]:
        both = games.Sum((1.0, games.Correctness(gold)), (c, games.Diversity("shannon")))
        expected = simplex.normalise((reference**beta * np.exp(gold)) ** (1 / (beta + c)))
        assert solve(both, reference, beta).nu == pytest.approx(expected, abs=1e-9)
        match = games.Sum((c, games.TargetMatch(wanted)))
        expected = simplex.normalise(wanted ** (c / (c + beta)) * reference ** (beta / (c + beta)))
        assert solve(match, reference, beta).nu == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("c", [0.3, 1.0, 10.0])
def test_arithmetic_coherence_is_the_fixed_point_of_block_ascent(c):
    """theory.md 2.1: q ← Σ w ν_v, ν_v ∝ q^{c/(c+β)} ν_0^{β/(c+β)}."""
    rng = np.random.default_rng(5)
    reference, weights, beta = rng.dirichlet(np.ones(6), 4), rng.dirichlet(5 * np.ones(4)), 0.2
    q = consensus.arithmetic(reference, weights)
    for _ in range(5000):
        nu = simplex.normalise(q ** (c / (c + beta)) * reference ** (beta / (c + beta)))
        q = consensus.arithmetic(nu, weights)
    game = games.Sum((c, games.Coherence("arithmetic")))
    assert solve(game, reference, beta, weights=weights, tol=1e-18).nu == pytest.approx(nu, abs=1e-9)


@pytest.mark.parametrize("kind", ["Gini", "Tsallis 0.5", "Tsallis 3", "arithmetic", "geometric", "Euclidean"])
def test_a_step_solved_directly_equals_one_by_conjugate_gradients(kind):
    """A sum of one game is the same game, but does not tell its curvature."""
    rng = np.random.default_rng(13)
    for _ in range(10):
        problem = draw(kind, rng)
        play = Play(problem.game, problem.reference[None], problem.beta, problem.weights[None])
        place = start(play)
        curvature = problem.game.curvature(place.nu, play.weights)
        assert curvature is not None
        direct = separable_step(play, place, curvature)
        left = place.residual - play.curvature(place.nu, place.reward, direct)
        size = np.sqrt(play.inner(place.nu, place.residual, place.residual))
        assert np.sqrt(play.inner(place.nu, left, left)) <= 1e-3 * size, problem.setting
        ways = [
            solve(game, problem.reference, problem.beta, weights=problem.weights, tol=1e-14)
            for game in (problem.game, games.Sum((1.0, problem.game)))
        ]
        assert ways[0].value == pytest.approx(ways[1].value, abs=1e-10)


@pytest.mark.parametrize("kind", ["arithmetic", "geometric", "euclidean", "jeffreys"])
def test_hard_coherence_is_the_geometric_consensus_of_the_reference(kind):
    """theory.md 2.2: as c/β → ∞ all moving Targets tend to q ∝ Π ν_0^w, with an error in proportion to β/c.

    Extrapolated to β = 0 from two small β, so that rewards over β are not lost in rounding.
    """
    rng = np.random.default_rng(6)
    reference = rng.dirichlet(2 * np.ones(5), 3)
    limit = consensus.geometric(reference, np.full(3, 1 / 3))
    game = games.JeffreysCoherence() if kind == "jeffreys" else games.Coherence(kind)
    coarse, fine = (solve(game, reference, beta, tol=1e-22).nu for beta in (2e-6, 1e-6))
    assert np.abs(coarse - limit).max() == pytest.approx(2 * np.abs(fine - limit).max(), rel=0.01)
    assert 2 * fine - coarse == pytest.approx(np.tile(limit, (3, 1)), abs=1e-9)


def test_hard_coherence_with_a_fixed_target_is_that_target():
    reference = np.random.default_rng(7).dirichlet(np.ones(5), 3)
    nu = solve(games.FixedTargetCoherence("arithmetic"), reference, 1e-11).nu
    assert nu == pytest.approx(np.tile(reference.mean(axis=0), (3, 1)), abs=1e-9)


def test_questions_in_a_batch_do_not_know_of_each_other_and_masked_answers_stay_out():
    rng = np.random.default_rng(8)
    reference = rng.dirichlet(np.ones(6), (40, 3))
    reference[::2, :, 4:] = 0
    reference = simplex.normalise(reference)
    gold = np.eye(6)[rng.integers(0, 4, 40)]
    game = games.Sum((1.0, games.Correctness(gold)), (1.0, games.Coherence("geometric")))
    together = solve(game, reference, 0.3)
    assert (together.nu[reference == 0] == 0).all()
    for question in (0, 17):
        own = reference[question][:, reference[question, 0] > 0]
        kept = games.Sum(
            (1.0, games.Correctness(gold[question, : own.shape[1]])), (1.0, games.Coherence("geometric"))
        )
        alone = solve(kept, own, 0.3)
        assert together.nu[question][:, : own.shape[1]] == pytest.approx(alone.nu, abs=1e-6)
        assert np.asarray(together.value)[question] == pytest.approx(alone.value, abs=1e-10)


@pytest.mark.parametrize("kind", ["arithmetic", "geometric", "euclidean"])
def test_views_of_different_support(kind):
    """Where a view can't give an answer it never does; the certificate holds all the same."""
    reference = np.array([[0.5, 0.5, 0.0], [0.4, 0.3, 0.3]])
    found = solve(games.Coherence(kind), reference, 0.1)
    assert found.gap <= 1e-10
    assert found.nu[0, 2] == 0


def test_a_hundred_thousand_answers_and_marginals_of_1e_12():
    rng = np.random.default_rng(9)
    reference = rng.dirichlet(np.ones(100_000), 2)
    reference = simplex.normalise(np.where(rng.random(reference.shape) < 0.5, 1e-12, reference))
    for game in (games.Coherence("arithmetic"), games.Diversity("shannon"), games.Diversity("gini")):
        found = solve(game, reference, 0.1)
        assert found.gap <= 1e-10
        assert np.isfinite(found.nu).all()


TRACES, ANSWER_OF = 6, np.array([0, 0, 0, 1, 1, 2])
"""Traces of a view, and the answer that each ends in."""
OF_TRACES = (ANSWER_OF[:, None] == np.arange(3)).astype(float)


@pytest.mark.parametrize("kind", ["arithmetic", "geometric"])
def test_the_best_policy_on_traces_is_the_reference_reweighted_by_answer(kind):
    """theory.md 1.1: found on traces by a general optimiser, it is π_0(z)·ν*(A(z))/ν_0(A(z))."""
    reference_traces = np.random.default_rng(10).dirichlet(np.ones(TRACES), 2)
    reference, beta, game = reference_traces @ OF_TRACES, 0.5, games.Coherence(kind)

    def policy(logits):
        return simplex.softmax(logits.reshape(2, TRACES))

    def loss(logits):
        found = policy(logits)
        divergence = np.asarray(simplex.kl(found, reference_traces)).mean()
        return beta * divergence - float(game.objective(found @ OF_TRACES, np.full(2, 0.5)))

    searched = minimize(loss, np.log(reference_traces).ravel(), options={"gtol": 1e-8})
    ratio = solve(game, reference, beta).nu / reference
    assert np.abs(ratio - 1).max() > 0.05
    assert policy(searched.x) == pytest.approx(reference_traces * ratio[:, ANSWER_OF], abs=1e-5)


def test_drift_is_what_reasoning_given_the_answer_cost_and_no_gap_sees_it():
    """theory.md 1.1 and 1.4: Σ_v w_v E_{a~ν_v} KL(π(·|a)‖π_0(·|a)), and J* − J(π) ≤ gap(ν) + β·drift."""
    rng, beta, game = np.random.default_rng(10), 0.5, games.Coherence("arithmetic")
    reference_traces, policy = rng.dirichlet(np.ones(TRACES), 2), rng.dirichlet(np.ones(TRACES), (300, 2))
    reference, nu = reference_traces @ OF_TRACES, policy @ OF_TRACES
    divergence = np.asarray(simplex.kl(policy, np.broadcast_to(reference_traces, policy.shape)))
    cost = np.asarray(drift(divergence, nu, reference))

    def given(traces, view, answer):
        return simplex.normalise(traces[..., view, np.flatnonzero(OF_TRACES[:, answer])])

    slowly = sum(
        nu[:, view, answer] * simplex.kl(given(policy, view, answer), given(reference_traces, view, answer)) / 2
        for view in range(2)
        for answer in range(3)
    )
    assert cost == pytest.approx(slowly, abs=1e-12)
    assert cost.min() > 0
    worth = game.objective(nu, np.full(2, 0.5)) - beta * divergence.mean(axis=-1)
    assert np.all(
        solve(game, reference, beta).value - worth <= gap(game, nu, reference, beta) + beta * cost + 1e-10
    )


@pytest.mark.parametrize("face", [[0], [1, 2], [0, 2]])
def test_a_face_answers_itself_best_and_is_no_solution(face):
    """theory.md 1.2: with log q, Policy and Target never return an answer that both dropped; the gap tells."""
    reference, beta, weights = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]]), 0.2, np.full(2, 0.5)
    game = games.Coherence("arithmetic")
    nu = np.zeros((2, 3))
    nu[:, face] = solve(game, simplex.normalise(reference[:, face]), beta).nu
    target = game.target(nu, weights)
    policy = simplex.normalise(reference ** (beta / (1 + beta)) * target ** (1 / (1 + beta)))
    assert policy == pytest.approx(nu, abs=1e-6)
    lost = solve(game, reference, beta).value - value(game, nu, reference, beta)
    assert 0.05 < lost <= gap(game, nu, reference, beta)


def test_without_a_penalty_the_gap_is_that_of_frank_wolfe():
    """theory.md 1.4 at β = 0, and as its limit."""
    rng = np.random.default_rng(11)
    reference, nu = rng.dirichlet(np.ones(4), 3), rng.dirichlet(np.ones(4), 3)
    game = games.Coherence("euclidean")
    reward = game.reward(nu, np.full(3, 1 / 3))
    expected = np.mean(reward.max(axis=-1) - (reward * nu).sum(axis=-1))
    assert gap(game, nu, reference, 0.0) == pytest.approx(expected)
    assert gap(game, nu, reference, 1e-6) == pytest.approx(expected, abs=1e-4)


def test_marginals_off_the_support_have_no_finite_gap():
    reference, nu = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.5, 0.5], [0.5, 0.5]])
    assert gap(games.Coherence("arithmetic"), nu, reference, 1.0) == np.inf


HALF = np.array([[0.5, 0.5], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("game", "reference", "beta", "message"),
    [
        (games.Agreement(), HALF, 1.0, "Agreement is not concave"),
        (games.Coherence(), HALF, -0.1, "beta must be at least 0"),
        (games.Coherence(), HALF, float("nan"), "beta must be at least 0"),
        (games.Diversity("gini"), HALF, 0.0, "the limit of GiniDiversity for beta 0 is not known"),
        (
            games.Sum((1.0, games.Coherence()), (1.0, games.Diversity("gini"))),
            HALF,
            0.0,
            "the limit of Sum for beta",
        ),
        (games.Coherence("arithmetic"), np.stack([HALF, np.eye(2)]), 0.0, r"every view, for questions \[1\]"),
        (games.TargetMatch(np.full(3, 1 / 3)), HALF, 1.0, "made for 3 answers, and the reference has 2"),
        (games.Sum((1.0, games.Parity(["a", "b", "b"]))), HALF, 1.0, "made for 3 views, and the reference has 2"),
        (games.Coherence(), 2 * HALF, 1.0, "sum to 1"),
        (games.Coherence(), np.array([[1.5, -0.5]]), 1.0, "not negative"),
        (games.Coherence(), np.array([0.5, 0.5]), 1.0, "axes"),
        (games.Coherence(), np.eye(2), 1.0, "−∞ on all of the reference's support"),
        (
            games.JeffreysCoherence(),
            np.array([[0.5, 0.5], [1.0, 0.0]]),
            1.0,
            "−∞ on all of the reference's support",
        ),
    ],
)
def test_problems_without_an_equilibrium_are_refused(game, reference, beta, message):
    with pytest.raises(ValueError, match=message):
        solve(game, reference, beta)


def test_the_limit_of_a_linear_game_is_the_reference_given_one_of_its_best_answers():
    reference = np.array([[[0.2, 0.6, 0.2], [0.5, 0.0, 0.5]], [[0.0, 1.0, 0.0], [0.3, 0.3, 0.4]]])
    game = games.Sum((2.0, games.Correctness(np.array([[1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]))))
    assert has_limit(game)
    found = solve(game, reference, 0.0)
    wanted = [[[0.5, 0, 0.5], [0.5, 0, 0.5]], [[0, 1, 0], [0.3 / 0.7, 0, 0.4 / 0.7]]]
    assert found.nu == pytest.approx(np.array(wanted))
    assert found.nu == pytest.approx(solve(game, reference, 1e-3).nu, abs=1e-12)
    assert np.abs(found.gap).max() == 0


def test_history_on_request():
    reference = np.random.default_rng(12).dirichlet(np.ones(4), (5, 3))
    found = solve(games.Coherence("geometric"), reference, 0.1, history=True)
    assert solve(games.Coherence(), reference, 0.1).history is None
    assert found.history is not None
    assert found.history[-1] == pytest.approx(found.gap, abs=0)
    assert (found.history[0] > found.gap).all()


@pytest.mark.parametrize("kind", ["arithmetic", "geometric", "euclidean", "jeffreys", "sum"])
def test_beta_zero_is_the_limit_of_small_beta(kind):
    """Hard coherence (2.2), also where views differ in support, and for a view without weight."""
    made = {
        "jeffreys": games.JeffreysCoherence(),
        "sum": games.Sum((2.0, games.Coherence()), (0.0, games.Collision())),
    }
    game = made.get(kind) or games.Coherence(kind)
    reference = np.random.default_rng(14).dirichlet(2 * np.ones(5), (6, 3))
    weights = np.array([0.2, 0.5, 0.3])
    hard = solve(game, reference, 0.0, weights=weights)
    near = solve(game, reference, 1e-7, weights=weights)
    assert hard.nu == pytest.approx(near.nu, abs=1e-5)
    assert np.asarray(hard.gap).max() <= 1e-12
    assert hard.value == pytest.approx(np.zeros(6), abs=1e-12)
    reference[:, 0, 0] = 0
    reference[:, 2, 1] = 0
    reference, weights = simplex.normalise(reference), np.array([0.4, 0.6, 0.0])
    hard = solve(game, reference, 0.0, weights=weights).nu
    assert hard[:, 0] == pytest.approx(consensus.geometric(reference, weights))
    assert (hard[:, 0, 0] == 0).all()
    assert (hard[:, 2, 1] == 0).all()


def test_beta_zero_with_a_fixed_target_is_that_target():
    reference = np.random.default_rng(15).dirichlet(np.ones(4), (2, 3))
    for kind, make in (("arithmetic", consensus.arithmetic), ("geometric", consensus.geometric)):
        hard = solve(games.FixedTargetCoherence(kind), reference, 0.0, history=True)
        wanted = make(reference, np.full(3, 1 / 3))[:, None]
        assert hard.nu == pytest.approx(np.broadcast_to(wanted, hard.nu.shape))
        assert hard.history is not None
        assert hard.history[0] == pytest.approx(np.zeros(2), abs=1e-12)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([-1.0, 2.0], "at least 0"),
        ([0.0, 0.0], "one of each question above 0"),
        ([np.nan, 1.0], "finite"),
        ([1.0, 1.0, 1.0], r"axes \(view\) = \(2,\)"),
        (1.0, "axes"),
    ],
)
def test_view_weights_that_make_no_sense_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        solve(games.Coherence(), HALF, 1.0, weights=np.array(weights))


@pytest.mark.parametrize(
    "game",
    [games.JeffreysCoherence(), games.Coherence(), games.Coherence("arithmetic"), games.Coherence("euclidean")],
    ids=lambda game: type(game).__name__,
)
def test_a_view_of_weight_zero_has_no_say(game):
    """Nothing is divided by its weight, and the others play as if it was not there."""
    reference = np.random.default_rng(16).dirichlet(np.ones(4), 3)
    found = solve(game, reference, 0.2, weights=np.array([0.5, 0.5, 0.0]))
    alone = solve(game, reference[:2], 0.2)
    assert found.gap <= 1e-10
    assert found.nu[:2] == pytest.approx(alone.nu, abs=1e-6)


def test_a_term_of_weight_zero_does_not_spoil_a_sum_on_disjoint_views():
    game = games.Sum((0.0, games.Coherence()), (1.0, games.Diversity()))
    assert solve(game, np.eye(2), 0.1).gap == 0
