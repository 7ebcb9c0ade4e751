"""What happens around TRL's steps: metrics to disk, live progress, the collapse watch, the last good model."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alft.training.collapse import CollapseWatch
from alft.training.rundir import RunDirectory
from alft.training.scorer import Row, ScoredBatch

RENAMED = {"step_time": "step_seconds", "completions/mean_length": "mean_length"}
KEPT = ("loss", "grad_norm", "learning_rate", "reward", *RENAMED)
SHOWN = ("incoherence", "agreement", "entropy", "unread", "dominant_share")


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
        shown = "  ".join(f"{name} {game[name]:.2f}" for name in SHOWN if name in game)
        self.progress.update(self.task, completed=state.global_step, metrics=shown)


class WatchCallback(TrainerCallback):
    """Stops a collapsing run, and gives back the model as it was before the watch's window.

    Every `every` steps the model is kept on disk; the two newest stay. What the watch sees lags by its
    window, so the model restored is the newest that is at least a window older than the alarm.
    """

    def __init__(self, watch: CollapseWatch, folder: Path, every: int) -> None:
        self.watch, self.folder, self.every = watch, folder, every
        self.reason: str | None = None
        self.stopped_at: int | None = None
        self.kept: deque[tuple[int, Path]] = deque()

    def see(self, step: int, rows: Sequence[Row], batch: ScoredBatch) -> None:
        """Look at a scored generation batch (an `on_batch` of the trainer)."""
        reason = self.watch.see(batch)
        if reason is not None and self.reason is None:
            self.reason, self.stopped_at = reason, step

    def on_step_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: PreTrainedModel | None = None,
        **_: Any,
    ) -> None:
        """Keep the model as it stands before this step."""
        if model is None or state.global_step % self.every or not state.is_world_process_zero:
            return
        path = self.folder / f"step-{state.global_step}"
        model.save_pretrained(path)
        self.kept.append((state.global_step, path))
        window = self.watch.batches.maxlen or 1
        while len(self.kept) > 2 and self.kept[1][0] <= state.global_step - window:
            shutil.rmtree(self.kept.popleft()[1])

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Stop after a step in which the watch found a reason."""
        if self.reason is not None:
            control.should_training_stop = True
        return control

    def last_good(self) -> tuple[int, Path] | None:
        """Step and directory of the model to give back, if the run was stopped."""
        if self.stopped_at is None:
            return None
        safe = self.stopped_at - (self.watch.batches.maxlen or 1)
        older = [kept for kept in self.kept if kept[0] <= safe]
        return older[-1] if older else self.kept[0]

    def clear(self) -> None:
        """Remove the kept models."""
        shutil.rmtree(self.folder, ignore_errors=True)
