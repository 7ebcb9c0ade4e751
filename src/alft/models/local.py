"""Completions from a local Hugging Face causal language model, from its own distribution (theory.md 4.3).

Sampling is at temperature 1 from the whole vocabulary, whatever the model's generation_config says. A prompt
is read once for all its samples, finished completions leave the batch, and keys and values are written in place:
on a small model on CPU that is several times faster than `model.generate`. The random state of training is
not touched.
"""

import hashlib
import inspect
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any, Self

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import DynamicCache, DynamicLayer

from alft.completions import Completion
from alft.errors import DataError, Problem
from alft.models.base import Progress, Sampled, Sampling, bare, evaluation_mode, parted
from alft.models.decoding import Decoder
from alft.models.templates import chat_text
from alft.questions import Prompt
from alft.questions.model import as_chat
from alft.storage.checkpoint import sha256

logger = logging.getLogger(__name__)
WEIGHED = {".safetensors", ".bin", ".pt", ".json", ".jinja", ".model", ".txt"}
"""Suffixes of the files of a model directory that decide what the model says."""
ROOM = 64  # tokens by which the memory for keys and values grows
COMPACT_BELOW = 0.8  # finished completions leave the batch when fewer than this share are still running


@dataclass(frozen=True)
class LocalModel:
    """A loaded model as a backend; `name` and `revision` say where it came from, `template` its arguments."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str = ""
    revision: str | None = None
    template: Mapping[str, Any] = field(default_factory=dict)

    def identity(self) -> dict[str, Any]:
        """The model's name, with the digest of its files or the commit of the Hub."""
        revision = self.revision or getattr(self.model.config, "_commit_hash", None)
        place = self.model.config._name_or_path or self.name
        digest = digest_of(Path(place)) if place else None
        return identified("transformers", self.name, revision, digest, self.tokenizer, self.template)

    def complete(self, prompts: Sequence[Prompt], sampling: Sampling, progress: Progress | None = None) -> Sampled:
        """Completions with axes (prompt, sample)."""
        return generate(self.model, self.tokenizer, prompts, sampling, progress)


def identified(
    backend: str, name: str, revision: str | None, digest: str | None, tokenizer: Any, template: Mapping[str, Any]
) -> dict[str, Any]:
    """The identity of a model as a file records it, with the arguments of its chat template if it has any."""
    chat = {"chat": tokenizer.chat_template is not None}
    chat |= {"chat_template_kwargs": dict(template)} if template else {}
    return {"backend": backend, "model": name, "revision": revision, "digest": digest, **chat}


def digest_of(path: Path) -> str | None:
    """SHA-256 of a GGUF file, or over weights, configuration and tokenizer of a model directory, by name."""
    if not path.is_dir():
        return sha256(path) if path.is_file() else None
    files = [[each.name, sha256(each)] for each in sorted(path.iterdir()) if each.suffix in WEIGHED]
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    progress: Progress | None = None,
) -> Sampled:
    """Completions with axes (prompt, sample). Equal seeds and batch sizes give equal completions.

    Text prompts become a user message where the tokenizer has a chat template. The model is put in
    evaluation mode and back. Raises DataError for messages without a chat template to write them with.
    """
    samples = 1 if sampling.greedy else sampling.samples
    ids = encode(tokenizer, prompts)
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    per_batch = max(sampling.batch_size // max(samples, 1), 1)
    generator = torch.Generator(device=model.device).manual_seed(sampling.seed)
    decoder = Decoder(tokenizer, sampling.stop)
    loop = _Loop(model, stop_tokens(model.generation_config, tokenizer), sampling, generator, decoder)
    completions: Sampled = [[] for _ in prompts]
    alone = not parted(model)  # divided weights that are used in inference mode can't be trained afterwards
    done, tell = 0, progress or (lambda share: None)
    with evaluation_mode(model), torch.inference_mode() if alone else torch.no_grad():

        def ask(batch: Sequence[int]) -> Tensor:
            loop.progress = lambda share: tell((done + share * len(batch)) / len(order))
            return loop.run(*pad_left([ids[index] for index in batch], model.device), samples)

        for batch, tokens in _halving(ask, order, per_batch):
            decoded = _decode(decoder, tokens, loop.stops)
            for position, index in enumerate(batch):
                completions[index] = decoded[position * samples : (position + 1) * samples]
            done += len(batch)
            tell(done / len(order))
    return completions


def sample_tokens(
    model: PreTrainedModel,
    prompts: tuple[Tensor, Tensor],
    sampling: Sampling,
    stops: Sequence[int],
    decoder: Decoder,
) -> Tensor:
    """Tokens of completions, axes (prompt · sample, token): the samples of a prompt come one after another.

    `prompts`: token ids and mask, padded before, axes (prompt, token). What comes after one of the tokens `stops`,
    or after a stop string, means nothing.
    """
    generator = torch.Generator(device=model.device).manual_seed(sampling.seed)
    with evaluation_mode(model), torch.no_grad():
        return _Loop(model, frozenset(stops), sampling, generator, decoder).run(*prompts, sampling.samples)


def _halving(
    ask: Callable[[Sequence[int]], Tensor], prompts: Sequence[int], size: int
) -> Iterator[tuple[Sequence[int], Tensor]]:
    """Batches of `size` prompts and what `ask` gives for them; half as many at once whenever memory runs out."""
    while prompts:
        batch, tokens = prompts[:size], None
        try:
            tokens = ask(batch)
        except RuntimeError as error:
            if not should_reduce_batch_size(error) or len(batch) == 1:
                raise
        if tokens is None:  # out of the handler, which holds what the failed batch took
            size = len(batch) // 2
            clear_device_cache(garbage_collection=True)
            logger.warning("out of memory while generating: continuing with %d prompts at once", size)
            continue
        yield batch, tokens
        prompts = prompts[size:]


def encode(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Prompt]) -> list[list[int]]:
    """Token ids of prompts, as TRL would give them to the model."""
    if tokenizer.chat_template is None:
        if not all(isinstance(prompt, str) for prompt in prompts):
            what = "messages, but the tokenizer has no chat template, or model.chat is plain"
            raise DataError(Problem("prompt", what, "give the views as text, without data.system_prompt"))
        return [tokenizer(str(prompt))["input_ids"] for prompt in prompts]
    texts = [as_read(tokenizer, prompt) for prompt in prompts]
    return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


def as_read(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> str:
    """A prompt as the model reads it: by its chat template, where there is one, up to the start of the reply."""
    return str(prompt) if tokenizer.chat_template is None else chat_text(tokenizer, as_chat(prompt))


class _RoomyLayer(DynamicLayer):
    """Keys and values with room to grow: a step writes one token instead of copying all of them."""

    keys: Any
    values: Any

    @classmethod
    def around(cls, layer: Any) -> Self:
        roomy = cls()
        roomy.lazy_initialization(layer.keys, layer.values)
        roomy.keys, roomy.values = roomy.rooms = layer.keys, layer.values
        return roomy

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        filled, states = (self.keys, self.values), (key_states, value_states)
        old = filled[0].shape[-2]
        new = old + key_states.shape[-2]
        keys, values = (_with_room(room, part, new) for room, part in zip(self.rooms, filled, strict=True))
        for room, part in zip((keys, values), states, strict=True):
            room[..., old:new, :] = part
        self.rooms = keys, values
        self.keys, self.values = keys[..., :new, :], values[..., :new, :]
        return self.keys, self.values


def _with_room(room: Tensor, filled: Tensor, tokens: int) -> Tensor:
    """`room` if `filled` still lies in it and it holds `tokens` tokens, else a larger copy of `filled`."""
    if room.data_ptr() == filled.data_ptr() and room.shape[-2] >= tokens:
        return room
    larger = filled.new_empty(*filled.shape[:-2], tokens + ROOM, filled.shape[-1])
    larger[..., : filled.shape[-2], :] = filled
    return larger


@dataclass
class _Loop:
    """Generation of one batch: read the prompts once, then a token at a time for all unfinished completions."""

    model: PreTrainedModel
    stops: frozenset[int]
    sampling: Sampling
    generator: torch.Generator
    decoder: Decoder
    progress: Progress = lambda share: None

    def __post_init__(self) -> None:
        self.stop_ids = torch.tensor(sorted(self.stops), device=self.model.device)

    def run(self, ids: Tensor, mask: Tensor, samples: int) -> Tensor:
        """New tokens, axes (prompt · sample, token); what comes after a stop token means nothing."""
        if getattr(self.model, "_is_stateful", False):
            return self._run_stateful(ids, mask, samples)
        limit = self.sampling.max_new_tokens
        logits, cache = read_on(self.model, ids, mask, None)
        if not by_completion(cache):
            return self._run_stateful(ids, mask, samples)
        cache.batch_repeat_interleave(samples)
        cache.layers = [_RoomyLayer.around(x) if type(x) is DynamicLayer else x for x in cache.layers]
        logits, mask = (tensor.repeat_interleave(samples, dim=0) for tensor in (logits, mask))
        tokens = ids.new_zeros(len(mask), limit)
        rows = torch.arange(len(mask), device=ids.device)
        running = torch.ones_like(rows, dtype=torch.bool)
        for step in range(limit):
            chosen = self._choose(logits[:, -1])
            tokens[rows, step] = chosen
            running &= ~torch.isin(chosen, self.stop_ids)
            if self.decoder.strings:
                running &= ~self.decoder.stopped(tokens[rows, : step + 1])
            left = int(running.sum())
            if left == 0 or step + 1 == limit:
                break
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            if left < COMPACT_BELOW * len(rows):
                keep = running.nonzero()[:, 0]
                cache.batch_select_indices(keep)
                rows, mask, chosen, running = rows[keep], mask[keep], chosen[keep], running[keep]
            logits, cache = read_on(self.model, chosen[:, None], mask, cache)
            self.progress((step + 1) / limit)
        return tokens

    def _run_stateful(self, ids: Tensor, mask: Tensor, samples: int) -> Tensor:
        """The same by transformers' own loop, for models that keep a state instead of keys and values."""
        devices = [] if ids.device.type == "cpu" else [ids.device]
        own = {} if self.sampling.greedy else {"temperature": 1.0, "top_k": 0, "top_p": 1.0}
        with torch.random.fork_rng(devices), self.decoder.stopping(self.model):
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=self.generator, device=ids.device)))
            generate: Callable[..., Tensor] = self.model.generate  # pyright: ignore[reportAssignmentType]
            whole = generate(
                ids,
                attention_mask=mask,
                num_return_sequences=samples,
                do_sample=not self.sampling.greedy,
                repetition_penalty=1.0,
                max_new_tokens=self.sampling.max_new_tokens,
                eos_token_id=sorted(self.stops) or None,
                pad_token_id=min(self.stops, default=0),
                **own,
            )
        return whole[:, ids.shape[1] :]

    def _choose(self, logits: Tensor) -> Tensor:
        if self.sampling.greedy:
            return logits.argmax(dim=-1)
        return torch.multinomial(logits.float().softmax(dim=-1), 1, generator=self.generator)[:, 0]


def read_on(
    model: PreTrainedModel, ids: Tensor, mask: Tensor, cache: DynamicCache | None, kept: int = 1
) -> tuple[Tensor, DynamicCache]:
    """Logits at the last `kept` tokens of `ids`, and the cache with `ids` in it; the mask covers the cache too."""
    accepted = _accepted(type(bare(model)))
    name = "cache" if "cache" in accepted else "past_key_values"  # its name before transformers 5.24
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, name: cache}
    if "position_ids" in accepted:
        inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    if "logits_to_keep" in accepted:
        inputs["logits_to_keep"] = kept
    output = model(**inputs, use_cache=True)
    return output.logits[:, -kept:], output[name]


def by_completion(cache: DynamicCache) -> bool:
    """Whether each completion can be given its prompt's cache: keys and values can, a layer's state can't."""
    return all(hasattr(layer, "batch_select_indices") for layer in cache.layers)


@lru_cache
def _accepted(model: type[PreTrainedModel]) -> frozenset[str]:
    return frozenset(inspect.signature(model.forward).parameters)


def pad_left(ids: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, axes (prompt, token). What stands in the padding is never looked at."""
    width = max(map(len, ids))
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids], device=device)
    return torch.tensor([[0] * (width - len(row)) + list(row) for row in ids], device=device), mask


def stop_tokens(config: Any, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids of the tokens that end a completion, after a model's generation_config and its tokenizer."""
    declared = getattr(config, "eos_token_id", None)
    listed = [*(declared if isinstance(declared, list | tuple) else [declared]), tokenizer.eos_token_id]
    return frozenset(stop for stop in listed if isinstance(stop, int))


def _decode(decoder: Decoder, tokens: Tensor, stops: frozenset[int]) -> list[Completion]:
    """Texts up to the first stop token or stop string; what ends in neither is cut off."""
    kept = [list(takewhile(lambda token: token not in stops, row)) for row in tokens.tolist()]
    ends = [decoder.end(row) for row in kept]
    texts = decoder.texts([row[:end] for row, end in zip(kept, ends, strict=True)])
    cut_off = [len(row) == tokens.shape[1] and end is None for row, end in zip(kept, ends, strict=True)]
    return [Completion(text, truncated) for text, truncated in zip(texts, cut_off, strict=True)]
