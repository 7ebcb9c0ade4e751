"""How likely the sampled model makes each completion under every view of its question (theory.md 6.1)."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from alft.config.schema import ModelConfig
from alft.counts import UNREAD
from alft.errors import DataError, Problem
from alft.models.base import Progress, evaluation_mode
from alft.models.decoding import Decoder
from alft.models.loading import Loaded, load_model, model_digest
from alft.models.local import by_completion, encode, pad_left, read_on, stop_tokens
from alft.offline.samples import Samples
from alft.offline.source import Source
from alft.questions import Prompt
from alft.simplex import Array
from alft.storage.files import atomic

LOGITS = 1 << 26  # most logits of one forward pass: 256 MiB in float32
TOKENS = 1 << 14  # most tokens of one forward pass, prompts included: keys and values are kept for each
ROWS = 256  # most completions of one forward pass
Asked = tuple[str, bool, str, bool]
"""Prompt as it stands in the file, whether it is a chat, completion, whether that was cut off."""


def scorer(
    source: Samples | Source, chosen: ModelConfig, progress: Progress | None = None, loaded: Loaded | None = None
) -> Callable[[Samples], Array]:
    """log π_0(z|x_v) of readable completions of a piece of a source, axes (completion, view of its question).

    Views in another space of answers, and unread completions, have 0 and are not asked for. Equal texts are scored
    once. The model is loaded once, if it is not `loaded`. Raises DataError for another one than was sampled.
    """
    sampled = source.provenance.model
    if sampled.get("digest") not in (None, model_digest(chosen)):
        what = f"was sampled from {sampled.get('model')}, and the files of {chosen.path} are not the same"
        raise DataError(Problem(str(source.path), what, "score with the model that was sampled"))
    model, tokenizer = loaded or load_model(chosen)
    stop = source.provenance.sampling.get("stop")

    def score(samples: Samples) -> Array:
        wanted, places = _wanted(samples)
        asked = [(json.loads(prompt) if chat else prompt, text, cut) for prompt, chat, text, cut in wanted]
        scores = log_probs(model, tokenizer, asked, progress, stop)
        if lost := [score for score in scores if not math.isfinite(score)]:
            what = f"the log-probability of {len(lost)} of {len(scores)} completions is {lost[0]}"
            raise DataError(Problem(chosen.path, what, "load the model in float32 (model.dtype), or --unscored"))
        found = np.zeros((len(samples), int(samples.tallies.views.max(initial=1))))
        for (row, view), number in places.items():
            found[row, view] = scores[number]
        return found

    return score


def kept_scores(path: Path, find: Callable[[], Array]) -> Array:
    """Scores that are found once and kept in a .npy file: a run that is resumed solves what it solved before."""
    if not path.exists():
        found = find()
        with atomic(path) as part, part.open("wb") as stream:
            np.save(stream, found)
    try:
        return np.load(path)
    except (ValueError, OSError) as error:
        raise DataError(Problem(str(path), f"can't be read: {error}", "remove it: it is made again")) from None


def _wanted(samples: Samples) -> tuple[list[Asked], dict[tuple[int, int], int]]:
    """Distinct texts to score, and which of them is whose: by row and view of its question."""
    prompts: dict[int, tuple[str, bool]] = {}  # of each view of each question in a row, and whether it is a chat
    texts: list[str] = []
    tallies = samples.tallies
    place = tallies.place.tolist()
    for table in samples.texts():
        columns = (table.column(name).to_pylist() for name in ("prompt", "chat", "completion"))
        for prompt, chat, text in zip(*columns, strict=True):
            prompts.setdefault(place[len(texts)], (prompt, chat))
            texts.append(text)
    numbers: dict[Asked, int] = {}
    places: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero(tallies.answer != UNREAD).tolist():
        first = int(tallies.starts[tallies.question[row]])
        for view in range(int(tallies.views[tallies.question[row]])):
            if tallies.space[first + view] == tallies.space[tallies.place[row]]:
                asked = (*prompts[first + view], texts[row], bool(samples.truncated[row]))
                places[row, view] = numbers.setdefault(asked, len(numbers))
    return list(numbers), places


def log_probs(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    asked: Sequence[tuple[Prompt, str, bool]],
    progress: Progress | None = None,
    stop: Sequence[str] | None = None,
) -> list[float]:
    """Log-probability of each completion after its prompt, in nats, for `asked` (prompt, completion, truncated).

    The completion's text is tokenized again: where the model wrote the same text with other tokens, this is the
    probability of the usual ones. Unless it was truncated, it ends in a stop token, or in a token that begins one
    of the strings `stop` (as in `Sampling`). A prompt is read once for completions that are scored together.
    """
    prompts = encode(tokenizer, [prompt for prompt, _, _ in asked])
    texts: list[list[int]] = [tokenizer(text, add_special_tokens=False)["input_ids"] for _, text, _ in asked]
    ends = torch.tensor(_ends(model, tokenizer, stop), device=model.device)
    whole = [not truncated and len(ends) > 0 for _, _, truncated in asked]
    ended = torch.tensor(whole, dtype=torch.bool, device=model.device)
    order = sorted(range(len(asked)), key=lambda one: (len(prompts[one]), prompts[one], len(texts[one])))
    found, done = [0.0] * len(asked), 0
    lengths = [len(text) for text in texts], [len(prompt) for prompt in prompts]
    vocabulary = model.config.get_text_config().vocab_size
    with evaluation_mode(model), torch.inference_mode():
        while done < len(order):
            batch = _first(order[done : done + ROWS], *lengths, vocabulary)
            rows = [texts[one] for one in batch]
            logits = _logits(model, [prompts[one] for one in batch], rows)
            sums = _sums(logits.float().log_softmax(dim=-1), rows, ends, ended[batch])
            for one, value in zip(batch, sums, strict=True):
                found[one] = value
            done += len(batch)
            if progress is not None:
                progress(done / len(order))
    return found


def _ends(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stop: Sequence[str] | None) -> list[int]:
    strings = Decoder(tokenizer, stop).strings
    ends = set(stop_tokens(model.generation_config, tokenizer))
    if strings:
        written = tokenizer.batch_decode([[token] for token in range(len(tokenizer))])
        ends |= {token for token, text in enumerate(written) if text.startswith(strings)}
        ends |= {tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in strings}
    return sorted(ends)


def _first(order: list[int], texts: Sequence[int], prompts: Sequence[int], vocabulary: int) -> list[int]:
    """As many of the first as one forward pass holds, at least one; their lengths in tokens are given."""
    written, read = (np.maximum.accumulate([lengths[one] for one in order]) for lengths in (texts, prompts))
    rows = np.arange(1, len(order) + 1)
    fitting = (rows * (written + 1) * vocabulary <= LOGITS) & (rows * (written + read) <= TOKENS)
    return order[: max(int(fitting.sum()), 1)]


def _logits(model: PreTrainedModel, prompts: list[list[int]], texts: list[list[int]]) -> Tensor:
    """Logits of each token of the texts, and of the one behind them, axes (text, token, vocabulary)."""
    width = max(map(len, texts))
    if getattr(model, "_is_stateful", False):  # it keeps a state, which padding behind a prompt would change
        return _unshared(model, prompts, texts, width)
    distinct = [list(prompt) for prompt in dict.fromkeys(map(tuple, prompts))]
    owner = torch.tensor([distinct.index(prompt) for prompt in prompts], device=model.device)
    ids, mask = pad_left(distinct, model.device)
    first, cache = read_on(model, ids, mask, None)
    if not by_completion(cache):
        return _unshared(model, prompts, texts, width)
    if width == 0:
        return first[owner]
    cache.batch_select_indices(owner)
    rows = torch.tensor([text + [0] * (width - len(text)) for text in texts], device=model.device)
    rest, _ = read_on(model, rows, torch.cat([mask[owner], torch.ones_like(rows)], dim=1), cache, width)
    return torch.cat([first[owner], rest], dim=1)


def _unshared(model: PreTrainedModel, prompts: list[list[int]], texts: list[list[int]], width: int) -> Tensor:
    """The same, every prompt read again with its text."""
    found = []
    for prompt, text in zip(prompts, texts, strict=True):
        logits = model(input_ids=torch.tensor([prompt + text], device=model.device), use_cache=False).logits
        found.append(torch.nn.functional.pad(logits[0, len(prompt) - 1 :], (0, 0, 0, width - len(text))))
    return torch.stack(found)


def _sums(log_probs: Tensor, texts: list[list[int]], ends: Tensor, ended: Tensor) -> list[float]:
    """Sums over the tokens of each text, and over what ends it where it `ended`."""
    width, device = log_probs.shape[1] - 1, log_probs.device
    written = torch.tensor([text + [0] * (width - len(text)) for text in texts], dtype=torch.long, device=device)
    lengths = torch.tensor([len(text) for text in texts], device=device)
    chosen = log_probs[:, :width].gather(-1, written[..., None])[..., 0].double()
    total = torch.where(torch.arange(width, device=device) < lengths[:, None], chosen, 0.0).sum(dim=1)
    if len(ends) > 0:
        behind = log_probs[torch.arange(len(texts), device=device), lengths][:, ends]
        total += torch.where(ended, behind.double().logsumexp(dim=-1), 0.0)
    return total.tolist()
