"""log π/π_0 of whole completions: the KL penalty of theory.md 4.2, which enters as reward.

The reference π_0 is the model that training starts from. Under a fresh LoRA adapter it is the same network with
the adapter switched off, at no memory; otherwise a frozen copy.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from typing import Any

import torch

from alft.errors import ConfigError, Problem


class Reference:
    """The frozen start of training, asked through the trainer's own log-probabilities."""

    def __init__(self, trainer: Any, *, fresh_adapter: bool) -> None:
        self.trainer = trainer
        self.copy = None if fresh_adapter else _frozen_copy(trainer)

    @torch.no_grad()
    def log_ratio(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """Σ_t log π(z_t)/π_0(z_t) of each completion of this process, axis (completion), in nats."""
        with self._switched_off() as model:
            reference = _summed(self._logps(model, batch), batch)
        return self._policy(batch) - reference

    def _policy(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """The policy's log-probability by completion, from the batch where TRL computed it."""
        if batch.get("old_logps") is not None:
            return batch["old_logps"]
        known = batch.get("old_per_token_logps")
        return _summed(self._logps(self.trainer.model, batch) if known is None else known, batch)

    def _logps(self, model: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        """Log-probabilities by token, axes (completion, token)."""
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        logps, *_ = self.trainer._get_per_token_logps_and_entropies(
            model, ids, mask, batch["completion_ids"].size(1), self.trainer.args.per_device_train_batch_size
        )
        return logps

    @contextlib.contextmanager
    def _switched_off(self) -> Any:
        if self.copy is not None:
            yield self.copy
            return
        with self.trainer.accelerator.unwrap_model(self.trainer.model).disable_adapter():
            yield self.trainer.model


def _summed(logps: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
    """Sum over the tokens that the model wrote: no padding, no tool's output."""
    tools = batch.get("tool_mask")
    mask = batch["completion_mask"] if tools is None else batch["completion_mask"] * tools
    return (logps * mask).sum(dim=1)


def _frozen_copy(trainer: Any) -> Any:
    if trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled:
        told = "a frozen copy of the whole model is not kept under DeepSpeed or FSDP"
        raise ConfigError(Problem("beta", told, "train a LoRA adapter (peft_config), or set beta to 0"))
    # The copy's fused head works on the copy's own weights; its plain forward is never called.
    return copy.deepcopy(trainer.model).eval().requires_grad_(False)
