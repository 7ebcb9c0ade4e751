"""What happens around TRL's steps: metrics to disk, live progress, the collapse watch, the last good model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alft.training.collapse import CollapseWatch
from alft.training.rundir import RunDirectory
from alft.training.scorer import ScoredBatch

RENAMED = {"step_time": "step_seconds", "completions/mean_length": "mean_length"}
Probe = Callable[[PreTrainedModel], float]
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


class WatchCallback(TrainerCallback):
    """Stops a run that collapses or drifts, and gives back the last good model.

    Every generation batch is looked at across questions (`CollapseWatch`); every `every` steps the model is
    kept on disk and, if there is a probe, asked whether it still follows the reference's consensus.
    """

    def __init__(self, watch: CollapseWatch, folder: Path, every: int, probe: Probe | None, drop: float) -> None:
        self.watch, self.folder, self.every, self.probe, self.drop = watch, folder, every, probe, drop
        self.reason: str | None = None
        self.stopped_at: int | None = None
        self.lag = 0  # steps by which what was seen lies behind the step at which it was seen
        self.shares: dict[int, float] = {}
        self.kept: list[tuple[int, Path]] = []

    def see(self, step: int, batch: ScoredBatch) -> None:
        """Look at a scored generation batch."""
        reason = self.watch.see(batch)
        if reason is not None and self.reason is None:
            self.lag = self.watch.window
        self._stop(step, reason)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Probe and keep the reference."""
        self._inspect(state, kwargs["model"])

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Probe and keep the model as this step leaves it; stop if there is a reason."""
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self._inspect(state, kwargs["model"])
        if self.reason is not None:
            control.should_training_stop = True
        return control

    def last_good(self) -> tuple[int, Path] | None:
        """Step and directory of the model to give back, if the run was stopped.

        The best by the probe, among those kept before the watch's window if it was the watch that found a reason.
        """
        if self.stopped_at is None or not self.kept:
            return None
        safe = [kept for kept in self.kept if kept[0] <= self.stopped_at - self.lag]
        return max(safe or [self.kept[0]], key=lambda kept: (self.shares.get(kept[0], 0.0), kept[0]))

    def clear(self) -> None:
        """Remove the kept models."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _inspect(self, state: TrainerState, model: PreTrainedModel) -> None:
        self._probe(state.global_step, model)
        if self.reason is None and state.is_world_process_zero:
            self._keep(state.global_step, model)

    def _probe(self, step: int, model: PreTrainedModel) -> None:
        if self.probe is None or self.reason is not None:
            return
        self.shares[step] = share = self.probe(model)
        first, best = self.shares[min(self.shares)], max(self.shares.values())
        if share < max(first - self.drop, best - 2 * self.drop):
            told = f"{share:.0%}, {first:.0%} at first, {best:.0%} at best"
            self._stop(step, f"answers leave the consensus of the reference ({told})")

    def _stop(self, step: int, reason: str | None) -> None:
        if reason is not None and self.reason is None:
            self.reason, self.stopped_at = reason, step

    def _keep(self, step: int, model: PreTrainedModel) -> None:
        path = self.folder / f"step-{step}"
        model.save_pretrained(path)
        self.kept.append((step, path))
        wanted = self._wanted(step)
        for kept in [kept for kept in self.kept if kept[0] not in wanted]:
            shutil.rmtree(kept[1])
            self.kept.remove(kept)

    def _wanted(self, step: int) -> set[int]:
        """Steps whose models may still be given back: those inside the window, and the best one before it."""
        steps = [kept for kept, _ in self.kept]
        before = [kept for kept in steps if kept <= step - self.watch.window]
        best = max(before, key=lambda kept: (self.shares.get(kept, 0.0), kept), default=steps[0])
        return {best, *(kept for kept in steps if kept > step - self.watch.window)}
