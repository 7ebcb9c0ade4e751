"""What ends a run and what only warns: reward functions, texts that break the reader, alarms, settings."""

import logging

import numpy as np
import pytest
from datasets import Dataset, DatasetDict

from alft import games
from alft.answers import Extraction
from alft.completions import Completion
from alft.errors import ConfigError
from alft.rewards import Scoring, scorer
from alft.rewards.scorer import Scorer, read_completion
from alft.training.callbacks import ALARMS, Alarms, ScoringError
from alft.training.faithful import (
    check_columns,
    check_eval_batch,
    faithful_config,
    faithful_rloo_config,
    warn_unfaithful,
)
from alft.training.reward_functions import GuardedRewards
from alft.training.watch import collapse_watch

COLUMNS = {"question_id": "q", "view": 0, "answer": None}
LOCAL = {"use_cpu": True, "bf16": False, "report_to": [], "gradient_checkpointing": False}


def config(folder, make=faithful_config, **settings):
    sizes = {"per_device_train_batch_size": 16, "num_generations": 4, "output_dir": str(folder)}
    return make(**{**LOCAL, **sizes, **settings})


def scored(keys: list[list[str | None]]):
    rows = [
        Completion("", question="q", place=view, key=key) for view, samples in enumerate(keys) for key in samples
    ]
    return rows, Scorer(Scoring(games.Coherence("geometric"))).score(rows)


def test_a_failing_reward_function_is_told_when_all_have_been_called():
    def wrong(completions, **_):
        raise ZeroDivisionError("here")

    guarded = GuardedRewards([wrong])
    assert guarded.functions[0](completions=["a", "b"]) == [None, None]
    with pytest.raises(ZeroDivisionError, match="here"):
        guarded.check()
    guarded.check()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([1.0, float("inf")], "the reward inf for 'second'"),
        ([1.0], "1 rewards for 2"),
        (["x", 1.0], "could not convert"),
    ],
)
def test_rewards_are_finite_numbers_one_for_each_completion(given, told):
    guarded = GuardedRewards([lambda completions, **_: given])
    guarded.functions[0](completions=["first", "second"])
    with pytest.raises(ValueError, match=told):
        guarded.check()


def test_missing_rewards_stay_missing():
    guarded = GuardedRewards([lambda completions, **_: [None, True]])
    assert guarded.functions[0](completions=["a", "b"]) == [None, 1.0]
    guarded.check()


def test_a_text_that_breaks_the_reader_is_unread_and_kept(monkeypatch):
    def reader(text, answer_map, *_, **__):
        if text == "evil":
            raise RecursionError("too deep")
        return Extraction("1")

    monkeypatch.setattr(scorer, "read", reader)
    row = read_completion(COLUMNS, "evil")
    assert (row.key, row.error, row.text) == (None, "RecursionError: too deep", "evil")
    assert read_completion(COLUMNS, "fine").error is None


def test_one_broken_text_in_a_hundred_goes_on_and_ten_more_do_not():
    rows = [Completion("", question="q", place=view, key="1") for view in (0, 1) for _ in range(50)]
    batch = Scorer(Scoring(games.Coherence("geometric"))).score(rows)
    broken = Completion("", question="q", error="RecursionError: too deep")
    alarms = Alarms()
    alarms.see(1, [broken, *rows[1:]], batch)
    with pytest.raises(ScoringError, match="10 of the last 100 completions; now: RecursionError"):
        alarms.see(1, [broken] * 10 + rows[10:], batch)


def test_no_signal_for_long_is_told_once_with_a_remedy(caplog):
    alarms, seen = Alarms(), scored([["1"] * 4, ["1"] * 4])
    with caplog.at_level(logging.WARNING, "alft"):
        for step in range(2 * ALARMS["zero_variance"].patience):
            alarms.see(step, *seen)
    assert alarms.raised == {"zero_variance": ALARMS["zero_variance"].patience - 1}
    assert len(caplog.messages) == 1
    assert "100% of the views give no signal" in caplog.messages[0]
    assert "use harder ones" in caplog.messages[0]


def test_a_signal_in_between_starts_the_count_again():
    alarms, flat, lively = Alarms(), scored([["1"] * 4, ["1"] * 4]), scored([["1", "1", "1", "2"], ["2"] * 4])
    assert np.abs(lively[1].advantages).max() > 0.1
    for step in range(3 * ALARMS["zero_variance"].patience):
        alarms.see(step, *(lively if step % 5 == 4 else flat))
    assert alarms.raised == {}


def test_a_batch_without_a_readable_answer_is_told_at_once(caplog):
    alarms = Alarms()
    with caplog.at_level(logging.WARNING, "alft"):
        alarms.see(1, *scored([[None] * 4, [None] * 4]))
    assert alarms.raised == {"unread": 1}
    assert "100% of the completions have no readable answer" in caplog.messages[0]


def test_unread_completions_are_told():
    alarms, seen = Alarms(), scored([["1", "2", None, None], ["1", "2", "2", None]])
    for step in range(ALARMS["unread"].patience):
        alarms.see(step, *seen)
    assert alarms.raised == {"unread": ALARMS["unread"].patience - 1}


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"min_p": 0.1}, "min_p=0.1"),
        ({"mask_truncated_completions": True}, "mask_truncated_completions=True"),
        ({"num_iterations": 2}, "num_iterations=2"),
        ({"steps_per_generation": 2}, "steps_per_generation=2 above gradient_accumulation_steps=1"),
        (
            {"gradient_accumulation_steps": 4, "steps_per_generation": 3},
            "steps_per_generation=3 no divisor of gradient_accumulation_steps=4",
        ),
        ({"disable_dropout": False}, "disable_dropout=False"),
        ({"loss_type": "dapo"}, "loss_type='dapo'"),
        ({"generation_kwargs": {"typical_p": 0.9}}, "typical_p"),
        ({"importance_sampling_level": "sequence"}, "importance_sampling_level='sequence'"),
        ({"use_vllm": True, "vllm_importance_sampling_correction": False}, "vllm_importance_sampling_correction"),
        ({"use_vllm": True, "vllm_importance_sampling_mode": "token_truncate"}, "vllm_importance_sampling_mode"),
        ({"use_vllm": True, "vllm_importance_sampling_clip_max": 1.0}, "vllm_importance_sampling_clip_max"),
    ],
)
def test_settings_of_another_game_are_told(tmp_path, setting, told):
    with pytest.warns(UserWarning, match=told):
        warn_unfaithful(config(tmp_path, **setting))


@pytest.mark.parametrize("make", [faithful_config, faithful_rloo_config])
def test_faithful_settings_are_quiet_and_the_trainers_own_penalty_is_refused(tmp_path, make):
    warn_unfaithful(config(tmp_path, make))
    with pytest.raises(ConfigError, match=r"TRL's own KL penalty is 0\.1"):
        warn_unfaithful(config(tmp_path, make, beta=0.1))


def test_an_evaluation_batch_holds_whole_questions(tmp_path):
    asked = Dataset.from_dict(
        {"question_id": [f"q{i // 2}" for i in range(12)]}
    )  # six questions, two views, four samples each
    check_eval_batch(config(tmp_path, per_device_eval_batch_size=16), asked)
    with pytest.raises(ConfigError, match="set it to 8 or 16 or 24"):
        check_eval_batch(config(tmp_path, per_device_eval_batch_size=12), asked)
    with pytest.raises(ConfigError, match="32 completions a batch cut the 6 questions of 8"):
        check_eval_batch(config(tmp_path, per_device_eval_batch_size=32), {"eval": asked})


ROWS = {"prompt": ["a"] * 4, "question_id": ["1", "1", "2", "2"], "view": [0, 1, 0, 1], "answer": ["1"] * 4}


@pytest.mark.parametrize(
    ("dataset", "told"),
    [
        (Dataset.from_dict(ROWS).to_iterable_dataset(), "is no datasets.Dataset, but IterableDataset"),
        (DatasetDict({"train": Dataset.from_dict(ROWS)}), "but DatasetDict — choose a split"),
        (Dataset.from_dict({name: [] for name in ROWS}), "eval: holds no question"),
        (Dataset.from_dict({**ROWS, "view": ["v0", "v1"] * 2}), "other values than whole numbers"),
        (Dataset.from_dict({**ROWS, "answer": [None] * 4}), "an answer to every question"),
    ],
)
def test_a_dataset_of_another_kind_is_named(dataset, told):
    with pytest.raises(ConfigError, match=told):
        check_columns(games.Correctness(), dataset, name="eval")


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("answer", ["1", "2", "1", "1"], "question '1': has other answers than '2' in other views"),
        (
            "answer",
            ["1", "1", "so 2\n#### 2", "so 2\n#### 2"],
            "question '2': no completion could give the answer 'so 2",
        ),
        ("view", [0, 0, 0, 1], "1 rows have the question_id and the view of another row"),
    ],
)
def test_rows_that_contradict_each_other_or_say_no_answer_are_named(column, values, told):
    check_columns(games.Correctness(), Dataset.from_dict(ROWS))
    with pytest.raises(ConfigError, match=told):
        check_columns(games.Correctness(), Dataset.from_dict({**ROWS, column: values}))
    if column == "answer":
        check_columns(games.Agreement(), Dataset.from_dict({**ROWS, column: values}))  # which no answer reaches


@pytest.mark.parametrize("views", [0, -1])
def test_a_batch_holds_at_least_one_view(views):
    with pytest.raises(ConfigError, match=rf"views_per_step: {views} views a question are wanted.* use 1 to 2"):
        check_columns(games.Majority(), Dataset.from_dict(ROWS), views)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ({"window": 0}, "a whole number above 0"),
        ({"every": 0}, "a whole number above 0"),
        ({"steps_per_batch": 0}, "a whole number above 0"),
        ({"information_loss": 30.0}, "from 0 to 1"),
        ({"unread": 50.0}, "from 0 to 1"),
    ],
)
def test_a_watch_that_could_not_act_is_refused(tmp_path, number, told):
    with pytest.raises(ConfigError, match=f"{next(iter(number))}.*must be {told}"):
        collapse_watch(tmp_path, **number)
