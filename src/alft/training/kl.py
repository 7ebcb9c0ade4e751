"""log π/π_0 of whole completions: the KL penalty of theory.md 4.2, which enters as reward.

The reference π_0 is the model that training starts from: the weights that are trained, as they were, in the same
network. So a frozen base is never copied, and an adapter may start anywhere (PiSSA, OLoRA, trained biases).
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from alft.errors import ConfigError, Problem


class Reference:
    """The start of training, asked through the trainer's own log-probabilities.

    Raises ConfigError under DeepSpeed or FSDP, which divide the weights, unless the start is the base model of an
    adapter.
    """

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        self.divided = bool(trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled)
        if self.divided:
            _check_switch(trainer.accelerator.unwrap_model(trainer.model))
        trained = [] if self.divided else [each for each in trainer.model.parameters() if each.requires_grad]
        self.start = [(each, each.detach().clone()) for each in trained]

    @torch.no_grad()
    def log_ratio(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """Σ_t log π(z_t)/π_0(z_t) of each completion of this process, axis (completion), in nats."""
        with self._at_start():
            reference = _summed(self._logps(batch), batch)
        if batch.get("old_logps") is not None:  # TRL computed the policy's
            return batch["old_logps"] - reference
        known = batch.get("old_per_token_logps")
        return _summed(self._logps(batch) if known is None else known, batch) - reference

    def _logps(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """Log-probabilities by token, axes (completion, token)."""
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        trainer = self.trainer
        logps, *_ = trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, mask, batch["completion_ids"].size(1), trainer.args.per_device_train_batch_size
        )
        return logps

    @contextlib.contextmanager
    def _at_start(self) -> Iterator[None]:
        if self.divided:
            with self.trainer.accelerator.unwrap_model(self.trainer.model).disable_adapter():
                yield
            return
        trained = [each.data for each, _ in self.start]
        try:
            for each, value in self.start:
                each.data = value.to(each.device)
            yield
        finally:
            for (each, _), value in zip(self.start, trained, strict=True):
                each.data = value


def _summed(logps: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
    """Sum over the tokens that the model wrote: no padding, no tool's output."""
    tools = batch.get("tool_mask")
    mask = batch["completion_mask"] if tools is None else batch["completion_mask"] * tools
    return (logps * mask).sum(dim=1)


def _check_switch(model: Any) -> None:
    """Raise ConfigError unless switching the adapter off gives the model that training starts from."""
    adapters = list(getattr(model, "peft_config", {}).values())
    usual = [each.init_lora_weights in (True, "gaussian") and each.bias == "none" for each in adapters]
    if not adapters or not all(usual):
        what = "DeepSpeed and FSDP divide the weights, so that the start of training can't be kept beside them"
        remedy = "train a new LoRA adapter of the default initialization with bias none, or set beta to 0"
        raise ConfigError(Problem("beta", what, remedy))
