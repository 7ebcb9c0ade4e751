"""Completions that views lend to each other (theory.md 6.1): which view a completion serves, and with what weight.

Unscored, an answer that a view never gave is lent by the other views' completions, all alike. Scored, by
log π_0(z|x_v) of each completion under each view, a completion is shared out by the balance heuristic: it belongs
to view v with the responsibility K_v π_0(z|x_v) / Σ_u K_u π_0(z|x_u), over the views in its space of answers. A
view's marginal is then ν̂_v(a) = (1/K_v) Σ_z responsibility of the z with answer a, which is unbiased. Its variance
is at most that of the view's own frequency where ν_v(a) ≤ 1/2; above, it can be larger.
"""

from __future__ import annotations

import numpy as np

from alft.offline.tallies import Batch, Loans, Tallies
from alft.simplex import Array

LEAST_LOAN = 0.01
"""Completions: an answer that deserves less weight in a view is not borrowed."""
LEAST_SHARE = 1e-3
"""Of the largest share in the same answer of the same view: a completion that would lend less does not lend."""
TINY = 1e-300
"""Smallest responsibility: below, float64 keeps no ratios."""


def lend(tallies: Tallies, batch: Batch, per_answer: Array) -> Loans:
    """Each answer that a view never gave, from the completions of other views with that answer, all alike.

    `per_answer` is the weight that answers deserve, in completions, axes (question, view, answer).
    """
    lacked = np.nonzero((batch.counts == 0) & (per_answer >= LEAST_LOAN))
    loan, completion = tallies.lenders(batch, lacked)
    lenders = np.bincount(loan, minlength=len(lacked[0]))
    weight = per_answer[lacked][loan] / lenders[loan]
    place = tallies.starts[batch.questions[lacked[0]]] + lacked[1]
    return Loans(completion, place[loan], weight)


def responsibilities(tallies: Tallies, log_probs: Array) -> Array:
    """The share of each completion that belongs to each view, axes (completion, view of its question).

    `log_probs` are log π_0(z|x_v) with the same axes. A row sums to 1; views that the question does not have, or
    that are asked in another space of answers, have 0.

    >>> question, view = np.array([0, 0, 0]), np.array([0, 0, 1])
    >>> tallies = Tallies.of(question, view, np.zeros(3, int), np.full(3, np.nan))
    >>> responsibilities(tallies, np.log([[0.2, 0.4], [0.3, 0.0001], [0.1, 0.2]])).round(2).tolist()
    [[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]]
    """
    views = np.arange(log_probs.shape[1])
    there = views < tallies.views[tallies.question][:, None]
    place = np.where(there, tallies.starts[tallies.question][:, None] + views, 0)
    there &= tallies.space[place] == tallies.space[tallies.place][:, None]
    asked = np.bincount(tallies.place, minlength=len(tallies.space))
    mass = np.where(there, log_probs, -np.inf) + np.log(np.maximum(asked, 1))[place]
    found = np.exp(mass - np.logaddexp.reduce(mass, axis=1, keepdims=True))
    return np.where(there, np.maximum(found, TINY), 0.0)


def scored_counts(tallies: Tallies, batch: Batch, shares: Array) -> Array:
    """K_v ν̂_v(a) from all completions, axes (question, view, answer); `shares` are `responsibilities`."""
    table = np.zeros(batch.shape)
    question, here = tallies.rows(batch)
    views = np.arange(batch.shape[1])
    np.add.at(table, (question[:, None], views[None, :], tallies.answer[here][:, None]), shares[here][:, views])
    return table


def share_out(tallies: Tallies, batch: Batch, per_answer: Array, shares: Array) -> tuple[Array, Array, Loans]:
    """Readable completions of the batch, their weights in their own view, and what they lend to the others.

    Within a view and answer, weights are proportional to the responsibilities and add up to `per_answer`.
    """
    question, here = tallies.rows(batch)
    answer, own = tallies.answer[here], tallies.view[here]
    wanted = per_answer[question, :, answer]
    mass = shares[here, : batch.shape[1]]
    itself = own[:, None] == np.arange(batch.shape[1])
    mass = np.where(itself | (wanted >= LEAST_LOAN), mass, 0.0)
    most, total = np.zeros(batch.shape), np.zeros(batch.shape)
    entries = question[:, None], np.arange(batch.shape[1])[None, :], answer[:, None]
    np.maximum.at(most, entries, mass)
    mass = np.where(mass >= LEAST_SHARE * most[entries], mass, 0.0)
    np.add.at(total, entries, mass)
    weight = np.divide(wanted * mass, total[entries], out=np.zeros_like(mass), where=total[entries] > 0)
    lent = np.nonzero(~itself & (weight > 0))
    place = tallies.starts[tallies.question[here[lent[0]]]] + lent[1]
    return here, weight[itself], Loans(here[lent[0]], place, weight[lent])
