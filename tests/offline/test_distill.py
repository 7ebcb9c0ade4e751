"""Weighted maximum likelihood: the loss is the weighted one, and a killed run goes on bit for bit."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import TrainerCallback

from alft.config.schema import LoraConfig
from alft.errors import ConfigError, DataError, DivergedError, RunInterrupted
from alft.offline.trainer import Training, WeightedCollator, WeightedTrainer, fit, sft_config
from tests.evaluation import tiny

TRAINING = Training(learning_rate=1e-2, batch_size=4, micro_batch_size=4, save_steps=2, seed=3)


def rows(weights, completion="#{}"):
    return Dataset.from_list(
        [{"prompt": f"{i}+1?", "completion": completion.format(i), "weight": w} for i, w in enumerate(weights)]
    )


def trainer_on(data, tmp_path, **changes):
    tokenizer = tiny.tokenizer()
    training = Training(**{"batch_size": 4, "micro_batch_size": 4, **changes})
    return WeightedTrainer(
        model=tiny.model(),
        args=sft_config(training, tmp_path),
        train_dataset=data,
        processing_class=tokenizer,
        data_collator=WeightedCollator(pad_token_id=0),
    )


def test_the_loss_is_the_weighted_sum_of_the_completions_own_losses(tmp_path):
    weights = [0.5, 2.0, 0.0, 3.0]
    trainer: Any = trainer_on(rows(weights), tmp_path)
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(4)])
    with torch.no_grad():
        found = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=1)
        logits = trainer.model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
        labels = batch["labels"][:, 1:]
        logs = logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
        own = -(logs * (labels >= 0)).sum(-1)
    assert batch["weight"].tolist() == weights
    assert found.item() == pytest.approx((torch.tensor(weights) * own).sum().item(), rel=1e-5)


def test_only_completions_are_learnt_and_they_end(tmp_path):
    trainer: Any = trainer_on(rows([1.0] * 4), tmp_path)
    row = trainer.train_dataset[0]
    told = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label >= 0]
    assert trainer.processing_class.decode(told) == "#0<eos>"


class StopAt(TrainerCallback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise KeyboardInterrupt


def fitted(folder, callbacks=(), training=TRAINING):
    data = rows([1.0, 0.5] * 10)
    found = fit(tiny.model(), tiny.tokenizer(), data, training, folder, callbacks)
    content = b"".join(p.detach().numpy().tobytes() for p in found.model.parameters())
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("lora", [None, LoraConfig(rank=2)], ids=["all weights", "LoRA"])
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, lora):
    if lora is not None:
        pytest.importorskip("peft")
    training = replace(TRAINING, lora=lora)
    whole = fitted(tmp_path / "whole", training=training)
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "killed", [StopAt(3)], training)
    assert [path.name for path in (tmp_path / "killed").glob("checkpoint-*")] == ["checkpoint-2"]
    assert fitted(tmp_path / "killed", training=training) == whole


def test_an_interrupted_run_says_how_to_go_on(tmp_path):
    class Ask(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(RunInterrupted, match="same command"):
        fitted(tmp_path, [Ask()])


class Ruin(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        with torch.no_grad():
            next(kwargs["model"].parameters()).fill_(float("inf"))


@pytest.mark.parametrize(("weight", "ruin", "told"), [(1e300, [], "gradient is"), (1.0, [Ruin()], "weights are")])
def test_numbers_that_are_not_finite_end_it_and_nothing_is_saved(tmp_path, weight, ruin, told):
    with pytest.raises(DivergedError, match=f"step 1: the {told} not finite — lower the learning rate"):
        fit(tiny.model(), tiny.tokenizer(), rows([weight] * 4), TRAINING, tmp_path / "checkpoints", ruin)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="learning_rate: must be at most 1, not 1e"):
        Training(learning_rate=1e300)


def test_rows_that_are_too_long_are_left_out_whole_and_counted(tmp_path):
    data = Dataset.from_list([{"prompt": "1?", "completion": "#" * n, "weight": 1.0} for n in (2, 9, 2, 3, 2)])
    training = replace(TRAINING, max_length=2 + 3 + 1)  # prompt, completion, end
    found = fit(tiny.model(), tiny.tokenizer(), data, training, tmp_path / "some")
    assert (found.rows, found.left_out, found.steps) == (4, 1, 1)
    with pytest.raises(DataError, match="all 5 are longer than 3 tokens"):
        fit(tiny.model(), tiny.tokenizer(), data, replace(training, max_length=3), tmp_path / "none")


def test_batches_are_what_was_asked_for(tmp_path):
    args = sft_config(Training(batch_size=100), tmp_path)
    assert args.per_device_train_batch_size * args.gradient_accumulation_steps == 100
    assert args.per_device_train_batch_size == 50
    assert Training(batch_size=4).forward == 4
    for batch in (4, 100):
        with pytest.raises(ConfigError, match="divide"):
            Training(batch_size=batch, micro_batch_size=64)
    with pytest.raises(ConfigError, match=r"learning_rate[^\0]*batch_size"):
        Training(learning_rate=0.0, batch_size=-1)


def test_an_adapter_is_merged_into_the_model(tmp_path):
    pytest.importorskip("peft")
    before = tiny.model()
    training = Training(learning_rate=1e-2, batch_size=4, micro_batch_size=2, lora=LoraConfig(rank=2))
    after = fit(tiny.model(), tiny.tokenizer(), rows([1.0] * 8), training, tmp_path).model
    assert type(after) is type(before)
    moved = [n for (n, a), b in zip(before.named_parameters(), after.parameters(), strict=True) if not a.equal(b)]
    assert any("q_proj" in name for name in moved)
    assert not any("embed" in name or "norm" in name for name in moved)
