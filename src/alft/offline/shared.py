"""Completions of one prompt trained as one sequence, so that the prompt is read once.

Where answers are short, a model spends most of its time on prompts: forty tokens of examples before a question,
three of an answer, eight times over. Here the completions of a prompt follow it in one sequence, each behind the
prompt's last token, at the positions they would have alone; an attention mask hides them from one another. Losses
and gradients are those of separate rows, to rounding. Equal completions are one, with the sum of their weights.

    tokens      p1 p2 | p3 a1 a2 | p3 b1          prompt p1 p2 p3, completions a1 a2 and b1
    positions    0  1 |  2  3  4 |  2  3
    segment      0  0 |  1  1  1 |  2  2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor

LONGEST = 1024  # tokens in a sequence, unless a single completion with its prompt is longer
IGNORED = -100  # the label of a token that is not trained
PADDING = {"input_ids": 0, "labels": IGNORED, "weight": 0.0, "position_ids": 0, "segment": -1}
MASKED = ("sdpa", "eager")  # attention that takes a mask of axes (sequence, 1, token, token)
TOLERANCE = {torch.float32: 0.01, torch.bfloat16: 0.2, torch.float16: 0.05}  # in the log-probability of a token

Row = dict[str, Any]
Tokens = tuple[int, ...]


def shared(rows: Dataset) -> Dataset:
    """Sequences of rows with `input_ids`, `labels` and one `weight` each, in the order in which prompts come.

    A column has a value per token. Weights are scaled so that the loss per trained token is the same on average as
    over the rows.
    """
    prompts: dict[Tokens, dict[Tokens, float]] = {}
    trained = 0
    for row in rows.to_list():
        ids, begins = row["input_ids"], _begins(row)
        completions = prompts.setdefault(tuple(ids[:begins]), {})
        completion = tuple(ids[begins:])
        completions[completion] = completions.get(completion, 0.0) + row["weight"]
        trained += len(completion)
    distinct = sum(len(completion) for completions in prompts.values() for completion in completions)
    scale = distinct / max(trained, 1)
    sequences = []
    for prompt, completions in prompts.items():
        part: list[tuple[Tokens, float]] = []
        length = len(prompt)
        for completion, weight in completions.items():
            if part and length + len(completion) + 1 > LONGEST:
                sequences.append(_sequence(prompt, part, scale))
                part, length = [], len(prompt)
            part.append((completion, weight))
            length += len(completion) + 1
        sequences.append(_sequence(prompt, part, scale))
    return Dataset.from_list(sequences)


def _sequence(prompt: Tokens, completions: list[tuple[Tokens, float]], scale: float) -> Row:
    """One row: the prompt without its last token, then that token and a completion, for each."""
    first = len(prompt) - 1
    row: Row = {
        "input_ids": [*prompt[:-1]],
        "labels": [IGNORED] * first,
        "weight": [0.0] * first,
        "position_ids": [*range(first)],
        "segment": [0] * first,
    }
    for number, (completion, weight) in enumerate(completions, start=1):
        length = len(completion) + 1
        row["input_ids"] += [prompt[-1], *completion]
        row["labels"] += [IGNORED, *completion]
        row["weight"] += [weight * scale] * length
        row["position_ids"] += [*range(first, first + length)]
        row["segment"] += [number] * length
    return row


@dataclass
class SharedCollator:
    """Pads sequences to one length, and makes their attention mask, axes (sequence, 1, token, token).

    `added`: the mask has numbers of this type, for attention that adds it to scores; by default true and false.
    """

    added: torch.dtype | None = None

    @classmethod
    def of(cls, model: Any) -> SharedCollator:
        """The collator that suits a model's attention."""
        return cls(model.dtype if model.config._attn_implementation == "eager" else None)

    def __call__(self, examples: Sequence[Row]) -> dict[str, Tensor]:
        """One batch."""
        width = max(len(example["input_ids"]) for example in examples)
        batch = {
            name: torch.tensor([example[name] + [value] * (width - len(example[name])) for example in examples])
            for name, value in PADDING.items()
        }
        seen = visible(batch.pop("segment"))
        if self.added is not None:
            seen = torch.where(seen, 0.0, torch.finfo(self.added).min).to(self.added)
        return {**batch, "attention_mask": seen}


def visible(segment: Tensor) -> Tensor:
    """Whether token (axis 2) sees token (axis 3): earlier ones of its own segment, and of the prompt, segment 0.

    >>> visible(torch.tensor([[0, 1, 2]]))[0, 0].int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    """
    own = segment[:, :, None] == segment[:, None, :]
    causal = torch.ones(own.shape[1:], dtype=torch.bool, device=segment.device).tril()
    return ((own | (segment == 0)[:, None, :]) & causal)[:, None]


def differs(model: Any, row: Row) -> str | None:
    """Why this model can't be trained on shared prompts, by asking it; None if it can.

    `model` has TRL's fused head. Compares log-probabilities of the completion of `row`, twice in one sequence,
    with those of the row itself: a model whose attention takes no mask or looks back a few tokens only differs.
    """
    kind = model.config._attn_implementation
    if kind not in MASKED:
        return f"attention {kind!r} takes no mask, {' and '.join(MASKED)} do"
    if getattr(model, "_is_stateful", False):
        return "the model keeps a state"
    begins = _begins(row)
    prompt, completion = tuple(row["input_ids"][:begins]), tuple(row["input_ids"][begins:])
    sequence = _sequence(prompt, [(completion, 1.0)] * 2, 1.0)
    alone = {name: torch.tensor([row[name]]) for name in ("input_ids", "labels")}
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            apart = _log_probs(model, alone)
            together = _log_probs(model, SharedCollator.of(model)([sequence])).view(2, -1)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        return f"the model takes no such mask ({str(error).splitlines()[0]})"
    finally:
        model.train(training)
    most = float((together - apart).abs().max())
    allowed = TOLERANCE.get(model.dtype, TOLERANCE[torch.float16])
    return None if most <= allowed else f"log-probabilities differ by {most:.2g} from those of separate rows"


def _begins(row: Row) -> int:
    """Where the completion of a row begins."""
    return next((place for place, label in enumerate(row["labels"]) if label != IGNORED), len(row["labels"]))


def _log_probs(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """Log-probabilities of the trained tokens, one after another."""
    given = {name: value.to(model.device) for name, value in batch.items() if name != "weight"}
    found = model(**given, use_cache=False, fused_lm_head=True)
    return found.log_probs[found.label_mask].float()
