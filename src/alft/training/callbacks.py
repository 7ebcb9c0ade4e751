"""What happens around TRL's steps: metrics to disk, live progress, gradients that are no numbers, alarms.

The collapse watch stops a run (`alft.training.watch`); an alarm only warns, once a kind, that a run does no good.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partialmethod
from typing import Any

import numpy as np
import torch
from rich.progress import Progress, TaskID
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations.integration_utils import get_reporting_integration_callbacks

from alft.completions import Completion
from alft.counts import UNREAD
from alft.errors import AlftError, Problem
from alft.evaluation import metrics
from alft.rewards.scorer import ScoredBatch
from alft.storage.checkpoint import Remembers
from alft.training.rundir import RunDirectory

logger = logging.getLogger(__name__)

RENAMED = {"step_time": "step_seconds", "completions/mean_length": "mean_length"}
KEPT = ("loss", "grad_norm", "learning_rate", "reward", *RENAMED)
SHOWN = {
    "incoherence": "incoherence",
    "agreement": "agreement",
    "unread": "unread",
    "truncated": "cut off",
    "dominant_share": "commonest",
}


class MetricsCallback(TrainerCallback):
    """Writes each step's metrics to the run directory and shows the game's on the progress bar."""

    def __init__(self, run: RunDirectory, progress: Progress, task: TaskID) -> None:
        self.run, self.progress, self.task = run, progress, task

    def on_substep_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """Show how far a step is that is divided into several forward passes."""
        self.progress.update(self.task, advance=1 / args.gradient_accumulation_steps)

    def on_log(self, args: Any, state: TrainerState, control: Any, logs: dict[str, Any], **_: Any) -> None:
        """Record one step; TRL's closing summary has no game metrics and is left out."""
        game = {name.removeprefix("game/"): value for name, value in logs.items() if "game/" in name}
        if not game:
            return
        rest = {RENAMED.get(name, name): logs[name] for name in KEPT if name in logs}
        self.run.log_step({"step": state.global_step, **game, **rest})
        shown = "  ".join(f"{word} {game[name]:.2f}" for name, word in SHOWN.items() if name in game)
        self.progress.update(self.task, completed=state.global_step, metrics=shown)


class GradientGuard(Remembers, TrainerCallback):
    """Leaves out steps whose gradient is not finite, and stops a run after `limit` of them in a row.

    A left-out step changes neither weights nor the optimiser's moments: what is trained stays the last good model.
    """

    remembered = ("bad",)

    def __init__(self, limit: int) -> None:
        self.limit, self.bad = limit, 0
        self.reason: str | None = None

    def on_pre_optimizer_step(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        """Take the gradients away if their norm is not finite: an optimiser passes over what has none."""
        gradients = [each.grad for each in kwargs["model"].parameters() if each.grad is not None]
        if not gradients or bool(torch.isfinite(torch.nn.utils.get_total_norm(gradients))):
            self.bad = 0
            return
        self.bad += 1
        kwargs["optimizer"].zero_grad(set_to_none=True)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop if there were too many."""
        if self.bad >= self.limit:
            self.reason = f"the gradient was not finite in {self.bad} steps in a row"
            control.should_training_stop = True


class Tracker(TrainerCallback):
    """Hands the trainer's events to the callback of a tracker, by transformers' name for it, until that fails."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.callback: Any = self._try(get_reporting_integration_callbacks([name])[0])

    def tell(self, event: str, *args: Any, **kwargs: Any) -> None:
        """Hand on one event."""
        if self.callback is not None:
            self._try(getattr(self.callback, event), *args, **kwargs)

    def _try(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return work(*args, **kwargs)
        except Exception as error:
            cause = " ".join(str(error).split())[:200]
            logger.warning("%s fails and is called no more (%s: %s)", self.name, type(error).__name__, cause)
            self.callback = None

    on_train_begin: Any = partialmethod(tell, "on_train_begin")
    on_log: Any = partialmethod(tell, "on_log")
    on_save: Any = partialmethod(tell, "on_save")
    on_train_end: Any = partialmethod(tell, "on_train_end")


def step_metrics(batch: ScoredBatch) -> dict[str, float | None]:
    """Metrics of one generation batch; None where one is not defined. Gold serves for measuring only.

    `incoherence` is plug-in (nats), `incoherence_corrected` less its first-order bias, and
    `incoherence_euclidean` unbiased (theory.md 4.5). `accuracy/0`, `accuracy/1`, … are by view.
    """
    codes = batch.codes
    shared = metrics.share_codes(codes, batch.names)
    flat = codes.reshape(len(codes), -1)
    right = np.take_along_axis(batch.gold, np.maximum(flat, 0), axis=1).reshape(codes.shape)
    right = np.where((codes == UNREAD) & ~np.isnan(right), 0.0, right)  # nan: without a gold answer
    values = {
        "incoherence": metrics.mean(metrics.incoherence(codes)),
        "incoherence_corrected": metrics.mean(metrics.incoherence(codes) - metrics.incoherence_bias(codes)),
        "incoherence_euclidean": metrics.mean(metrics.incoherence_euclidean(codes)),
        "agreement": metrics.mean(metrics.agreement(codes)),
        "entropy": metrics.mean(metrics.mean_over_last(metrics.view_entropy(codes))),
        "unread": metrics.mean(metrics.unread(codes)),
        "dominant_share": metrics.dominant_share(shared),
        "pooled_entropy": metrics.pooled_entropy(shared),
        "accuracy": metrics.mean(right),
    }
    by_view = metrics.mean_over_last(right)
    asked = np.unique(batch.views)
    values |= {f"accuracy/{view}": metrics.mean(by_view[batch.views == view]) for view in asked.tolist()}
    return values | {name: None if np.isnan(value) else value for name, value in batch.memory.items()}


FLAT = 1e-9  # advantages below this move nothing


class ScoringError(AlftError, RuntimeError):
    """Too many completions can't be read for an error in reading them, not for what they say."""


@dataclass(frozen=True)
class Alarm:
    """A condition and what to do about it: `share` of the batch above `limit` for `patience` batches in a row.

    A share above `sure` needs one batch.
    """

    limit: float
    patience: int
    what: str
    remedy: str
    sure: float = 1.0


ALARMS = {
    "zero_variance": Alarm(
        0.9,
        10,
        "of the views give no signal: all their samples earn the same",
        "the questions are solved, or hopeless: use harder ones, or more training.samples; if answers are "
        "alike across questions the run collapses: lower training.learning_rate",
    ),
    "unread": Alarm(
        0.25,
        3,
        "of the completions have no readable answer",
        "raise training.max_new_tokens (TRL: max_completion_length) if they are cut off, say in data.instruction "
        "(to_dataset(…, instruction=…)) how to mark the answer, or raise scoring.unread_penalty",
        sure=0.9,
    ),
}
FAILED_LIMIT = 0.05
"""Largest share of completions whose reading may fail before the run is aborted."""
POOLED = 100
"""Completions over which that share is taken, at least: one text in a small batch says nothing of a rate."""


class Alarms:
    """Watches generation batches and warns early; `raised` holds by kind the step at which it was raised."""

    def __init__(self) -> None:
        self.raised: dict[str, int] = {}
        self._streak = dict.fromkeys(ALARMS, 0)
        self._failed: list[tuple[int, int]] = []  # failures and completions of the last batches

    def see(self, step: int, rows: Sequence[Completion], batch: ScoredBatch) -> None:
        """Look at a batch; ScoringError if reading failed on too many completions of the last batches."""
        self._check_failures(rows)
        groups = np.abs(batch.advantages).reshape(-1, batch.codes.shape[-1])  # samples of one view
        shares = {"zero_variance": (groups.max(axis=1) < FLAT).mean(), "unread": (batch.codes < 0).mean()}
        for kind, share in shares.items():
            alarm = ALARMS[kind]
            self._streak[kind] = self._streak[kind] + 1 if share > alarm.limit else 0
            if kind not in self.raised and (share > alarm.sure or self._streak[kind] >= alarm.patience):
                self.raised[kind] = step
                logger.warning("step %d: %.0f%% %s — %s", step, 100 * share, alarm.what, alarm.remedy)

    def _check_failures(self, rows: Sequence[Completion]) -> None:
        failed = [row for row in rows if row.error is not None]
        self._failed.append((len(failed), len(rows)))
        while sum(total for _, total in self._failed[1:]) >= POOLED:
            del self._failed[0]
        bad, total = (sum(counted) for counted in zip(*self._failed, strict=True))
        if failed and bad > FAILED_LIMIT * max(total, POOLED):
            what = f"reading failed on {bad} of the last {total} completions; now: {failed[0].error}"
            remedy = "errors.jsonl holds their texts; report it, with that file"
            raise ScoringError(Problem(f"question {failed[0].question}", what, remedy))
