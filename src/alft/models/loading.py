"""Models and tokenizers: from a directory, the Hub or the package, onto the device of this machine.

Every function that needs the model raises ConfigError if it does not exist or can't be reached or read.
"""

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import is_peft_model
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from alft import starter
from alft.config.schema import LoraConfig, ModelConfig, RunConfig
from alft.errors import ConfigError, Problem
from alft.models.base import held
from alft.models.local import digest_of, stop_tokens
from alft.models.templates import with_defaults
from alft.storage.files import not_found
from alft.text import short

Loaded = tuple[PreTrainedModel, PreTrainedTokenizerBase]  # a model and its tokenizer
AT_ONCE = 1 << 22  # weights that `spread` moves together
OTHER_FILE = "take a file that transformers can read (Q8_0, say), or the model's Hugging Face directory"
MOST_RANK = 1 << 16
COPY_AGAIN = "compare the model's files with the source, and copy them again"


def set_threads(threads: int | None) -> None:
    """Fix the CPU threads of this process: the given number, else OMP_NUM_THREADS, else one per core up to two."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    torch.set_num_threads(threads or (int(asked) if asked.isdecimal() else 0) or min(os.cpu_count() or 1, 2))


def model_digest(config: ModelConfig) -> str:
    """sha256 of a GGUF file, or over weights, configuration and tokenizer of a directory; a Hub model's commit."""
    return digest_of(Path(_place(config))) or str(known_config(config)._commit_hash)


def load_tokenizer(config: ModelConfig) -> PreTrainedTokenizerBase:
    """The tokenizer of a model, which pads on the left, by its end of text where it has nothing to pad with.

    Its chat template has the arguments of the configuration as defaults; there is none if `chat` is plain.
    """
    with telling(config):
        tokenizer = AutoTokenizer.from_pretrained(**_source(config), padding_side="left")
    if not tokenizer("12")["input_ids"]:  # transformers makes an empty one where a folder has none
        raise ConfigError(
            Problem("model.path", f"{config.path!r} holds no tokenizer", "save one there (tokenizer.json)")
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if config.chat == "plain":
        tokenizer.chat_template = None
    if isinstance(tokenizer.chat_template, str):
        tokenizer.chat_template = with_defaults(tokenizer.chat_template, config.chat_template_kwargs)
    return tokenizer


def known_config(config: ModelConfig, *, here: bool = False) -> PreTrainedConfig:
    """What config.json says of a model; `here`: only if that needs no download."""
    with telling(config):
        return AutoConfig.from_pretrained(**_source(config), local_files_only=here)


@cache
def weights_of(path: str, revision: str | None = None) -> int | None:
    """How many weights a model has; None where its configuration is not here, or is no causal language model."""
    config = ModelConfig(path=path, revision=revision)
    try:
        with telling(config), torch.device("meta"):
            network = AutoModelForCausalLM.from_config(known_config(config, here=True), dtype=torch.bfloat16)
    except ConfigError:
        return None
    return sum(each.numel() for each in network.parameters())


def stop_tokens_of(config: ModelConfig, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Tokens that end a completion, by generation_config.json, config.json and the tokenizer."""
    try:
        known = GenerationConfig.from_pretrained(_place(config), revision=config.revision or "main")
    except OSError:
        known = known_config(config)
    return stop_tokens(known, tokenizer)


@cache
def _stored_in_16_bits(path: str, revision: str | None) -> bool:
    dtype = known_config(ModelConfig(path=path, revision=revision)).get_text_config().dtype
    return dtype in (torch.bfloat16, "bfloat16")


@cache
def fast_bfloat16() -> bool:
    """Whether this machine computes in bfloat16 itself: without, a CPU is 4 to 8 times slower than in float32."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if platform.machine() in ("x86_64", "AMD64"):
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def precision(config: ModelConfig) -> str:
    """What is computed in: as the configuration says, else bfloat16 for a checkpoint of it, where that is fast."""
    if config.dtype != "auto":
        return config.dtype
    return "bfloat16" if fast_bfloat16() and _stored_in_16_bits(config.path, config.revision) else "float32"


def saved_in(config: ModelConfig, computed: str, *, adapter: bool) -> str:
    """The precision to save a trained model in, by the precision `computed` in while it was trained.

    bfloat16 for a 16-bit checkpoint that was trained in bfloat16. Its weights begin exactly on numbers of
    bfloat16, and training computes with rounded weights: a step has no effect before it reaches the next number.
    In float32 all these steps have an effect, which training never saw. An `adapter` begins elsewhere.
    """
    whole = computed == "bfloat16" and not adapter
    return "bfloat16" if whole and _stored_in_16_bits(config.path, config.revision) else "float32"


def seed_of(digest: str | None, seed: int) -> int:
    """A seed of `spread`, another one for each model."""
    return int.from_bytes(sha256(f"{seed} {digest}".encode()).digest()[:4])


@torch.no_grad()
def spread(model: torch.nn.Module, seed: int) -> None:
    """Put each weight of a 16-bit checkpoint at a random place among the numbers that bfloat16 rounds to it.

    For training in bfloat16 with float32 weights. Rounded, the model is the same, and autocast rounds weights
    wherever it multiplies matrices. But a small step then changes some rounded weights at once, in proportion to
    its size, where before it changed none. Training that starts from a trained model again takes another `seed`.
    """
    device = next(model.parameters()).device
    generator = torch.Generator(device=device).manual_seed(seed)
    for weight in model.parameters():  # once each, also where weights are tied
        for part in weight.view(-1).split(AT_ONCE):
            mantissa, exponent = torch.frexp(part)
            below = torch.where(mantissa.abs() == 0.5, 0.25, 0.5)  # numbers lie closer below a power of two
            reach = torch.ldexp(below, exponent - 8) * (mantissa != 0)
            moved = part + reach * (2 * torch.rand(part.shape, generator=generator, device=device) - 1)
            part.copy_(torch.where(moved.bfloat16() == part.bfloat16(), moved, part))


def rounded(model: PreTrainedModel, dtype: str) -> PreTrainedModel:
    """The model with its weights in `dtype`. What it computes from its configuration stays as loading makes it."""
    for weight in model.parameters():
        weight.data = weight.data.to(getattr(torch, dtype))
    model.config.dtype = getattr(torch, dtype)
    return model


def load_model(config: ModelConfig, *, trained: bool = False) -> Loaded:
    """Model and tokenizer of a directory, a Hub id or the built-in starter, padded on the left to generate.

    `trained`: all weights are to be trained, and are float32 whatever is computed in: steps of 1e-6 vanish in the
    eight bits of a bfloat16.
    """
    attention = {"attn_implementation": "eager"} if config.path in starter.MODELS else {}
    tokenizer = load_tokenizer(config)
    dtype = torch.float32 if trained or precision(config) == "float32" else torch.bfloat16
    with telling(config):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            **_source(config), dtype=dtype, ignore_mismatched_sizes=True, output_loading_info=True, **attention
        )
    model, found = loaded
    _check_weights(config, model, found)
    if config.path.endswith(".gguf"):  # from here on an ordinary model, which can be trained and saved
        model.hf_quantizer, model.is_quantized, model.config._name_or_path = None, False, config.path
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def _check_weights(config: ModelConfig, model: PreTrainedModel, found: Mapping[str, Any]) -> None:
    """Raise ConfigError with the names of weights that are missing, do not fit or are not finite.

    transformers fills what is missing or does not fit with random numbers.
    """
    sizes = {name: f"{name} is {tuple(a)} instead of {tuple(b)}" for name, a, b in found["mismatched_keys"]}
    lacking = sorted(set(found["missing_keys"]) - sizes.keys())
    held_here = ((name, held(weight)) for name, weight in model.named_parameters())
    broken = [name for name, weight in held_here if weight.itemsize > 1 and not weight.isfinite().all()]
    kinds = {"weights are missing": lacking, "weights don't fit config.json": sorted(sizes.values())}
    kinds["weights are not finite"] = [name for name in broken if name not in {*sizes, *lacking}]
    problems = [
        Problem("model.path", f"{config.path!r}: {what}: {short(', '.join(names), 300)}", COPY_AGAIN)
        for what, names in kinds.items()
        if names
    ]
    if problems:
        raise ConfigError(problems)


def computing_in(dtype: str, model: torch.nn.Module) -> torch.autocast:
    """Compute in bfloat16 where that is asked for, as training does: what is measured is what is trained."""
    device = next(model.parameters()).device.type
    return torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16")


@contextmanager
def as_stored(config: ModelConfig, model: torch.nn.Module) -> Iterator[None]:
    """Compute with a model that is not trained yet, whose weights are float32 if they are going to be trained.

    Where 16 bits are computed in and the checkpoint has 16 bits, its own weights are used meanwhile, which is
    faster.
    """
    weights, dtype = list(model.parameters()), precision(config)
    halved = weights if dtype == "bfloat16" and _stored_in_16_bits(config.path, config.revision) else []
    before = [weight.dtype for weight in halved]
    try:
        for weight in halved:
            weight.data = weight.data.bfloat16()
        with computing_in(dtype, model):
            yield
    finally:
        for weight, own in zip(halved, before, strict=True):
            weight.data = weight.data.to(own)


def merged(model: Any) -> PreTrainedModel:
    """The network with its adapter, if it has one, added to its weights, in float32: 16 bits would round it."""
    return model.float().merge_and_unload() if is_peft_model(model) else model


def reload_model(model: Any, path: Path) -> Any:
    """The model kept in a directory, as the given one was loaded and where it is; an adapter goes back."""
    if is_peft_model(model):
        from peft.utils.save_and_load import load_peft_weights, set_peft_model_state_dict

        set_peft_model_state_dict(model, load_peft_weights(str(path), device=str(model.device)))
        return model
    return _loaded_like(model, path)


def undivided(config: RunConfig, model: Any, path: Path) -> Any:
    """A trained model from a directory, whole on this process; an adapter again on its own base model."""
    if is_peft_model(model):
        from peft import PeftModel

        return PeftModel.from_pretrained(load_model(config.model)[0], str(path))
    return _loaded_like(model, path)


def _loaded_like(model: Any, path: Path) -> PreTrainedModel:
    attention = model.config._attn_implementation
    kept: Any = AutoModelForCausalLM.from_pretrained(path, dtype=model.dtype, attn_implementation=attention)
    return kept.to(next(model.parameters()).device)


def _place(config: ModelConfig) -> str:
    return str(starter.model_path(config.path)) if config.path in starter.MODELS else config.path


def _source(config: ModelConfig) -> dict[str, Any]:
    place = Path(config.path)
    if config.path.endswith(".gguf"):
        return {"pretrained_model_name_or_path": str(place.parent), "gguf_file": place.name}
    return {"pretrained_model_name_or_path": _place(config), "revision": config.revision}


def gguf_problem(path: str) -> Problem | None:
    """What keeps a GGUF file from being loaded: no file or package, a damaged file, or one of an unknown kind."""
    if not Path(path).is_file():
        return not_found(path, f"there is no file {path!r}", "check the path", "model.path")
    if find_spec("gguf") is None:
        return Problem("model.path", "a GGUF file needs the package gguf", "pip install 'alft[gguf]'")
    from gguf import GGUFReader, dequantize  # pyright: ignore[reportMissingImports]

    kind = None
    try:
        kinds = {each.tensor_type: each.data for each in GGUFReader(path).tensors}
        for kind, data in kinds.items():
            dequantize(data[:1], kind)
        kind = None
        AutoConfig.from_pretrained(**_source(ModelConfig(path=path)))
    except NotImplementedError:
        what = "a quantization" if kind is None else f"the quantization {kind.name}"
        return Problem("model.path", f"{path!r} has {what} that can't be read", OTHER_FILE)
    except Exception as error:
        cause = short(" ".join(str(error).split()), 200)
        if "architecture" in cause:
            return Problem("model.path", f"{path!r} can't be loaded ({cause})", OTHER_FILE)
        what = f"{path!r} is no GGUF file, or one that was cut short ({cause})"
        return Problem("model.path", what, "compare its size with the source, and download it again")
    return None


@contextmanager
def telling(config: ModelConfig) -> Iterator[None]:
    """What fails in here is raised as a problem of `model.path`."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # of a damaged file, a library raises whatever it stumbles over
        cause = short(" ".join(str(error).split()), 200) or type(error).__name__
        there = Path(_place(config)).exists()
        here = "" if there else "it is no directory here, and from the Hub: "
        named = "check the name; a gated model needs HF_TOKEN, an offline machine a local directory"
        remedy = COPY_AGAIN if there or not isinstance(error, (OSError, ValueError)) else named
        raise ConfigError(
            Problem("model.path", f"{config.path!r} can't be loaded ({here}{cause})", remedy)
        ) from error


def adapter(lora: LoraConfig | None) -> Any:
    """peft's configuration of an adapter, None if all weights are trained."""
    if lora is None:
        return None
    if lora.rank > MOST_RANK:
        raise ConfigError(
            Problem("lora.rank", f"{lora.rank:,} is too large", f"take at most {MOST_RANK:,}, say 16")
        )
    from peft import LoraConfig as PeftConfig

    alpha: Any = lora.alpha  # peft says int and takes any number
    return PeftConfig(r=lora.rank, lora_alpha=alpha, target_modules=lora.target_modules, task_type="CAUSAL_LM")
