"""An evaluation: records of completions → a summary with intervals, and the paired difference of two."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, cast

import numpy as np

from alft.completions import Completion, Grid, grid
from alft.counts import UNREAD
from alft.evaluation import metrics
from alft.evaluation.intervals import means
from alft.evaluation.results import ByView, Difference, Summary

SHARES = frozenset(("agreement_greedy", "agreement_sampled", "gini", "unread"))
"""What is a chance, besides all accuracies, votes and pass@k: never below 0 or above 1."""
BY_VIEW = ("by_view", "spread", "pass_at_k", "majority_at_k")
PARTS = (*BY_VIEW, "overall", "consensus")
PASS_AT = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Measured:
    """Values of every metric for every question, so that means, intervals and differences can follow.

    `by_view` (accuracies), `spread` (how varied a view's answers are), `pass_at_k` and `majority_at_k` hold arrays
    (question, view), `overall` and `consensus` arrays (question); nan where undefined.
    """

    questions: tuple[str, ...]
    views: tuple[str, ...]
    by_view: Mapping[str, np.ndarray]
    spread: Mapping[str, np.ndarray]
    overall: Mapping[str, np.ndarray]
    consensus: Mapping[str, np.ndarray]
    pass_at_k: Mapping[str, np.ndarray]
    majority_at_k: Mapping[str, np.ndarray]

    def minus(self, other: Self) -> Self:
        """Differences for the questions and views that both have, paired by id and name."""
        own, its = self.paired(other)
        parts = {}
        for part in PARTS:
            ours, theirs = getattr(own, part), getattr(its, part)
            parts[part] = {name: values - theirs[name] for name, values in ours.items() if name in theirs}
        return replace(own, **parts)

    def moved(self, before: Self) -> tuple[ByView, ByView]:
        """Shares of the greedy answers that are right and were not, and that were and are not, by view.

        Of the questions and views that both have; None where nothing was asked greedily.
        """
        own, its = self.paired(before)
        now, then = own.by_view["accuracy_greedy"], its.by_view["accuracy_greedy"]
        return own._by_view((1 - then) * now, True), own._by_view(then * (1 - now), True)

    def summary(self, *, differences: bool = False) -> Difference:
        """Means and intervals of every value, in the layout of `Evaluation.summary`."""
        by_view = {
            part: {
                name: self._by_view(values, part != "spread" or name in SHARES, differences)
                for name, values in getattr(self, part).items()
            }
            for part in BY_VIEW
        }
        shares = np.array([name in SHARES for name in self.overall], dtype=bool)
        overall = means(self.overall, shares, differences=differences)
        found: Any = {
            **by_view.pop("by_view"),
            **{name: one["mean"] for name, one in overall.items()},
            "intervals": {name: one["interval"] for name, one in overall.items()},
            "consensus": means(self.consensus, True, differences=differences),
            **by_view,
            "questions": len(self.questions),
            "views": list(self.views),
        }
        return cast(Difference, found)

    def paired(self, other: Self) -> tuple[Self, Self]:
        """The values of the questions and views that both have, of each."""
        theirs = set(other.questions)
        questions = tuple(name for name in self.questions if name in theirs)
        views = tuple(name for name in self.views if name in other.views)
        return self._only(questions, views), other._only(questions, views)

    def _only(self, questions: tuple[str, ...], views: tuple[str, ...]) -> Self:
        row = {name: index for index, name in enumerate(self.questions)}
        rows, columns = [row[name] for name in questions], [self.views.index(name) for name in views]
        parts = {
            part: {
                name: values[rows] if values.ndim == 1 else values[np.ix_(rows, columns)]
                for name, values in getattr(self, part).items()
            }
            for part in PARTS
        }
        return replace(self, questions=questions, views=views, **parts)

    def _by_view(self, values: np.ndarray, shares: bool, differences: bool = False) -> ByView:
        by_view = means(dict(zip(self.views, values.T, strict=True)), shares, differences=differences)
        return {
            **means({"": metrics.mean_over_last(values)}, shares, differences=differences)[""],
            "by_view": {name: one["mean"] for name, one in by_view.items()},
            "interval_by_view": {name: one["interval"] for name, one in by_view.items()},
        }


@dataclass(frozen=True)
class Evaluation:
    """Completions of a model on questions in all their views, and what they say of the model."""

    records: tuple[Completion, ...]

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
        parts = [[one for one in self.records if one.kind == kind] for kind in ("sampled", "greedy")]
        sampled, greedy = (grid(part, self.questions, self.views, numbers) for part in parts)
        return sampled, greedy

    @cached_property
    def measured(self) -> Measured:
        """Every metric for every question."""
        sampled, greedy = self.grids
        codes = sampled.codes
        asked = codes if codes.size else greedy.codes
        sizes = [k for k in PASS_AT if k <= codes.shape[-1]]
        spread = {
            "entropy": metrics.view_entropy(codes),
            "gini": metrics.view_gini(codes),
            "distinct": metrics.view_distinct(codes),
            "unread": metrics.view_unread(asked),
        }
        return Measured(
            self.questions,
            self.views,
            by_view={
                "accuracy_sampled": metrics.mean_over_last(sampled.right),
                "accuracy_greedy": metrics.mean_over_last(greedy.right),
                "accuracy_readable": metrics.mean_over_last(np.where(codes == UNREAD, np.nan, sampled.right)),
                "majority": metrics.majority_at_k(codes, sampled.right, codes.shape[-1]),
            },
            spread=spread,
            overall={
                **_coherence(codes, greedy.codes),
                **{name: metrics.mean_over_last(values) for name, values in spread.items()},
                "unread": metrics.unread(asked),  # of all completions, however many a view has
            },
            consensus={
                "vote_greedy": metrics.vote_over_views(greedy.codes, greedy.right),
                "vote_sampled": metrics.vote_over_views(codes, sampled.right),
                "geometric_sampled": metrics.geometric_vote(codes, sampled.right),
            },
            pass_at_k={str(k): metrics.pass_at_k(sampled.right, k) for k in sizes},
            majority_at_k={str(k): metrics.majority_at_k(codes, sampled.right, k) for k in sizes},
        )

    def summary(self) -> Summary:
        """Everything measured, ready for JSON: None where undefined, intervals 95 % over questions.

        `accuracy_readable` is of the sampled answers that were read, `majority` of a view's commonest answer, and
        `consensus` of votes over the views, which need no training. What is not by view has its interval under
        "intervals".
        """
        codes = self.grids[0].codes
        asked = [one for one in self.records if one.kind == "sampled"] or self.records  # as of `unread`
        truncated = np.array([float(one.truncated) for one in asked])
        found: Any = {
            **self.measured.summary(),
            "samples": codes.shape[-1],
            "dominant_share": metrics.dominant_share(codes),
            "pooled_entropy": metrics.pooled_entropy(codes),
            "truncated": metrics.mean(truncated),
        }
        return cast(Summary, found)

    def sampled_keys(self) -> dict[str, dict[str, list[str | None]]]:
        """The key of every sampled completion, by question and view; None where it is unread."""
        found: dict[str, dict[str, list[str | None]]] = {}
        for record in self.records:
            if record.kind == "sampled":
                found.setdefault(record.question, {}).setdefault(record.view, []).append(record.key)
        return found

    def refused(self) -> dict[tuple[str, str], str]:
        """Why the server did not take a prompt, by question and view of the prompts that it refused."""
        return {(one.question, one.view): one.refusal for one in self.records if one.refusal is not None}


def compare(before: Evaluation, after: Evaluation) -> Difference:
    """The difference after − before of everything in a summary, paired by question, with intervals.

    `learnt` and `corrupted`: shares of all greedy answers that became right, and that ceased to be. Questions and
    views that only one of the two has are left out; "questions" says how many are left.
    """
    found = after.measured.minus(before.measured).summary(differences=True)
    found["learnt"], found["corrupted"] = after.measured.moved(before.measured)
    return found


def _coherence(sampled: np.ndarray, greedy: np.ndarray) -> dict[str, np.ndarray]:
    plugin, bias = metrics.incoherence(sampled), metrics.incoherence_bias(sampled)
    return {
        "agreement_greedy": metrics.agreement(greedy),
        "agreement_sampled": metrics.agreement(sampled),
        "incoherence": plugin,
        "incoherence_bias": bias,
        "incoherence_corrected": plugin - bias,
        "incoherence_euclidean": metrics.incoherence_euclidean(sampled),
    }
