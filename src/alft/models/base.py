"""What a model is asked through, wherever it runs: the settings of a request, and the contract of a backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from alft.completions import Completion
from alft.questions import Prompt

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Progress = Callable[[float], Any]
"""Called with the share of the work that is done, from 0 to 1."""
Sampled = list[list[Completion]]
"""Completions with axes (prompt, sample)."""


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn: `samples` of each prompt, or the one `greedy` completion.

    A completion ends before the first of the strings `stop`; None: `STOP` for a model without a chat template.

    Always at temperature 1 from the whole vocabulary: anything else defines other marginals (theory.md 4.3).
    """

    samples: int = 1
    greedy: bool = False
    max_new_tokens: int = 256
    batch_size: int = 512
    seed: int = 0
    stop: Sequence[str] | None = None

    def seed_of(self, number: int) -> int:
        """A seed of its own for each part of the work: the same in every run, like that of no other part.

        >>> Sampling(seed=1).seed_of(0) == Sampling(seed=1).seed_of(0) != Sampling(seed=1).seed_of(1)
        True
        """
        return int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])


FINISHED = ("none", "stop", "eos", "eos_token", "end_turn", "stop_sequence", "tool_calls", "function_call")
"""What servers say of a completion that ended by itself."""


def cut_off(finish_reason: str | None) -> bool:
    """Whether a server says that a completion was broken off: by a limit, a filter, an error.

    >>> [cut_off(reason) for reason in ("stop", None, "STOP", "length", "content_filter", "abort")]
    [False, False, False, True, True, True]
    """
    return str(finish_reason).lower() not in FINISHED


@runtime_checkable
class Backend(Protocol):
    """Something that completes prompts: a local model, vLLM, an endpoint."""

    def identity(self) -> dict[str, Any]:
        """What was asked, for a file's provenance: backend, model, revision, digest (None where unknown), chat.

        `chat`: whether a text prompt was asked as a user message.
        """
        ...

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling, progress: Progress | None = None) -> Sampled:
        """Completions with axes (prompt, sample); a prompt that is refused has empty ones that say why."""
        ...


def bare(model: Any) -> PreTrainedModel:
    """The network itself: under an adapter, the one that it is put into, whose answers are adapted too."""
    from accelerate.utils import is_peft_model

    return model.get_base_model() if is_peft_model(model) else model


@contextmanager
def evaluation_mode(model: Any) -> Iterator[None]:
    """The model in evaluation mode while this lasts; then each of its modules is in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def finite(model: torch.nn.Module) -> bool:
    """Whether every weight is a finite number, of those that this process holds.

    >>> import torch
    >>> finite(torch.nn.Linear(2, 2))
    True
    """
    import torch

    return all(bool(torch.isfinite(held(each)).all()) for each in model.parameters())


def parted(model: torch.nn.Module) -> bool:
    """Whether FSDP2 or ZeRO-3 divide a model's weights, so that no process can compute alone."""
    return any(hasattr(each, "ds_tensor") or hasattr(each, "to_local") for each in model.parameters())


def held(weight: Any) -> torch.Tensor:
    """What this process holds of a weight: its own part, where FSDP2 or ZeRO-3 divide it."""
    part = getattr(weight, "ds_tensor", weight)
    return part.to_local() if hasattr(part, "to_local") else part
