"""Rows → the numbers of the tables: means over seeds, intervals over questions, scores reached, differences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from alft.evaluation.intervals import intervals
from benchmarks.study.protocol import DEMONSTRATION, TUNING_SEED, Rows, Setting, chosen, setting_of

WINDOW = 5  # steps over which a score must hold on average: 40 questions, each seen for the first time
SCORES = (0.75, 0.80)
Told = tuple[float, tuple[float, float]]


@dataclass(frozen=True)
class Group:
    """The runs of one objective at one learning rate, which differ by their seed."""

    rows: tuple[Mapping[str, Any], ...]

    @property
    def seeds(self) -> list[int]:
        """Seeds of the runs."""
        return [row["seed"] for row in self.rows]

    @cached_property
    def results(self) -> list[dict[str, Any]]:
        """Content of each run's results.json."""
        return [json.loads(row["results"]) for row in self.rows]

    @cached_property
    def after(self) -> np.ndarray:
        """Sampled accuracy after training, axes (seed, question, view)."""
        return np.stack([_grid(row, "accuracy_after") for row in self.rows])

    @cached_property
    def before(self) -> np.ndarray:
        """Sampled accuracy before training, axes (seed, question, view)."""
        return np.stack([_grid(row, "accuracy_before") for row in self.rows])

    def accuracy(self) -> Told:
        """Mean over seeds and views; the interval resamples questions."""
        return estimate(self.after.mean(axis=(0, 2)), differences=False)

    def change(self) -> Told:
        """After less before, paired by question."""
        return estimate((self.after - self.before).mean(axis=(0, 2)))

    def by_seed(self) -> np.ndarray:
        """Accuracy of each run."""
        return self.after.mean(axis=(1, 2))

    def worst_view(self) -> np.ndarray:
        """Accuracy of the worst view of each run."""
        return self.after.mean(axis=1).min(axis=-1)

    def mean_of(self, *path: str) -> float:
        """Mean over seeds of a number in the summary after training."""
        return float(np.mean([_walk(result["after"], path) for result in self.results]))

    def rollouts_to(self, score: float) -> list[int | None]:
        """Of each run: completions until the accuracy of the last WINDOW steps reached a score; None if never."""
        return [_reached(row, score) for row in self.rows]


def tuned(objective: str, rows: Rows, task: str = DEMONSTRATION) -> Group | None:
    """The ended runs of a task at the objective's chosen setting, over seeds."""
    rate, scaled = chosen(objective, rows)
    return group_at(Setting(objective, rate, scaled, TUNING_SEED, task), rows)


def group_at(setting: Setting, rows: Rows) -> Group | None:
    """The ended runs at a setting, whatever their seed; tuning runs, measured on a few questions, are left out."""
    found = [
        row
        for row in rows
        if row["results"] is not None
        and row["seed"] != TUNING_SEED
        and replace(setting_of(row), seed=TUNING_SEED) == replace(setting, seed=TUNING_SEED)
    ]
    return Group(tuple(sorted(found, key=lambda row: row["seed"]))) if found else None


def paired(first: Group, second: Group) -> Told:
    """Accuracy of the first less the second, on the seeds of both, paired by seed and question."""
    seeds = [seed for seed in first.seeds if seed in second.seeds]
    own, its = ([group.seeds.index(seed) for seed in seeds] for group in (first, second))
    return estimate((first.after[own] - second.after[its]).mean(axis=(0, 2)))


def estimate(values: np.ndarray, *, differences: bool = True) -> Told:
    """Mean over questions and its 95 % interval."""
    low, high = intervals(values[:, None], shares=not differences)[0]
    return float(values.mean()), (float(low), float(high))


def running(values: Sequence[float]) -> np.ndarray:
    """Mean of each step and the WINDOW − 1 before it; of all so far at the start."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(1, len(values) + 1)
    start = np.maximum(at - WINDOW, 0)
    return (total[at] - total[start]) / (at - start)


def _grid(row: Mapping[str, Any], name: str) -> np.ndarray:
    return np.array(row[name]).reshape(len(row["questions"]), len(row["views"]))


def _reached(row: Mapping[str, Any], score: float) -> int | None:
    smooth = running(row["curve_accuracy"])[WINDOW - 1 :]
    steps = np.nonzero(smooth >= score)[0]
    return int(steps[0] + WINDOW) * row["rollouts_per_step"] if steps.size else None


def _walk(part: Mapping[str, Any], path: Sequence[str]) -> Any:
    for name in path:
        part = part[name]
    return part
