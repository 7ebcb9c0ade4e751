"""How sure a mean over questions is: 95 % intervals by resampling QUESTIONS, or exact-type where they are shares.

Completions of one question are not independent; questions are. So the question is the unit that is resampled,
with all its views and samples. Of a share (a chance, such as an accuracy) whose values are all 0 or 1 it is
Wilson's interval: it needs no resampling, and does not shrink to a point when all values are the same. Of a number
that is no share (nats, a count) nothing bounds what another question might show: equal values have equal bounds.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from alft.evaluation.metrics import mean
from alft.evaluation.results import Mean

LEVEL = 0.95
RESAMPLES = 2000
SEED = 20260
AT_ONCE, KEPT = 1 << 22, 1 << 27  # questions × resamples: of one matrix product, and the most that are kept
FEWEST = 8  # fewer values than this are too few to resample: their bounds would look much surer than they are
FEW = 5  # if at most so many values differ from the commonest, their share in other questions is hardly known
NORMAL_QUANTILE = 1.959963984540054  # of (1 + LEVEL)/2

Columns = Float[np.ndarray, "question column"]
Bounds = Float[np.ndarray, "column 2"]
Shares = Bool[np.ndarray, "column"] | bool


def bootstrap(values: Columns, resamples: int = RESAMPLES) -> Bounds:
    """Percentile intervals of the columns' means, when questions are redrawn with replacement.

    Every column sees the same resamples, drawn some at a time. A question whose value is nan is left out of that
    column; bounds are nan with fewer than FEWEST values. The spread is scaled by √(n/(n−1)), as a resample's
    variance is that much too small. Where all values are equal, both bounds are that value.
    """
    questions = len(values)
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    size = known.sum(axis=0)
    enough = size >= FEWEST
    if not enough.any():
        return np.full((values.shape[1], 2), np.nan)
    centre = filled.sum(axis=0) / np.maximum(size, 1)
    both = known.astype(float), np.where(known, filled - centre, 0.0)
    resampled = (_kept if questions * resamples <= KEPT else _drawn)(questions, resamples)
    parts = [[part.astype(float) @ each for each in both] for part in resampled]
    total, found = (np.concatenate(part) for part in zip(*parts, strict=True))
    means = np.divide(found, total, out=np.zeros_like(total), where=total > 0)
    tail = (1 - LEVEL) / 2
    bounds = np.quantile(means, [tail, 1 - tail], axis=0) * np.sqrt(size / np.maximum(size - 1, 1))
    return np.where(enough[:, None], centre[:, None] + bounds.T, np.nan)


def wilson(values: Columns) -> Bounds:
    """Wilson's intervals for the columns' means, whose values are 0 or 1 (or nan: not counted).

    >>> wilson(np.ones((10, 1))).round(4).tolist()
    [[0.7225, 1.0]]
    """
    size = (~np.isnan(values)).sum(axis=0)
    n = np.maximum(size, 1)
    share = np.nansum(values, axis=0) / n
    square = NORMAL_QUANTILE**2 / n
    centre = (share + square / 2) / (1 + square)
    half = np.sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    bounds = np.clip(np.stack([centre - half, centre + half], axis=-1), 0.0, 1.0)
    return np.where((size >= 2)[:, None], bounds, np.nan)


def intervals(values: Columns, *, shares: Shares = False, differences: bool = False) -> Bounds:
    """95 % intervals of the columns' means over questions: Wilson's for shares of 0 and 1, else the bootstrap.

    `shares` says which columns hold shares, whose bounds are kept within [0, 1]; with `differences`, differences
    of shares. Resampling can't show values that other questions would have: so where at most FEW values differ
    from the commonest (of differences: from 0), the bounds are at least as wide as Wilson's
    (`python -m benchmarks.draws` shows the coverage).

    >>> intervals(np.zeros((20, 1)), shares=True).round(3).tolist(), intervals(np.zeros((20, 1))).tolist()
    ([[0.0, 0.161]], [[0.0, 0.0]])
    """
    chosen = np.broadcast_to(shares, values.shape[1:])
    bounds = bootstrap(values)
    for column in np.flatnonzero(chosen):
        bounds[column] = _widened(values[:, column], bounds[column], differences)
    if differences:
        return bounds
    bounds[chosen] = np.clip(bounds[chosen], 0.0, 1.0)
    binary = chosen & ((values == 0) | (values == 1) | np.isnan(values)).all(axis=0)
    bounds[binary] = wilson(values[:, binary])
    return bounds


def _widened(values: np.ndarray, bounds: np.ndarray, differences: bool) -> np.ndarray:
    """The bounds of one column, widened to Wilson's where few values differ."""
    known = values[~np.isnan(values)]
    if len(known) < FEWEST:
        return bounds
    found, times = np.unique(known, return_counts=True)
    if len(known) - times.max() > FEW or (differences and found[times.argmax()] != 0):
        return bounds
    if not differences:
        least = wilson(known[:, None])[0]
    else:  # another question may fall or rise by as much as 1
        apart = np.stack([known < 0, known > 0], axis=1).astype(float)
        least = known.mean() + (wilson(apart)[:, 1] - apart.mean(axis=0)) * [-1.0, 1.0]
    return np.array([min(bounds[0], least[0]), max(bounds[1], least[1])])


def means(
    columns: Mapping[str, np.ndarray], shares: Shares = False, *, differences: bool = False
) -> dict[str, Mean]:
    """The mean of each column over questions with its interval; None where it is not defined."""
    if not columns:
        return {}
    bounds = intervals(np.stack(list(columns.values()), axis=-1), shares=shares, differences=differences)
    return {
        name: {"mean": mean(values), "interval": None if np.isnan(bound).any() else bound.tolist()}
        for (name, values), bound in zip(columns.items(), bounds, strict=True)
    }


def _drawn(questions: int, resamples: int) -> Iterator[Int[np.ndarray, "resample question"]]:
    """How often each question is drawn in each resample, some resamples at a time."""
    rng, at_once = np.random.default_rng(SEED), max(AT_ONCE // questions, 1)
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        yield rng.multinomial(questions, np.full(questions, 1 / questions), size=size)


@lru_cache(maxsize=4)
def _kept(questions: int, resamples: int) -> list[UInt8[np.ndarray, "resample question"]]:
    """The same, kept: a count is at most the number of questions, and of many hardly more than 10."""
    return [part.astype(np.uint8) for part in _drawn(questions, resamples)]
