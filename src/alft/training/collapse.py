"""Watches for the degenerate optimum of label-free games: every question answered alike (theory.md 4.6).

Agreement within a question RISES in a collapse, so the watch looks across questions. Over a window of
steps it measures how much an answer tells about its question, in nats, over the questions with readable answers:

    information = H(keys pooled over questions) − mean over questions of H(keys of the question)

Becoming coherent raises it (the second term falls); collapsing lowers it (the first term falls). It needs no
label. A run is stopped once information has fallen below the share of its peak that the watch allows, or
too much is unread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alft import simplex
from alft.evaluation import metrics
from alft.rewards.scorer import ScoredBatch

NOISE = 0.1  # nats; plug-in information of answers that say nothing moves by less than this


@dataclass(frozen=True)
class Look:
    """What the watch sees over its window: `information` and `pooled_entropy` in nats, shares in [0, 1]."""

    information: float
    pooled_entropy: float
    dominant_share: float
    unread: float


@dataclass(frozen=True)
class Seen:
    """What the watch keeps of a batch: `codes` (question, view, sample), and the keys that they stand for."""

    codes: np.ndarray
    names: list[list[str]]


def look(batches: Sequence[Seen]) -> Look:
    """Statistics over the questions of several batches, each question counting alike.

    A question without any readable answer says nothing of information: both of its terms leave it out.
    """
    codes = np.concatenate([batch.codes for batch in batches])
    shared = metrics.share_codes(codes, [names for batch in batches for names in batch.names])
    counts = metrics.tally(codes).sum(axis=1)
    within = np.asarray(simplex.entropy(simplex.normalise(counts[counts.any(axis=-1)])))
    pooled_entropy = metrics.pooled_entropy(shared) or 0.0
    return Look(
        information=pooled_entropy - (metrics.mean(within) or 0.0),
        pooled_entropy=pooled_entropy,
        dominant_share=metrics.dominant_share(shared) or 0.0,
        unread=float(metrics.unread(codes).mean()),
    )


class CollapseWatch:
    """Looks at every generation batch and says why the run must stop, if it must."""

    def __init__(self, window: int, information_loss: float, unread: float) -> None:
        self.window, self.information_loss, self.unread = window, information_loss, unread
        self.batches: deque[Seen] = deque(maxlen=window)
        self.peak = -np.inf
        self.latest: Look | None = None

    def see(self, batch: ScoredBatch) -> str | None:
        """Take in one batch; the reason to stop, or None."""
        self.batches.append(Seen(batch.codes, batch.names))
        if len(self.batches) < self.window:
            return None
        self.latest = look(self.batches)
        self.peak = max(self.peak, self.latest.information)
        if self.latest.unread > self.unread:
            return f"{self.latest.unread:.0%} of the completions have no readable answer"
        lost = self.peak - self.latest.information
        if lost > max(self.information_loss * self.peak, NOISE):
            return (
                f"answers say less and less about their question ({self.latest.information:.2f} nats, "
                f"{self.peak:.2f} at the best); the commonest is {self.latest.dominant_share:.0%} of all"
            )
        return None

    def state_dict(self) -> dict[str, Any]:
        """The batches in the window and the peak so far."""
        batches = [{"codes": seen.codes.tolist(), "names": seen.names} for seen in self.batches]
        return {"batches": batches, "peak": self.peak}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state."""
        kept = (Seen(np.array(seen["codes"]), seen["names"]) for seen in state["batches"])
        self.batches = deque(kept, maxlen=self.window)
        self.peak = state["peak"]
