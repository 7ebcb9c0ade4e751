"""An evaluation: records of completions → a summary with intervals, and the paired difference of two.

A summary is plain JSON: every number is a mean over questions, None where it is not defined, and has a
95 % interval over questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from alft.evaluation import metrics
from alft.evaluation.intervals import intervals
from alft.evaluation.records import Grid, Record, grid

Summary = dict[str, Any]
PASS_AT = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Measured:
    """Values of every metric for every question, so that means, intervals and differences can follow.

    `by_view` holds arrays (question, view), `overall` arrays (question); nan where undefined. `groups` says
    under which heading of the summary an `overall` value is listed.
    """

    questions: tuple[str, ...]
    views: tuple[str, ...]
    by_view: Mapping[str, np.ndarray]
    overall: Mapping[str, np.ndarray]
    consensus: Mapping[str, np.ndarray]
    pass_at_k: Mapping[str, np.ndarray]

    def minus(self, other: Measured) -> Measured:
        """Differences for the questions and views that both have, paired by id and name."""
        questions = tuple(name for name in self.questions if name in set(other.questions))
        views = tuple(name for name in self.views if name in other.views)
        own, its = _positions(self, questions, views), _positions(other, questions, views)

        def pair(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: a[name][own[0]] - b[name][its[0]] for name in a if name in b}

        by_view = {
            name: self.by_view[name][np.ix_(*own)] - other.by_view[name][np.ix_(*its)] for name in self.by_view
        }
        return Measured(
            questions,
            views,
            by_view,
            pair(self.overall, other.overall),
            pair(self.consensus, other.consensus),
            pair(self.pass_at_k, other.pass_at_k),
        )

    def summary(self, *, differences: bool = False) -> Summary:
        """Means and intervals of every value, in the layout of `Evaluation.summary`."""
        accuracies = {name: self._by_view(values, differences) for name, values in self.by_view.items()}
        means, bounds = _describe(self.overall, differences)
        return {
            **accuracies,
            **means,
            "intervals": bounds,
            "consensus": _with_intervals(self.consensus, differences),
            "pass_at_k": _with_intervals(self.pass_at_k, differences),
            "questions": len(self.questions),
            "views": list(self.views),
        }

    def _by_view(self, values: np.ndarray, differences: bool) -> Summary:
        columns = dict(zip(self.views, values.T, strict=True))
        means, bounds = _describe(columns, differences)
        overall, bound = _describe({"mean": metrics.mean_over_last(values)}, differences)
        return {
            "mean": overall["mean"],
            "interval": bound["mean"],
            "by_view": means,
            "interval_by_view": bounds,
        }


@dataclass(frozen=True)
class Evaluation:
    """Completions of a model on questions in all their views, and what they say of the model."""

    records: tuple[Record, ...]

    @cached_property
    def questions(self) -> tuple[str, ...]:
        """Question ids in order of first appearance."""
        return tuple(dict.fromkeys(record.question for record in self.records))

    @cached_property
    def views(self) -> tuple[str, ...]:
        """View names in order of first appearance."""
        return tuple(dict.fromkeys(record.view for record in self.records))

    @cached_property
    def grids(self) -> tuple[Grid, Grid]:
        """Sampled and greedy completions as arrays; a key has the same code in both."""
        numbers: dict[str, int] = {}
        kinds = ("sampled", "greedy")
        parts = [[record for record in self.records if record.kind == kind] for kind in kinds]
        sampled, greedy = (grid(part, self.questions, self.views, numbers) for part in parts)
        return sampled, greedy

    @cached_property
    def measured(self) -> Measured:
        """Every metric for every question."""
        sampled, greedy = self.grids
        codes = sampled.codes
        return Measured(
            self.questions,
            self.views,
            by_view={
                "accuracy_sampled": metrics.accuracy(sampled.right),
                "accuracy_greedy": metrics.accuracy(greedy.right),
                "majority": metrics.majority_at_k(codes, sampled.right, codes.shape[-1]),
            },
            overall={
                "agreement_greedy": metrics.agreement(greedy.codes),
                "agreement_sampled": metrics.agreement(codes),
                "incoherence": metrics.incoherence(codes),
                "incoherence_bias": metrics.incoherence_bias(codes),
                "incoherence_euclidean": metrics.incoherence_euclidean(codes),
                "entropy": metrics.entropy(codes),
                "unread": metrics.unread(codes if codes.size else greedy.codes),
            },
            consensus={
                "vote_greedy": metrics.vote_over_views(greedy.codes, greedy.right),
                "vote_sampled": metrics.vote_over_views(codes, sampled.right),
                "geometric_sampled": metrics.geometric_vote(codes, sampled.right),
            },
            pass_at_k={
                str(k): metrics.mean_over_last(metrics.pass_at_k(sampled.right, k))
                for k in PASS_AT
                if k <= codes.shape[-1]
            },
        )

    def summary(self) -> Summary:
        """Everything measured, ready for JSON: None where undefined, intervals 95 % over questions.

        `accuracy_sampled`, `accuracy_greedy`, `majority` (majority of a view's samples, maj@k) each have
        mean, interval, by_view, interval_by_view; agreement_greedy … unread are means over questions, their
        intervals are under "intervals"; `consensus` is the vote over views, which needs no training.
        """
        codes = self.grids[0].codes
        truncated = np.array([float(record.truncated) for record in self.records])
        return {
            **self.measured.summary(),
            "samples": codes.shape[-1],
            "dominant_share": metrics.dominant_share(codes),
            "pooled_entropy": metrics.pooled_entropy(codes),
            "truncated": metrics.mean(truncated),
        }

    def rows(self, phase: str, step: int | None = None) -> list[dict[str, Any]]:
        """The records as rows of completions.parquet, marked with a phase of the run."""
        return [
            {
                "phase": phase,
                "step": step,
                "question_id": record.question,
                "view": record.view,
                "kind": record.kind,
                "sample": record.sample,
                "completion": record.completion,
                "key": record.key,
                "right": record.right,
            }
            for record in self.records
        ]


def compare(before: Evaluation, after: Evaluation) -> Summary:
    """The difference after − before of everything in a summary, paired by question, with intervals.

    Questions and views that only one of the two has are left out; "questions" says how many are left.
    """
    return after.measured.minus(before.measured).summary(differences=True)


def _positions(measured: Measured, questions: Sequence[str], views: Sequence[str]) -> tuple[list[int], list[int]]:
    row = {name: index for index, name in enumerate(measured.questions)}
    column = {name: index for index, name in enumerate(measured.views)}
    return [row[name] for name in questions], [column[name] for name in views]


def _describe(
    columns: Mapping[str, np.ndarray], differences: bool
) -> tuple[dict[str, float | None], dict[str, list[float] | None]]:
    """Mean and interval of every column of values over questions."""
    if not columns:
        return {}, {}
    bounds = intervals(np.stack(list(columns.values()), axis=-1), differences=differences)
    return (
        {name: metrics.mean(values) for name, values in columns.items()},
        {
            name: None if np.isnan(bound).any() else [float(bound[0]), float(bound[1])]
            for name, bound in zip(columns, bounds, strict=True)
        },
    )


def _with_intervals(columns: Mapping[str, np.ndarray], differences: bool) -> Summary:
    means, bounds = _describe(columns, differences)
    return {name: {"mean": means[name], "interval": bounds[name]} for name in columns}
