"""A configuration as the settings of what it drives: the evaluation, TRL's trainer."""

from __future__ import annotations

from pathlib import Path

import torch
from trl.trainer.grpo_config import GRPOConfig

from alft.config import RunConfig
from alft.evaluation import EvaluationSettings
from alft.plan import Plan
from alft.training.faithful import faithful_config


def evaluation_settings(config: RunConfig) -> EvaluationSettings:
    """How a configuration measures: its samples, batch and seed, completions as long as in training."""
    chosen = config.evaluation
    return EvaluationSettings(
        samples=chosen.samples,
        max_new_tokens=config.training.max_new_tokens or EvaluationSettings.max_new_tokens,
        batch_size=chosen.batch_size,
        seed=chosen.seed,
    )


def trl_config(plan: Plan, output: Path) -> GRPOConfig:
    """TRL's settings for a plan: one generation batch and one optimiser step at a time, saved in `output`."""
    training, batch = plan.config.training, plan.completions_per_step
    micro = training.micro_batch_size or batch
    return faithful_config(
        output_dir=str(output),
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.schedule,
        warmup_steps=training.warmup_steps,
        max_steps=training.steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=batch // micro,
        num_generations=training.samples,
        max_completion_length=training.max_new_tokens,
        max_grad_norm=training.max_grad_norm,
        seed=training.seed,
        bf16=False,
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="steps" if training.checkpoint_every else "no",
        save_steps=training.checkpoint_every or 1,
        save_total_limit=training.keep_checkpoints,
        report_to=[],
        disable_tqdm=True,
    )
