"""Says early, and with a remedy, that a run does no good, though nothing has failed.

The collapse watch stops a run (`alft.training.collapse`); an alarm only warns. Each kind warns once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alft.completions import Completion
from alft.errors import AlftError, Problem
from alft.rewards.scorer import ScoredBatch

logger = logging.getLogger(__name__)

FLAT = 1e-9  # advantages below this move nothing


class ScoringError(AlftError, RuntimeError):
    """Too many completions can't be read for an error in reading them, not for what they say."""


@dataclass(frozen=True)
class Alarm:
    """A condition and what to do about it: `share` of the batch above `limit` for `patience` batches in a row."""

    limit: float
    patience: int
    told: str
    remedy: str


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
        "raise training.max_new_tokens if they are cut off, say in data.instruction how to mark the answer, "
        "or raise scoring.unread_penalty",
    ),
}
FAILED_LIMIT = 0.05
"""Largest share of completions whose reading may fail before the run is aborted."""
POOLED = 100
"""Completions over which that share is taken, at least: one text in a small batch says nothing of a rate."""


class Alarms:
    """Watches generation batches; `raised` holds by kind the step at which it was raised."""

    def __init__(self) -> None:
        self.raised: dict[str, int] = {}
        self._streak = dict.fromkeys(ALARMS, 0)
        self._failed: list[tuple[int, int]] = []  # failures and completions of the last batches

    def see(self, step: int, rows: Sequence[Completion], batch: ScoredBatch) -> None:
        """Look at a batch; ScoringError if reading failed on too many completions of the last batches."""
        self._check_failures(rows)
        for kind, share in shares(batch).items():
            alarm = ALARMS[kind]
            self._streak[kind] = self._streak[kind] + 1 if share > alarm.limit else 0
            if self._streak[kind] >= alarm.patience and kind not in self.raised:
                self.raised[kind] = step
                logger.warning("step %d: %.0f%% %s — %s", step, 100 * share, alarm.told, alarm.remedy)

    def _check_failures(self, rows: Sequence[Completion]) -> None:
        failed = [row for row in rows if row.error is not None]
        self._failed.append((len(failed), len(rows)))
        while sum(total for _, total in self._failed[1:]) >= POOLED:
            del self._failed[0]
        bad, total = (sum(counted) for counted in zip(*self._failed, strict=True))
        if failed and bad > FAILED_LIMIT * max(total, POOLED):
            told = f"reading failed on {bad} of the last {total} completions; now: {failed[0].error}"
            remedy = "errors.jsonl holds their texts; report it, with that file"
            raise ScoringError(Problem(f"question {failed[0].question}", told, remedy))


def shares(batch: ScoredBatch) -> dict[str, float]:
    """Share of groups (samples of one view) without any advantage, and of completions without an answer."""
    grouped = np.abs(batch.advantages).reshape(-1, batch.codes.shape[-1])
    return {
        "zero_variance": float((grouped.max(axis=1) < FLAT).mean()),
        "unread": float((batch.codes < 0).mean()),
    }
