"""Sampled rewards against enumeration: the expected update IS the gradient of the objective (4.1, 4.4)."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alft import games
from alft.config.schema import ScoringConfig
from alft.errors import ConfigError
from alft.estimators import LOG_KINDS, Estimator, LogKind, log_table
from alft.games import Facts
from alft.rewards import scoring as rewards
from alft.rewards.scoring import BASELINES, Baseline, Scoring, Tally, leave_two_out, score
from alft.simplex import Array
from tests.reference import expected_update, leave_two_out_by_deleting, policy_gradient

WEIGHTS = np.array([0.5, 0.5])
NU = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])
GOLD = Facts(gold=np.array([[0.0, 1.0, 0.0]]))


def play(game, baseline, samples=4, nu=NU, **options):
    facts = GOLD if game.needs_gold else None
    return expected_update(nu, WEIGHTS, samples, Scoring(game, Estimator(), baseline, 0.0), facts, **options)


def exact(game, nu=NU):
    known = game.given(Facts(gold=np.array([0.0, 1.0, 0.0])))
    return policy_gradient(nu, known.reward(nu, WEIGHTS))


POLYNOMIAL = {
    "correctness": games.Correctness(),
    "collision": games.Collision(),
    "agreement": games.Agreement(),
    "Gini": games.Diversity("gini"),
    "Tsallis 3": games.Diversity(3.0),
    "Euclidean": games.Coherence("euclidean"),
    "Tsallis 2": games.Diversity(2.0),
    "where": games.Where(games.Collision(), answered=True, played=np.array(1.0)),
    "sum": games.Sum((1.0, games.Correctness()), (0.3, games.Diversity("gini")), (2.0, games.Agreement())),
}


@pytest.mark.parametrize("game", POLYNOMIAL.values(), ids=POLYNOMIAL.keys())
@pytest.mark.parametrize("samples", [4, 5])
def test_leave_two_out_plays_polynomial_games_exactly(game, samples):
    assert play(game, "leave_two_out", samples) == pytest.approx(exact(game), abs=1e-10)


def test_unequal_view_weights_scale_each_view():
    """The trainer's update of view v is V·w_v times its gradient, so that r = (1/w_v) ∂F/∂ν_v sums up to ∇F."""
    weights = np.array([0.2, 0.8])
    game = games.Coherence("euclidean")
    update = expected_update(NU, weights, 4, Scoring(game, unread_penalty=0.0))
    wanted = 2 * weights[:, None] * policy_gradient(NU, game.reward(NU, weights))
    assert update == pytest.approx(wanted, abs=1e-10)


OF_DEGREE = {1: games.Collision(), 2: games.Diversity(3.0), 3: games.Diversity(4.0)}
"""r is a U-statistic of this degree m in the view's own marginal."""


@pytest.mark.parametrize("samples", [3, 4, 5, 6])
@pytest.mark.parametrize("degree", OF_DEGREE)
def test_usual_baselines_damp_a_game_of_its_own_view(degree, samples):
    """theory.md 4.1, m = 1…3, K = 3…6: none 1, leave-one-out 1 − m/(K−1), group mean (K−1−m)/K, two out 1."""
    if samples < degree + 1:
        pytest.skip("no U-statistic of this degree")
    game, one = OF_DEGREE[degree], NU[:1]
    wanted = policy_gradient(one, game.reward(one, np.ones(1)))
    factors: dict[Baseline, float] = {
        "none": 1.0,
        "leave_one_out": 1 - degree / (samples - 1),
        "group_mean": (samples - 1 - degree) / samples,
        "leave_two_out": float(samples >= degree + 2),
    }
    for baseline, factor in factors.items():
        found = expected_update(one, np.ones(1), samples, Scoring(game, baseline=baseline, unread_penalty=0.0))
        assert found == pytest.approx(factor * wanted, abs=1e-10), baseline


@pytest.mark.parametrize("samples", [3, 5])
@pytest.mark.parametrize("game", [games.Agreement(), games.Correctness()], ids=["agreement", "correctness"])
def test_terms_from_elsewhere_are_damped_by_the_group_mean_alone(game, samples):
    assert play(game, "leave_one_out", samples) == pytest.approx(exact(game), abs=1e-10)
    assert play(game, "group_mean", samples) == pytest.approx((samples - 1) / samples * exact(game), abs=1e-10)


@pytest.mark.parametrize("game", [games.Collision(), games.Diversity("gini")], ids=["collision", "Gini"])
def test_unread_answers_have_no_part_in_the_game(game):
    """⊥ at 1/4: the update is ∇F(ν(·|readable)) exactly, times the chance that m + 2 samples can be read (2.0).

    ⊥'s own logit is left alone: readable advantages are scaled by 1/(1 − ν(⊥)) and have mean 0.
    """
    nu = np.array([[0.5, 0.25, 0.25], [0.3, 0.45, 0.25]])
    given_read = nu[:, :2] / nu[:, :2].sum(axis=1, keepdims=True)
    update = play(game, "leave_two_out", samples=6, nu=nu, unread=2)
    wanted = policy_gradient(given_read, game.reward(given_read, WEIGHTS))
    enough = 1 - sum(math.comb(6, k) * 0.75**k * 0.25 ** (6 - k) for k in range(game.own_degree + 2))
    assert update[:, :2] == pytest.approx(enough * wanted, abs=1e-12)
    assert update[:, 2] == pytest.approx(0, abs=1e-12)


def test_a_free_unread_answer_would_win_the_diversity_game():
    """What 2.0 warns of: were ⊥ an answer with r(⊥) = 0, the exact Gini gradient would drive 5 % to > 90 %."""
    nu = np.array([[0.475, 0.475, 0.05]])
    logits = np.log(nu)
    for _ in range(4000):
        nu = np.exp(logits) / np.exp(logits).sum()
        reward = games.Diversity("gini").reward(nu, np.ones(1)) * np.array([1.0, 1.0, 0.0])
        logits = logits + 0.5 * policy_gradient(nu, reward)
    assert nu[0, 2] > 0.9


def test_an_unread_answer_costs_its_penalty():
    codes = np.array([[[0, 0, 0, -1], [0, 0, 0, 0]]])
    scores = score(codes, WEIGHTS, Scoring(games.Agreement(), unread_penalty=0.3))
    assert scores.advantages[0, 0].tolist() == pytest.approx([0.1, 0.1, 0.1, -0.3])
    assert np.isnan(scores.rewards[0, 0, 3])
    assert scores.advantages[0, 1].tolist() == pytest.approx([0] * 4)


class Undefined(games.Collision):
    """A game of one's own with a mistake: a ratio that nothing holds where an answer was given once."""

    def answer_reward(self, marginals):
        own = marginals.own()
        with np.errstate(invalid="ignore"):
            return own / own


def test_a_game_that_pays_nan_to_an_answer_that_was_given_is_refused():
    codes = np.array([[[0, 0, 1, -1], [0, 0, 0, 0]]])
    with pytest.raises(ConfigError, match="game: Undefined pays nan to 1 of 3 answers that were given — "):
        score(codes, WEIGHTS, Scoring(Undefined()))


def test_nor_may_it_pay_nan_in_the_baseline_alone():
    codes = np.array([[[0, 0, 1, 1], [0, 0, 0, 0]]])  # nan where one of two equal answers is taken away
    with pytest.raises(ConfigError, match="Undefined pays nan"):
        score(codes, WEIGHTS, Scoring(Undefined()))


ALL = [
    games.Majority(),
    games.PooledMajority(),
    games.Collision(),
    games.Agreement(),
    games.ArithmeticCoherence(),
    games.GeometricCoherence(),
    games.EuclideanCoherence(),
    games.JeffreysCoherence(),
    games.Diversity("shannon"),
    games.Diversity("gini"),
    games.Diversity(3.0),
    games.Diversity(0.5),
]
CODES = st.lists(st.lists(st.integers(-1, 3), min_size=5, max_size=5), min_size=2, max_size=3).map(
    lambda rows: np.array([rows])
)


@pytest.mark.parametrize("game", ALL, ids=lambda g: type(g).__name__)
@settings(deadline=None, max_examples=30)
@given(codes=CODES)
def test_fast_baseline_equals_deleting_samples_one_by_one(game, codes):
    weights = np.full(codes.shape[1], 1 / codes.shape[1])
    scoring = Scoring(game)
    answers = max(int(codes.max()) + 1, 1)
    counts = (codes[..., None] == np.arange(answers)).sum(axis=2).astype(float)
    fast = leave_two_out(Tally(counts, weights), scoring)
    if codes.max() < 0:
        assert np.isnan(fast).all()
        return
    looked_up = np.take_along_axis(fast, np.maximum(codes, 0), axis=-1)
    looked_up = np.where(codes < 0, np.nan, looked_up)[0]
    assert looked_up == pytest.approx(
        leave_two_out_by_deleting(codes[0], weights, scoring), nan_ok=True, abs=1e-12
    )


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("game", ALL, ids=lambda g: type(g).__name__)
@settings(deadline=None, max_examples=20)
@given(codes=CODES, order=st.permutations(range(4)))
def test_names_of_answers_do_not_matter(game, baseline, codes, order):
    weights = np.full(codes.shape[1], 1 / codes.shape[1])
    renamed = np.where(codes < 0, -1, np.array(order)[np.maximum(codes, 0)])
    scoring = Scoring(game, baseline=baseline)
    assert score(renamed, weights, scoring).advantages == pytest.approx(
        score(codes, weights, scoring).advantages, abs=1e-10
    )


@pytest.mark.parametrize("game", ALL, ids=lambda g: type(g).__name__)
@settings(deadline=None, max_examples=20)
@given(codes=CODES)
def test_order_of_views_does_not_matter(game, codes):
    weights = np.full(codes.shape[1], 1 / codes.shape[1])
    forward = score(codes, weights, Scoring(game)).advantages
    backward = score(codes[:, ::-1], weights, Scoring(game)).advantages
    assert backward[:, ::-1] == pytest.approx(forward, abs=1e-12)


def test_ties_do_not_depend_on_the_order_of_views():
    """Found by the law above: 0.8 + 0.25 + 0.5 and its mirror differ in the last bit."""
    codes = np.array([[[0, 0, 0, 0, 1], [0, 1, 1, 1, -1], [0, 1, -1, -1, -1]]])
    weights = np.full(3, 1 / 3)
    forward = score(codes, weights, Scoring(games.PooledMajority())).advantages
    backward = score(codes[:, ::-1], weights, Scoring(games.PooledMajority())).advantages
    assert backward[:, ::-1] == pytest.approx(forward, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(codes=CODES)
def test_advantages_are_finite_and_bounded(codes):
    weights = np.full(codes.shape[1], 1 / codes.shape[1])
    for game in ALL:
        advantages = score(codes, weights, Scoring(game)).advantages
        assert np.isfinite(advantages).all()
        assert np.abs(advantages).max() <= 2 * 5.0 * codes.shape[-1] + 0.5


ARITHMETIC, PAIRWISE, LABELS = games.Coherence("arithmetic"), games.JeffreysCoherence(), games.Correctness()


@pytest.mark.parametrize(
    ("game", "beta", "log"),
    [
        (ARITHMETIC, 0.0, "plugin"),
        (PAIRWISE, 0.0, "plugin"),
        (games.Sum((1.0, ARITHMETIC), (0.5, PAIRWISE)), 0.0, "plugin"),
        (ARITHMETIC, 0.1, "variance_optimal"),
        (games.Sum((1.0, ARITHMETIC), (1.0, LABELS)), 0.0, "variance_optimal"),
        (games.Sum((1.0, ARITHMETIC), (-0.5, PAIRWISE)), 0.0, "variance_optimal"),
        (games.Sum((1.0, PAIRWISE), (0.1, games.Diversity("shannon"))), 0.0, "variance_optimal"),
        (games.Diversity("shannon"), 0.0, "variance_optimal"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, games.Game) else str(value),
)
def test_a_game_has_the_log_that_suits_it_unless_one_is_named(game, beta, log):
    """Unbiased where there is one equilibrium; at β = 0 games that only compare views have the plug-in."""
    codes = np.random.default_rng(3).integers(0, 3, (4, 2, 8))
    facts = Facts(gold=np.tile([1.0, 0.0, 0.0], (4, 1)))

    def told(estimator: Estimator) -> Array:
        return score(codes, WEIGHTS, Scoring(game, estimator, beta=beta), facts).advantages

    named: dict[LogKind, Array] = {kind: told(Estimator(log=kind)) for kind in LOG_KINDS}
    assert np.array_equal(told(Estimator()), named[log])
    assert not any(np.array_equal(named[log], named[other]) for other in LOG_KINDS if other != log)


def test_a_term_keeps_the_log_that_it_names():
    codes = np.random.default_rng(4).integers(0, 3, (4, 2, 8))
    both = games.Sum((1.0, ARITHMETIC), (1.0, PAIRWISE))

    def told(*terms: Estimator) -> Array:
        return score(codes, WEIGHTS, Scoring(both, term_estimators=terms)).rewards

    mine, plugin = Estimator(log="digamma"), Estimator(log="plugin")
    assert np.array_equal(told(mine, Estimator()), told(mine, plugin))
    assert not np.array_equal(told(mine, plugin), told(plugin, plugin))


def test_no_default_names_a_log():
    """One default everywhere, the library's and the configuration's: what suits the game."""
    assert Estimator().log is ScoringConfig().log is None
    assert log_table(8) is log_table(8, "variance_optimal")


def test_the_cap_holds_each_estimate_before_it_is_weighted():
    """Scales are exact (theory.md 2): 10 × correctness pays 10, and a capped ratio pays its coefficient × cap."""
    codes = np.array([[[0, 0, 0, 1], [1, 1, 1, 1]]])
    gold = Facts(gold=np.array([[0.0, 1.0]]))
    paid = score(codes, WEIGHTS, Scoring(games.Sum((10.0, games.Correctness()))), gold).rewards
    assert paid[0, 1].tolist() == [10.0] * 4
    free = score(codes, WEIGHTS, Scoring(games.Coherence(), Estimator(cap=1e3))).rewards[0, 0, 3]
    capped = Scoring(games.Sum((10.0, games.Correctness()), (2.0, games.Coherence())), Estimator(cap=0.5))
    assert free > 0.5
    assert score(codes, WEIGHTS, capped, gold).rewards[0, 0, 3] == pytest.approx(10 + 2 * 0.5)


@pytest.mark.parametrize("views", [2, 4, 8])
@pytest.mark.parametrize("game", [PAIRWISE, ARITHMETIC, games.Coherence()], ids=lambda game: type(game).__name__)
def test_views_that_nearly_agree_are_never_at_the_cap(game, views):
    """What a game pays has one size however many views: the cap is there for what is far out."""
    counts = np.tile([5, 2, 1], (views, 1))
    counts[0] = [4, 3, 1]
    weights = np.full(views, 1 / views)
    codes = np.array([[np.repeat(np.arange(3), view) for view in counts]])
    held, free = (score(codes, weights, Scoring(game, Estimator(cap=cap))).advantages for cap in (5.0, 1e9))
    assert np.array_equal(held, free)


def test_a_sum_moves_with_its_weights_whatever_the_cap():
    codes = np.random.default_rng(0).integers(0, 3, (1, 2, 6))
    single = score(codes, WEIGHTS, Scoring(games.Coherence("arithmetic"), Estimator(cap=0.3))).advantages
    seven = Scoring(games.Sum((7.0, games.Coherence("arithmetic"))), Estimator(cap=0.3))
    assert score(codes, WEIGHTS, seven).advantages == pytest.approx(7 * single)


def test_target_match_is_played_on_samples_that_miss_one_of_its_answers():
    wanted = np.array([0.2, 0.3, 0.5])
    game = games.TargetMatch(wanted)
    scores = score(np.array([[[0, 0, 1, 1], [1, 1, 0, 1]]]), WEIGHTS, Scoring(game))
    assert np.isfinite(scores.advantages).all()
    told = score(np.array([[[0, 0, 1, 1]]]), np.ones(1), Scoring(games.TargetMatch()), Facts(wanted=wanted[None]))
    assert np.isfinite(told.advantages).all()
    with pytest.raises(ValueError, match="answer number 3, and the game knows 3 answers"):
        score(np.array([[[0, 0, 1, 3]]]), np.ones(1), Scoring(game))


MARKED = np.array([[1.0, 0.0], [0.0, 1.0]])
SPREAD = np.array([[0.7, 0.3], [0.2, 0.8]])


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize(
    ("own", "told", "facts"),
    [
        (games.Correctness(gold=MARKED), games.Correctness(), Facts(gold=MARKED)),
        (games.KnownReward(MARKED[:, None]), games.Correctness(), Facts(gold=MARKED)),
        (games.TargetMatch(SPREAD), games.TargetMatch(), Facts(wanted=SPREAD)),
        (
            games.Sum((2.0, games.Correctness(gold=MARKED)), (1.0, games.Coherence())),
            games.Sum((2.0, games.Correctness()), (1.0, games.Coherence())),
            Facts(gold=MARKED),
        ),
        (
            games.Where(games.TargetMatch(SPREAD), answered=True, played=np.array([0.0, 1.0])),
            games.Where(games.TargetMatch(), answered=True),
            Facts(wanted=SPREAD, answered=np.array([0.0, 1.0])),
        ),
    ],
    ids=["correctness", "known reward", "target match", "sum", "where"],
)
def test_a_game_that_holds_the_facts_of_its_questions_plays_as_one_that_is_told_them(own, told, facts, baseline):
    codes = np.array([[[0, 1, 1, 0], [0, 0, 1, 1]], [[0, 1, 1, 1], [1, 0, 1, -1]]])
    expected = score(codes, WEIGHTS, Scoring(told, baseline=baseline), facts)
    found = score(codes, WEIGHTS, Scoring(own, baseline=baseline))
    assert found.advantages == pytest.approx(expected.advantages, abs=1e-12)


def test_the_baseline_does_not_depend_on_how_many_samples_are_looked_at_together(monkeypatch):
    codes = np.random.default_rng(1).integers(-1, 4, (5, 2, 6))
    together = score(codes, WEIGHTS, Scoring(games.Coherence())).advantages
    monkeypatch.setattr(rewards, "ENTRIES_AT_ONCE", 24)
    assert (score(codes, WEIGHTS, Scoring(games.Coherence())).advantages == together).all()
