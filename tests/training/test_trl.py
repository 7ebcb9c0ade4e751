"""The trainer against the core: same advantages, labels unseen, blocks whole."""

import hashlib
import inspect
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from alft import games
from alft.answers import Extraction
from alft.config.schema import ModelConfig
from alft.errors import ConfigError
from alft.models.loading import load_model
from alft.questions import Question, View
from alft.rewards import Scoring, score, scorer
from alft.training.dataset import to_dataset
from alft.training.faithful import faithful_config
from alft.training.trl import AlignmentGameTrainer, scorer_of
from alft.training.watch import CollapseWatch, collapse_watch
from tests.training.conftest import QUIET


@pytest.fixture(autouse=True)
def readable(monkeypatch):
    """A random model marks no answer: read its texts as one of three keys instead, the longest as unread."""
    keys = {0: "0", 1: "1", 2: "2", 3: None}
    monkeypatch.setattr(scorer, "read", lambda text, *_, **__: Extraction(keys[len(text) % 4]))


def questions(answer: str | None = "1", count: int = 6) -> list[Question]:
    ask = [(View(f"{i} a", "one"), View(f"{i} b", "two")) for i in range(count)]
    return [Question(f"q{i}", views, answer) for i, views in enumerate(ask)]


def trainer(path, tmp_path, asked=None, game=None, **options) -> Any:
    settings = {
        "output_dir": str(tmp_path),
        "max_steps": 2,
        "per_device_train_batch_size": 16,
        "num_generations": 4,
        "max_completion_length": 6,
        "learning_rate": 1e-2,
        **QUIET,
        "logging_steps": 1,
    }
    reward_funcs = options.pop("reward_funcs", ())
    on_batch, views = options.pop("on_batch", None), options.pop("views_per_step", None)
    callbacks = options.pop("callbacks", None)
    return AlignmentGameTrainer(
        model=AutoModelForCausalLM.from_pretrained(path),
        game=game or games.Coherence("geometric"),
        args=faithful_config(**{**settings, **options}),
        reward_funcs=reward_funcs,
        on_batch=on_batch,
        views_per_step=views,
        callbacks=callbacks,
        train_dataset=to_dataset(asked or questions()),
        processing_class=AutoTokenizer.from_pretrained(path),
    )


def digest(model: torch.nn.Module) -> str:
    weights = [parameter.detach().numpy().tobytes() for parameter in model.parameters()]
    return hashlib.sha256(b"".join(weights)).hexdigest()


def test_advantages_are_those_of_the_core(tiny_model, tmp_path):
    seen = []
    one = trainer(tiny_model, tmp_path, on_batch=lambda step, rows, batch: seen.append((rows, batch)))
    inputs = [one.train_dataset[i] for i in (0, 1, 4, 5) for _ in range(4)]
    one.model.train()
    output = one._generate_and_score_completions(inputs)
    rows, batch = seen[0]
    assert [row.question for row in rows] == ["q0"] * 8 + ["q2"] * 8
    expected = score(batch.codes, np.full(2, 0.5), Scoring(games.Coherence("geometric")))
    assert output["advantages"].numpy() == pytest.approx(expected.advantages.reshape(-1), abs=1e-6)
    assert np.abs(expected.advantages).max() > 0.1


def test_other_rewards_are_added_with_their_own_baseline(tiny_model, tmp_path):
    def length(completions, **_):
        return [float(len(turn[-1]["content"])) for turn in completions]

    seen = []
    one = trainer(
        tiny_model,
        tmp_path,
        reward_funcs=[length],
        reward_weights=[2.0, 0.5],
        on_batch=lambda step, rows, batch: seen.append((rows, batch)),
    )
    one.model.train()
    output = one._generate_and_score_completions([one.train_dataset[i] for i in (0, 1, 4, 5) for _ in range(4)])
    rows, batch = seen[0]
    lengths = np.array([len(row.text) for row in rows], dtype=float).reshape(-1, 4)
    added = (lengths - (lengths.sum(axis=1, keepdims=True) - lengths) / 3).reshape(-1)
    assert output["advantages"].numpy() == pytest.approx(2 * batch.advantages + 0.5 * added, abs=1e-5)


def test_training_without_answers_gives_the_same_weights_bit_for_bit(tiny_model, tmp_path):
    with_gold = trainer(tiny_model, tmp_path, questions("1"))
    start = digest(with_gold.model)
    with_gold.train()
    without = trainer(tiny_model, tmp_path, questions(None))
    without.train()
    assert digest(with_gold.model) == digest(without.model) != start


def test_correctness_does_look_at_the_answers(tiny_model, tmp_path):
    runs = [trainer(tiny_model, tmp_path, questions(gold), games.Correctness()) for gold in ("1", "2")]
    for run in runs:
        run.train()
    assert digest(runs[0].model) != digest(runs[1].model)


def test_game_metrics_join_the_log(tiny_model, tmp_path):
    one = trainer(tiny_model, tmp_path)
    one.train()
    names = set(one.state.log_history[0])
    assert {"game/incoherence_euclidean", "game/unread", "game/dominant_share", "game/accuracy/1"} <= names


def test_settings_that_change_the_game_are_told(tiny_model, tmp_path):
    with pytest.warns(UserWarning, match=r"temperature=0.7 \(exact: 1.0\)"):
        trainer(tiny_model, tmp_path, temperature=0.7)


def test_too_few_samples_for_the_baseline(tiny_model, tmp_path):
    with pytest.raises(ConfigError, match="2 samples a prompt are too few"):
        trainer(tiny_model, tmp_path, num_generations=2)


def test_games_and_rewards_may_be_given_as_trl_users_give_them(tiny_model, tmp_path):
    def length(completions, **_):
        return [float(len(turn[-1]["content"])) for turn in completions]

    one = trainer(tiny_model, tmp_path, game="agreement", reward_funcs=length, reward_weights=[0.5])
    assert isinstance(one.scorer.scoring.game, games.Agreement)
    assert one.reward_weights.tolist() == [1.0, 0.5]
    assert [function.__name__ for function in one.reward_funcs] == ["game_reward", "length"]
    assert trainer(tiny_model, tmp_path, game="random", seed=5).scorer.scoring.game.seed == 5


@pytest.mark.parametrize(
    ("game", "told"),
    [("agrement", "did you mean 'agreement'"), (games.Agreement, "is no game, no Scoring and no Scorer")],
)
def test_what_is_no_game_is_told(game, told):
    with pytest.raises(ConfigError, match=told):
        inspect.unwrap(scorer_of)(game)  # without the checks of types that tests have


def test_views_drawn_for_a_batch_are_enough_for_the_game(tiny_model, tmp_path):
    with pytest.raises(ConfigError, match="compares 2 views, and 1 of a question would be in a batch"):
        trainer(tiny_model, tmp_path, views_per_step=1)


def test_a_dataset_that_is_none_is_told(tiny_model, tmp_path):
    args = faithful_config(output_dir=str(tmp_path), use_cpu=True, bf16=False, num_generations=4)
    with pytest.raises(ConfigError, match=r"is no datasets.Dataset, but str — make it by to_dataset"):
        AlignmentGameTrainer(str(tiny_model), "agreement", args, train_dataset="questions.jsonl")  # type: ignore[arg-type]


def test_a_watched_script_stops_in_a_collapse_and_knows_the_model_before_it(tiny_model, tmp_path, monkeypatch):
    looks = iter([None, None, None, "all alike"])
    monkeypatch.setattr(CollapseWatch, "see", lambda *_: next(looks))
    watch = collapse_watch(tmp_path / "good", window=2, every=1)
    one = trainer(tiny_model, tmp_path, callbacks=[watch], max_steps=8)
    start = digest(one.model)
    one.train()
    assert one.state.global_step == 4
    assert watch.reason == "all alike"
    good = watch.last_good()
    assert good is not None
    assert good[0] == 1  # stopped after three steps were taken, a window of two before it
    model, tokenizer = load_model(ModelConfig(path=str(good[1])))  # as `alft evaluate` does
    assert digest(model) not in (start, digest(one.model))
    assert tokenizer.get_vocab() == one.processing_class.get_vocab()


def test_the_instruction_ends_every_view_of_a_dataset():
    asked = [Question("q", (View("1 + 1?", "a"), View(({"role": "user", "content": "One and one?"},), "b")), None)]
    prompts = to_dataset(asked, instruction="Use a box.").to_list()
    assert [row["prompt"][-1]["content"] for row in prompts] == ["1 + 1?\nUse a box.", "One and one?\nUse a box."]


def test_an_evaluation_set_is_checked_before_training(tiny_model, tmp_path):
    asked = to_dataset([Question("q", (View("a", "one"),), "1")])
    with pytest.raises(ConfigError, match="eval_dataset: the game compares 2 views, and 1 of a question"):
        AlignmentGameTrainer(
            model=AutoModelForCausalLM.from_pretrained(tiny_model),
            game=games.Coherence(),
            args=faithful_config(output_dir=str(tmp_path), num_generations=4, **QUIET),
            train_dataset=to_dataset(questions()),
            eval_dataset=asked,
        )


def test_rows_that_are_never_asked_are_counted(tiny_model, tmp_path):
    with pytest.warns(UserWarning, match="4 of 10 rows are never asked"):
        trainer(
            tiny_model, tmp_path, questions(count=5), shuffle_dataset=False, per_device_train_batch_size=24
        ).train()
