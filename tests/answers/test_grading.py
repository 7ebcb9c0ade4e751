"""Outcomes of answers against gold, and answers pulled back to the question's own space."""

import pytest

from alft.answers import DEFAULT, KeyPolicy, Outcome, answer_key, gold_keys, grade


@pytest.mark.parametrize(
    ("answer", "gold", "outcome"),
    [
        ("0.50", "1/2", Outcome.RIGHT),
        ("1/2", "1/2", Outcome.RIGHT),
        (r"\frac12", ["1/3", "0.5"], Outcome.RIGHT),
        ("NYC", ["New York City", "NYC"], Outcome.RIGHT),
        ("B. Paris", "B", Outcome.RIGHT),
        ("A: Paris", "B", Outcome.WRONG),
        ("B. Traven", "B. Smith", Outcome.WRONG),
        ("J. Smith", "John Smith", Outcome.WRONG),
        ("5", "6", Outcome.WRONG),
        ("50%", "0.5", Outcome.WRONG),
        (None, "6", Outcome.UNREAD),
        ("?!", "6", Outcome.UNREAD),
    ],
)
def test_outcomes(answer: str | None, gold: str | list[str], outcome: Outcome) -> None:
    assert grade(answer, gold) is outcome


def test_policy_decides_what_is_right() -> None:
    assert grade("50%", "0.5", KeyPolicy(percent="scale")) is Outcome.RIGHT


def test_unreadable_gold_is_an_error_not_a_wrong_answer() -> None:
    with pytest.raises(ValueError, match="no gold answer can be read"):
        grade("5", "?!")
    assert gold_keys(("?!", "5"), DEFAULT) == {"5"}


def test_answers_are_pulled_back() -> None:
    turned = {"A": "B", "B": "C", "C": "A"}
    assert [answer_key(f"The answer is ({letter}).", turned) for letter in "abcD"] == ["B", "C", "A", "D"]
    assert answer_key("no idea", turned) is None
    assert answer_key("The answer is 0.5.", {"1/2": "2/4 "}) == "1/2"


def test_a_model_that_always_says_a_disagrees_with_itself_over_permuted_options() -> None:
    views = [None, {"A": "B", "B": "A"}, {"A": "C", "C": "A"}]
    assert {answer_key("The answer is A.", view) for view in views} == {"A", "B", "C"}
