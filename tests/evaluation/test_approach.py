"""Distance to the equilibrium from samples: at ν* it is its null, away from it it is the exact divergence."""

from dataclasses import replace

import numpy as np
import pytest

from alft import games, simplex
from alft.completions import Completion
from alft.evaluation import Evaluation
from alft.evaluation.approach import approach, in_words
from alft.evaluation.limits import MeasuredLimit
from alft.games import Moments, TangentGame
from alft.rewards.target import Wanted
from alft.tabular import constrained_gap, solve, solve_constrained

ANSWERS = "abc"


def told(tables, gold=None):
    """An evaluation with these counts, axes (question, view, answer)."""
    return Evaluation(
        tuple(
            Completion(
                key, question=f"q{q}", view=f"v{v}", sample=i, key=key, right=None if gold is None else key == gold
            )
            for q, views in enumerate(np.asarray(tables).astype(int))
            for v, row in enumerate(views)
            for i, key in enumerate(np.repeat(list(ANSWERS), row).tolist())
        )
    )


REFERENCE = np.array([[[500, 300, 200], [200, 600, 200]], [[100, 100, 800], [300, 300, 400]]])


@pytest.mark.parametrize("game", [games.Coherence("arithmetic"), games.Diversity(), games.Coherence("fixed")])
def test_many_samples_at_the_equilibrium_show_hardly_any_distance(game):
    nu = simplex.normalise(REFERENCE.astype(float))
    wanted = solve(game, nu, 0.5).nu
    seen = approach(game, told(REFERENCE), told(np.round(wanted * 20000)), 0.5)
    assert seen is not None
    assert seen["distance"] < 1e-4 < seen["distance_before"]
    assert 0 <= seen["gap"] < 1e-3
    assert seen["distance_before"] == pytest.approx(np.mean(simplex.kl(nu, wanted)), rel=0.02)
    assert seen["samples_of_reference"] == 1000


def test_the_null_is_what_sampling_alone_shows():
    """KL of K samples to their own law is (|A| − 1)/(2K) to first order."""
    seen = approach(games.Diversity(), told(REFERENCE), told(REFERENCE // 10), 1.0)
    assert seen is not None
    assert seen["distance_null"] == pytest.approx(2 / (2 * 100), rel=0.5)
    assert seen["beta"] == 1.0


def test_correctness_knows_the_right_answer_from_the_records():
    seen = approach(games.Correctness(), told(REFERENCE, "a"), told(REFERENCE * [4, 1, 1], "a"), 1.0)
    assert seen is not None
    nu = simplex.normalise(REFERENCE.astype(float))
    wanted = solve(games.Correctness(gold=np.array([[1.0, 0, 0]] * 2)), nu, 1.0).nu
    assert seen["distance_before"] == pytest.approx(np.mean(simplex.kl(nu, wanted)), rel=0.02)


def test_games_without_a_certificate_have_none():
    assert approach(games.Majority(), told(REFERENCE), told(REFERENCE), 1.0) is None


def test_a_question_that_one_view_left_unread_is_left_out():
    silent = REFERENCE.copy()
    silent[1, 0] = 0
    records = [*told(silent).records, Completion("", question="q1", view="v0")]
    seen = approach(games.Diversity(), told(REFERENCE), Evaluation(tuple(records)), 1.0)
    assert seen is not None
    assert seen["distance"] == pytest.approx(seen["distance_before"], rel=1)


def test_questions_may_have_different_numbers_of_views():
    """Each counts alike, as where all had the same number."""
    one = np.array([[[300, 600, 100]]])
    game, nu = games.Diversity(), simplex.normalise(REFERENCE.astype(float))
    records = [*told(REFERENCE).records]
    records += [replace(record, question="single") for record in told(one).records]
    mixed = Evaluation(tuple(records))
    seen = approach(game, mixed, mixed, 0.5)
    single = simplex.normalise(one.astype(float))
    far = [np.mean(simplex.kl(table, solve(game, table, 0.5).nu), axis=-1) for table in (nu, single)]
    assert seen is not None
    assert seen["questions"] == 3
    assert seen["distance_before"] == pytest.approx(np.mean(np.concatenate(far)), rel=0.02)


def test_where_no_question_is_read_in_all_its_views_nothing_is_said():
    """As of a model that writes no answer any more: no estimate, and no failure that would cost the model."""
    silent = Evaluation(tuple(replace(record, key=None) for record in told(REFERENCE).records))
    assert approach(games.Diversity(), told(REFERENCE), silent, 1.0) is None
    assert approach(games.Diversity(), Evaluation(()), Evaluation(()), 1.0) is None


def test_beside_a_limit_the_gap_is_that_of_the_constrained_game():
    """One question: the solver for moment constraints finds λ and ν*, of which many samples are drawn."""
    counted = REFERENCE[:1]
    nu, moments = (
        simplex.normalise(counted[0].astype(float)),
        Moments(np.array([[0.0, 1.0, 0.0]]), np.array([0.2])),
    )
    found = solve_constrained(games.Diversity(), moments, nu, 0.5)
    limit = MeasuredLimit("b", lambda record: float(record.key == "b"), 0.2)
    best = np.round(found.nu[None] * 20000)
    best[..., 1] -= 1  # rounding must not break the limit
    price = float(found.multipliers[0])
    seen = approach(games.Diversity(), told(counted), told(best), 0.5, limits={limit: price})
    assert seen is not None
    assert seen["distance"] < 1e-4
    assert 0 <= seen["gap"] < 1e-3
    assert seen["multipliers"] == {"b": price}
    careful = np.array([[[15000, 100, 4900], [15000, 100, 4900]]])
    far = approach(games.Diversity(), told(counted), told(careful), 0.5, limits={limit: price})
    shares = simplex.normalise(careful[0].astype(float))
    wanted = constrained_gap(games.Diversity(), moments, shares, found.multipliers, nu, 0.5)
    assert far is not None
    assert far["gap"] == pytest.approx(wanted, rel=0.01)
    assert approach(games.Diversity(), told(counted), told(counted), 0.5, limits={limit: price}) is None


def test_at_the_equilibrium_a_multiplier_that_is_too_large_costs_the_null_as_much():
    """Σ_k λ_k (c_k − E f_k) is there for a model at ν* too, so it stands in the gap and in its null."""
    reference, price, most = np.array([[[2000, 2000, 0]] * 2] * 3), 2.0, 0.5
    played = games.Sum((1.0, games.Diversity()), (1.0, games.KnownReward(np.array([[-price, 0.0, 0.0]]))))
    best = solve(played, simplex.normalise(reference[0].astype(float)), 0.5).nu
    limit = MeasuredLimit("a", lambda record: float(record.key == "a"), most)
    at_end = np.round(4000 * best)[None].repeat(3, axis=0)
    seen = approach(games.Diversity(), told(reference), told(at_end), 0.5, limits={limit: price})
    assert seen is not None
    assert seen["gap"] == pytest.approx(price * (most - best[0, 0]), abs=1e-3)
    assert seen["gap_null"] == pytest.approx(seen["gap"], abs=5e-3)
    careful = np.array([[[40, 3960, 0]] * 2] * 3)
    far = approach(games.Diversity(), told(reference), told(careful), 0.5, limits={limit: price})
    assert far is not None
    assert far["gap"] > 1.05 * far["gap_null"]
    assert far["gap_null"] == pytest.approx(seen["gap_null"], abs=5e-3)


class Kinked(TangentGame):
    """F = −Σ_v w_v Σ_a |ν_v(a) − 0.31|: concave, with a corner that Newton's method stays away from."""

    concave = True

    def objective(self, nu, weights):
        return -(weights * np.abs(nu - 0.31).sum(axis=-1)).sum(axis=-1)

    def answer_reward(self, marginals):
        return -np.sign(marginals.own() - 0.31)


def test_an_equilibrium_that_is_not_found_is_no_measure():
    assert solve(Kinked(), np.array([[0.6, 0.3, 0.1]]), 0.05).gap > 1e-3
    counted = np.array([[[24, 12, 4], [20, 14, 6]]])
    assert approach(Kinked(), told(counted), told(counted[:, ::-1]), 0.05) is None


def test_target_match_is_solved_for_the_answers_of_each_question():
    """ν* ∝ q^{c/(c+β)} ν_0^{β/(c+β)} (theory.md 2.1)."""
    q = Wanted({"a": 0.5, "b": 0.25, "c": 0.25})
    nu = simplex.normalise(REFERENCE.astype(float))
    wanted = simplex.normalise(np.sqrt(np.array([0.5, 0.25, 0.25]) * nu))
    seen = approach(games.TargetMatch(), told(REFERENCE), told(np.round(wanted * 20000)), 1.0, wanted=q)
    assert seen is not None
    assert seen["distance"] < 1e-4
    assert seen["distance_before"] == pytest.approx(np.mean(simplex.kl(nu, wanted)), rel=0.03)


def test_the_words_say_how_to_read_the_estimates_and_at_which_price():
    """A run without a price need not go to the priced equilibrium, and a gap there is not 0 of few samples."""
    seen = {
        "beta": 0.05,
        "distance": 0.7,
        "distance_before": 0.9,
        "distance_null": 0.4,
        "gap": 0.3,
        "gap_null": 0.2,
    }
    seen |= {"samples": 4.0}
    beside = "From 4 answers a view such estimates are too large, so read each beside its value at the equilibrium"
    free = in_words(seen | {"played_beta": 0.0})
    assert free.startswith(
        "distance to the equilibrium at β = 0.05, the smallest at which it is solved: 0.700 nats "
    )
    assert free.endswith(f"{beside} itself; at β = 0, as played, there are other solutions too")
    priced = in_words(seen | {"played_beta": 0.05})
    assert priced.startswith("distance to the equilibrium at β = 0.05: 0.700 nats ")
    assert priced.endswith(f"gap 0.300 (there 0.200). {beside} itself")
    assert in_words(seen) == priced  # a run of an older version, which did not say what it played
