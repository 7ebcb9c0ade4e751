"""What a model needs in memory, by its configuration alone: on the meta device no weight has a value."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from torch.autograd.graph import saved_tensors_hooks
from transformers import AutoModelForCausalLM

from alft import starter
from alft.config.schema import LoraConfig, ModelConfig
from alft.errors import ConfigError, Problem
from alft.models.loading import adapter, known_config, load_tokenizer, precision, telling
from alft.models.local import encode
from alft.questions import Question

PROCESS = 700_000_000  # bytes of Python and its libraries
COPIES = 3  # of logits, with what is computed from them to sample
USED = 1.8  # bytes that the process takes for each byte of activations, measured on a CPU
ROOM = 0.7  # share of the free memory that batches which are left open may fill
TILE = (4096, 32768)  # tokens and vocabulary entries whose logits TRL computes at once
TILES = (8, 2)  # copies of a tile while its gradient is computed: on a CPU, counted in TRL's code, and on a GPU
PROBED = 16  # tokens that are measured: what attention keeps by pairs of tokens, where it does, stays small


@dataclass(frozen=True)
class ModelSize:
    """A `network` without values, with the weights and precision of a run, and bytes that a token needs.

    `kept`: for the backward pass; `cache`: keys and values; `logits`: of one token, in float32. `casts` are bytes
    of the 16-bit copies of float32 weights.
    """

    network: torch.nn.Module
    kept: int
    cache: int
    logits: int
    casts: int

    @property
    def weights(self) -> int:
        """Bytes of all weights."""
        return sum(each.nbytes for each in self.network.parameters())

    @property
    def trained(self) -> int:
        """Bytes of the weights that are trained: as many in gradients, twice as many in the optimizer."""
        return sum(each.nbytes for each in self.network.parameters() if each.requires_grad)

    def asking(self, rows: int, length: int) -> dict[str, int]:
        """Bytes to generate `rows` completions at once, of `length` tokens with prompts, beside the weights."""
        return {"keys and values": rows * length * self.cache, "logits": COPIES * rows * self.logits}

    def step(self, rows: int, of: int, length: int, scored: int) -> dict[str, int]:
        """Bytes that a step needs beside the weights, with `rows` of its `of` completions in a forward pass.

        Completions have `length` tokens with their prompt, of which `scored` have logits; a CPU scores them all.
        Gradients take the place of activations; only those of earlier forward passes are there before.
        """
        gpu, kept = torch.cuda.is_available(), int(USED * rows * length * self.kept)
        tile = min(rows * (scored if gpu else length), TILE[0]) * min(self.logits, 4 * TILE[1])
        made = self.trained if rows < of else max(self.trained - kept - TILES[gpu] * tile, 0)
        states = made + 2 * self.trained + self.casts
        return {"gradients and optimizer": states, "activations": kept, "logits": TILES[gpu] * tile}


def model_size(config: ModelConfig, lora: LoraConfig | None = None, *, trained: bool = True) -> ModelSize:
    """The size of a model of which all weights are `trained`, or an adapter, or nothing.

    Raises ConfigError if its configuration is not on this machine.
    """
    known, dtype = known_config(config, here=True), getattr(torch, precision(config))
    whole = trained and lora is None
    network = _network(config, known, torch.float32 if whole else dtype, lora)
    cast = whole and dtype is torch.bfloat16
    kept, cache = _by_token(_network(config, known, dtype, lora) if cast else network)
    casts = sum(2 * each.numel() for each in network.parameters()) if cast else 0
    return ModelSize(network, kept, cache, known.get_text_config().vocab_size * 4, casts)


def _network(config: ModelConfig, known: Any, dtype: torch.dtype, lora: LoraConfig | None) -> Any:
    attention = {"attn_implementation": "eager"} if config.path in starter.MODELS else {}
    with torch.device("meta"):
        with telling(config):
            network = AutoModelForCausalLM.from_config(known, dtype=dtype, **attention)
        return network if lora is None else _adapted(network, lora)


def _adapted(network: torch.nn.Module, lora: LoraConfig) -> Any:
    """The network with its adapter. peft itself skips names that it doesn't find, if it finds another."""
    from peft import get_peft_model

    chosen, wanted = lora.target_modules, adapter(lora)
    names = [] if isinstance(chosen, str) else chosen
    places = [f".{name}" for name, _ in network.named_modules()]
    unknown = [name for name in names if not any(place.endswith(f".{name}") for place in places)]
    layers = sorted({name.split(".")[-2] for name, weight in network.named_parameters() if weight.ndim == 2})
    if not unknown:
        with suppress(ValueError, re.error):
            return get_peft_model(network, wanted)
    what = f"{unknown or chosen!r} names no layer that can be adapted"
    remedy = f"write all-linear, or a list of some of {', '.join(layers)}"
    raise ConfigError(Problem("lora.target_modules", what, remedy))


def _by_token(network: Any) -> tuple[int, int]:
    """Bytes that autograd keeps for the backward pass, and bytes of keys and values, for each token."""
    weights = {each.untyped_storage()._cdata for each in network.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage
        return tensor

    with torch.device("meta"), saved_tensors_hooks(keep, lambda tensor: tensor):
        ids, mask = torch.zeros(1, PROBED, dtype=torch.long), torch.ones(1, 1, PROBED, PROBED, dtype=torch.bool)
        output = network.train()(input_ids=ids, attention_mask=mask, use_cache=True)
    cache = output.get("cache", output.get("past_key_values"))  # its name since transformers 5.24, and before
    layers = getattr(cache, "layers", ())
    cached = [part for layer in layers for part in (layer.keys, layer.values) if part is not None]
    return sum(each.nbytes() for each in kept.values()) // PROBED, sum(each.nbytes for each in cached) // PROBED


def free_memory() -> int:
    """Bytes that are free for a run: on the GPU, where there is one."""
    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available


def longest_prompt(config: ModelConfig, questions: Sequence[Question]) -> int:
    """Tokens of the longest view, as the model reads it."""
    prompts = [view.prompt for question in questions for view in question.views]
    return max(map(len, encode(load_tokenizer(config), prompts)))
