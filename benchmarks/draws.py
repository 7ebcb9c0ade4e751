"""What the draw of the questions alone does: to the collapse watch, and to intervals of few changes.

Run: python -m benchmarks.draws     (90 seconds)

The watch sees a model that answers every question right, whatever is drawn: each stop is a false one. Then the
model gives one answer to every question from step 30 on: each stop is right. Intervals: how often 95 % intervals
hold the true change where few questions change, beside the bootstrap alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np

from alft.evaluation.intervals import bootstrap, intervals
from alft.training import watch

RUNS, STEPS, COLLAPSE, REPETITIONS = 60, 60, 30, 600
SETTINGS: tuple[tuple[tuple[float, ...], int], ...] = (
    ((0.5, 0.5), 2),
    ((0.8, 0.2), 8),
    ((0.8, 0.2), 16),
    ((0.62, 0.38), 8),
    ((0.25,) * 4, 2),
    ((0.5, 0.3, 0.1, 0.1), 4),
    ((0.5, 0.3, 0.1, 0.1), 8),
    ((0.1,) * 10, 2),
    ((0.1,) * 10, 4),
    ((0.1,) * 10, 8),
)
"""Shares of the answers, and questions in a batch."""


def stopped(shares: tuple[float, ...], questions: int, collapse: int) -> float:
    """Share of runs that the watch stops; from step `collapse` on, the model gives one answer to everything."""
    rng, stops = np.random.default_rng(0), 0
    for _ in range(RUNS):
        looking = watch.CollapseWatch(window=5, information_loss=0.3, unread=0.5)
        for step in range(STEPS):
            right = rng.choice(len(shares), p=shares, size=questions) * (step < collapse)
            codes: Any = np.zeros((questions, 3, 8), int)
            batch: Any = SimpleNamespace(codes=codes, names=[[str(answer)] for answer in right])
            if looking.see(batch) is not None:
                stops += 1
                break
    return stops / RUNS


def coverage(bounds: Callable[[np.ndarray], np.ndarray], rise: float, fall: float, questions: int) -> float:
    """How often intervals hold the mean change of questions of which these shares rise and fall by 1."""
    rng = np.random.default_rng(0)
    values = rng.choice([1.0, -1.0, 0.0], p=[rise, fall, 1 - rise - fall], size=(questions, REPETITIONS))
    low, high = bounds(values).T
    return float(np.mean((low <= rise - fall) & (rise - fall <= high)))


def main() -> None:
    """Print both tables."""
    logging.disable(logging.WARNING)
    print("shares of the answers, questions a batch: stopped without a collapse (before), with one")
    for shares, questions in SETTINGS:
        with patch.object(watch, "NOISE_FACTOR", 0.0):
            before = stopped(shares, questions, STEPS)
        now, right = stopped(shares, questions, STEPS), stopped(shares, questions, COLLAPSE)
        shown = (
            f"{len(shares)} alike" if len(set(shares)) == 1 else ":".join(f"{100 * share:.0f}" for share in shares)
        )
        print(f"{shown:>14} {questions:3}: {now:.2f} ({before:.2f}), {right:.2f}", flush=True)
    print("questions that rise, fall: coverage at 8, 37, 64, 128, 500 questions (bootstrap alone)")
    for rise, fall in ((0.02, 0.01), (0.05, 0.01), (0.02, 0.02)):
        cells = [
            f"{coverage(lambda v: intervals(v, shares=True, differences=True), rise, fall, size):.3f} "
            f"({coverage(bootstrap, rise, fall, size):.3f})"
            for size in (8, 37, 64, 128, 500)
        ]
        print(f"{rise:.2f}, {fall:.2f}: {', '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
