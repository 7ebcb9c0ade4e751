"""Models and tokenizers: from a directory, the Hub or the package, onto the device of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import is_peft_model
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from alft import starter
from alft.config.schema import LoraConfig, ModelConfig
from alft.errors import ConfigError, Problem
from alft.models.local import folder_digest, stop_tokens
from alft.models.templates import with_defaults
from alft.text import short


def set_threads(threads: int | None) -> None:
    """Fix the CPU threads of this process: the given number, else OMP_NUM_THREADS, else one per core up to two."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    torch.set_num_threads(threads or (int(asked) if asked.isdecimal() else 0) or min(os.cpu_count() or 1, 2))


def model_digest(config: ModelConfig) -> str:
    """sha256 over weights, configuration and tokenizer of a directory; the commit of a model on the Hub.

    Raises ConfigError if there is no such model.
    """
    place = Path(_place(config))
    if not place.is_dir():
        with _telling(config):
            return str(AutoConfig.from_pretrained(config.path, revision=config.revision)._commit_hash)
    return folder_digest(place)


def load_tokenizer(config: ModelConfig) -> PreTrainedTokenizerBase:
    """The tokenizer of a model, which pads on the left, by its end of text where it has nothing to pad with.

    Its chat template has the arguments of the configuration as defaults; there is none if `chat` is plain.

    Raises ConfigError if there is no such model.
    """
    with _telling(config):
        tokenizer = AutoTokenizer.from_pretrained(_place(config), revision=config.revision, padding_side="left")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if config.chat == "plain":
        tokenizer.chat_template = None
    if isinstance(tokenizer.chat_template, str):
        tokenizer.chat_template = with_defaults(tokenizer.chat_template, config.chat_template_kwargs)
    return tokenizer


def context_of(config: ModelConfig) -> int | None:
    """Tokens that a model can hold, by its config.json alone; None where it names no limit.

    Raises ConfigError if there is no such model.
    """
    with _telling(config):
        known = AutoConfig.from_pretrained(_place(config), revision=config.revision).get_text_config()
    return getattr(known, "max_position_embeddings", None)


def stop_tokens_of(config: ModelConfig, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Tokens that end a completion, by generation_config.json, config.json and the tokenizer."""
    try:
        known = GenerationConfig.from_pretrained(_place(config), revision=config.revision)
    except OSError:
        with _telling(config):
            known = AutoConfig.from_pretrained(_place(config), revision=config.revision)
    return stop_tokens(known, tokenizer)


@cache
def _stored_dtype(place: str, revision: str | None) -> Any:
    return AutoConfig.from_pretrained(place, revision=revision).get_text_config().dtype


def precision(config: ModelConfig) -> str:
    """What is computed in, float32 or bfloat16: as the configuration says, else as the checkpoint is stored.

    Raises ConfigError if there is no such model.
    """
    if config.dtype != "auto":
        return config.dtype
    with _telling(config):
        stored = _stored_dtype(_place(config), config.revision)
    return "bfloat16" if stored in (torch.bfloat16, "bfloat16") else "float32"


def load_model(config: ModelConfig, *, trained: bool = False) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a directory, a Hub id or the built-in starter, padded on the left to generate.

    `trained`: all weights are to be trained, and are float32 whatever is computed in: steps of 1e-6 vanish in the
    eight bits of a bfloat16.
    Raises ConfigError if there is no such model, or none that can be had from here.
    """
    path = _place(config)
    attention = {"attn_implementation": "eager"} if config.path in starter.MODELS else {}
    tokenizer = load_tokenizer(config)
    dtype = torch.float32 if trained or precision(config) == "float32" else torch.bfloat16
    with _telling(config):
        model = AutoModelForCausalLM.from_pretrained(path, revision=config.revision, dtype=dtype, **attention)
    return _on(model, "cuda" if torch.cuda.is_available() else "cpu"), tokenizer


@contextmanager
def computing_in(dtype: str, model: torch.nn.Module) -> Iterator[None]:
    """Compute in bfloat16 where that is asked for, as training does: what is measured is what is trained."""
    device = next(model.parameters()).device.type
    with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
        yield


def merged(model: Any) -> PreTrainedModel:
    """The network with its adapter, if it has one, added to its weights, in float32: 16 bits would round it."""
    return model.float().merge_and_unload() if is_peft_model(model) else model


def reload_model(model: Any, path: Path) -> Any:
    """The model kept in a directory, as the given one was loaded and where it is; an adapter goes back."""
    if is_peft_model(model):
        from peft.utils.save_and_load import load_peft_weights, set_peft_model_state_dict

        set_peft_model_state_dict(model, load_peft_weights(str(path), device=str(model.device)))
        return model
    attention = model.config._attn_implementation
    kept = type(model).from_pretrained(path, dtype=model.dtype, attn_implementation=attention)
    return _on(kept, str(model.device))


def _place(config: ModelConfig) -> str:
    return str(starter.model_path(config.path)) if config.path in starter.MODELS else config.path


@contextmanager
def _telling(config: ModelConfig) -> Iterator[None]:
    """What fails in here is raised as a problem of `model.path`."""
    try:
        yield
    except (OSError, ValueError) as error:
        told = short(" ".join(str(error).split()), 200)
        here = "" if Path(_place(config)).is_dir() else "it is no directory here, and from the Hub: "
        remedy = "check the name; a gated model needs HF_TOKEN, an offline machine a local directory"
        raise ConfigError(
            Problem("model.path", f"{config.path!r} can't be loaded ({here}{told})", remedy)
        ) from error


def _on(model: Any, device: str) -> PreTrainedModel:
    """The model on a device; `to` of transformers 5 is not typed as a method."""
    return model.to(device)


def adapter(lora: LoraConfig | None) -> Any:
    """peft's configuration of an adapter, None if all weights are trained."""
    if lora is None:
        return None
    from peft import LoraConfig as PeftConfig

    alpha: Any = lora.alpha  # peft says int and takes any number
    return PeftConfig(r=lora.rank, lora_alpha=alpha, target_modules=lora.target_modules, task_type="CAUSAL_LM")
