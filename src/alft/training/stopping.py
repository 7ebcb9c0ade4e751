"""Being asked to stop: Ctrl-C and SIGTERM end a run at the next step that can be resumed exactly."""

import logging
import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from alft.errors import ConfigError, Problem
from alft.training.processes import lost

CAUGHT = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Remembers the signal that asked to stop; None while nobody has."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._patient = False

    @contextmanager
    def patience(self) -> Iterator[None]:
        """While this lasts a request waits for whoever looks at it; else it interrupts at once.

        It still waits where another process was lost: torchrun then stops this one, which is about to report that.
        """
        self._patient = True
        try:
            yield
        except BaseException as error:
            self._patient = lost(error)
            raise
        self._patient = False

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Take the first signal as a request; a second one ends the process at once, without saving."""
        if self.signal is not None:
            os._exit(128 + number)
        self.signal = number
        if not self._patient:
            raise KeyboardInterrupt
        if os.environ.get("RANK", "0") != "0":
            return  # the main process says it
        os.write(2, b"\nfinishing the step, then saving a checkpoint; once more to stop at once\n")


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Take Ctrl-C and SIGTERM as requests for as long as this lasts (in a main thread; others get no signals)."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    earlier = {number: signal.signal(number, request.receive) for number in CAUGHT}
    try:
        yield request
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


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
        what = f"{args.max_steps} steps end inside a generation cycle of {steps}"
        raise ConfigError(Problem("max_steps", what, f"set it to {nearest}"))
    if args.save_strategy == "steps" and args.save_steps >= 1 and args.save_steps % steps:
        what = "is inside a generation cycle: checkpoints wait for the next multiple of"
        logger.warning("save_steps=%d %s %d steps", args.save_steps, what, steps)
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

    def on_substep_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Count a pass that no optimiser step follows."""
        self.done += 1

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Hold back what was asked for, or let it happen where a cycle ends."""
        self.done += 1
        last = state.global_step >= state.max_steps
        if control.should_training_stop and not last:  # the watch has a reason; a resume comes to it again
            control.should_save = False
            return
        self.save_asked |= control.should_save
        control.should_save = False
        if self.done % self.passes == 0:
            stopped = self.asked()
            control.should_training_stop |= stopped
            control.should_save = self.save_asked or stopped
            self.save_asked = False

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop here if that was asked for while the checkpoint was written: another step would only take time."""
        control.should_training_stop |= self.asked()
