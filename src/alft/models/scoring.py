"""log π_0(z|x): how likely a local model makes a given completion, in one forward pass (theory.md 6.1)."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from alft.models.base import Progress
from alft.models.local import encode
from alft.questions import Prompt

LOGITS = 1 << 26
"""Most logits of one forward pass: 256 MiB in float32."""


def log_probs(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    asked: Sequence[tuple[Prompt, str, bool]],
    progress: Progress | None = None,
) -> list[float]:
    """Log-probability of each completion after its prompt, in nats, for `asked` (prompt, completion, truncated).

    The completion's text is tokenized anew, and ends with the end of the text unless it was truncated: where the
    model wrote the same text with other tokens, this is the probability of the usual ones.
    """
    prompts = encode(tokenizer, [prompt for prompt, _, _ in asked])
    ends = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    texts = [
        tokenizer(text, add_special_tokens=False)["input_ids"] + ([] if truncated else ends)
        for _, text, truncated in asked
    ]
    order = sorted(range(len(asked)), key=lambda index: (len(texts[index]), len(prompts[index])))
    found, training, done = [0.0] * len(asked), model.training, 0
    model.eval()
    try:
        with torch.inference_mode():
            while done < len(order):
                batch = order[done : done + _most(model, len(texts[order[min(done + 63, len(order) - 1)]]))]
                told = _scores(model, [prompts[i] for i in batch], [texts[i] for i in batch])
                for index, value in zip(batch, told, strict=True):
                    found[index] = value
                done += len(batch)
                if progress is not None:
                    progress(done / len(order))
    finally:
        model.train(training)
    return found


def _most(model: PreTrainedModel, tokens: int) -> int:
    """Completions of so many tokens in one forward pass, 64 at most."""
    return max(min(LOGITS // ((tokens + 1) * model.config.get_text_config().vocab_size), 64), 1)


def _scores(model: PreTrainedModel, prompts: list[list[int]], texts: list[list[int]]) -> list[float]:
    rows = [prompt + text for prompt, text in zip(prompts, texts, strict=True)]
    width, kept = max(map(len, rows)), max(map(len, texts)) + 1
    ids = torch.tensor([[0] * (width - len(row)) + row for row in rows], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=model.device)
    logits = _forward(model, ids, mask, kept)[:, -kept:-1].float()
    chosen = (
        logits.log_softmax(dim=-1).gather(-1, ids[:, 1 - kept :, None])[..., 0] if kept > 1 else logits.sum(-1)
    )
    lengths = torch.tensor([len(text) for text in texts], device=model.device)
    within = torch.arange(kept - 1, 0, -1, device=model.device) <= lengths[:, None]
    return torch.where(within, chosen, 0.0).double().sum(dim=1).tolist()


def _forward(model: PreTrainedModel, ids: Tensor, mask: Tensor, kept: int) -> Tensor:
    """Logits at the last `kept` places."""
    accepted = inspect.signature(model.forward).parameters
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
    if "position_ids" in accepted:
        inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
    if "logits_to_keep" in accepted:
        inputs["logits_to_keep"] = kept
    return model(**inputs, use_cache=False).logits
