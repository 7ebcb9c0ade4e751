"""How likely the sampled model makes each completion under every view of its question (theory.md 6.1)."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from alft.config.schema import ModelConfig
from alft.counts import UNREAD
from alft.errors import DataError, Problem
from alft.models.base import Progress
from alft.models.loading import load_model, model_digest
from alft.models.local import encode
from alft.offline.samples import Samples
from alft.offline.source import Source
from alft.offline.tallies import Tallies
from alft.questions import Prompt
from alft.simplex import Array

LOGITS = 1 << 26
"""Most logits of one forward pass: 256 MiB in float32."""
Asked = tuple[str, bool, str, bool]
"""Prompt as it stands in the file, whether it is a chat, completion, whether that was cut off."""


def score_views(samples: Samples, chosen: ModelConfig, progress: Progress | None = None) -> Array:
    """log π_0(z|x_v) of readable completions, axes (completion, view of its question), for `solve_samples`.

    Views in another space of answers, and unread completions, have 0 and are not asked for. Equal texts are scored
    once. Raises DataError for another model than the one that was sampled.
    """
    return scorer(samples, chosen, progress)(samples)


def scorer(
    source: Samples | Source, chosen: ModelConfig, progress: Progress | None = None
) -> Callable[[Samples], Array]:
    """The same for piece after piece of a source: the model is checked and loaded once."""
    _check_model(source, chosen)
    model, tokenizer = load_model(chosen)

    def score(samples: Samples) -> Array:
        tallies = Tallies.of(samples.question, samples.view, samples.answer, samples.right, samples.space)
        wanted, places = _wanted(samples, tallies)
        told = log_probs(model, tokenizer, [_prompt(one) for one in wanted], progress)
        found = np.zeros((len(samples), int(tallies.views.max(initial=1))))
        for (row, view), number in places.items():
            found[row, view] = told[number]
        return found

    return score


def _check_model(samples: Samples | Source, chosen: ModelConfig) -> None:
    sampled, digest = samples.provenance.model, model_digest(chosen)
    if sampled.get("digest") not in (None, digest):
        told = f"was sampled from {sampled.get('model')}, and the files of {chosen.path} are not the same"
        raise DataError(Problem(str(samples.path), told, "score with the model that was sampled"))


def _wanted(samples: Samples, tallies: Tallies) -> tuple[list[Asked], dict[tuple[int, int], int]]:
    """Distinct texts to score, and which of them is whose: by row and view of its question."""
    prompts, texts = _texts(samples, tallies)
    numbers: dict[Asked, int] = {}
    places: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero(tallies.answer != UNREAD).tolist():
        first = int(tallies.starts[tallies.question[row]])
        for view in range(int(tallies.views[tallies.question[row]])):
            if tallies.space[first + view] == tallies.space[tallies.place[row]]:
                asked = (*prompts[first + view], texts[row], bool(samples.truncated[row]))
                places[row, view] = numbers.setdefault(asked, len(numbers))
    return list(numbers), places


def _texts(samples: Samples, tallies: Tallies) -> tuple[dict[int, tuple[str, bool]], list[str]]:
    """The prompt of each view of each question in a row, and whether it is a chat; the completions."""
    prompts: dict[int, tuple[str, bool]] = {}
    texts: list[str] = []
    place = tallies.place.tolist()
    for batch in samples.texts():
        columns = (batch.column(name).to_pylist() for name in ("prompt", "chat", "completion"))
        for prompt, chat, text in zip(*columns, strict=True):
            prompts.setdefault(place[len(texts)], (prompt, chat))
            texts.append(text)
    return prompts, texts


def _prompt(asked: Asked) -> tuple[Any, str, bool]:
    prompt, chat, text, truncated = asked
    return json.loads(prompt) if chat else prompt, text, truncated


def log_probs(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    asked: Sequence[tuple[Prompt, str, bool]],
    progress: Progress | None = None,
) -> list[float]:
    """Log-probability of each completion after its prompt, in nats, for `asked` (prompt, completion, truncated).

    The completion's text is tokenized again, and ends with the end of the text unless it was truncated: where the
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
    written = ids[:, width + 1 - kept :, None]
    chosen = logits.log_softmax(dim=-1).gather(-1, written)[..., 0]
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
