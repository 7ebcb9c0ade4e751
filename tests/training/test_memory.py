"""Memory that runs out: half as much is tried at once, and the run continues from where it was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from trl.trainer.grpo_trainer import GRPOTrainer

import alft
from alft.config.load import load_config
from alft.config.schema import ModelConfig
from alft.errors import OutOfMemoryError
from alft.models import local
from alft.models.base import Sampling
from alft.models.loading import load_model
from alft.offline.trainer import WeightedTrainer

PROMPTS = [f"What is {n} + 1?" for n in range(7)]
SMALL = (
    "data.size=8",
    "evaluation.questions=4",
    "evaluation.samples=2",
    "training.steps=2",
    "training.questions_per_step=2",
    "training.samples=4",
    "training.checkpoint_every=1",
    "offline.samples=2",
    "offline.batch_size=32",
)


def out_of_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Make generation fail for more prompts than there is room for; the sizes of all batches that were tried."""

    def allow(most: int) -> list[int]:
        tried: list[int] = []
        run = local._Loop.run

        def limited(self: Any, ids: torch.Tensor, mask: torch.Tensor, samples: int) -> torch.Tensor:
            tried.append(len(ids))
            if len(ids) > most:
                out_of_memory()
            return run(self, ids, mask, samples)

        monkeypatch.setattr(local._Loop, "run", limited)
        return tried

    return allow


def test_generation_continues_with_half_as_many_prompts(
    rows: Callable[[int], list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    model, tokenizer = load_model(ModelConfig())
    greedy = Sampling(greedy=True, max_new_tokens=6)
    expected = local.generate(model, tokenizer, PROMPTS, greedy)
    tried, shares = rows(2), []
    with caplog.at_level(logging.WARNING):
        assert local.generate(model, tokenizer, PROMPTS, greedy, shares.append) == expected
    assert tried == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    assert shares[-1] == 1.0
    assert "with 3 prompts at once" in caplog.text


def test_a_single_prompt_that_does_not_fit_is_an_error(rows: Callable[[int], list[int]]) -> None:
    rows(0)
    with pytest.raises(torch.OutOfMemoryError):
        local.generate(*load_model(ModelConfig()), PROMPTS, Sampling(max_new_tokens=4))


def limited_loss(trainer: Any, method: str, most: int, patch: pytest.MonkeyPatch) -> list[int]:
    """Make the loss fail for more completions than there is room for; the sizes of all that were tried."""
    tried: list[int] = []
    loss = getattr(trainer, method)

    def limited(self: Any, model: Any, inputs: dict[str, Any], *more: Any, **named: Any) -> Any:
        key = "completion_ids" if "completion_ids" in inputs else "input_ids"
        tried.append(len(inputs[key]))
        if tried[-1] > most:
            out_of_memory()
        return loss(self, model, inputs, *more, **named)

    patch.setattr(trainer, method, limited)
    return tried


def run(folder: Path, *settings: str) -> Any:
    return alft.train(None, [*SMALL, *settings, f"output.directory={folder}"])


@pytest.mark.parametrize(
    ("trainer", "kind", "tried"),
    [("offline", WeightedTrainer, [32, 16]), ("grpo", GRPOTrainer, [32, 16])],
)
def test_training_continues_with_a_smaller_forward_pass(
    trainer: str,
    kind: Any,
    tried: Sequence[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with monkeypatch.context() as patch:
        asked = limited_loss(kind, "compute_loss", 16, patch)
        with caplog.at_level(logging.WARNING):
            result = run(tmp_path / "limited", f"training.trainer={trainer}")
    assert asked[:2] == list(tried)
    assert load_config(result.directory / "config.yaml").training.micro_batch_size == 16
    assert "continuing with training.micro_batch_size 16" in caplog.text
    small = run(tmp_path / "small", f"training.trainer={trainer}", "training.micro_batch_size=16")
    mine, theirs = ((each.directory / "model/model.safetensors").read_bytes() for each in (result, small))
    assert mine == theirs


def test_one_completion_too_many_is_an_error_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = limited_loss(WeightedTrainer, "compute_loss", 0, monkeypatch)
    with pytest.raises(OutOfMemoryError, match=r"training\.max_new_tokens"):
        run(tmp_path, "training.trainer=offline")
    assert asked == [32, 16, 8, 4, 2, 1]
