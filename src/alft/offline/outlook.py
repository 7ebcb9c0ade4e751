"""What the equilibrium would make of the model, question by question: numbers of ν_0 and ν*, side by side.

Now: the frequencies of the reference's own completions (unread agrees with nothing and is never right). After: ν*,
where every completion is read; where nothing can be done, the frequencies again. The incoherence of frequencies is
less its first-order bias (theory.md 4.5), so it can be below 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alft import consensus, simplex
from alft.evaluation.metrics import bias_of_counts
from alft.offline.reweight import Solved
from alft.offline.tallies import Tallies
from alft.simplex import Array

METRICS = ("accuracy", "agreement", "entropy", "incoherence")


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


def outlook(tallies: Tallies, solved: Sequence[Solved]) -> Outlook:
    """All metrics of all questions, from the batches that were solved."""
    questions = len(tallies.views)
    first = np.concatenate([[0], np.cumsum(tallies.views)])
    now = {name: np.full(questions, np.nan) for name in METRICS}
    after = {name: np.full(questions, np.nan) for name in METRICS}
    by_view = np.full((2, first[-1]), np.nan)
    helped, gap = np.zeros(questions, dtype=bool), np.zeros(questions)
    for part in solved:
        rows = part.batch.questions
        before = part.batch.counts / np.maximum(part.batch.asked, 1)[..., None]
        later = np.where(part.helped[:, None, None], part.nu, before)
        places = first[rows][:, None] + np.arange(before.shape[1])
        bias = bias_of_counts(part.batch.counts)
        biases = bias, np.where(part.helped, 0.0, bias)
        for index, (told, nu) in enumerate(((now, before), (after, later))):
            right = (nu * part.batch.gold[:, None]).sum(axis=-1)
            by_view[index, places] = right
            values = {"accuracy": right.mean(axis=1), **_label_free(nu, part.shares)}
            values["incoherence"] = values["incoherence"] - biases[index]
            for name in METRICS:
                told[name][rows] = values[name]
        helped[rows], gap[rows] = part.helped, part.gap
    return Outlook(now, after, by_view[0], by_view[1], helped, gap)


def _label_free(nu: Array, shares: Array) -> dict[str, Array]:
    """Metrics without gold, axis (question), of `nu` that may sum to less than 1 in a view: the rest is unread."""
    several = (shares > 0).sum(axis=1) >= 2
    read = simplex.normalise(nu)
    own = (shares * simplex.entropy(read)).sum(axis=-1)
    mixture = np.asarray(simplex.entropy(consensus.arithmetic(read, shares)))
    return {
        "agreement": agreement(nu),
        "entropy": np.where(shares.sum(axis=1) > 0, own, np.nan),
        "incoherence": np.where(several, mixture - own, np.nan),
    }


def agreement(nu: Array) -> Array:
    """Chance that two different views answer alike, Σ_{u≠v}⟨ν_u, ν_v⟩/(V(V−1)), axis (question).

    nan for a lone view.

    >>> agreement(np.array([[[1.0, 0.0], [0.5, 0.5]]]))
    array([0.5])
    """
    views = nu.shape[1]
    if views < 2:
        return np.full(len(nu), np.nan)
    same = (nu.sum(axis=1) ** 2).sum(axis=-1) - (nu**2).sum(axis=(1, 2))
    return same / (views * (views - 1))
