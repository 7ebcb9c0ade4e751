"""Trackers (tensorboard, wandb, trackio, …) beside the run's own log, kept from ending the run.

metrics.jsonl is always written. A tracker may be down, or its credentials missing: its first failure is logged,
and then it is left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from transformers import TrainerCallback
from transformers.integrations.integration_utils import get_reporting_integration_callbacks

logger = logging.getLogger(__name__)

EVENTS = ("on_train_begin", "on_log", "on_save", "on_train_end")


class Tracker(TrainerCallback):
    """Hands the trainer's events to a tracker's callback, until that fails."""

    def __init__(self, name: str, make: Callable[[], Any]) -> None:
        self.name = name
        self.callback: Any = None
        self._try(lambda: setattr(self, "callback", make()))

    def tell(self, event: str, *args: Any, **kwargs: Any) -> None:
        """Hand on one event."""
        if self.callback is not None:
            self._try(lambda: getattr(self.callback, event)(*args, **kwargs))

    def _try(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except Exception as error:
            told = " ".join(str(error).split())[:200]
            logger.warning("%s fails and is told no more (%s: %s)", self.name, type(error).__name__, told)
            self.callback = None


def _handing_on(event: str) -> Callable[..., None]:
    def handed(tracker: Tracker, *args: Any, **kwargs: Any) -> None:
        tracker.tell(event, *args, **kwargs)

    return handed


for _event in EVENTS:
    setattr(Tracker, _event, _handing_on(_event))


def trackers(names: Sequence[str]) -> Iterator[Tracker]:
    """A callback for each tracker, by transformers' name for it."""
    for name in names:
        yield Tracker(name, get_reporting_integration_callbacks([name])[0])
