"""Random problems over the whole range that the solver is asked to manage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alft import games, simplex
from alft.games import Facts, Game

CONCAVE = {
    "correctness": lambda answers, views: games.Correctness(),
    "target match": lambda answers, views: games.TargetMatch(np.full(answers, 1 / answers)),
    "Shannon": lambda answers, views: games.Diversity("shannon"),
    "Gini": lambda answers, views: games.Diversity("gini"),
    "Tsallis 0.5": lambda answers, views: games.Diversity(0.5),
    "Tsallis 3": lambda answers, views: games.Diversity(3.0),
    "arithmetic": lambda answers, views: games.Coherence("arithmetic"),
    "geometric": lambda answers, views: games.Coherence("geometric"),
    "Euclidean": lambda answers, views: games.Coherence("euclidean"),
    "fixed": lambda answers, views: games.Coherence("fixed"),
    "Jeffreys": lambda answers, views: games.JeffreysCoherence(),
    "parity": lambda answers, views: games.Parity(["even", "odd"] * (views // 2) + ["even"] * (views % 2)),
    "sum": lambda answers, views: games.Sum(
        (0.5, games.Correctness()), (0.3, games.Diversity("gini")), (1.0, games.Coherence("geometric"))
    ),
}
"""Every concave game, made for a number of answers and views."""


@dataclass(frozen=True)
class Problem:
    """A game against a reference, (view, answer)."""

    game: Game
    reference: np.ndarray
    weights: np.ndarray
    beta: float

    @property
    def setting(self) -> tuple[int, int, float]:
        """Views, answers, β."""
        return (*self.reference.shape, self.beta)


def draw(kind: str, rng: np.random.Generator, most_answers: int = 1000, views: int | None = None) -> Problem:
    """2 to 16 views if not given, 2 to `most_answers` answers, β from 1e-3 to 1e2, marginals down to 1e-12."""
    views = views or int(rng.integers(2, 17))
    answers = int(np.exp(rng.uniform(np.log(2), np.log(most_answers))).round())
    concentration = 10 ** rng.uniform(-1, 1)
    reference = np.maximum(rng.dirichlet(concentration * np.ones(answers), views), 1e-12)
    reference = simplex.normalise(reference)
    weights = rng.dirichlet(5 * np.ones(views))
    game = CONCAVE[kind](answers, views).given(
        Facts(gold=np.eye(answers)[rng.integers(answers)], reference=reference, weights=weights)
    )
    return Problem(game, reference, weights, float(10 ** rng.uniform(-3, 2)))
