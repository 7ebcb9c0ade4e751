"""How a trainer saves and resumes: TRL writes and reads its files, and this makes what they are in trustworthy.

Exact resume needs two things that TRL leaves open. What decides the future beside weights, optimiser and
random states (the game's memory, the watch's, the place in the logs) is saved as *parts*. And checkpoints are
made only where a generation cycle ends: inside one, the next steps still train on completions in memory.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import SafetensorError
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alft.errors import CheckpointError, ConfigError, Problem
from alft.training import checkpoint
from alft.training.processes import any_process, everywhere
from alft.training.stopping import StopRequest


@runtime_checkable
class Part(Protocol):
    """Something whose state decides how a run goes on: it keeps that in files of its own in a checkpoint."""

    def save(self, folder: Path) -> None:
        """Write the state into a checkpoint."""

    def load(self, folder: Path) -> None:
        """Go on from the state in a checkpoint."""


@runtime_checkable
class Remembering(Protocol):
    """Anything with a state that JSON can hold."""

    def state_dict(self) -> dict[str, Any]:
        """The state."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""


class JsonPart:
    """The part of an object with `state_dict` and `load_state_dict`, kept as NAME.json."""

    def __init__(self, name: str, holder: Remembering) -> None:
        self.name, self.holder = f"{name}.json", holder

    def save(self, folder: Path) -> None:
        """Write NAME.json."""
        (folder / self.name).write_text(json.dumps(self.holder.state_dict()), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Read NAME.json."""
        self.holder.load_state_dict(json.loads((folder / self.name).read_text(encoding="utf-8")))


class CheckpointMixin:
    """Atomic, verified checkpoints for TRL's trainers, in `output_dir/checkpoint-STEP`.

    `parts` are saved and restored with the trainer's own state; `stop` is looked at where a cycle ends.
    `train(resume_from_checkpoint=PATH)` takes a checkpoint that was checked (`checkpoint.find_newest`), and
    `save_total_limit` is how many are kept.
    """

    args: Any
    stop: StopRequest
    parts: list[Part]
    _place: Path | None = None

    def _follow_cycles(self) -> None:
        """Call once, after every other callback was added, which may have reasons to save or stop."""
        self.stop, self.parts = StopRequest(), []
        passes = self.args.steps_per_generation * self.args.num_iterations
        self.add_callback(CycleCallback(passes, self._asked_to_stop))  # type: ignore[attr-defined]

    def _asked_to_stop(self) -> bool:
        """Whether any process was asked to: all must save and stop at the same step."""
        return any_process(self.stop.signal is not None)

    def restore(self, path: Path) -> None:
        """Take weights, trainer state and parts of a checkpoint, without training on."""
        self._load_from_checkpoint(str(path))  # type: ignore[attr-defined]
        self.state = TrainerState.load_from_json(str(path / "trainer_state.json"))
        self._load_parts(path)

    def _get_output_dir(self, trial: Any) -> str:
        return super()._get_output_dir(trial) if self._place is None else str(self._place)  # type: ignore[misc]

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self._get_output_dir(trial))
        name = f"checkpoint-{self.state.global_step}"
        if (folder / name).exists() and checkpoint.damage(folder / name) is None:
            return  # the same step again, after a resume or at the end of an epoch
        first = self.args.should_save
        try:
            self._place = checkpoint.staging(folder) if first else folder / checkpoint.STAGING
            self._together()
            super()._save_checkpoint(model, trial)  # type: ignore[misc]
            self._together()
            everywhere(lambda: self._commit(folder, name) if first else None)
        except (OSError, RuntimeError, SafetensorError) as error:
            with suppress(OSError):
                checkpoint.discard(folder / checkpoint.STAGING)
            raise unwritten(folder / name, self.model, error) from error  # type: ignore[attr-defined]
        finally:
            self._place = None

    def _commit(self, folder: Path, name: str) -> None:
        written = folder / checkpoint.STAGING / name
        for part in self.parts:
            part.save(written)
        newest = checkpoint.commit(written, folder)
        if self.args.save_total_limit is not None:
            checkpoint.prune(newest, self.args.save_total_limit)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)  # type: ignore[misc]
        if checkpoint is not None:
            self._load_parts(Path(checkpoint))

    def _load_parts(self, path: Path) -> None:
        for part in self.parts:
            part.load(path)

    def _together(self) -> None:
        self.accelerator.wait_for_everyone()  # type: ignore[attr-defined]


def unwritten(path: Path, model: torch.nn.Module, error: Exception) -> CheckpointError:
    """The error that says how much room a checkpoint of the model needs, and how much there is."""
    place = next(parent for parent in path.parents if parent.exists())
    sizes = f"a checkpoint needs {bytes_needed(model):,} bytes, {shutil.disk_usage(place).free:,} are free"
    remedy = "make room, then go on with --resume: the earlier checkpoints are as they were"
    return CheckpointError(Problem(str(path), f"can't be written ({error}); {sizes}", remedy))


def bytes_needed(model: torch.nn.Module) -> int:
    """Size of a checkpoint, nearly: the weights, and Adam's two moments of those that are trained.

    >>> bytes_needed(torch.nn.Linear(10, 5, bias=False))
    600
    """
    weights = [(each.numel() * each.element_size(), each.requires_grad) for each in model.parameters()]
    return sum(size * (3 if trained else 1) for size, trained in weights)


def check_space(model: torch.nn.Module, keep: int, directory: Path) -> None:
    """Raise ConfigError if the disk has no room for `keep` checkpoints and one that is being written."""
    needed, free = bytes_needed(model) * (keep + 1), shutil.disk_usage(directory).free
    if needed > free:
        told = f"{keep} checkpoints and one being written need {needed:,} bytes, {free:,} are free"
        raise ConfigError(Problem(str(directory), told, "make room, or choose another output.directory"))


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
        if last or self.done % self.passes == 0:
            stopped = self.asked()
            control.should_training_stop |= stopped
            control.should_save = self.save_asked or stopped
            self.save_asked = False
        return control
