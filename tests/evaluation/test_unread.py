"""What a run says of unread completions before time is spent."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from alft.answers import ReadPolicy
from alft.completions import Completion
from alft.config.load import load_config
from alft.errors import DataError, DataWarning
from alft.evaluation.unread import FEWEST_READ, WORDS, readability, unread_cause, warn_of_sameness
from alft.plan.build import load_plan
from alft.training.run import train

FEW = [
    "training.steps=1",
    "training.questions_per_step=2",
    "training.samples=4",
    "training.threads=1",
    "data.held_out=4",
    "evaluation.samples=2",
]


def completions(read, unread, cut=0):
    told = [Completion("#### 7", question=f"r{i}", key="7") for i in range(read)]
    return told + [Completion(f"hm {i}", i < cut, question=f"u{i}") for i in range(unread)]


def test_the_cause_is_the_token_limit_where_completions_are_cut_off():
    cut = readability(completions(10, 30, cut=20)).warning()
    assert cut is not None
    assert "75 % of the completions are unread and 50 % cut off: raise" in cut
    whole = readability(completions(10, 30)).warning()
    assert whole is not None
    assert "data.instruction" in whole
    assert "unread" in whole.splitlines()[1]
    assert readability(completions(30, 10)).warning() is None


def test_training_that_made_answers_unread_is_said(tmp_path):
    assert readability(completions(30, 10)).warning(before=0.0) is None
    ruin = ["game=majority", "training.learning_rate=1", "watch.enabled=false", "training.checkpoint_every=0"]
    plan = load_plan(load_config(None, [*FEW, *ruin, f"output.directory={tmp_path}"]))
    train(plan, Console(file=(said := io.StringIO()), width=10_000))
    assert "look at: after training, 100 % of the completions are unread" in said.getvalue()
    assert "before, 0 % were unread: training has damaged the model; lower training.learn" in said.getvalue()


def test_the_same_answer_everywhere_is_said_unless_it_is_right():
    same = completions(10, 1)
    with pytest.warns(DataWarning, match="100 % of the answers to 10 different questions are '7', so agreement"):
        warn_of_sameness(same, "here")
    warn_of_sameness([replace(one, right=one.key == "7") for one in same], "here")  # warnings are errors
    warn_of_sameness([replace(one, key=one.question[-1]) for one in same], "here")
    warn_of_sameness(completions(3, 10), "here")


def test_a_remedy_is_not_what_is_set_already():
    own = [
        "data.instruction=Answer.",
        "answers.unmarked=last number",
        "answers.truncated=read",
        "training.stop=['##']",
    ]
    told = unread_cause(0.7, 0.1, load_config(None, own))[1]
    assert told == "say how yours is marked: answers.pattern, answers.marks, answers.reader"
    cut = unread_cause(0.7, 0.6, load_config(None, own))[1]
    assert cut == f"raise training.max_new_tokens, or {told}"
    assert unread_cause(0.7, 0.6, load_config(None, [*own, "answers.kind=text"]))[1] == WORDS
    assert "last number" not in unread_cause(0.7, 0.1, ReadPolicy(kind="text"))[1]
    found = readability(completions(10, 30), load_config(None, own)).warning()
    assert found is not None
    assert "data.instruction" not in found


def test_hardly_any_question_read_is_an_error_and_a_few_are_not():
    few = int(100 * FEWEST_READ)
    readability(completions(few, 100 - few)).check("here")
    with pytest.raises(DataError, match=r"here: 4 % of the questions have a readable answer"):
        readability(completions(few - 1, 101 - few)).check("here")


def test_a_run_that_can_learn_nothing_ends_before_its_first_step(tmp_path):
    """Nobody finishes an answer in two tokens."""
    settings = [*FEW, f"output.directory={tmp_path}", "training.max_new_tokens=2"]
    plan = load_plan(load_config(None, settings))
    with pytest.raises(DataError, match="100 % of the completions are unread and 100 % cut off") as error:
        train(plan, Console(file=io.StringIO()))
    assert "training.max_new_tokens" in str(error.value)
    assert not (plan.directory / "metrics.jsonl").exists() or not (plan.directory / "metrics.jsonl").read_text()
