"""The plain reward callable gives what the core gives, in any order of rows."""

import numpy as np
import pytest

from alft.counts import encode
from alft.errors import ConfigError
from alft.games import NAMED
from alft.rewards import Scoring, score
from alft.training import reward_functions


def test_rewards_equal_the_core_whatever_the_order_of_rows():
    keys = [[["7", "7", None], ["7", "8", "8"]], [["1", "2", "3"], ["1", "1", "1"]]]
    codes, _ = encode(keys)
    expected = score(codes, np.full(2, 0.5), Scoring(NAMED["coherence_geometric"]())).rewards.reshape(-1)
    rows = [
        (f"q{q}", v, "no answer" if key is None else f"so #### {key}")
        for q, views in enumerate(keys)
        for v, samples in enumerate(views)
        for key in samples
    ]
    order = np.random.default_rng(0).permutation(len(rows))
    rewards = reward_functions.coherence_geometric(
        completions=[[{"role": "assistant", "content": rows[i][2]}] for i in order],
        question_id=[rows[i][0] for i in order],
        view=[rows[i][1] for i in order],
        prompts=[""] * len(rows),
    )
    assert [np.nan if r is None else r for r in rewards] == pytest.approx(expected[order], nan_ok=True)
    assert rewards.count(None) == 1


def test_a_batch_that_cuts_a_question_says_so():
    with pytest.raises(ValueError, match="does not hold every view of its questions"):
        reward_functions.majority(completions=["#### 1"] * 3, question_id=["a", "a", "b"], view=[0, 1, 0])


def test_a_vote_over_views_needs_every_view_of_a_question():
    """TRL shuffles rows: a vote over all views would be played on some of them, without a word."""
    vote = reward_functions.reward_function("vote", Scoring(NAMED["majority_pooled"]()))
    rows = {"question_id": ["a"] * 4, "view": [0, 0, 1, 1]}
    assert vote(completions=["#### 1"] * 4, **rows) == [1.0] * 4
    with pytest.raises(ConfigError, match=r"batch: 1 of 1 questions lack views .* 'a' — .*shuffle_dataset=False"):
        vote(completions=["#### 1"] * 2, question_id=["a"] * 2, view=[0, 0])
    with pytest.raises(ConfigError, match=r"dataset: no column question_id — make it by alft\.to_dataset"):
        vote(completions=["#### 1"] * 2, view=[0, 0])
    alone = reward_functions.reward_function("alone", Scoring(NAMED["majority"]()))
    assert alone(completions=["#### 1"] * 4, **rows) == [1.0] * 4
    assert alone(completions=["#### 1"] * 2, question_id=["a"] * 2, view=[0, 0]) == [1.0] * 2


def test_another_training_in_the_same_process_is_held_to_nothing_of_the_one_before():
    vote = reward_functions.reward_function("vote", Scoring(NAMED["majority_pooled"]()))
    one, other = object(), object()  # TRL makes a new trainer_state for each training
    vote(completions=["#### 1"] * 2, question_id=["a"] * 2, view=[0, 1], trainer_state=one)
    with pytest.raises(ConfigError, match="lack views"):
        vote(completions=["#### 1"], question_id=["a"], view=[0], trainer_state=one)
    assert vote(completions=["#### 1"], question_id=["a"], view=[0], trainer_state=other) == [1.0]


def test_an_unread_completion_has_the_reward_that_was_chosen():
    """Beside another function TRL counts None as 0, the most that a diversity below 0 could pay."""
    gini = reward_functions.reward_function("gini", Scoring(NAMED["diversity_gini"]()), unread=-3.0)
    rewards = gini(completions=["#### 1", "#### 1", "dunno"], question_id=["a"] * 3, view=[0] * 3)
    assert rewards[2] == -3.0 < min(rewards[:2])


@pytest.mark.parametrize("own", [{"unread_penalty": 5.0}, {"baseline": "none"}, {"beta": 0.1}])
def test_what_a_plain_reward_function_would_drop_is_refused(own):
    with pytest.raises(ConfigError, match=rf"scoring: .*{next(iter(own))} — .*unread="):
        reward_functions.reward_function("gini", Scoring(NAMED["diversity_gini"](), **own))


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("answer_map", {"A": "x"}, r"answer_map holds other values than json\.dumps\({letter: answer}\)"),
        ("answer_map", "{A:x}", "answer_map"),
        ("answer_map", '["x"]', "answer_map"),
        ("view", 0.7, "view holds other values than whole numbers: 0.7"),
        ("view", "para", "whole numbers"),
        ("question_id", None, "question_id holds other values than ids"),
        ("aliases", "four", "lists of texts: 'four'"),
        ("answer", "2+2=4\n#### 4", r"question 'b': no completion could give the answer '2\+2=4"),
        ("answer", "", "no completion could give the answer"),
        ("answer", float("nan"), "single answers: nan"),
        ("answer", ["4", "5"], "single answers"),
    ],
)
def test_a_column_that_can_not_be_read_is_named(column, value, told):
    correctness = reward_functions.reward_function("correctness", Scoring(NAMED["correctness"]()))
    columns = {"question_id": ["a", "b"], "view": [0, 0], "answer": ["4", "4"], "answer_map": [None, None]}
    columns["aliases"] = [[], []]
    assert correctness(completions=["#### 4"] * 2, **columns) == [1.0, 1.0]
    columns[column] = [columns[column][0], value]
    with pytest.raises(ConfigError, match=told):
        correctness(completions=["#### 4"] * 2, **columns)
