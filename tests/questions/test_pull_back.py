"""Options that a view lists are known by letter and by text, unless the question is not about letters."""

import pytest

from alft.questions import Question, View, pull_back

LISTED = "Where?\nA. Rome\nB. Paris"


@pytest.mark.parametrize(
    ("text", "answer", "given", "expected"),
    [
        (LISTED, None, None, {"A": "A", "B": "B", "Rome": "A", "Paris": "B"}),
        (LISTED, "B", {"A": "B", "B": "A"}, {"A": "B", "B": "A", "Rome": "B", "Paris": "A"}),
        (LISTED, "Paris", None, None),  # answered in words: letters stay as they are
        (LISTED, None, {"red": "blue"}, {"red": "blue"}),  # a map of other answers
        ("Where?\nA. Rome\nB. rome\nC. D", None, None, {"A": "A", "B": "B", "C": "C"}),  # texts that say nothing
        ("How many?", None, None, None),
    ],
)
def test_maps(
    text: str, answer: str | None, given: dict[str, str] | None, expected: dict[str, str] | None
) -> None:
    view = View(text, "view 1", given)
    assert pull_back(Question("a", (view,), answer), view) == expected
