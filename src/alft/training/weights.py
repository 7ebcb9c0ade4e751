"""Weights that processes divide (FSDP, ZeRO-3): gathered by all, written by one, then verified."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import DistributedType, is_peft_model
from safetensors import safe_open
from torch.distributed.fsdp import StateDictType

from alft.errors import CheckpointError, ConfigError, Problem
from alft.models.base import bare

SETTINGS = "fsdp_state_dict_type: FULL_STATE_DICT (FSDP) or zero3_save_16bit_model: true (ZeRO-3)"


def divided(accelerator: Any) -> bool:
    """Whether each process holds only a part of the weights."""
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        return accelerator.deepspeed_config["zero_optimization"]["stage"] == 3
    return accelerator.distributed_type == DistributedType.FSDP


def gathered(accelerator: Any, model: Any) -> dict[str, torch.Tensor] | None:
    """All weights of a wrapped model, on the main process; None where each process has them. All call this.

    Raises ConfigError where ZeRO-3 is set to gather none.
    """
    if not divided(accelerator):
        return None
    try:
        return accelerator.get_state_dict(model)
    except ValueError as error:
        raise ConfigError(Problem("deepspeed", str(error), "set zero3_save_16bit_model: true")) from error


@contextmanager
def whole_state(accelerator: Any) -> Iterator[None]:
    """Let a trainer's `save_model` write whole weights, whatever its checkpoints hold."""
    plugin: Any = getattr(accelerator.state, "fsdp_plugin", None)
    if plugin is None:
        yield
        return
    asked, plugin.state_dict_type = plugin.state_dict_type, StateDictType.FULL_STATE_DICT
    try:
        yield
    finally:
        plugin.state_dict_type = asked


def elements(model: torch.nn.Module) -> int:
    """Numbers in a saved copy of a model, of all processes; of an adapter, those that are trained.

    >>> elements(torch.nn.Linear(3, 2))
    8
    """
    adapter, left_out = is_peft_model(model), getattr(bare(model), "_keys_to_ignore_on_save", None) or ()
    return sum(
        getattr(each, "ds_numel", each.numel())
        for name, each in model.named_parameters()
        if (each.requires_grad or not adapter) and not any(re.search(one, name) for one in left_out)
    )


def check_whole(folder: Path, expected: int) -> None:
    """Raise CheckpointError unless a saved model has as many `elements` as expected, and no empty tensor."""
    shapes: dict[str, list[int]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "numpy") as saved:
            shapes |= {f"{file.name}: {name}": saved.get_slice(name).get_shape() for name in saved.keys()}  # noqa: SIM118
    empty = [name for name, shape in shapes.items() if 0 in shape]
    found = sum(map(math.prod, shapes.values()))
    if not empty and found >= expected:
        return
    what = f"the saved model has {found:,} of {expected:,} weights"
    if empty:
        what += f"; {len(empty)} of {len(shapes)} tensors are empty, e.g. {empty[0]}"
    remedy = f"don't use it; if processes divide the weights, set {SETTINGS} and save on all processes"
    raise CheckpointError(Problem(str(folder), what, remedy))
