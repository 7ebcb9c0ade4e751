"""TRL settings under which a step is the game's policy gradient, and what is said of settings that change it.

TRL's defaults play another game (theory.md 4.3): the loss divides by lengths, advantages by their spread, the KL
penalty is per token, and a model's own generation settings may cut the distribution that the game is about.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.rloo_config import RLOOConfig

from alft.errors import ConfigError, Problem

SAMPLING: dict[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": None,
    "repetition_penalty": 1.0,
    "generation_kwargs": None,
}
SHARED: dict[str, Any] = {**SAMPLING, "num_iterations": 1, "mask_truncated_completions": False}
FAITHFUL: dict[str, Any] = {
    **SHARED,
    "loss_type": "dr_grpo",
    "importance_sampling_level": "token",
    "top_entropy_quantile": 1.0,
    "entropy_coef": 0.0,
    "use_adaptive_entropy": False,
    "off_policy_mask_threshold": None,
}
"""Settings under which GRPO's step is the game's policy gradient (theory.md 4.3)."""
FAITHFUL_RLOO: dict[str, Any] = {**SHARED, "reward_clip_range": None}
"""The same for RLOO, whose loss is a mean over sequences."""

# Advantages are replaced by the game's, so these change nothing but TRL's own log.
_UNUSED: dict[str, Any] = {"beta": 0.0, "scale_rewards": "none"}
_UNUSED_RLOO: dict[str, Any] = {"beta": 0.0, "normalize_advantages": False}


def faithful_config(**settings: Any) -> GRPOConfig:
    """A GRPOConfig whose step is the exact policy gradient of the game; `settings` override and complete it."""
    return GRPOConfig(**{**FAITHFUL, **_UNUSED, **_on_this_machine(), **settings})


def faithful_rloo_config(**settings: Any) -> RLOOConfig:
    """An RLOOConfig whose step is the exact policy gradient of the game; `settings` override and complete it."""
    return RLOOConfig(**{**FAITHFUL_RLOO, **_UNUSED_RLOO, **_on_this_machine(), **settings})


def _on_this_machine() -> dict[str, Any]:
    """TRL asks for bfloat16 on a GPU; a machine that has none computes in float32."""
    return {} if torch.accelerator.is_available() else {"use_cpu": True, "bf16": False}


def warn_unfaithful(args: Any) -> None:
    """Warn of settings that play another game than the one asked for; raise ConfigError for TRL's own β."""
    if args.beta != 0.0:
        told = f"TRL's own KL penalty is {args.beta}: per token, or ignored, and another game than β asks for"
        raise ConfigError(Problem("args.beta", told, "leave it at 0, and play game=Scoring(game, beta=…)"))
    exact = FAITHFUL_RLOO if isinstance(args, RLOOConfig) else FAITHFUL
    changed = [
        f"{name}={getattr(args, name)!r} (exact: {value!r})"
        for name, value in exact.items()
        if getattr(args, name) != value
    ]
    if (args.steps_per_generation or 1) > args.gradient_accumulation_steps:
        changed.append(
            f"steps_per_generation={args.steps_per_generation} above gradient_accumulation_steps="
            f"{args.gradient_accumulation_steps} (exact: one update per generated batch)"
        )
    if changed:
        warnings.warn(f"these settings change the game that is played: {', '.join(changed)}", stacklevel=4)
