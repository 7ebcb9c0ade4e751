"""Where a setting is that other libraries have under another name, or in another place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel

from alft.config.section import section_in

_NAMES: Final = {
    "data.path": "dataset dataset_name train_file",
    "data.system_prompt": "system system_message",
    "data.too_long": "max_prompt_length",
    "evaluation.batch_size": "per_device_eval_batch_size eval_batch_size",
    "game": "reward reward_funcs reward_function",
    "lora": "peft peft_config use_peft",
    "lora.alpha": "lora_alpha",
    "lora.rank": "lora_r lora_rank r",
    "lora.target_modules": "lora_target_modules",
    "model.dtype": "bf16 fp16 torch_dtype precision",
    "model.path": "model_name model_name_or_path",
    "output.directory and output.name": "output_dir",
    "output.name": "run_name",
    "scoring.beta": "kl_coef kl_penalty init_kl_coef",
    "training.checkpoint_every": "save_steps",
    "training.keep_checkpoints": "save_total_limit",
    "training.learning_rate": "lr",
    "training.max_new_tokens": "max_completion_length max_length max_tokens max_completion_tokens",
    "training.micro_batch_size (completions in a forward pass; gradients of a batch are accumulated)": (
        "gradient_accumulation_steps per_device_train_batch_size batch_size generation_batch_size"
    ),
    "training.samples": "num_generations n num_samples",
    "training.schedule": "lr_scheduler_type lr_scheduler",
    "training.steps": "max_steps num_train_epochs epochs",
    "training.stop": "stop_strings stop_sequences until",
    "training.vllm": "use_vllm vllm_mode",
}
_FIXED: Final = {
    "temperature top_p top_k min_p repetition_penalty": (
        "completions are sampled at temperature 1 from all tokens: anything else plays another game"
    ),
    "optim optimizer weight_decay adam_beta1 adam_beta2 loss_type scale_rewards epsilon reward_weights": (
        "`alft train` sets it for the game; your own script can by alft.AlignmentGameTrainer(args=…)"
    ),
}
_KNOWN: Final = {old: f"it is {new} here" for new, names in _NAMES.items() for old in names.split()} | {
    old: told for names, told in _FIXED.items() for old in names.split()
}


def elsewhere(name: str, config: type[BaseModel]) -> str | None:
    """What to use instead of a key that is unknown in its section, None for a key that nobody knows.

    >>> from alft.config.schema import RunConfig
    >>> elsewhere("beta", RunConfig), elsewhere("num_generations", RunConfig)
    ('it is scoring.beta here', 'it is training.samples here')
    """
    places = [place for place in _places(config) if place.rpartition(".")[2] == name]
    return f"it is {' or '.join(places)} here" if places else _KNOWN.get(name)


def _places(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield prefix + name
        inner = section_in(field.annotation)
        if inner is not None and name != "game":
            yield from _places(inner, f"{prefix}{name}.")
