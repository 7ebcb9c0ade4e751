"""What a comparison says of single questions: learnt, corrupted, and the accuracy of what can be read."""

from dataclasses import replace

import pytest

from alft.completions import Completion
from alft.evaluation import Evaluation, compare


def answers(right: dict[tuple[str, str], bool | None], kind: str = "greedy") -> list[Completion]:
    return [
        Completion(str(value), False, question=question, view=view, kind=kind, key=str(value), right=value)
        for (question, view), value in right.items()
    ]


def test_learnt_and_corrupted_are_shares_of_all_greedy_answers() -> None:
    before = {("a", "u"): True, ("b", "u"): False, ("a", "v"): False, ("b", "v"): False}
    after = {("a", "u"): False, ("b", "u"): True, ("a", "v"): True, ("b", "v"): False}
    found = compare(Evaluation(tuple(answers(before))), Evaluation(tuple(answers(after))))
    assert found["learnt"]["by_view"] == {"u": 0.5, "v": 0.5}
    assert found["corrupted"]["by_view"] == {"u": 0.5, "v": 0.0}
    assert found["learnt"]["mean"] - found["corrupted"]["mean"] == pytest.approx(found["accuracy_greedy"]["mean"])


def test_they_are_paired_by_question_and_view_and_of_those_that_both_have() -> None:
    before = answers({("a", "u"): False, ("b", "u"): False, ("a", "v"): True})
    after = answers({("b", "u"): True, ("a", "u"): False, ("c", "u"): True})
    found = compare(Evaluation(tuple(before)), Evaluation(tuple(after)))
    assert found["learnt"]["by_view"] == {"u": 0.5}


def test_without_gold_answers_or_greedy_ones_nothing_is_said() -> None:
    unknown = Evaluation(tuple(answers({("a", "u"): None})))
    sampled = Evaluation(tuple(answers({("a", "u"): True}, "sampled")))
    assert compare(unknown, unknown)["learnt"]["mean"] is None
    assert compare(sampled, sampled)["corrupted"]["mean"] is None


def test_accuracy_of_the_readable_answers_leaves_unread_ones_out() -> None:
    read = answers({("a", "u"): True}, "sampled") + answers({("a", "u"): False}, "sampled")
    unread = [Completion("?", False, question="a", view="u", kind="sampled", right=False)] * 2
    numbered = [replace(one, sample=index) for index, one in enumerate(read + unread)]
    summary = Evaluation(tuple(numbered)).summary()
    assert summary["accuracy_sampled"]["mean"] == 0.25
    assert summary["accuracy_readable"]["mean"] == 0.5
