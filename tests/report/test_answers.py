"""The questions that a page shows: gains, and what did not work."""

import json

import pytest

from alft.evaluation import Evaluation
from alft.reporting.answers import disagreements, pictures, select
from alft.reporting.plots import _smooth, save_picture
from alft.reporting.runs import load_run
from tests.evaluation.test_evaluation import evaluation, joined
from tests.report.runs import write_run


def both(answers):
    """An evaluation whose greedy answers are the first samples."""
    greedy = {question: {view: keys[:1] for view, keys in views.items()} for question, views in answers.items()}
    return joined(evaluation(answers), evaluation(greedy, kind="greedy"))


def test_gains_and_failures_are_both_chosen_and_a_question_once():
    split = {"a": ["1", "1"], "b": ["2", "2"]}
    before = both({"gain": split, "lost": {"a": ["1", "1"], "b": ["1", "1"]}, "wrong": split, "still": split})
    after = both(
        {
            "gain": {"a": ["1", "1"], "b": ["1", "1"]},
            "lost": {"a": ["1", "1"], "b": ["3", "1"]},
            "wrong": {"a": ["2", "2"], "b": ["2", "2"]},
            "still": split,
        }
    )
    chosen = select(before, after)
    assert set(chosen) == {"gain", "lost", "wrong", "still"}
    assert "came to agree" in chosen["gain"]
    assert "disagree the most after" in chosen["still"]


def test_agreeing_on_a_wrong_answer_is_shown_as_such():
    same = {f"q{i}": {"a": ["2", "2"], "b": ["2", "2"]} for i in range(3)}
    assert select(both(same), both(same)) == {"q0": "its views agree after training, and are wrong"}


def test_nothing_is_chosen_where_nothing_can_be_seen():
    assert select(Evaluation(()), Evaluation(())) == {}


def test_bars_divide_the_samples_with_the_right_answer_first(tmp_path):
    write_run(tmp_path / "run")
    first = pictures([load_run(tmp_path / "run")])[0]
    assert first.gold == "1"
    bars = {bar.view: bar for bar in dict(first.columns)["before"]}
    told = [(segment.label, segment.share, segment.colour) for segment in bars["list"].segments]
    assert told == [("1", 0.25, "right"), ("2", 0.5, "a2"), ("unread", 0.25, "unread")]
    assert all(sum(s.share for s in bar.segments) == pytest.approx(1) for bar in bars.values())


def test_disagreements_show_a_completion_of_each_views_commonest_answer(tmp_path):
    write_run(tmp_path / "run")
    worst = disagreements(load_run(tmp_path / "run"), 1)
    assert [(view, answer, share) for view, answer, share, _ in worst[0].told] == [
        ("plain", "1", 1.0),
        ("list", "1", 0.75),
        ("riddle", "3", 1.0),
    ]
    assert [text for *_, text in worst[0].told] == ["#### 1", "#### 1", "#### 3"]


@pytest.mark.parametrize("name", ["picture.png", "picture.svg"])
def test_the_picture_is_drawn_for_one_and_several_runs(tmp_path, name):
    results = write_run(tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    save_picture({"one": results}, {}, tmp_path / name)
    small = (tmp_path / name).stat().st_size
    save_picture({"one": results, "two $x_": results}, {"one": lines, "two $x_": lines}, tmp_path / name)
    assert (tmp_path / name).stat().st_size > small > 5000


def test_a_running_mean_keeps_constants_and_lines():
    assert _smooth([2.0] * 50) == pytest.approx([2.0] * 50)
    assert _smooth(list(range(100))) == pytest.approx(list(range(100)))
