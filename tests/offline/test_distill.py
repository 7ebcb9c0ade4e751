"""Weighted maximum likelihood: the loss is the weighted one, and a killed run goes on bit for bit."""

import hashlib

import pytest
import torch
from datasets import Dataset
from transformers import TrainerCallback

from alft.errors import RunInterrupted
from alft.offline.distill import Fitting, Training, WeightedCollator, WeightedTrainer, as_turns, fit, sft_config
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
    trainer = trainer_on(rows(weights), tmp_path)
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
    trainer = trainer_on(rows([1.0] * 4), tmp_path)
    row = trainer.train_dataset[0]
    told = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label >= 0]
    assert trainer.processing_class.decode(told) == "#0<eos>"


class StopAt(TrainerCallback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise KeyboardInterrupt


def fitted(folder, callbacks=()):
    model = fit(tiny.model(), tiny.tokenizer(), rows([1.0, 0.5] * 10), TRAINING, Fitting(folder, list(callbacks)))
    content = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
    return hashlib.sha256(content).hexdigest()


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path):
    whole = fitted(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "killed", [StopAt(3)])
    assert [path.name for path in (tmp_path / "killed").glob("checkpoint-*")] == ["checkpoint-2"]
    assert fitted(tmp_path / "killed") == whole


def test_an_interrupted_run_says_how_to_go_on(tmp_path):
    class Ask(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(RunInterrupted, match="same command"):
        fitted(tmp_path, [Ask()])


def test_turns_are_messages_for_a_chat_model_and_text_otherwise():
    row = {"prompt": "1+1?", "chat": False, "completion": "2"}
    assert as_turns(row, chat=False) == {"prompt": "1+1?", "completion": "2"}
    answer = [{"role": "assistant", "content": "2"}]
    assert as_turns(row, chat=True) == {"prompt": [{"role": "user", "content": "1+1?"}], "completion": answer}
    asked = {**row, "prompt": '[{"role": "system", "content": "Be brief."}]', "chat": True}
    assert as_turns(asked, chat=False)["prompt"] == [{"role": "system", "content": "Be brief."}]


def test_an_adapter_is_merged_into_the_model(tmp_path):
    pytest.importorskip("peft")
    before = tiny.model()
    training = Training(learning_rate=1e-2, batch_size=4, micro_batch_size=2, lora_rank=2)
    after = fit(tiny.model(), tiny.tokenizer(), rows([1.0] * 8), training, Fitting(tmp_path))
    assert type(after) is type(before)
    moved = [n for (n, a), b in zip(before.named_parameters(), after.parameters(), strict=True) if not a.equal(b)]
    assert any("q_proj" in name for name in moved)
    assert not any("embed" in name or "norm" in name for name in moved)
