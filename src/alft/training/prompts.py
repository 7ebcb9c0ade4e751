"""TRL's trainers with each prompt read once for all its completions, when sampling and when training."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from accelerate.utils import is_peft_model
from torch import Tensor

from alft.models.base import Sampling, bare
from alft.models.decoding import Decoder
from alft.models.local import sample_tokens
from alft.models.shared import (
    IGNORED,
    SharedCollator,
    Together,
    Tokens,
    cannot_share,
    differs,
    most_tokens,
    warn_apart,
)
from alft.storage.checkpoint import Remembers
from alft.training import faithful

PADDING = 8  # tokens before a row that the model is asked about: some models count them
Pair = tuple[Tokens, Tokens]
Found = tuple[Tensor, Tensor | None, None]


class SharedPrompts(Remembers):
    """Reads a trainer's prompts once, where that is less to read and its model gives the same so.

    Sampling is alft's own loop then: from the whole vocabulary, in evaluation mode, with other random numbers.
    """

    remembered = ("asked", "refused")

    def __init__(self, trainer: Any) -> None:
        self.trainer, self.refused = trainer, False
        self.asked = [0, 0]  # the longest completion with its prompt, and sequence, that the model was asked about
        model = self._unwrapped(trainer.model)
        if trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled:
            self._refuse("DeepSpeed and FSDP divide the weights")
        elif trainer.args.torch_compile:
            self._refuse("the model is compiled")
        elif is_peft_model(model) and model.active_peft_config.is_prompt_learning:
            self._refuse("the adapter is put before the prompt")
        elif (why := cannot_share(bare(model))) is not None:
            self._refuse(why)

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
        would not get smaller, and for models that give something else behind a shared prompt. All parts of a
        generation batch are of one kind, so that old and new log-probabilities round alike.
        """
        first, samples = ids.shape[1] - width, self.trainer.num_generations
        smaller = most_tokens(first, width, samples) < samples * (first + width)
        if (
            self.refused
            or not smaller
            or any(value is not None and value is not False for value in others.values())
        ):
            return None
        prompts, completions = (
            [tuple(own[seen == 1].tolist()) for own, seen in zip(*part, strict=True)]
            for part in ((ids[:, :first], mask[:, :first]), (ids[:, first:], mask[:, first:]))
        )
        size = batch_size or len(ids)
        parts = [
            Together.of(prompts[start : start + size], completions[start : start + size])
            for start in range(0, len(ids), size)
        ]
        if not self._same(max(zip(prompts, completions, strict=True), key=_length), parts):
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
        plain = usual and args.max_completion_length and set(given) == {"generation_config"}
        if self.refused or not plain or len(set(counts.tolist())) > 1:
            return before(input_ids=input_ids, attention_mask=attention_mask, **given)
        seed, samples = int(torch.randint(2**62, ())), int(counts[0])
        sampling = Sampling(samples, max_new_tokens=args.max_completion_length, seed=seed)
        asked = input_ids[::samples], attention_mask[::samples]
        with trainer.accelerator.autocast():  # weights are cast once, not for every token
            tokens = sample_tokens(bare(model), asked, sampling, trainer.eos_token_ids, decoder)
        return torch.cat([input_ids, tokens], dim=1)

    def _same(self, row: Pair, parts: Sequence[Together]) -> bool:
        """Whether the model gives the same behind a shared prompt; asked again for what is longer yet.

        `row` is the longest completion, with its prompt.
        """
        asked = [_length(row), max(len(each["input_ids"]) for part in parts for each in part.sequences)]
        if _length(row) and any(one > other for one, other in zip(asked, self.asked, strict=True)):
            self.asked = [max(pair) for pair in zip(asked, self.asked, strict=True)]
            prompt, own = row
            padded = {"input_ids": [*prompt, *own], "labels": [IGNORED] * len(prompt) + [*own]}
            why = differs(self._unwrapped(self.trainer.model), padded, self.asked[1], PADDING)
            if why is not None:
                self._refuse(why)
        return not self.refused

    def _unwrapped(self, model: Any) -> Any:
        return self.trainer.accelerator.unwrap_model(model)

    def _refuse(self, why: str) -> None:
        self.refused = True
        warn_apart(why)


def _length(row: Pair) -> int:
    """Tokens of a completion with its prompt; 0 where nothing is trained."""
    prompt, completion = row
    return len(prompt) + len(completion) if completion else 0
