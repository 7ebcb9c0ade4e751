"""TRL's trainers with each prompt read once for all its completions, when sampling and when training."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from alft.models.base import Sampling, bare
from alft.models.decoding import Decoder
from alft.models.local import sample_tokens
from alft.models.shared import IGNORED, SharedCollator, Together, Tokens, differs
from alft.training import faithful

COMPUTED = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""What a model computes in, by the trainer's mixed precision."""
Found = tuple[Tensor, Tensor | None, None]


class SharedPrompts:
    """Reads a trainer's prompts once, where that is less to read and its model gives the same so."""

    def __init__(self, trainer: Any) -> None:
        self.trainer, self.longest, self.refused = trainer, 0, False
        if trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled:
            self._refuse("DeepSpeed and FSDP divide the weights")

    def state_dict(self) -> dict[str, Any]:
        """What has been found of the model."""
        return {"longest": self.longest, "refused": self.refused}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from there."""
        self.longest, self.refused = state["longest"], state["refused"]

    def log_probs(
        self,
        model: Any,
        ids: Tensor,
        mask: Tensor,
        width: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **others: Any,
    ) -> Found | None:
        """What TRL's method returns: log-probabilities and entropies, axes (completion, token).

        None where TRL should find them: for batches with images or a loss that balances experts, for those that
        would not get smaller, and for models that give something else behind a shared prompt.
        """
        if self.refused or any(value is not None and value is not False for value in others.values()):
            return None
        first = ids.shape[1] - width
        prompts, completions = (
            [tuple(own[seen == 1].tolist()) for own, seen in zip(*part, strict=True)]
            for part in ((ids[:, :first], mask[:, :first]), (ids[:, first:], mask[:, first:]))
        )
        size = batch_size or len(ids)
        parts = [
            Together.of(prompts[start : start + size], completions[start : start + size])
            for start in range(0, len(ids), size)
        ]
        if sum(part.tokens for part in parts) >= ids.numel() or not self._same(prompts, completions):
            return None
        collate, accelerator = SharedCollator.of(self._unwrapped(model)), self.trainer.accelerator
        with accelerator.autocast():
            found = [part.log_probs(model, collate, width) for part in parts]
        logs, entropies = (torch.cat(each) for each in zip(*found, strict=True))
        return logs, entropies if compute_entropy else None, None

    @contextmanager
    def generating(self, model: Any, decoder: Decoder) -> Iterator[None]:
        """While this lasts, `model.generate` reads each prompt once, where all have equally many completions."""
        own, before = vars(model).get("generate"), model.generate
        model.generate = partial(self._generate, model, decoder, before)
        try:
            yield
        finally:
            if own is None:
                del model.generate
            else:
                model.generate = own

    def _generate(
        self, model: Any, decoder: Decoder, before: Any, input_ids: Tensor, attention_mask: Tensor, **given: Any
    ) -> Tensor:
        """What TRL asks `model.generate` for: token ids of prompts with their completions, axes (row, token)."""
        args, trainer = self.trainer.args, self.trainer
        usual = all(getattr(args, name) == value for name, value in faithful.SAMPLING.items())
        _, counts = torch.unique_consecutive(torch.cat([input_ids, attention_mask], 1), dim=0, return_counts=True)
        if self.refused or not usual or set(given) != {"generation_config"} or len(set(counts.tolist())) > 1:
            return before(input_ids=input_ids, attention_mask=attention_mask, **given)
        seed, samples = int(torch.randint(2**62, ())), int(counts[0])
        sampling = Sampling(samples, max_new_tokens=args.max_completion_length, seed=seed)
        asked = input_ids[::samples], attention_mask[::samples]
        with trainer.accelerator.autocast():  # weights are cast once, not for every token
            tokens = sample_tokens(bare(model), asked, sampling, trainer.eos_token_ids, decoder)
        return torch.cat([input_ids, tokens], dim=1)

    def _same(self, prompts: list[Tokens], completions: list[Tokens]) -> bool:
        """Whether the model gives the same behind a shared prompt; asked again for each completion longer yet."""
        prompt, own = max(zip(prompts, completions, strict=True), key=lambda row: len(row[0]) + len(row[1]))
        if own and len(prompt) + len(own) > self.longest:
            self.longest = len(prompt) + len(own)
            row = {"input_ids": [*prompt, *own], "labels": [IGNORED] * len(prompt) + [*own]}
            computed = COMPUTED.get(self.trainer.accelerator.mixed_precision)
            why = differs(self._unwrapped(self.trainer.model), row, computed)
            if why is not None:
                self._refuse(why)
        return not self.refused

    def _unwrapped(self, model: Any) -> Any:
        return self.trainer.accelerator.unwrap_model(model)

    def _refuse(self, why: str) -> None:
        self.refused = True
        what = f"share_prompts: {why}: every completion is trained behind its own prompt, which takes longer"
        warnings.warn(what, stacklevel=3)
