"""Samples with a weight for each completion, and for each that another view borrowed: rows to train on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from alft.completions import upgraded
from alft.errors import DataError, Problem
from alft.offline.samples import WEIGHT, Samples
from alft.offline.tallies import Loans
from alft.simplex import Array

ASKED = ["view", "prompt", "chat", "answer_map"]
"""What a loan takes from the view that it is lent to."""


@dataclass(frozen=True)
class Weighted:
    """`samples` with the `weights` of their completions, the `loans`, and what was `solved` and predicted.

    A row to train on is a completion, or a completion that was lent to another view: `row_weights` and `groups`, a
    number for each view of each question, have axis (row), in the order of `tables`.
    """

    samples: Samples
    weights: Array
    solved: Mapping[str, Any]
    loans: Loans = field(default_factory=Loans.joined)

    def __post_init__(self) -> None:
        if not (self.row_weights > 0).any():
            told = "no completion has a weight: no question could be helped"
            raise DataError(Problem(str(self.samples.path), told, "sample more, or choose another game"))

    @cached_property
    def row_weights(self) -> Array:
        """Weights of the completions, then of the loans."""
        return np.concatenate([self.weights, self.loans.weight])

    @cached_property
    def groups(self) -> Array:
        """Which view of which question a row trains."""
        return np.unique(np.concatenate([self._own, self._borrowing]), return_inverse=True)[1]

    def tables(self) -> Iterator[pa.Table]:
        """The rows with texts, prompts and weights, part after part: the completions, then the loans."""
        start = 0
        for batch in self.samples.texts():
            here = slice(start, start + len(batch))
            start += len(batch)
            yield upgraded(pa.Table.from_batches([batch])).append_column(WEIGHT, pa.array(self.weights[here]))
        if len(self.loans.weight) > 0:
            yield from self._lent()

    def _lent(self) -> Iterator[pa.Table]:
        """Each completion that was lent, beside the prompt of the view that it was lent to."""
        loans = self.loans
        pairs, first = np.unique(self._own, return_index=True)
        rows = first[np.searchsorted(pairs, self._borrowing)]  # each holds the prompt of a borrowing view
        wanted, which = np.unique(rows, return_inverse=True)
        prompts = pa.concat_tables(part.select(ASKED) for part in self._taken(wanted))
        done = 0
        for part in self._taken(loans.completion):
            here = slice(done, done + len(part))
            done += len(part)
            asked = prompts.take(which[here])
            for name in ASKED:
                part = part.set_column(part.schema.get_field_index(name), name, asked.column(name))
            yield part.append_column(WEIGHT, pa.array(loans.weight[here]))

    def _taken(self, rows: Array) -> Iterator[pa.Table]:
        """These rows of the file, which are in order, part after part."""
        start = 0
        for batch in self.samples.texts():
            first, last = np.searchsorted(rows, [start, start + len(batch)])
            yield upgraded(pa.Table.from_batches([batch])).take(rows[first:last] - start)
            start += len(batch)

    @property
    def _own(self) -> Array:
        return self.samples.question * len(self.samples.views) + self.samples.view

    @property
    def _borrowing(self) -> Array:
        question = self.samples.question[self.loans.completion]
        return question * len(self.samples.views) + self.loans.view


def weighted_of(samples: Samples) -> Weighted:
    """The weights that `alft solve` wrote into a samples file; raises DataError where it wrote none."""
    solved = samples.provenance.solution
    if samples.weight is None or solved is None:
        raise DataError(Problem(str(samples.path), "has no weights", "run `alft solve` on it, or give --game"))
    return Weighted(samples, samples.weight, solved, samples.loans or Loans.joined())
