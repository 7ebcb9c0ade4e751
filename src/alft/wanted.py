"""The distribution q that `TargetMatch` is given (theory.md 2), by answer key, on whatever answers a batch has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alft import simplex
from alft.answers import DEFAULT, KeyPolicy, canonical
from alft.errors import ConfigError, Problem
from alft.simplex import Array

OTHER = 0.001
"""Weight of each answer that is not listed, of those listed together: q needs full support (theory.md 1.2)."""


@dataclass(frozen=True)
class Wanted:
    """q as weights by answer key with sum 1; any other answer has the weight `OTHER`.

    Only ratios of q count: a factor common to all answers of a question changes no reward by more than a constant.
    """

    weights: Mapping[str, float]

    def table(self, names: Sequence[Sequence[str]]) -> Array:
        """q of questions whose answers have these keys by code, axes (question, answer).

        >>> Wanted({"yes": 0.75, "no": 0.25}).table([["no", "yes"], ["yes"]]).tolist()
        [[0.25, 0.75], [1.0, 0.0]]
        """
        mass = np.zeros((len(names), max((len(keys) for keys in names), default=1) or 1))
        for row, keys in zip(mass, names, strict=True):
            row[: len(keys)] = [self.weights.get(key, OTHER) for key in keys]
        return simplex.normalise(mass)


def read_wanted(weights: Mapping[str, float], where: str, policy: KeyPolicy = DEFAULT) -> Wanted:
    """q from weights by answer. Raises ConfigError for a text that is no answer, or comes twice."""
    found: dict[str, float] = {}
    problems: list[Problem] = []
    for text, weight in weights.items():
        key = canonical(text, policy)
        if key is None:
            problems.append(Problem(where, f"nothing can be read in the answer {text!r}"))
        elif key in found:
            problems.append(Problem(where, f"the answer {text!r} is listed twice", "write it once"))
        elif not 0 < weight < np.inf:
            problems.append(Problem(where, f"the weight of {text!r} is {weight}", "weights are positive numbers"))
        else:
            found[key] = weight
    if not found and not problems:
        problems.append(Problem(where, "lists no answer", "give weights by answer: {ANSWER: WEIGHT, …}"))
    if problems:
        raise ConfigError(problems)
    total = sum(found.values())
    return Wanted({key: weight / total for key, weight in found.items()})
