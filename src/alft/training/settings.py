"""A configuration as the settings of what it drives: the evaluation, TRL's trainer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState

from alft.config.schema import RunConfig
from alft.config.training import VllmConfig
from alft.errors import ConfigError, Problem
from alft.evaluation import EvaluationSettings
from alft.models.loading import precision
from alft.plan.plan import Plan
from alft.training.faithful import faithful_config, faithful_rloo_config

CONFIGS: dict[str, Callable[..., Any]] = {"grpo": faithful_config, "rloo": faithful_rloo_config}


def evaluation_settings(config: RunConfig) -> EvaluationSettings:
    """How a configuration measures: its samples, batch and seed, completions as long as in training."""
    chosen = config.evaluation
    return EvaluationSettings(
        samples=chosen.samples,
        max_new_tokens=config.training.max_new_tokens or EvaluationSettings.max_new_tokens,
        batch_size=chosen.batch_size,
        seed=chosen.seed,
        answers=config.answers.policy,
        stop=config.training.stop,
    )


def check_shares(plan: Plan) -> None:
    """Raise ConfigError if the processes of this launch can't divide the work of a plan."""
    shares(plan, PartialState().num_processes)


def shares(plan: Plan, processes: int) -> tuple[int, int]:
    """Completions of one process in an optimizer step, and in a forward pass.

    Raises ConfigError if the step can't be divided among so many processes.
    """
    training = plan.config.training
    step = plan.completions_per_step // training.steps_per_generation
    own, left = divmod(step, processes)
    micro = training.micro_batch_size or own
    if left or own % micro:
        told = f"{step} completions a step can't be divided among {processes} processes"
        remedy = "change training.questions_per_step, training.micro_batch_size or the number of processes"
        raise ConfigError(Problem("training", f"{told}, {micro} at once" if not left else told, remedy))
    return own, micro


def trl_config(plan: Plan, output: Path) -> Any:
    """The settings of TRL's trainer for a plan: GRPO's or RLOO's, saved in `output`.

    Trackers are not among them: they are attached apart, so that one that fails can't end a run.
    """
    training = plan.config.training
    step, micro = shares(plan, PartialState().num_processes)
    os.environ.pop("ACCELERATE_MIXED_PRECISION", None)  # a launcher's: what is measured is what is trained
    return CONFIGS[training.trainer](
        output_dir=str(output),
        run_name=plan.directory.name,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.schedule,
        warmup_steps=training.warmup_steps,
        max_steps=training.steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=step // micro,
        steps_per_generation=step * training.steps_per_generation // micro,
        num_iterations=training.num_iterations,
        num_generations=training.samples,
        max_completion_length=training.max_new_tokens,
        generation_kwargs=None if training.stop is None else {"stop_strings": training.stop},
        max_grad_norm=training.max_grad_norm,
        seed=training.seed,
        bf16=precision(plan.config.model) == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="steps" if training.checkpoint_every else "no",
        save_steps=training.checkpoint_every or 1,
        save_total_limit=training.keep_checkpoints,
        report_to=[],
        disable_tqdm=True,
        **vllm_settings(training.vllm),
    )


def vllm_settings(vllm: VllmConfig | None) -> dict[str, Any]:
    """The settings of TRL's trainer that make it generate by vLLM; {} if it should not."""
    if vllm is None:
        return {}
    chosen = vllm.model_dump(exclude_none=True)
    return {"use_vllm": True} | {f"vllm_{name}": value for name, value in chosen.items()}
