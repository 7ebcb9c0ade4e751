"""Answers of the reference as the Target of coherence: fixed or followed, by hand."""

import json

import numpy as np
import pytest

from alft.completions import Completion
from alft.games import Facts, FixedTargetCoherence
from alft.rewards import Scoring
from alft.rewards.scorer import Scorer
from alft.rewards.target import ReferenceAnswers


def told(question, view, *keys):
    return [Completion(key, question=question, place=view, key=key) for key in keys]


def kept(decay=1.0):
    reference = ReferenceAnswers(decay)
    reference.add([*told("q", 0, "7", "7", "8", None), *told("q", 1, "7", "9", "9")])
    return reference


def test_marginals_are_counts_with_half_a_pseudo_sample():
    reference = kept()
    assert reference.keys("q") == ["7", "8", "9"]
    nu = reference.marginals([("q", [0, 1]), ("new", [0, 1])], [["7", "8", "9"], ["1"]])
    assert nu[0] == pytest.approx(np.array([[2.5, 1.5, 0.5], [1.5, 0.5, 2.5]]) / 4.5)
    assert nu[1] == pytest.approx(np.array([[1, 0, 0], [1, 0, 0]]))


def test_a_fixed_target_stays_and_a_running_one_moves():
    fixed, running = kept(), kept(decay=0.75)
    for reference in (fixed, running):
        reference.follow(told("q", 0, "9", "9"))
    assert fixed.counts["q"]["0"] == {"7": 2, "8": 1}
    assert running.counts["q"]["0"] == pytest.approx({"7": 1.5, "8": 0.75, "9": 0.75})  # 3 samples, as before
    assert running.counts["q"]["1"] == {"7": 1, "9": 2}


def test_memory_survives_json():
    again = ReferenceAnswers()
    again.load_state_dict(json.loads(json.dumps(kept().state_dict())))
    assert again.counts == kept().counts


def test_what_has_faded_leaves_the_targets_support_and_then_the_memory():
    running = kept(decay=0.5)
    for step in range(30):
        running.follow([*told("q", 0, "9", "9", f"new {step}"), *told("q", 1, "9")])
    assert running.keys("q") == ["9", "new 29"]
    assert len(running.counts["q"]["0"]) < 10
    assert sum(running.counts["q"]["0"].values()) == pytest.approx(3)  # as many samples as at first
    assert running.counts["q"]["0"]["9"] == pytest.approx(2, rel=0.01)


def test_a_running_target_holds_a_whole_view_that_it_first_meets_in_training():
    running = ReferenceAnswers(decay=0.9)
    running.follow(told("q", 0, *["7"] * 6, "8", "8"))
    assert running.counts["q"]["0"] == {"7": 6, "8": 2}
    running.follow(told("q", 0, *["7"] * 8))
    assert sum(running.counts["q"]["0"].values()) == pytest.approx(8)


@pytest.mark.parametrize("kind", ["geometric", "arithmetic", "harmonic"])
def test_a_view_without_a_reference_answer_has_no_part_in_the_target(kind):
    reference = ReferenceAnswers()
    reference.add([*told("q", 0, *["7"] * 7, "8"), *told("q", 1, *["7"] * 7, "8"), *told("q", 2, None)])
    asked = [("q", [0, 1, 2])]
    facts = Facts(reference=reference.marginals(asked, [["7", "8"]]), weights=reference.view_weights(asked))
    game = FixedTargetCoherence(kind).given(facts)
    assert game.target(facts.reference, facts.weights)[0, 0] == pytest.approx([7.5 / 9, 1.5 / 9])


def test_a_question_that_the_reference_never_answered_moves_nothing():
    reference = kept()
    rows = [row for view in (0, 1) for row in told("new", view, *["7"] * 7, "8")]
    scores = Scorer(Scoring(FixedTargetCoherence()), reference=reference).score(rows)
    assert scores.advantages.tolist() == [0] * 16
    rows = [row for view in (0, 1) for row in told("q", view, *["7"] * 7, "8")]
    assert Scorer(Scoring(FixedTargetCoherence()), reference=reference).score(rows).advantages.any()
