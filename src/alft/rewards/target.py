"""What the reference answered, kept by question, view and key: the Target of `FixedTargetCoherence`.

With `decay` 1 it stays as it was sampled before training, and the Target is fixed. With less it follows the
Policy: each time a question is asked again, what is kept fades and new answers come in (a running average).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alft import simplex
from alft.answers import DEFAULT, KeyPolicy, canonical
from alft.completions import Completion
from alft.errors import ConfigError, Problem
from alft.estimators import PRIOR
from alft.simplex import Array
from alft.storage.checkpoint import Remembers

FORGOTTEN = 0.01  # of what a new sample adds: an answer of which less is left is dropped


class ReferenceAnswers(Remembers):
    """Counts of answers by question and view (as text), each view scaled to the number of samples it was given."""

    remembered = ("counts",)

    def __init__(self, decay: float = 1.0) -> None:
        self.decay = decay
        self.counts: dict[str, dict[str, dict[str, float]]] = {}

    def add(self, completions: Iterable[Completion]) -> None:
        """Count answers as they are; unread ones are no answers."""
        for one in completions:
            if one.key is not None:
                keys = self.counts.setdefault(one.question, {}).setdefault(str(one.place), {})
                keys[one.key] = keys.get(one.key, 0.0) + 1

    def follow(self, completions: Sequence[Completion]) -> None:
        """Let the answers of a batch move what is kept of their questions, if it is to move."""
        if self.decay == 1:
            return
        seen = ReferenceAnswers()
        seen.add(completions)
        for question, views in seen.counts.items():
            for view, new in views.items():
                old = self.counts.setdefault(question, {}).setdefault(view, {})
                if not old:
                    self.counts[question][view] = dict(new)
                    continue
                size = sum(old.values())
                scale = (1 - self.decay) * size / sum(new.values())
                left = {key: count for key, count in old.items() if self.decay * count > FORGOTTEN * scale}
                fade = self.decay * size / sum(left.values()) if left else 0.0
                self.counts[question][view] = kept = {key: fade * count for key, count in left.items()}
                for key, count in new.items():
                    kept[key] = kept.get(key, 0.0) + scale * count

    def keys(self, question: str) -> list[str]:
        """Every answer to a question of which as much as `PRIOR` samples is left, in the order in which they came.

        What has faded below is no part of the Target's support until it is given again: the prior of ever more
        forgotten answers would drown those that are given.
        """
        left: dict[str, float] = {}
        for keys in self.counts.get(question, {}).values():
            for key, count in keys.items():
                left[key] = left.get(key, 0.0) + count
        return [key for key, count in left.items() if count >= PRIOR]

    def marginals(self, asked: Sequence[tuple[str, Sequence[int]]], names: Sequence[Sequence[str]]) -> Array:
        """ν_0 with half a pseudo-sample for each listed answer of the question, axes (question, view, answer).

        `asked` (question, its views), `names` the answers of each question by code, which hold `keys`.
        """
        width = max((len(keys) for keys in names), default=1) or 1
        mass = np.zeros((len(asked), len(asked[0][1]), width))
        for row, (question, views), keys in zip(mass, asked, names, strict=True):
            known = self.counts.get(question, {})
            for place, view in enumerate(views):
                given = known.get(str(view), {})
                row[place, : len(keys)] = [given.get(key, 0.0) + PRIOR for key in keys]
        return simplex.normalise(mass)

    def view_weights(self, asked: Sequence[tuple[str, Sequence[int]]]) -> Array:
        """Weights of the views in the Target, axes (question, view): alike for those with an answer, else 0."""
        known = [[bool(self.counts.get(one, {}).get(str(view))) for view in views] for one, views in asked]
        return simplex.normalise(np.array(known, dtype=float))


OTHER = 0.001
"""Weight of each unlisted answer, relative to all listed ones together: q needs full support (theory.md 1.2)."""


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
