"""Completions of one prompt in one sequence: the losses and gradients of separate rows, and models that can't."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)
from trl.trainer.utils import add_fused_lm_head

from alft.config.schema import LoraConfig
from alft.models import shared as module
from alft.models.shared import IGNORED, SharedCollator, differs, shared
from alft.offline.trainer import Training, WeightedCollator, WeightedTrainer, fit, sft_config
from tests.evaluation import tiny
from tests.offline.test_distill import StopAt, fitted

ROWS = [
    {"prompt": f"{a}+1?", "completion": f"#{b}", "weight": weight}
    for a, b, weight in [
        (1, 2, 1.0),
        (23, 4, 0.5),
        (1, 7, 2.0),
        (1, 2, 0.25),
        (23, 24, 3.0),
        (5, 6, 1.5),
        (23, 4, 0.5),
    ]
]


def trainer_of(tmp_path, share: bool | Training, attention="sdpa", rows=ROWS) -> Any:
    model = tiny.model()
    model.set_attn_implementation(attention)
    trainer = WeightedTrainer(
        model=model,
        args=sft_config(Training(batch_size=8, micro_batch_size=8), tmp_path),
        train_dataset=Dataset.from_list(rows),
        processing_class=tiny.tokenizer(),
        data_collator=WeightedCollator(pad_token_id=0),
    )
    if share:
        trainer.share_prompts(share if isinstance(share, Training) else Training(batch_size=8, micro_batch_size=8))
    return trainer


def gradient(trainer):
    """The loss of all rows in one batch, and its gradient."""
    batch = trainer.data_collator(list(trainer.train_dataset))
    loss = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=(batch["labels"] != IGNORED).sum())
    loss.backward()
    found = torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])
    return loss.item(), found


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_loss_and_gradient_are_those_of_separate_rows(tmp_path, attention):
    apart, together = trainer_of(tmp_path, False, attention), trainer_of(tmp_path, True, attention)
    assert len(together.train_dataset) == len({row["prompt"] for row in ROWS}) < len(apart.train_dataset)
    (loss, found), (expected_loss, expected) = gradient(together), gradient(apart)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_equal_completions_are_one_with_their_weights_added(tmp_path):
    trainer = trainer_of(tmp_path, True)
    first = trainer.train_dataset[0]
    weights = [w for w, label in zip(first["weight"], first["labels"], strict=True) if label != IGNORED]
    before = sum(label != IGNORED for row in trainer_of(tmp_path, False).train_dataset for label in row["labels"])
    after = sum(label != IGNORED for row in trainer.train_dataset for label in row["labels"])
    assert sorted(set(weights)) == pytest.approx([1.25 * after / before, 2.0 * after / before])


@pytest.mark.parametrize(
    ("prompt", "forward", "together"), [("{}+1?", 8, False), ("5+5+5+5+{}?", 8, True), ("5+5+5+5+{}?", 1, False)]
)
def test_left_open_prompts_are_shared_where_that_halves_the_tokens_and_fits(tmp_path, prompt, forward, together):
    rows = [{"prompt": prompt.format(1), "completion": f"#{b}", "weight": 1.0} for b in range(2, 9)]
    training = Training(batch_size=8, micro_batch_size=forward, share_prompts=None)
    found = len(trainer_of(tmp_path, training, rows=rows).train_dataset)
    assert found == (1 if together else len(rows))


def test_a_sequence_is_no_longer_than_the_bound_unless_one_completion_is(monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 8)
    rows = [
        {"input_ids": [9, 9, 9, *[n] * length], "labels": [IGNORED] * 3 + [n] * length, "weight": 1.0}
        for n, length in [(1, 2), (2, 1), (3, 2), (4, 20)]
    ]
    lengths = [len(ids) for ids in shared(Dataset.from_list(rows))["input_ids"]]
    assert lengths == [2 + 3 + 2, 2 + 3, 2 + 21]


def test_shared_runs_resume_to_the_same_weights(tmp_path):
    training = Training(learning_rate=1e-2, batch_size=4, save_steps=2, seed=3, share_prompts=True)
    whole = fitted(tmp_path / "whole", training=training)
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "killed", [StopAt(3)], training)
    assert fitted(tmp_path / "killed", training=training) == whole


def test_an_adapter_is_trained_on_shared_prompts_too(tmp_path):
    pytest.importorskip("peft")
    training = Training(batch_size=4, share_prompts=True, lora=LoraConfig(rank=2))
    found = fit(tiny.model(), tiny.tokenizer(), Dataset.from_list(ROWS), training, tmp_path)
    assert (found.rows, found.steps) == (len(ROWS), 2)  # three prompts, two in a step


def a_model(kind, config, **settings):
    torch.manual_seed(0)
    model = kind(config(vocab_size=64, hidden_size=16, num_hidden_layers=2, **settings))
    add_fused_lm_head(model)
    return model


def windowed():
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    return a_model(MistralForCausalLM, MistralConfig, intermediate_size=16, sliding_window=4, **heads)


def a_row(prompt, completion):
    return {"input_ids": [*prompt, *completion], "labels": [IGNORED] * len(prompt) + completion}


def test_a_model_that_looks_back_a_few_tokens_is_detected():
    assert "differ by" in str(differs(windowed(), a_row(range(3, 20), [5, 6])))
    assert "differ by" in str(differs(windowed(), a_row([3, 4], [*range(5, 20)])))
    assert differs(windowed(), a_row([3, 4], [5])) is None


def test_a_model_is_asked_in_a_sequence_as_long_as_those_it_will_see():
    """One that looks back far enough for a row alone, and for two, but not for all completions of a prompt."""
    local = {"num_layers": 2, "num_heads": 2, "attention_types": [[["local"], 2]], "window_size": 16}
    torch.manual_seed(0)
    model = GPTNeoForCausalLM(GPTNeoConfig(vocab_size=64, hidden_size=16, initializer_range=0.5, **local))
    add_fused_lm_head(model)
    row = a_row(range(3, 9), [5, 6])
    assert differs(model, row) is None
    assert "differ by" in str(differs(model, row, length=40))


def test_models_that_take_no_mask_are_detected():
    model = windowed()
    model.config._attn_implementation = "flash_attention_2"
    assert "takes no mask" in str(differs(model, a_row([3, 4], [5])))
    mamba = a_model(MambaForCausalLM, MambaConfig, state_size=4, time_step_rank=2)
    assert differs(mamba, a_row([3, 4], [5, 6])) is not None
    short = a_model(GPT2LMHeadModel, GPT2Config, n_head=2, n_positions=4)
    assert "no such mask" in str(differs(short, a_row([3] * 5, [5])))


def test_batches_hold_about_as_many_completions_and_passes_no_more_tokens():
    """Eight prompts of 20 tokens, 16 completions of 4 each, so 128 rows of 24 tokens and sequences of 99."""
    training = Training(batch_size=64, micro_batch_size=16)
    parts = training.in_sequences([19 + 16 * 5] * 8, [24] * 128)
    assert (parts.batch_size, parts.forward) == (4, 2)  # 16 rows of 24 tokens hold 3 of 99, and 2 divides 4
    assert training.in_sequences([5] * 13, [4] * 65).batch_size == 12  # 13 has no parts


def test_long_completions_are_counted_by_their_sequences(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 12)
    training = Training(batch_size=4, share_prompts=True)
    found = fit(tiny.model(), tiny.tokenizer(), Dataset.from_list(ROWS), training, tmp_path)
    assert found.steps == pytest.approx(len(ROWS) / 4, abs=1)


def test_where_a_model_can_not_every_completion_has_its_own_prompt_and_it_is_said(tmp_path, monkeypatch):
    training = Training(batch_size=4, seed=3)
    data = Dataset.from_list(ROWS)
    expected = fit(tiny.model(), tiny.tokenizer(), data, training, tmp_path / "apart")
    monkeypatch.setattr("alft.offline.trainer.differs", lambda *_: "no mask")
    with pytest.warns(UserWarning, match="share_prompts: no mask"):
        found = fit(tiny.model(), tiny.tokenizer(), data, replace(training, share_prompts=True), tmp_path / "b")
    for one, other in zip(found.model.parameters(), expected.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_padding_sees_the_prompt_and_is_not_trained():
    rows = [
        {"input_ids": [9, 9, 1], "labels": [IGNORED, IGNORED, 1], "weight": 1.0},
        {"input_ids": [8, 2], "labels": [IGNORED, 2], "weight": 1.0},
    ]
    batch = SharedCollator()(shared(Dataset.from_list(rows)).to_list())
    assert batch["attention_mask"].any(dim=-1).all()
    assert batch["labels"][1].tolist() == [IGNORED, 2, IGNORED]
