"""What happens around TRL's steps: metrics to disk, live progress, gradients that are no numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from rich.progress import Progress, TaskID
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alft.training.rundir import RunDirectory

RENAMED = {"step_time": "step_seconds", "completions/mean_length": "mean_length"}
KEPT = ("loss", "grad_norm", "learning_rate", "reward", *RENAMED)
SHOWN = {"incoherence": "incoherence", "agreement": "agreement", "unread": "unread", "dominant_share": "commonest"}


class MetricsCallback(TrainerCallback):
    """Writes each step's metrics to the run directory and shows the game's on the progress bar."""

    def __init__(self, run: RunDirectory, progress: Progress, task: TaskID) -> None:
        self.run, self.progress, self.task = run, progress, task

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Record one step; TRL's closing summary has no game metrics and is left out."""
        game = {name.removeprefix("game/"): value for name, value in (logs or {}).items() if "game/" in name}
        if not game or logs is None:
            return
        rest = {RENAMED.get(name, name): logs[name] for name in KEPT if name in logs}
        self.run.log_step({"step": state.global_step, **game, **rest})
        shown = "  ".join(f"{word} {game[name]:.2f}" for name, word in SHOWN.items() if name in game)
        self.progress.update(self.task, completed=state.global_step, metrics=shown)


class GradientGuard(TrainerCallback):
    """Leaves out steps whose gradient is not finite, and stops a run after `limit` of them in a row.

    A left-out step changes neither weights nor the optimiser's moments: what is trained stays the last good model.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.bad = limit, 0
        self.reason: str | None = None

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take the gradients away if their norm is not finite: an optimiser passes over what has none."""
        gradients = [each.grad for each in kwargs["model"].parameters() if each.grad is not None]
        if not gradients or bool(torch.isfinite(torch.nn.utils.get_total_norm(gradients))):
            self.bad = 0
            return
        self.bad += 1
        kwargs["optimizer"].zero_grad(set_to_none=True)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Stop if there were too many."""
        if self.bad >= self.limit:
            self.reason = f"the gradient was not finite in {self.bad} steps in a row"
            control.should_training_stop = True
        return control

    def state_dict(self) -> dict[str, Any]:
        """How many bad steps there were in a row."""
        return {"bad": self.bad}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on counting."""
        self.bad = state["bad"]
