"""The watch across questions: becoming coherent is no alarm, answering everything alike is one."""

import json

import numpy as np
import pytest

from alft.counts import encode
from alft.rewards.scorer import ScoredBatch
from alft.training.watch import CollapseWatch, Seen, look


def batch(keys):
    """A batch from keys with axes (question, view, sample)."""
    codes, names = encode(keys)
    zeros = np.zeros(codes.size)
    views = np.broadcast_to(np.arange(codes.shape[1]), codes.shape[:2])
    return ScoredBatch(zeros, zeros, codes, np.full((len(codes), 1), np.nan), names, views, {})


def answers(rng, own, questions=16):
    """Each question's own answer with chance `own`, else one of four that all questions share."""
    shape = (2, 8)
    return batch(
        [
            [
                [str(q) if rng.random() < own else f"x{rng.integers(4)}" for _ in range(shape[1])]
                for _ in range(shape[0])
            ]
            for q in range(questions)
        ]
    )


def test_information_is_that_of_an_obvious_table():
    one = batch([[["a", "a"], ["b", "b"]], [["c", "c"], ["c", None]]])
    seen = look([Seen(one.codes, one.names)])
    pooled = np.array([0.25, 0.25, 0.5])
    assert seen.pooled_entropy == pytest.approx(-(pooled * np.log(pooled)).sum())
    assert seen.information == pytest.approx(-(pooled * np.log(pooled)).sum() - np.log(2) / 2)
    assert seen.dominant_share == pytest.approx(0.5)
    assert seen.unread == pytest.approx(1 / 8)


def test_questions_that_are_wholly_unread_say_nothing_of_information():
    one = batch([[["a", "b"], ["a", "b"]], [["c", "b"], ["c", "b"]], [[None, None], [None, None]]])
    seen, read = look([Seen(one.codes, one.names)]), look([Seen(one.codes[:2], one.names[:2])])
    assert seen.information == pytest.approx(1.5 * np.log(2) - np.log(2))
    assert (seen.information, seen.pooled_entropy) == (read.information, read.pooled_entropy)
    assert seen.unread == pytest.approx(1 / 3)
    nothing = batch([[[None], [None]]])
    assert look([Seen(nothing.codes, nothing.names)]).information == 0.0


def test_a_run_that_only_becomes_readable_goes_on():
    """Each question has answers of its own spread; half of the questions are wholly unread at first."""
    rng, watch = np.random.default_rng(0), CollapseWatch(window=5, information_loss=0.3, unread=0.5)
    for step in range(30):
        shown = batch([[[str(q + k) for k in rng.integers(6, size=8)] for _ in range(4)] for q in range(8)])
        if step < 8:
            shown.codes[:4] = -1
        assert watch.see(shown) is None


def test_unread_questions_hide_no_collapse():
    """All that is read is answered alike: nothing is told of any question, however many are unread."""
    alike, silent = [["a", "b", "c", "d"]] * 2, [[None] * 4] * 2
    one = batch([alike, alike, silent, silent])
    assert look([Seen(one.codes, one.names)]).information == pytest.approx(0.0)


def test_a_run_that_becomes_coherent_goes_on():
    rng, watch = np.random.default_rng(0), CollapseWatch(window=3, information_loss=0.1, unread=0.5)
    assert [watch.see(answers(rng, own)) for own in np.linspace(0.5, 1.0, 30)] == [None] * 30


def test_a_run_that_answers_everything_alike_is_stopped():
    rng, watch = np.random.default_rng(0), CollapseWatch(window=3, information_loss=0.1, unread=0.5)
    reasons = [watch.see(answers(rng, own)) for own in np.linspace(0.9, 0.0, 30)]
    first = next(i for i, reason in enumerate(reasons) if reason)
    assert 3 <= first <= 10
    assert "answers say less and less about their question" in str(reasons[first])


def test_unread_answers_stop_a_run():
    watch = CollapseWatch(window=1, information_loss=0.1, unread=0.5)
    assert watch.see(batch([[["1", None], ["1", "1"]]])) is None
    assert watch.see(batch([[["1", None], [None, None]]])) == "75% of the completions have no readable answer"


def test_a_watch_goes_on_from_its_state():
    rng = np.random.default_rng(1)
    shown = [answers(rng, own) for own in np.linspace(0.9, 0.0, 12)]
    whole, half, rest = (CollapseWatch(window=3, information_loss=0.1, unread=0.5) for _ in range(3))
    reasons = [whole.see(one) for one in shown]
    for one in shown[:5]:
        half.see(one)
    rest.load_state_dict(json.loads(json.dumps(half.state_dict())))
    assert [rest.see(one) for one in shown[5:]] == reasons[5:]
    assert any(reasons[5:])


@pytest.mark.parametrize(
    ("shares", "questions", "tells"),
    [
        ([0.8, 0.2], 16, True),
        ([0.62, 0.38], 8, True),
        ([0.1] * 10, 2, True),
        ([0.1] * 10, 8, True),
        ([0.5] * 2, 2, False),
    ],
)
def test_which_questions_are_drawn_is_no_collapse(shares, questions, tells, caplog):
    """A model that answers every question right and alike; from batch 40 on, all of them with one answer."""
    rng = np.random.default_rng(0)
    stopped, warned = [], 0
    for _ in range(10):
        caplog.clear()
        watch = CollapseWatch(window=5, information_loss=0.3, unread=0.5)
        for step in range(60):
            right = rng.choice(len(shares), p=shares, size=questions) if step < 40 else np.zeros(questions, int)
            if watch.see(batch([[[str(answer)] * 4] * 3 for answer in right])):
                stopped.append(step)
                break
        warned += "too few to notice a collapse" in caplog.text
    assert all(step >= 40 for step in stopped)
    assert len(stopped) == (10 if tells else 0)
    assert warned >= 8 or tells
