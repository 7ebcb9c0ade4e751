"""Records to summaries: numbers counted by hand, missing gold, ragged views, paired differences."""

import json

import numpy as np
import pytest

from alft.completions import Completion
from alft.evaluation import Evaluation, compare
from alft.evaluation.evaluate import to_records
from alft.questions import Question, View


def record(question, view, kind, sample, key, gold: str | None = "1"):
    right = None if gold is None else key == gold
    return Completion(f"#### {key}", question=question, view=view, kind=kind, sample=sample, key=key, right=right)


def evaluation(answers, gold: str | None = "1", kind="sampled"):
    """`answers[question][view]` is the list of keys told."""
    return Evaluation(
        tuple(
            record(question, view, kind, sample, key, gold)
            for question, views in answers.items()
            for view, keys in views.items()
            for sample, key in enumerate(keys)
        )
    )


def joined(*parts):
    return Evaluation(tuple(record for part in parts for record in part.records))


SAMPLED = {"q1": {"a": ["1", "1"], "b": ["1", "2"]}, "q2": {"a": ["1", None], "b": ["3", "3"]}}
GREEDY = {"q1": {"a": ["1"], "b": ["1"]}, "q2": {"a": [None], "b": [None]}}


def test_a_summary_has_the_numbers_counted_by_hand():
    summary = joined(evaluation(SAMPLED), evaluation(GREEDY, kind="greedy")).summary()
    assert summary["accuracy_sampled"]["by_view"] == {"a": 0.75, "b": 0.25}
    assert summary["accuracy_sampled"]["mean"] == 0.5
    assert summary["accuracy_greedy"]["by_view"] == {"a": 0.5, "b": 0.5}
    assert summary["agreement_greedy"] == 0.5  # q2: both unread, which is no agreement
    assert summary["unread"] == 1 / 8
    assert summary["entropy"] == pytest.approx(np.log(2) / 4)
    assert summary["consensus"]["vote_greedy"]["mean"] == 0.5
    assert summary["consensus"]["vote_sampled"]["mean"] == 0.5  # q2: 3 beats 1
    assert {k: told["mean"] for k, told in summary["pass_at_k"].items()} == {"1": 0.5, "2": 0.75}
    assert summary["pass_at_k"]["2"]["by_view"] == {"a": 1.0, "b": 0.5}
    assert summary["majority_at_k"]["2"]["by_view"] == {"a": 1.0, "b": 0.25}  # the tie of q1 is shared
    assert summary["spread"]["distinct"]["by_view"] == {"a": 1.0, "b": 1.5}
    assert summary["spread"]["gini"]["by_view"] == {"a": 0.0, "b": 0.5}  # q2, a: one readable answer says nothing
    assert summary["spread"]["unread"]["by_view"] == {"a": 0.25, "b": 0.0}
    assert summary["distinct"] == 1.25
    assert (summary["questions"], summary["samples"]) == (2, 2)
    # shares: q1 1 ¾, 2 ¼; q2 1 ⅓, 3 ⅔
    assert summary["dominant_share"] == pytest.approx((3 / 4 + 1 / 3) / 2)
    assert summary["accuracy_sampled"]["interval"] is None  # of two questions
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_without_gold_accuracies_are_none_and_the_rest_is_measured():
    summary = joined(evaluation(SAMPLED, gold=None), evaluation(GREEDY, gold=None, kind="greedy")).summary()
    for name in ("accuracy_sampled", "accuracy_greedy", "majority"):
        assert summary[name]["mean"] is None
        assert summary[name]["interval"] is None
        assert summary[name]["by_view"] == {"a": None, "b": None}
    assert summary["consensus"]["vote_sampled"] == {"mean": None, "interval": None}
    assert summary["agreement_greedy"] == 0.5
    json.dumps(summary, allow_nan=False)


def test_questions_may_have_different_views_and_samples():
    summary = evaluation({"q1": {"a": ["1", "1", "1"], "b": ["2"]}, "q2": {"a": ["1"]}}).summary()
    assert summary["accuracy_sampled"]["by_view"] == {"a": 1.0, "b": 0.0}
    assert summary["agreement_sampled"] == 0.0
    assert summary["agreement_greedy"] is None
    assert summary["unread"] == 0.0


def test_nothing_asked_is_nothing_measured():
    summary = Evaluation(()).summary()
    assert (summary["questions"], summary["samples"]) == (0, 0)
    assert summary["accuracy_sampled"]["mean"] is None
    assert summary["unread"] is None
    json.dumps(summary, allow_nan=False)


def test_a_place_is_taken_once():
    with pytest.raises(ValueError, match="two sampled completions are sample 0"):
        _ = Evaluation((record("q", "a", "sampled", 0, "1"), record("q", "a", "sampled", 0, "2"))).measured


def test_differences_are_paired_by_question_whatever_the_order():
    before = evaluation({f"q{i}": {"a": ["2", "1" if i % 2 else "2"]} for i in range(40)})
    answers = {f"q{i}": {"a": ["1", "1" if i % 2 else "2"]} for i in reversed(range(40))}
    difference = compare(before, evaluation({**answers, "new": {"a": ["1", "1"]}}))
    assert difference["questions"] == 40
    assert difference["accuracy_sampled"]["mean"] == pytest.approx(0.5)
    np.testing.assert_allclose(
        difference["accuracy_sampled"]["interval"], [0.5, 0.5]
    )  # the same for every question
    assert difference["accuracy_sampled"]["by_view"] == {"a": pytest.approx(0.5)}


def test_a_difference_of_nothing_is_zero_and_its_interval_holds_zero():
    one = evaluation({f"q{i}": {"a": ["1", "2"], "b": ["1" if i % 3 else "2", "1"]} for i in range(30)})
    difference = compare(one, one)
    assert difference["accuracy_sampled"]["mean"] == 0.0
    assert difference["intervals"]["incoherence"] == [0.0, 0.0]


def test_records_are_read_through_the_views_answer_map():
    question = Question("q", (View("?", "plain"), View("??", "swapped", {"A": "B", "B": "A"})), "B")
    told = [[Completion("The answer is (B).")], [Completion("The answer is (A).")]]
    records = list(to_records([question], told, "greedy"))
    assert [(one.view, one.key, one.right) for one in records] == [("plain", "B", True), ("swapped", "B", True)]
    assert Evaluation(tuple(records)).summary()["agreement_greedy"] == 1.0
