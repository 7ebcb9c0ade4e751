"""Limits and parity against enumeration and the games of theory.md 2."""

import numpy as np
import pytest

from alft.completions import Completion
from alft.evaluation import Evaluation
from alft.evaluation.limits import MeasuredLimit, limits_summary, parity, parity_summary
from alft.games import Parity
from tests.evaluation.test_evaluation import evaluation

ANSWERS = {"q1": {"a": ["1", "2"], "b": ["2", None]}, "q2": {"a": ["1", "1"], "b": ["1", "3"]}}


def flag(record: Completion) -> float:
    return float("nan") if record.key is None else float(record.key == "2")


def test_a_limit_is_on_the_mean_over_questions_of_what_has_a_say():
    told = limits_summary(
        evaluation(ANSWERS), [MeasuredLimit("two", flag, 0.25), MeasuredLimit("wide", flag, 0.9)]
    )
    assert told["two"]["mean"] == pytest.approx((2 / 3 + 0) / 2)  # q1: two of three readable; q2: none of four
    assert told["two"]["violation"] == pytest.approx(1 / 3 - 0.25)
    assert told["wide"]["violation"] == 0.0
    assert told["two"]["interval"] is None  # of two questions
    many = {f"{name}{copy}": views for name, views in ANSWERS.items() for copy in range(10)}
    low, high = limits_summary(evaluation(many), [MeasuredLimit("two", flag, 0.25)])["two"]["interval"]
    assert 0 <= low < 1 / 3 < high <= 1


def test_a_limit_on_nothing_is_none():
    told = limits_summary(evaluation({"q": {"a": [None]}}), [MeasuredLimit("two", flag, 0.1)])["two"]
    assert (told["mean"], told["interval"], told["violation"]) == (None, None, None)
    assert limits_summary(Evaluation(()), [MeasuredLimit("two", flag, 0.1)])["two"]["mean"] is None


def test_parity_is_the_games_objective_with_its_sign_turned():
    rng = np.random.default_rng(0)
    nu, groups = rng.dirichlet(np.ones(4), size=9), ["a", "b", "c", "b", "a", "a", "c", "b", "b"]
    game = Parity(groups)
    assert parity(nu, groups) == pytest.approx(-float(game.objective(nu, np.full(9, 1 / 9))), abs=1e-12)
    assert parity(nu, ["a"] * 9) is None


def test_groups_that_are_answered_alike_stand_at_their_null_and_others_above():
    rng = np.random.default_rng(1)

    def asked(shares):
        return {f"q{i}": {"v": [str(k) for k in rng.choice(2, p=shares(i), size=8)]} for i in range(80)}

    groups = {f"q{i}": "odd" if i % 2 else "even" for i in range(80)}
    alike = parity_summary(evaluation(asked(lambda i: [0.5, 0.5])), groups)
    assert alike["interval"][0] == 0.0
    assert alike["parity"] < 4 * alike["null"]
    apart = parity_summary(evaluation(asked(lambda i: [0.8, 0.2] if i % 2 else [0.2, 0.8])), groups)
    truth = parity(np.array([[0.8, 0.2], [0.2, 0.8]]), ["odd", "even"])
    assert apart["interval"][0] <= truth <= apart["interval"][1]
    assert apart["parity"] > 20 * apart["null"]


def test_questions_without_a_group_or_a_readable_answer_have_no_say():
    told = evaluation({"q1": {"a": ["1"]}, "q2": {"a": ["2"]}, "q3": {"a": [None]}, "q4": {"a": ["2"]}})
    assert parity_summary(told, {"q1": "x", "q2": "y", "q3": "z"})["parity"] == pytest.approx(np.log(2))
    nothing = parity_summary(told, {"q1": "x", "q3": "y"})
    assert nothing == {"parity": None, "interval": None, "null": None}
