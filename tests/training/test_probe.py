"""The probe: which share of answers follows the consensus of the reference, by hand."""

from alft.completions import Completion
from alft.evaluation import Evaluation
from alft.training.probe import consensus_answers, kept_share


def told(answers):
    """An evaluation from keys with axes (question, view, sample)."""
    return Evaluation(
        tuple(
            Completion(str(key), question=f"q{q}", view=f"v{v}", sample=s, key=key)
            for q, views in enumerate(answers)
            for v, samples in enumerate(views)
            for s, key in enumerate(samples)
        )
    )


def test_consensus_is_the_answer_that_every_view_gives_sometimes():
    wrong_in_one_view = [["7", "7", "7", "8"], ["8", "8", "8", "7"], ["7", "7", "7", "7"]]
    unread = [[None] * 4] * 3
    assert consensus_answers(told([wrong_in_one_view, unread])) == {"q0": "7", "q1": None}


def test_an_answer_that_one_view_never_gives_loses_to_one_that_all_give():
    """Pooled, 8 has the majority (6 of 12); 7 is what every view gives."""
    views = [["8"] * 3 + ["7"], ["8"] * 3 + ["7"], ["7"] * 3 + ["9"]]
    assert consensus_answers(told([views])) == {"q0": "7"}


def test_share_counts_every_completion_and_never_the_unread():
    answers = {"q0": "7", "q1": None}
    current = told([[["7", "8"], ["7", None]], [[None, None], ["3", None]]])
    assert kept_share(answers, current) == 2 / 8
