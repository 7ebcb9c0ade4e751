"""What sampled answers say of a model, by question: right, coherent, varied, readable (theory.md 2, 4.5).

`codes` are integers with axes (question, view, sample): equal within a question exactly where the answer
keys are equal, UNREAD (−1) for an unread answer, ABSENT (−2) where nothing was asked. `right` is 1, 0, or nan
where no gold answer is known (unread answers are wrong, not unknown). A value that is not defined is nan, and
None where it is one number; it is never 0.
"""

from collections.abc import Sequence
from math import comb

import numpy as np
from jaxtyping import Float, Int

from alft import consensus, simplex
from alft.counts import ABSENT, UNREAD, Codes
from alft.estimators.base import smoothed

Right = Float[np.ndarray, "question view sample"]
PerView = Float[np.ndarray, "question view"]
PerQuestion = Float[np.ndarray, "question"]
Counts = Float[np.ndarray, "question view answer"]


def mean(values: Float[np.ndarray, "..."]) -> float | None:
    """Mean of the defined values; None if there are none.

    >>> mean(np.array([1.0, 0.0, np.nan])), mean(np.array([np.nan]))
    (0.5, None)
    """
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else None


def mean_over_last(values: Float[np.ndarray, "*rest last"]) -> Float[np.ndarray, "*rest"]:
    """Mean of the defined values along the last axis; nan where there are none."""
    known = ~np.isnan(values)
    return _divide(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))


def unread(codes: Codes) -> PerQuestion:
    """Share of a question's completions without a readable answer."""
    asked = (codes != ABSENT).sum(axis=(1, 2))
    return _divide((codes == UNREAD).sum(axis=(1, 2)).astype(float), asked)


def view_unread(codes: Codes) -> PerView:
    """Share of a view's completions without a readable answer; nan where nothing was asked."""
    return _divide((codes == UNREAD).sum(axis=-1).astype(float), (codes != ABSENT).sum(axis=-1))


def agreement(codes: Codes) -> PerQuestion:
    """Chance that one answer each of two different views is the same, the mean over the pairs of views.

    Unread is equal to nothing, itself included. With one greedy completion per view this is greedy agreement;
    with samples it is unbiased for that of the marginals (theory.md 2). nan for a lone view.

    >>> agreement(np.array([[[3], [3], [5]]])).round(6).tolist()
    [0.333333]
    """
    asked = (codes != ABSENT).sum(axis=-1)
    return agreement_of(_divide(tally(codes), asked[..., None], otherwise=0.0), (asked > 0).sum(axis=-1))


def agreement_of(nu: Counts, views: Int[np.ndarray, "question"]) -> PerQuestion:
    """The same of marginals, Σ_{u≠v}⟨ν_u, ν_v⟩/(V(V−1)), of questions with V `views`; nan for a lone view.

    >>> agreement_of(np.array([[[1.0, 0.0], [0.5, 0.5]]]), np.array([2])).tolist()
    [0.5]
    """
    same = (nu.sum(axis=1) ** 2).sum(axis=-1) - (nu**2).sum(axis=(1, 2))
    return _divide(same, views * (views - 1))


def view_entropy(codes: Codes) -> PerView:
    """Entropy of a view's readable answers in nats, plug-in; nan where nothing is readable.

    Too small by about (distinct answers − 1)/(2 samples), which `view_gini` is not.
    """
    counts = tally(codes)
    read = counts.sum(axis=-1) > 0
    return np.where(read, simplex.entropy(simplex.normalise(counts)), np.nan)


def view_gini(codes: Codes) -> PerView:
    """Gini–Simpson diversity 1 − ‖ν_v‖² of a view: the chance that two of its answers differ, unbiased.

    Of readable answers; nan with fewer than two (theory.md 2 and 3).

    >>> view_gini(np.array([[[0, 0, 1, 1]]])).round(6).tolist()
    [[0.666667]]
    """
    counts = tally(codes)
    samples = counts.sum(axis=-1)
    return 1 - _divide((counts * (counts - 1)).sum(axis=-1), samples * (samples - 1))


def view_distinct(codes: Codes) -> PerView:
    """How many different readable answers a view gave; it grows with the samples. nan where nothing was asked."""
    asked = (codes != ABSENT).any(axis=-1)
    return np.where(asked, (tally(codes) > 0).sum(axis=-1).astype(float), np.nan)


def incoherence(codes: Codes) -> PerQuestion:
    """Generalised Jensen–Shannon divergence Σ_v w_v KL(ν_v‖ν̄) of a question's views in nats, plug-in.

    Of readable answers; w_v uniform over the views that have any; nan with fewer than two. Plug-in, it is too
    large by about `incoherence_bias`: perfectly coherent views with 8 samples show 0.1 to 0.8 nats (theory.md
    4.5), and sharper answers alone lower it. `incoherence_euclidean` has no such bias.

    >>> float(incoherence(np.array([[[0, 0], [1, 1]]])).round(6)[0])  # log 2: nothing in common
    0.693147
    """
    counts = tally(codes)
    nu, weights = simplex.normalise(counts), _uniform(counts.sum(axis=-1) > 0)
    mixture = simplex.entropy(consensus.arithmetic(nu, weights))
    return _if_two_views(mixture - (weights * simplex.entropy(nu)).sum(axis=-1), weights)


def incoherence_bias(codes: Codes) -> PerQuestion:
    """First-order estimate (Miller–Madow) of how much `incoherence` is too large, in nats.

    Each entropy is too small by (distinct answers − 1)/(2 samples): the views' by more than their mixture's.
    """
    return bias_of_counts(tally(codes))


def bias_of_counts(counts: Counts) -> PerQuestion:
    """The same from counts of readable answers."""
    samples, distinct = counts.sum(axis=-1), (counts > 0).sum(axis=-1)
    weights = _uniform(samples > 0)
    views = (weights * _divide(distinct - 1.0, 2 * samples, otherwise=0.0)).sum(axis=-1)
    pooled = (counts.sum(axis=1) > 0).sum(axis=-1)
    return _if_two_views(views - _divide(pooled - 1.0, 2 * samples.sum(axis=-1), otherwise=0.0), weights)


def incoherence_euclidean(codes: Codes) -> PerQuestion:
    """Σ_v w_v ‖ν_v − ν̄‖², unbiased: U-statistics of readable answers, so it can be negative (theory.md 4.5).

    w_v uniform over the views with two readable answers or more; nan with fewer than two such views.

    >>> incoherence_euclidean(np.array([[[0, 0], [1, 1]], [[0, 1], [0, 1]]])).tolist()
    [0.5, -0.25]
    """
    counts = tally(codes)
    samples = counts.sum(axis=-1)
    weights = _uniform(samples >= 2)
    own = _divide((counts * (counts - 1)).sum(axis=-1), samples * (samples - 1), otherwise=0.0)
    scaled = weights[..., None] * simplex.normalise(counts)
    cross = (scaled.sum(axis=1) ** 2).sum(axis=-1) - (scaled**2).sum(axis=(1, 2))
    return _if_two_views((weights * (1 - weights) * own).sum(axis=-1) - cross, weights)


def pass_at_k(right: Right, k: int) -> PerView:
    """Chance that at least one of k samples is right, unbiased: 1 − C(wrong, k)/C(samples, k).

    nan with fewer than k samples, or without gold.

    >>> pass_at_k(np.array([[[1.0, 0.0, 0.0, 0.0]]]), 2).tolist()
    [[0.5]]
    """
    known = ~np.isnan(right)
    samples, wrong = known.sum(axis=-1), ((right == 0) & known).sum(axis=-1)
    missed = np.frompyfunc(lambda wrong, of: comb(wrong, k) / (comb(of, k) or np.nan), 2, 1)
    return 1 - np.asarray(missed(wrong, samples), dtype=float)


def majority_at_k(codes: Codes, right: Right, k: int) -> PerView:
    """Chance that the majority of k samples of a view is right; tied answers share it, unread has no vote.

    Unbiased: the mean over the disjoint runs of k samples. nan with fewer than k samples, or without gold.
    """
    questions, views, samples = codes.shape
    runs = samples // k if k > 0 else 0
    if runs == 0:
        return np.full((questions, views), np.nan)
    votes = codes[..., : runs * k].reshape(questions, views * runs, k)
    marks = right[..., : runs * k].reshape(questions, views * runs, k)
    whole = ~((votes == ABSENT) | np.isnan(marks)).any(axis=-1)
    won = np.where(whole, _vote(simplex.normalise(tally(votes)), votes, marks), np.nan)
    return mean_over_last(won.reshape(questions, views, runs))


def vote_over_views(codes: Codes, right: Right) -> PerQuestion:
    """Accuracy of the majority over all samples of all views: what no training at all buys. Ties share."""
    pooled = simplex.normalise(tally(codes).sum(axis=1, keepdims=True))
    return _vote(pooled, codes, right)[:, 0]


def geometric_vote(codes: Codes, right: Right) -> PerQuestion:
    """Accuracy of the mode of the geometric consensus Π_v ν_v^{1/V} over views, without training.

    The views' marginals are `alft.estimators.smoothed`.
    """
    counts = tally(codes)
    seen = counts.sum(axis=1, keepdims=True) > 0
    geometric = consensus.geometric(smoothed(counts), _uniform((codes != ABSENT).any(axis=-1)))
    return _vote(np.where(seen, geometric[:, None], 0.0), codes, right)[:, 0]


def share_codes(codes: Codes, names: Sequence[Sequence[str]]) -> Codes:
    """Codes that are equal where keys are, also across questions, from each question's own (alft.counts.encode).

    >>> share_codes(np.array([[[0, 1]], [[0, -1]]]), [["7", "8"], ["8"]]).tolist()
    [[[0, 1]], [[1, -1]]]
    """
    numbers: dict[str, int] = {}
    shared = codes.copy()
    for row, own, keys in zip(shared, codes, names, strict=True):
        table = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=codes.dtype)
        row[own >= 0] = table[own[own >= 0]]
    return shared


def pooled(codes: Codes) -> Float[np.ndarray, "answer"]:
    """Distribution of the readable answers of all questions together, each question with the same weight.

    Needs codes that are shared by the questions (`share_codes`); all zero if nothing is readable.
    """
    width = max(int(codes.max(initial=0)) + 1, 1)
    total = np.zeros(width)
    for question in codes:
        readable = question[question >= 0]
        if readable.size:
            total += np.bincount(readable, minlength=width) / readable.size
    return simplex.normalise(total)


def dominant_share(codes: Codes) -> float | None:
    """Share of the commonest answer over all questions (shared codes); 1 is complete collapse (theory.md 4.6)."""
    shares = pooled(codes)
    return float(shares.max()) if shares.any() else None


def pooled_entropy(codes: Codes) -> float | None:
    """Entropy in nats of the answers of all questions together (shared codes); it falls in a collapse."""
    shares = pooled(codes)
    return float(simplex.entropy(shares)) if shares.any() else None


def tally(codes: Codes) -> Counts:
    """Counts of the readable answers, axes (question, view, answer), renumbered within each question."""
    questions, views, samples = codes.shape
    local = _renumber(codes.reshape(questions, views * samples)).reshape(codes.shape)
    width = max(int(local.max(initial=0)) + 1, 1)
    rows = np.arange(questions * views).reshape(questions, views, 1) * width + local
    flat = np.bincount(rows[local >= 0], minlength=questions * views * width)
    return flat.reshape(questions, views, width).astype(float)


def _renumber(codes: Int[np.ndarray, "row item"]) -> Int[np.ndarray, "row item"]:
    """Codes 0, 1, … in order of value within each row, −1 where nothing is readable."""
    order = np.argsort(codes, axis=-1, kind="stable")
    ranked = np.take_along_axis(codes, order, axis=-1)
    first = np.diff(ranked, axis=-1, prepend=UNREAD) != 0
    number = np.cumsum(first & (ranked >= 0), axis=-1) - 1
    numbered = np.empty_like(codes)
    np.put_along_axis(numbered, order, np.where(ranked >= 0, number, -1), axis=-1)
    return numbered


def _vote(
    shares: Float[np.ndarray, "question voter answer"], codes: Codes, right: Right
) -> Float[np.ndarray, "question voter"]:
    """Share of each voter's commonest answers that is right: 0 if nothing is readable, nan without gold."""
    flat = codes.shape[0], codes.shape[1] * codes.shape[2]
    local, marks = _renumber(codes.reshape(flat)), right.reshape(flat)
    correct = np.zeros((len(codes), shares.shape[-1]))
    row, item = np.nonzero((local >= 0) & (marks == 1))
    correct[row, local[row, item]] = 1.0
    known = ~np.isnan(marks).all(axis=-1, keepdims=True)
    return np.where(known, (consensus.mode(shares) * correct[:, None]).sum(axis=-1), np.nan)


def _uniform(present: np.ndarray) -> PerView:
    return simplex.normalise(present.astype(float))


def _if_two_views(values: PerQuestion, weights: PerView) -> PerQuestion:
    return np.where((weights > 0).sum(axis=-1) >= 2, values, np.nan)


def _divide(values: np.ndarray, by: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """values/by, and `otherwise` where `by` is 0."""
    values, by = np.broadcast_arrays(values, by)
    return np.divide(values, by, out=np.full(values.shape, otherwise), where=by != 0)
