"""Each game against its definition: r is the gradient of F, the Target attains F (theory.md 1.2, 1.3, 2)."""

import numpy as np
import pytest

from alft import consensus, games, simplex
from alft.games import Facts
from alft.marginals import Marginals
from alft.offline.reweight import SolveSettings, reweight
from alft.rewards import Scoring, score
from alft.tabular import solve
from alft.tabular.problem import TabularProblem, TabularQuestion, solve_problem
from tests.offline.test_reweight import tallies_of

RNG = np.random.default_rng(0)
VIEWS, ANSWERS = 3, 4
WEIGHTS = np.array([0.2, 0.3, 0.5])
GOLD = np.array([0.0, 1.0, 0.0, 0.0])
REFERENCE = RNG.dirichlet(np.ones(ANSWERS), VIEWS)
WANTED = np.array([0.1, 0.2, 0.3, 0.4])
GAMES = {
    "correctness": games.Correctness(),
    "target match": games.TargetMatch(WANTED),
    "Shannon": games.Diversity("shannon"),
    "Gini": games.Diversity("gini"),
    "Tsallis 0.5": games.Diversity(0.5),
    "Tsallis 1.5": games.Diversity(1.5),
    "Tsallis 3": games.Diversity(3.0),
    "arithmetic": games.Coherence("arithmetic"),
    "geometric": games.Coherence("geometric"),
    "Euclidean": games.Coherence("euclidean"),
    "fixed": games.Coherence("fixed"),
    "fixed arithmetic": games.FixedTargetCoherence("arithmetic"),
    "Jeffreys": games.JeffreysCoherence(),
    "parity": games.Parity(["old", "young", "young"], [0.3, 0.7]),
    "sum": games.Sum((1.0, games.Correctness()), (0.2, games.Diversity()), (2.0, games.Coherence())),
    "agreement": games.Agreement(),
    "majority": games.Majority(),
    "majority, pooled": games.PooledMajority(),
    "collision": games.Collision(),
    "majority, cross": games.CrossMajority(),
    "majority, harmonic": games.HarmonicMajority(),
    "fixed harmonic, power 3": games.FixedTargetCoherence("harmonic", power=3.0),
    "format": games.Format(),
    "random": games.Random(),
}
ADVERSARIAL = {"Shannon", "Gini", "Tsallis 0.5", "Tsallis 1.5", "Tsallis 3", "Jeffreys"}
COOPERATIVE = {"arithmetic", "geometric", "Euclidean", "parity", "majority", "majority, pooled", "collision"}


@pytest.fixture(params=GAMES)
def game(request):
    return GAMES[request.param].given(Facts(gold=GOLD, reference=REFERENCE))


def interior():
    return RNG.dirichlet(3 * np.ones(ANSWERS), VIEWS)


def gradient(game, nu, weights, step=1e-5):
    """∂F/∂ν along directions that keep each view a distribution, as a deviation from the view's mean."""
    slopes = np.zeros(nu.shape)
    for view, answer in np.ndindex(nu.shape):
        direction = np.zeros(nu.shape)
        direction[view] = -1 / nu.shape[-1]
        direction[view, answer] += 1
        ahead, behind = (game.objective(nu + sign * step * direction, weights) for sign in (1, -1))
        slopes[view, answer] = (ahead - behind) / (2 * step)
    return slopes


def test_reward_is_the_gradient_of_the_objective(game):
    for _ in range(5):
        nu = 0.9 * interior() + 0.1 / ANSWERS
        reward = game.reward(nu, WEIGHTS)
        centred = WEIGHTS[:, None] * (reward - reward.mean(axis=-1, keepdims=True))
        assert gradient(game, nu, WEIGHTS) == pytest.approx(centred, rel=1e-6, abs=1e-7)


def test_reward_is_the_gradient_of_the_payoff_at_the_best_response(game):
    """The envelope theorem (theory.md 1.3): the Target held still, the slope in ν is the same."""
    nu = 0.9 * interior() + 0.1 / ANSWERS
    target = game.target(nu, WEIGHTS)

    class Frozen:
        def objective(self, nu, weights):
            return game.payoff(nu, target, weights)

    reward = game.reward(nu, WEIGHTS)
    centred = WEIGHTS[:, None] * (reward - reward.mean(axis=-1, keepdims=True))
    assert gradient(Frozen(), nu, WEIGHTS) == pytest.approx(centred, rel=1e-6, abs=1e-7)


def test_the_best_response_attains_the_objective(game):
    for _ in range(5):
        nu = interior()
        value = game.payoff(nu, game.target(nu, WEIGHTS), WEIGHTS)
        assert value == pytest.approx(game.objective(nu, WEIGHTS), abs=1e-12)


def test_a_told_curvature_is_the_derivative_of_the_reward(game):
    """Σ w ν e Dr[ν∘d], by differences of r, against the few numbers of `Curvature`."""
    nu, step = 0.9 * interior() + 0.1 / ANSWERS, 1e-6
    told = game.curvature(nu, WEIGHTS)
    if told is None:
        pytest.skip("does not tell its curvature")
    e, d = RNG.normal(size=(2, *nu.shape))
    change = game.reward(nu * (1 + step * d), WEIGHTS) - game.reward(nu * (1 - step * d), WEIGHTS)
    bent = -(told.own * e * d).sum()
    if told.pull is not None:
        bent += (told.joint * (told.pull * e).sum(axis=-2) * (told.pull * d).sum(axis=-2)).sum()
    if told.overall is not None:
        bent -= (told.overall * e).sum() * (told.overall * d).sum()
    assert (WEIGHTS[:, None] * nu * e * change).sum() / (2 * step) == pytest.approx(bent, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", sorted(ADVERSARIAL | COOPERATIVE))
def test_no_other_target_is_a_better_response(name):
    game, sign = GAMES[name], 1 if name in COOPERATIVE else -1
    nu = interior()
    best = sign * game.payoff(nu, game.target(nu, WEIGHTS), WEIGHTS)
    for _ in range(50):
        other = RNG.dirichlet(np.ones(ANSWERS), game.target(nu, WEIGHTS).shape[-2])
        assert sign * game.payoff(nu, other, WEIGHTS) <= best + 1e-12


def test_the_target_of_agreement_is_at_a_saddle():
    """Neither a minimum nor a maximum: P(ν, ν + d) − F(ν) = −F's curvature along d, of both signs."""
    game, nu = games.Agreement(), interior()
    together = np.tile([0.01, -0.01, 0, 0], (VIEWS, 1))
    apart = together * np.array([[1.0], [-1.0], [0.0]])
    value = game.objective(nu, WEIGHTS)
    assert game.payoff(nu, nu + together, WEIGHTS) < value < game.payoff(nu, nu + apart, WEIGHTS)


def test_concave_games_pass_the_midpoint_test_and_only_they_say_so(game):
    pairs = [(RNG.dirichlet(np.ones(ANSWERS), VIEWS), RNG.dirichlet(np.ones(ANSWERS), VIEWS)) for _ in range(200)]
    excess = [
        game.objective((a + b) / 2, WEIGHTS) - (game.objective(a, WEIGHTS) + game.objective(b, WEIGHTS)) / 2
        for a, b in pairs
    ]
    assert (min(excess) >= -1e-12) == game.concave


def test_batches_of_questions_are_played_one_by_one(game):
    nu = RNG.dirichlet(np.ones(ANSWERS), (5, VIEWS))
    together, values = game.reward(nu, WEIGHTS), game.objective(nu, WEIGHTS)
    for question in range(5):
        assert together[question] == pytest.approx(game.reward(nu[question], WEIGHTS))
        assert values[question] == pytest.approx(game.objective(nu[question], WEIGHTS))


def test_views_and_answers_have_no_order(game):
    """Renaming answers or reordering views does the same to rewards (games that know names are told them anew)."""
    views, answers = RNG.permutation(VIEWS), RNG.permutation(ANSWERS)
    if isinstance(
        game, games.TargetMatch | games.Parity | games.FixedTargetCoherence | games.Correctness | games.Sum
    ):
        pytest.skip("knows answers or views by name")
    nu = interior()
    moved = game.reward(nu[views][:, answers], WEIGHTS[views])
    assert moved == pytest.approx(game.reward(nu, WEIGHTS)[views][:, answers], abs=1e-12)


def test_an_answer_that_nobody_gives_changes_nothing(game):
    if any(hasattr(game, name) for name in ("gold", "wanted", "fixed", "terms")):
        pytest.skip("knows its answers")
    nu = interior()
    padded = np.concatenate([nu, np.zeros((VIEWS, 1))], axis=1)
    assert game.objective(padded, WEIGHTS) == pytest.approx(game.objective(nu, WEIGHTS), abs=1e-12)
    assert game.reward(padded, WEIGHTS)[:, :-1] == pytest.approx(game.reward(nu, WEIGHTS), abs=1e-12)


def test_pairwise_games_sum_over_pairs():
    nu = interior()
    pairs = [(0, 1), (0, 2), (1, 2)]
    jeffreys = -sum(simplex.kl(nu[u], nu[v]) + simplex.kl(nu[v], nu[u]) for u, v in pairs) / (VIEWS * (VIEWS - 1))
    assert games.JeffreysCoherence().objective(nu, WEIGHTS) == pytest.approx(jeffreys, abs=1e-12)
    squared = -sum(WEIGHTS[u] * WEIGHTS[v] * ((nu[u] - nu[v]) ** 2).sum() for u, v in pairs)
    assert games.PairwiseEuclideanCoherence().objective(nu, WEIGHTS) == pytest.approx(squared, abs=1e-12)


def test_tsallis_two_is_gini_and_tsallis_one_tends_to_shannon():
    nu = interior()
    gini, near_one = games.Diversity("gini"), games.Diversity(1 + 1e-7)
    assert games.Diversity(2.0).reward(nu, WEIGHTS) == pytest.approx(2 + gini.reward(nu, WEIGHTS))
    assert near_one.reward(nu, WEIGHTS) == pytest.approx(-np.log(nu), abs=1e-6)
    shannon = games.Diversity("shannon").objective(nu, WEIGHTS)
    assert near_one.objective(nu, WEIGHTS) == pytest.approx(shannon, abs=1e-6)


def test_consensus_improves_on_the_views():
    """Σ w KL(p‖ν_v) = KL(p‖q) + Σ w KL(q‖ν_v) at the geometric consensus q (theory.md 2.3)."""
    nu, p = RNG.dirichlet(np.ones(ANSWERS), VIEWS), RNG.dirichlet(np.ones(ANSWERS))
    q = consensus.geometric(nu, WEIGHTS)
    left = (WEIGHTS * simplex.kl(p[None], nu)).sum()
    assert left == pytest.approx(simplex.kl(p, q) + (WEIGHTS * simplex.kl(q[None], nu)).sum(), abs=1e-12)


def test_the_arithmetic_consensus_improves_in_the_reverse_divergence():
    nu, p = RNG.dirichlet(np.ones(ANSWERS), VIEWS), RNG.dirichlet(np.ones(ANSWERS))
    q = consensus.arithmetic(nu, WEIGHTS)
    left = (WEIGHTS * simplex.kl(nu, p[None])).sum()
    assert left == pytest.approx(simplex.kl(q, p) + (WEIGHTS * simplex.kl(nu, q[None])).sum(), abs=1e-12)


@pytest.mark.parametrize("name", games.NAMED)
def test_named_games_are_made_without_arguments(name):
    assert isinstance(games.NAMED[name](), games.Game)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: games.Coherence("median"), "consensus must be one of arithmetic, geometric, euclidean, fixed"),
        (lambda: games.Diversity("renyi"), "entropy must be one of shannon, gini"),
        (lambda: games.Diversity(1.0), "alpha must be positive and not 1"),
        (lambda: games.Diversity(-2.0), "alpha must be positive and not 1"),
        (lambda: games.Diversity(float("nan")), "alpha must be positive and not 1"),
        (lambda: games.Diversity(float("inf")), "and finite"),
        (lambda: games.Parity(["a", "b"], [2.0, -1.0]), "at least 0, finite"),
        (lambda: games.Parity(["a", "b"]).reward(REFERENCE[:2], np.array([1.0, 0.0])), "weight above 0"),
        (lambda: games.TargetMatch(np.array([0.5, 0.6])), "sum to 1"),
        (lambda: games.TargetMatch(np.array([1.5, -0.5])), "at least 0"),
        (lambda: games.TargetMatch().target(REFERENCE, WEIGHTS), "TargetMatch needs q"),
        (lambda: games.Sum((np.inf, games.Collision())), "coefficients must be finite"),
        (lambda: games.Parity(["a", "b"], [1.0]), "one entry for each of a, b"),
        (lambda: games.Sum(), "at least one"),
        (lambda: games.FixedTargetCoherence().target(REFERENCE, WEIGHTS), "the fixed Target needs q_0"),
        (lambda: games.Correctness().target(REFERENCE, WEIGHTS), "Correctness needs gold answers"),
    ],
)
def test_games_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def noting(marginals, words):
    """The same marginals, which note in `words` what they are asked for."""

    def told(word):
        def ask(self, *args):
            words.add(word)
            return getattr(marginals, word)(*args)

        return ask

    vocabulary = {word: told(word) for word in vars(Marginals) if not word.startswith("_") and word != "weights"}
    empty = {"weights": marginals.weights, "__init__": object.__init__}
    return type("Noting", (Marginals,), vocabulary | empty)()


def test_games_state_the_words_that_their_reward_is_made_of(game):
    nu = interior()
    words: set[str] = set()
    game.answer_reward(noting(Marginals(nu, WEIGHTS), words))
    shape_alone = set() if "own" in game.wants else {"own"}
    assert words - shape_alone == game.wants


def test_what_a_game_calls_bounded_stays_bounded(game):
    """r at marginals near a corner: no game that the cap leaves alone may explode there."""
    corner = simplex.normalise(np.eye(ANSWERS)[:VIEWS] + 1e-9)
    size = np.ptp(game.reward(corner, WEIGHTS), axis=-1).max()
    assert not game.bounded or size < 10
    assert game.bounded or size >= 10 or isinstance(game, games.Sum | games.GeometricCoherence)


def test_a_term_of_weight_zero_is_not_played():
    """0·F would be 0·∞ where the views share no answer, and its needs would be asked for in vain."""
    apart = np.eye(2)
    game = games.Sum((0.0, games.Coherence()), (0.0, games.Correctness()), (1.0, games.Diversity("gini")))
    half = np.array([0.5, 0.5])
    assert (game.needs_views, game.needs_gold, game.concave) == (1, False, True)
    assert game.objective(apart, half) == 0.0
    assert game.payoff(apart, game.target(apart, half), half) == 0.0
    assert (game.reward(apart, half) == games.Diversity("gini").reward(apart, half)).all()
    nothing = games.Sum((0.0, games.Coherence()))
    assert nothing.objective(apart, half) == 0.0
    assert (nothing.reward(apart, half) == 0).all()


@pytest.mark.parametrize("make", [games.JeffreysCoherence, games.Agreement])
def test_pairwise_games_leave_out_views_of_weight_zero(make):
    nu, weights = interior(), np.array([0.4, 0.6, 0.0])
    assert make().objective(nu, weights) == pytest.approx(make().objective(nu[:2], weights[:2]), abs=1e-12)
    reward = make().reward(nu, weights)
    assert reward[:2] == pytest.approx(make().reward(nu[:2], weights[:2]), abs=1e-12)
    assert reward[2].tolist() == [0] * ANSWERS


def test_a_sum_of_sums_is_taken_apart_into_its_games():
    inner = games.Sum((3.0, games.Collision()), (0.0, games.Majority()))
    game = games.Sum((2.0, games.Where(inner, answered=True)), (0.5, games.Agreement()))
    told = game.given(Facts(answered=np.array(1.0)))
    assert [(c, type(part).__name__) for c, part in told.parts()] == [(6.0, "Where"), (0.5, "Agreement")]
    nu = interior()
    by_parts = sum(c * part.objective(nu, WEIGHTS) for c, part in told.parts())
    assert told.objective(nu, WEIGHTS) == pytest.approx(by_parts)


class Curious(games.GeometricCoherence):
    """Notes whether gold answers were shown to it."""

    def __init__(self) -> None:
        self.seen: list[bool] = []

    def given(self, facts: Facts) -> games.Game:
        self.seen.append(facts.gold is not None or facts.answered is not None)
        return self


class Looking(Curious):
    sees_gold = True


@pytest.mark.parametrize(("kind", "shown"), [(Curious, False), (Looking, True)])
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "beside labels"])
def test_a_game_without_labels_never_meets_them(kind, shown, alone):
    """In no way of playing: live scores, offline weights, exact problems; also beside a game with labels."""
    game = kind()
    played = game if alone else games.Sum((1.0, game), (1.0, games.Where(games.Correctness(), answered=True)))
    tallies = tallies_of([[[0, 1], [1, 1]]], gold=[1])
    reweight(tallies, SolveSettings(played, 0.1))
    facts = Facts(gold=np.array([[0.0, 1.0]]), answered=np.ones(1))
    score(np.array([[[0, 1], [1, 1]]]), np.full(2, 1 / 2), Scoring(played), facts)
    known = Facts(gold=np.eye(2)[1], answered=np.ones(()))
    question = TabularQuestion("q", ("7", "8"), np.array([[0.5, 0.5], [0.3, 0.7]]), known)
    solve_problem(TabularProblem(played, 0.1, (question,)))
    assert len(game.seen) >= 3
    assert any(game.seen) is shown


@pytest.mark.parametrize("name", ["geometric", "arithmetic", "euclidean", "pairwise"])
def test_one_view_alone_has_nothing_to_agree_with(name):
    """Of two views one counts: F = 0 whatever it says, and no reward prefers an answer (a mistake of #33)."""
    game = games.NAMED[f"coherence_{name}"]()
    nu, alone = RNG.dirichlet(np.ones(4), (5, 2)), np.array([1.0, 0.0])
    assert game.objective(nu, alone) == pytest.approx(0, abs=1e-12)
    codes = np.array([[[0] * 7 + [1], [-1] * 8]])
    scoring = Scoring(game, unread_penalty=0.0)
    assert score(codes, np.array([0.5, 0.5]), scoring).advantages == pytest.approx(0, abs=1e-12)
    found = solve(game, nu, 0.1, weights=alone)
    assert found.nu == pytest.approx(nu, abs=1e-6)
    assert found.nu[:, 1].tolist() == nu[:, 1].tolist()


def test_sums_of_sums_are_solved_like_the_sum_of_their_parts():
    coherence, gini = games.GeometricCoherence(), games.GiniDiversity()
    nested = games.Sum((0.5, games.Sum((2.0, coherence), (0.2, gini))), (0.0, games.Collision()))
    flat = games.Sum((1.0, coherence), (0.1, gini))
    nu, weights = RNG.dirichlet(np.ones(3), (4, 2)), np.array([0.5, 0.5])
    assert nested.target(nu, weights).tolist() == flat.target(nu, weights).tolist()
    assert solve(nested, nu, 0.1).nu == pytest.approx(solve(flat, nu, 0.1).nu, abs=1e-9)
