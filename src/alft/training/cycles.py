"""Generation cycles: all training on one generation batch. Only where one ends can a run be resumed exactly.

Inside a cycle the next steps still train on completions in memory, which are in no checkpoint. So saving and
stopping wait for its end.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alft.errors import ConfigError, Problem

logger = logging.getLogger(__name__)


def check_cycle(args: Any) -> int:
    """Forward and backward passes over one generation batch; ConfigError if `max_steps` would end inside them.

    A run that ended there could not be made longer, since the completions in memory are in no checkpoint. Warns
    if checkpoints will be made later than `save_steps` asks for.
    """
    passes, each = args.steps_per_generation * args.num_iterations, args.gradient_accumulation_steps
    steps = passes // math.gcd(passes, each)  # optimiser steps after which a cycle ends
    if args.max_steps > 0 and args.max_steps % steps:
        low = args.max_steps // steps * steps
        nearest = " or ".join(str(n) for n in (low, low + steps) if n > 0)
        told = f"{args.max_steps} steps end inside a generation cycle of {steps}"
        raise ConfigError(Problem("max_steps", told, f"set it to {nearest}"))
    if args.save_strategy == "steps" and args.save_steps >= 1 and args.save_steps % steps:
        logger.warning(
            "save_steps=%d is inside a generation cycle: checkpoints wait for the next multiple of %d steps",
            args.save_steps,
            steps,
        )
    return passes


class CycleCallback(TrainerCallback):
    """Lets a trainer save and stop only where a generation cycle ends.

    A cycle is `passes` forward and backward passes over one generation batch. Requests to save wait for its
    end, and so does stopping if `asked()` says that somebody wants it; it is called in all processes alike.
    """

    def __init__(self, passes: int, asked: Callable[[], bool]) -> None:
        self.passes, self.asked = passes, asked
        self.done = 0  # passes; a resumed run starts on the border of a cycle, and so at 0
        self.save_asked = False

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Count a pass that no optimiser step follows."""
        self.done += 1

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Hold back what was asked for, or let it happen where a cycle ends."""
        self.done += 1
        last = state.global_step >= state.max_steps
        if control.should_training_stop and not last:  # the watch has a reason; a resume comes to it again
            control.should_save = False
            return control
        self.save_asked |= control.should_save
        control.should_save = False
        if self.done % self.passes == 0:
            stopped = self.asked()
            control.should_training_stop |= stopped
            control.should_save = self.save_asked or stopped
            self.save_asked = False
        return control
