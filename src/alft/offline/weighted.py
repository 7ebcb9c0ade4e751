"""Completions with the weights that an equilibrium gives them: what is trained on, or exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alft.errors import DataError, Problem
from alft.offline.samples import Samples
from alft.simplex import Array


@dataclass(frozen=True)
class Weighted:
    """`samples`, their `weights` (completion), and what was `solved`: game, β, shrinkage, what was predicted."""

    samples: Samples
    weights: Array
    solved: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not (self.weights > 0).any():
            told = "no completion has a weight: no question could be helped"
            raise DataError(Problem(str(self.samples.path), told, "sample more, or choose another game"))


def weighted_of(samples: Samples) -> Weighted:
    """The weights that `alft solve` wrote into a samples file; raises DataError where it wrote none."""
    solved = samples.provenance.solution
    if samples.weight is None or solved is None:
        raise DataError(Problem(str(samples.path), "has no weights", "run `alft solve` on it, or give --game"))
    return Weighted(samples, samples.weight, solved)
