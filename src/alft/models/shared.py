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

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils.memory import should_reduce_batch_size
from datasets import Dataset
from torch import Tensor

from alft.models.base import evaluation_mode

LONGEST = 1024  # tokens in a sequence, unless a single completion with its prompt is longer
IGNORED = -100  # the label of a token that is not trained
PADDING = {"input_ids": 0, "labels": IGNORED, "weight": 0.0, "position_ids": 0, "segment": -1}
MASKED = ("sdpa", "eager")  # attention that takes a mask of axes (sequence, 1, token, token)
TOLERANCE = {torch.float32: (0.01, 0.001), torch.bfloat16: (0.5, 0.2), torch.float16: (0.1, 0.03)}
"""In the log-probability of a token, at most and on average: no more than padding changes it on small models."""

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
    return Dataset.from_list(
        [
            _sequence(prompt, {one: prompts[prompt][one] * scale for one in part})
            for prompt, part in _parts(prompts)
        ]
    )


@dataclass(frozen=True)
class Together:
    """Completions of several prompts in sequences, and where each begins: (sequence, place of the first token)."""

    completions: Sequence[Tokens]
    sequences: list[Row]
    places: list[tuple[int, int]]

    @classmethod
    def of(cls, prompts: Sequence[Tokens], completions: Sequence[Tokens]) -> Together:
        """Each completion behind its prompt; equal ones of a prompt are one."""
        asked: dict[Tokens, dict[Tokens, float]] = {}
        for prompt, completion in zip(prompts, completions, strict=True):
            asked.setdefault(prompt, {})[completion] = 1.0
        sequences, places = [], {}
        for prompt, part in _parts(asked):
            first = len(prompt) - 1
            for completion in part:
                places[prompt, completion] = len(sequences), first
                first += len(completion) + 1
            sequences.append(_sequence(prompt, dict.fromkeys(part, 1.0)))
        return cls(completions, sequences, [places[each] for each in zip(prompts, completions, strict=True)])

    def log_probs(self, model: Any, collate: SharedCollator, width: int) -> tuple[Tensor, Tensor]:
        """Log-probability of each token behind its prompt, and the entropy there, in nats.

        Axes (completion, token), to a `width`; 0 behind the end of a completion. `model` has TRL's fused head.
        """
        found = model(**_given(model, collate(self.sequences)), use_cache=False, fused_lm_head=True)
        device = found.log_probs.device
        sequence, first = torch.tensor(self.places, device=device).T[:, :, None]
        token = torch.arange(width, device=device)
        written = token < torch.tensor([len(each) for each in self.completions], device=device)[:, None]
        place = (first + token).where(written, 0)
        logs, entropies = (each[sequence, place].where(written, 0.0) for each in (found.log_probs, found.entropy))
        return logs, entropies


def most_tokens(prompt: int, completion: int, samples: int) -> int:
    """Tokens of the sequences of so many `samples` of one prompt, by the lengths of both.

    >>> most_tokens(prompt=60, completion=6, samples=8)
    116
    """
    held = min(max((LONGEST - prompt) // (completion + 1), 1), samples)
    return -(-samples // held) * (prompt + held * (completion + 1))


def _parts(prompts: Mapping[Tokens, Iterable[Tokens]]) -> Iterator[tuple[Tokens, list[Tokens]]]:
    """Each prompt with as many of its completions as fit into a sequence, at least one."""
    for prompt, completions in prompts.items():
        part: list[Tokens] = []
        length = len(prompt)
        for completion in completions:
            if part and length + len(completion) + 1 > LONGEST:
                yield prompt, part
                part, length = [], len(prompt)
            part.append(completion)
            length += len(completion) + 1
        yield prompt, part


def _sequence(prompt: Tokens, completions: Mapping[Tokens, float], *, copies: int = 1) -> Row:
    """One row: the prompt without its last token, then that token and a completion with its weight, for each."""
    first = len(prompt) - 1
    row: Row = {
        "input_ids": [*prompt[:-1]],
        "labels": [IGNORED] * first,
        "weight": [0.0] * first,
        "position_ids": [*range(first)],
        "segment": [0] * first,
    }
    for number, (completion, weight) in enumerate([*completions.items()] * copies, start=1):
        length = len(completion) + 1
        row["input_ids"] += [prompt[-1], *completion]
        row["labels"] += [IGNORED, *completion]
        row["weight"] += [weight] * length
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


def differs(model: Any, row: Row, length: int = 0, padding: int = 0) -> str | None:
    """Why this model can't be trained on shared prompts, by asking it; None if it can.

    Compares log-probabilities of the completion of `row`, again and again in a sequence of `length` tokens, with
    those of the row itself behind so much `padding`: a model whose attention takes no mask, looks back a few
    tokens only, or counts padding, differs. Computed in the precision of the weights, also where training computes
    in another. The model has TRL's fused head. Raises RuntimeError where memory runs out.
    """
    if (why := cannot_share(model)) is not None:
        return why
    begins = _begins(row)
    prompt, completion = tuple(row["input_ids"][:begins]), tuple(row["input_ids"][begins:])
    copies = max(2, -(-(length - len(prompt)) // (len(completion) + 1)))
    sequence = _sequence(prompt, {completion: 1.0}, copies=copies)
    padded = {"input_ids": [0] * padding, "labels": [IGNORED] * padding}
    alone = {name: torch.tensor([first + row[name]]) for name, first in padded.items()}
    alone["attention_mask"] = (torch.arange(padding + len(row["input_ids"])) >= padding).long()[None]
    try:
        with evaluation_mode(model), torch.inference_mode():
            apart = _trained(model, alone)
            together = _trained(model, SharedCollator.of(model)([sequence])).view(copies, -1)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        if should_reduce_batch_size(error):
            raise
        return f"the model takes no such mask ({str(error).splitlines()[0]})"
    away = (together - apart).abs()
    most, mean = TOLERANCE.get(model.dtype, TOLERANCE[torch.float16])
    if float(away.max()) <= most and float(away.mean()) <= mean:
        return None
    return f"log-probabilities differ by {float(away.max()):.2g} from those of separate rows"


def warn_apart(why: str) -> None:
    """Say that prompts are not shared."""
    what = f"share_prompts: {why}: prompts are read again for every completion, which takes longer"
    warnings.warn(what, stacklevel=4)


def cannot_share(model: Any) -> str | None:
    """Why this model can't be trained on shared prompts, as far as it says so itself."""
    kind = model.config._attn_implementation
    if kind not in MASKED:
        return f"attention {kind!r} takes no mask, {' and '.join(MASKED)} do"
    return "the model keeps a state" if getattr(model, "_is_stateful", False) else None


def _begins(row: Row) -> int:
    return next((place for place, label in enumerate(row["labels"]) if label != IGNORED), len(row["labels"]))


def _given(model: Any, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.to(model.device) for name, value in batch.items() if name != "weight"}


def _trained(model: Any, batch: Mapping[str, Tensor]) -> Tensor:
    """Log-probabilities of the trained tokens, one after another, without autocast."""
    forward = vars(model).get("_original_forward", model)  # accelerate casts around it
    with torch.autocast(model.device.type, enabled=False):
        found = forward(**_given(model, batch), use_cache=False, fused_lm_head=True)
    return found.log_probs[found.label_mask].float()
