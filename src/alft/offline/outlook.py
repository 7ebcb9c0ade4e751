"""What the equilibrium would make of the model, question by question: numbers of ν_0 and ν*, side by side.

Now: the frequencies of the reference's own completions (unread agrees with nothing and is never right). After: ν*,
where every completion is read; where nothing can be done, the frequencies again. The incoherence of frequencies is
less its first-order bias (theory.md 4.5), so it can be below 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from alft import consensus, simplex
from alft.answers import ReadPolicy
from alft.errors import DataError, Problem
from alft.evaluation.intervals import means
from alft.evaluation.metrics import agreement_of, bias_of_counts, mean, mean_over_last
from alft.evaluation.results import MOST_UNREAD, THIN
from alft.evaluation.unread import unread_cause
from alft.offline.reweight import Solved, SolveSettings
from alft.offline.tallies import Tallies
from alft.simplex import Array
from alft.tabular.certificate import not_found, warn_of_gaps

METRICS = ("accuracy", "accuracy_readable", "agreement", "entropy", "incoherence")
SHARES = METRICS[:3]  # which of METRICS are chances
WHEN = ("now", "after", "change")


@dataclass(frozen=True)
class Outlook:
    """Values by question, nan where undefined.

    `now` and `after` by metric, `helped` and `gap`: axis (question). `accuracy_now` and `accuracy_after`: axis
    (view of a question), the views of all questions in a row.
    """

    now: dict[str, Array]
    after: dict[str, Array]
    accuracy_now: Array
    accuracy_after: Array
    helped: Array
    gap: Array


@dataclass(frozen=True)
class Overview:
    """What was found on samples, without the completions: `game` as the user wrote it, and where it was played.

    `views` have axis (view of a question): `name`, the position of its name, whether its question is `helped`,
    `asked` completions, of which `effective` many count, and the `reached` share of the equilibrium. `counts`
    (all, unread, truncated, refused completions) and `weight` (own, lent) are totals. `reading` says how.
    """

    path: Path
    settings: SolveSettings
    game: str
    scored: bool
    questions: tuple[str, ...]
    names: tuple[str, ...]
    outlook: Outlook
    views: dict[str, Array]
    counts: Array
    weight: Array
    reading: ReadPolicy

    @staticmethod
    def joined(parts: Sequence[Overview]) -> Overview:
        """The same of all pieces of a source, in order."""
        if len(parts) == 1:
            return parts[0]
        names = tuple(name for part in parts for name in part.questions)
        outlook, views = (_concatenated([getattr(part, name) for part in parts]) for name in ("outlook", "views"))
        counts, weight = (np.sum([getattr(part, name) for part in parts], axis=0) for name in ("counts", "weight"))
        return replace(parts[-1], questions=names, outlook=outlook, views=views, counts=counts, weight=weight)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Each metric now, after, and its change: means with intervals."""
        now, after, shares = self.outlook.now, self.outlook.after, np.isin(METRICS, SHARES)
        change = {name: after[name] - now[name] for name in METRICS}
        found = means(now, shares), means(after, shares), means(change, shares, differences=True)
        return {name: dict(zip(WHEN, (part[name] for part in found), strict=True)) for name in METRICS}

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of the completions that are unread, cut off, refused."""
        unread, truncated, refused = (self.counts[1:] / self.counts[0]).tolist()
        return unread, truncated, refused

    def record(self) -> dict[str, Any]:
        """What was solved and what it predicts, as a file of weights records it."""
        scored = {"scored": True} if self.scored else {}
        return {**self.settings.describe(self.game), **scored, "predicted": self.metrics}

    def check(self) -> None:
        """Raise DataError if no question can be helped; a GapWarning names equilibria that were not found."""
        if not self.outlook.helped.any():
            unread, truncated, _ = self.shares
            cause, remedy = unread_cause(unread, truncated, self.reading)
            if unread <= MOST_UNREAD:
                borrow = "let views borrow each other's completions (leave out --no-borrow and --shrinkage 0), "
                remedy = f"{borrow if self.settings.only_common else ''}sample more, or choose another game"
            raise DataError(Problem(str(self.path), f"no question can be helped: {cause}", remedy))
        warn_of_gaps(self.questions, self.outlook.gap, str(self.path))

    def summary(self) -> dict[str, Any]:
        """Everything found, ready for JSON: None where undefined, intervals 95 % over questions."""
        views = self.views
        used = views["effective"][views["effective"] > 0]
        unread, truncated, refused = self.shares
        own, lent = self.weight.tolist()
        return {
            "solved": self.settings.describe(self.game),
            "completions": int(self.counts[0]),
            "questions": len(self.questions),
            "metrics": self.metrics,
            "accuracy_by_view": {
                name: {
                    "now": mean(self.outlook.accuracy_now[views["name"] == index]),
                    "after": mean(self.outlook.accuracy_after[views["name"] == index]),
                }
                for index, name in enumerate(self.names)
            },
            "unread": unread,
            "look_at": " — ".join(unread_cause(unread, truncated, self.reading)) if unread > MOST_UNREAD else None,
            "truncated": truncated,
            "refused": refused,
            "effective_samples": {
                "completions_per_view": mean(views["asked"]),
                "median": float(np.median(used)) if used.size else None,
                "least": float(used.min()) if used.size else None,
                "thin_views": int((used < THIN).sum()),
            },
            "reached": mean(views["reached"][views["helped"]]),
            "borrowed": lent / max(lent + own, 1e-9),
            "scored": self.scored,
            "largest_gap": None if self.settings.beta == 0 else float(self.outlook.gap.max(initial=0.0)),
            "not_found": [self.questions[index] for index in not_found(self.outlook.gap)],
            "not_helped": [self.questions[index] for index in np.flatnonzero(~self.outlook.helped)],
        }


def _concatenated(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    if isinstance(parts[0], dict):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns = {each.name: _concatenated([getattr(part, each.name) for part in parts]) for each in fields(parts[0])}
    return replace(parts[0], **columns)


def outlook(tallies: Tallies, solved: Sequence[Solved]) -> Outlook:
    """All metrics of all questions, from the batches that were solved."""
    questions = len(tallies.views)
    now = {name: np.full(questions, np.nan) for name in METRICS}
    after = {name: np.full(questions, np.nan) for name in METRICS}
    by_view = np.full((2, len(tallies.space)), np.nan)
    helped, gap = np.zeros(questions, dtype=bool), np.zeros(questions)
    for part in solved:
        rows = part.batch.questions
        before = part.batch.counts / np.maximum(part.batch.asked, 1)[..., None]
        later = np.where(part.helped[:, None, None], part.nu, before)
        places = tallies.places(rows, before.shape[1])
        bias = bias_of_counts(part.batch.counts)
        biases = bias, np.where(part.helped, 0.0, bias)
        for index, (columns, nu) in enumerate(((now, before), (after, later))):
            right = (nu * part.batch.gold[:, None]).sum(axis=-1)
            by_view[index, places] = right
            read = np.where(nu.any(axis=-1), nu.sum(axis=-1), np.nan)
            values = {"accuracy": right.mean(axis=1), "accuracy_readable": mean_over_last(right / read)}
            values |= _label_free(nu, part.shares)
            values["incoherence"] -= biases[index]
            for name in METRICS:
                columns[name][rows] = values[name]
        helped[rows], gap[rows] = part.helped, part.gap
    return Outlook(now, after, by_view[0], by_view[1], helped, gap)


def _label_free(nu: Array, shares: Array) -> dict[str, Array]:
    """Metrics without gold, axis (question), of `nu` that may sum to less than 1 in a view: the rest is unread."""
    several = (shares > 0).sum(axis=1) >= 2
    read = simplex.normalise(nu)
    own = (shares * simplex.entropy(read)).sum(axis=-1)
    mixture = np.asarray(simplex.entropy(consensus.arithmetic(read, shares)))
    return {
        "agreement": agreement_of(nu, np.full(len(nu), nu.shape[1])),
        "entropy": np.where(shares.sum(axis=1) > 0, own, np.nan),
        "incoherence": np.where(several, mixture - own, np.nan),
    }
