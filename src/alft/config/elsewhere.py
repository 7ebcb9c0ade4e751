"""Where a setting is that other libraries have under another name, or in another place."""

from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel

from alft.config.section import section_in

_OWN: Final = "your own script can choose it (alft.AlignmentGameTrainer)"
_NAMES: Final = {
    "data.columns (our fields → columns)": "dataset_text_field dataset_prompt_column column_names",
    "data.examples (a file of questions with answers)": "num_fewshot fewshot few_shot n_shot shots fewshot_config",
    "data.path": "dataset dataset_name train_file",
    "data.subset": "dataset_config dataset_config_name",
    "data.split or data.eval_split": "dataset_train_split dataset_test_split",
    "data.system_prompt": "system system_message",
    "data.too_long": "max_prompt_length truncation",
    "evaluation.batch_size": "per_device_eval_batch_size eval_batch_size",
    "evaluation.questions": "max_eval_samples",
    "evaluation.samples": "num_generations_eval",
    "answers.truncated": "mask_truncated_completions",
    "game": "reward reward_funcs reward_function",
    "lora": "peft peft_config use_peft",
    "lora.alpha": "lora_alpha",
    "lora.rank": "lora_r lora_rank r",
    "lora.target_modules": "lora_target_modules",
    "model.chat_template_kwargs": "chat_template enable_thinking",
    "model.dtype": "bf16 fp16 torch_dtype precision",
    "model.path": "model_name model_name_or_path",
    "model.revision or data.revision": "model_revision dataset_revision",
    "output.directory and output.name": "output_dir",
    "output.name": "run_name",
    "scoring.beta": "kl_coef kl_penalty init_kl_coef",
    "training.checkpoint_every": "save_steps save_strategy",
    "training.keep_checkpoints": "save_total_limit",
    "training.learning_rate": "lr",
    "training.max_new_tokens (of the completion alone)": (
        "max_completion_length max_length max_seq_length max_tokens max_completion_tokens"
    ),
    "training.micro_batch_size (completions in a forward pass; gradients of a batch are accumulated)": (
        "gradient_accumulation_steps per_device_train_batch_size batch_size generation_batch_size"
    ),
    "training.samples": "num_generations n num_samples",
    "training.schedule": "lr_scheduler_type lr_scheduler",
    "training.seed": "random_state data_seed",
    "training.steps": "max_steps",
    "training.steps (an epoch has questions / training.questions_per_step of them)": "num_train_epochs epochs",
    "training.stop": "stop_strings stop_sequences until",
    "training.vllm": "use_vllm vllm_mode vllm_gpu_memory_utilization vllm_server_base_url",
    "training.warmup_steps (the ratio × training.steps)": "warmup_ratio",
    "watch (it stops a run that collapses, and returns the last good model)": (
        "load_best_model_at_end metric_for_best_model early_stopping_patience"
    ),
}
_INSTEAD: Final = {
    "temperature top_p top_k min_p repetition_penalty": (
        "completions are sampled at temperature 1 from all tokens: anything else plays another game"
    ),
    "optim optimizer weight_decay adam_beta1 adam_beta2 loss_type scale_rewards epsilon reward_weights": (
        f"`alft train` sets it for the game; {_OWN}"
    ),
    "lora_dropout dropout": "an adapter has no dropout: what is sampled must be what is trained",
    "use_dora use_rslora modules_to_save lora_bias": f"`alft train` trains plain LoRA; {_OWN}",
    "load_in_4bit load_in_8bit quantization_config bnb_4bit_compute_dtype bnb_4bit_quant_type": (
        f"weights are float32 or bfloat16 (model.dtype); to save memory set lora; {_OWN}"
    ),
    "gradient_checkpointing gradient_checkpointing_kwargs activation_checkpointing": (
        f"activations are kept; to save memory lower training.micro_batch_size; {_OWN}"
    ),
    "attn_implementation use_flash_attention_2 use_liger_kernel torch_compile tf32": (
        f"`alft train` takes the default of transformers; {_OWN}"
    ),
    "deepspeed fsdp fsdp_config ddp_backend": (
        "launch `torchrun --nproc_per_node N -m alft train`, or accelerate with a file of recipes/accelerate"
    ),
    "device device_map use_cpu no_cuda": "a GPU is used where there is one; CUDA_VISIBLE_DEVICES= hides it",
    "logging_steps logging_strategy logging_first_step log_completions": (
        "every step is in metrics.jsonl and every completion in completions.parquet; trackers: training.report_to"
    ),
    "eval_steps eval_strategy evaluation_strategy do_eval": (
        "held-out questions are measured before and after training; watch.every sets the steps between probes"
    ),
    "resume_from_checkpoint": "resume by `alft train run.yaml --resume`",
    "overwrite_output_dir": "replace a run by `alft train run.yaml --overwrite`",
    "push_to_hub hub_model_id hub_token": "nothing is uploaded; `hf upload NAME runs/RUN/model` does that",
    "trust_remote_code": "code of a model's repository is never run: choose a model that transformers knows",
    "ref_model sync_ref_model": "the reference is the model that training starts from (scoring.beta)",
    "tokenizer tokenizer_name tokenizer_name_or_path": "the tokenizer is the one in model.path",
    "wandb_project": "set WANDB_PROJECT in the environment, and training.report_to: [wandb]",
}
_KNOWN: Final = {old: f"it is {new} here" for new, names in _NAMES.items() for old in names.split()} | {
    old: what for names, what in _INSTEAD.items() for old in names.split()
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
