"""A second opinion finds formulas right that are written otherwise; every outcome is counted."""

from alft.answers import Outcome
from alft.answers.guarded import GuardedGrader
from alft.completions import Completion
from alft.evaluation import to_records
from alft.questions import Question, View

ASKED = Question("a", (View("Expand.", "view 1"),), "x^2+2x+1")
TOLD = [r"\boxed{(x+1)^2}", r"\boxed{x+1}", "no idea", r"\boxed{9^{9^{9}}}", r"\boxed{x^2+2x+1}"]


def test_a_second_opinion_in_evaluation() -> None:
    completions = [[Completion(text) for text in TOLD]]
    assert [one.right for one in to_records([ASKED], completions, "sampled")] == [False] * 4 + [True]
    with GuardedGrader() as grader:
        records = list(to_records([ASKED], completions, "sampled", grader=grader))
    assert [one.right for one in records] == [True, False, False, False, True]
    assert grader.counts == {
        Outcome.RIGHT: 2, Outcome.WRONG: 1, Outcome.UNREAD: 1, Outcome.GRADER_FAILED: 1,
    }  # fmt: skip
