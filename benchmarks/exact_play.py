"""Where each game ends on the built-in model if it is played exactly: no samples in between, no network.

python -m benchmarks.exact_play DIR

The answers of the untrained model to the held-out questions, 64 samples a view, become tables ν (question, view,
answer); each game then moves them by its exact reward, ν ← ν·exp(η r) normalised: natural policy gradient at
β = 0 (theory.md 5). What the table cannot show is what a network does on the way; the study shows that.
Answers that no sample of a view gave have a tail of their own, given as pseudo-samples an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from alft import games, simplex, starter
from alft.config import ModelConfig
from alft.counts import UNREAD
from alft.estimators import Estimator
from alft.games import Game
from alft.offline import Samples
from alft.offline.tallies import Tallies
from alft.simplex import Array
from alft.tabular.certificate import equal_weights
from benchmarks.offline_starter import HELD_OUT, collected

SAMPLES, SEED = 64, 777
TAILS = (0.001, 0.02)
STEP, ROUNDS = 0.02, 4000
CAP = Estimator().cap
PLAYED: dict[str, Game] = {
    "coherence, geometric": games.Coherence("geometric"),
    "coherence, arithmetic": games.Coherence("arithmetic"),
    "coherence, Euclidean": games.Coherence("euclidean"),
    "coherence, pairwise": games.JeffreysCoherence(),
    "agreement": games.Agreement(),
    "collision": games.Collision(),
}


@dataclass(frozen=True)
class Answers:
    """Counts of each answer, axes (question, view, answer), and which answers are right (question, answer)."""

    counts: Array
    right: Array

    def marginals(self, tail: float) -> Array:
        """ν with `tail` pseudo-samples on each answer that a question got."""
        present = self.counts.sum(axis=1, keepdims=True) > 0
        return simplex.normalise(np.where(present, self.counts + tail, 0.0))

    def told(self, nu: Array) -> str:
        """Accuracy, entropy and incoherence of ν, and accuracy of the commonest answer of each view."""
        accuracy = (nu * self.right[:, None]).sum(axis=-1).mean()
        own, pooled = simplex.entropy(nu).mean(), simplex.entropy(nu.mean(axis=1)).mean()
        greedy = np.take_along_axis(self.right, nu.argmax(axis=-1), axis=-1).mean()
        return f"{accuracy:.3f} | {greedy:.3f} | {own:.2f} | {pooled - own:.3f}"


def tabulated(samples: Samples) -> Answers:
    """The samples as tables, each question's answers numbered on their own; unread ones left out."""
    placed = Tallies.of(samples.question, samples.view, samples.key, samples.right)
    read = placed.answer != UNREAD
    at = placed.question[read], placed.view[read], placed.answer[read]
    counts = np.zeros((len(placed.views), placed.views.max(), placed.answers.max()))
    np.add.at(counts, at, 1)
    right = np.zeros((counts.shape[0], counts.shape[2]), dtype=bool)
    right[at[0], at[2]] = placed.right[read] > 0
    return Answers(counts, right)


def played(game: Game, nu: Array) -> Array:
    """Where play ends after ROUNDS steps; rewards are held within the cap that live play has."""
    weights, present, logits = equal_weights(nu), nu > 0, simplex.log(nu)
    for _ in range(ROUNDS):
        reward = np.clip(game.reward(nu, weights), -CAP, CAP)
        logits = np.where(present, logits + STEP * reward, -np.inf)
        nu = simplex.softmax(logits)
    return nu


def main(directory: Annotated[Path, typer.Argument(help="where samples are kept")]) -> None:
    """Print a table: a line a game and tail."""
    torch.set_num_threads(1)
    asked = starter.held_out_questions(HELD_OUT)
    answers = tabulated(collected(directory / "exact-play.parquet", ModelConfig(), asked, SAMPLES, SEED))
    print("| game | tail | accuracy | commonest answer right | entropy, nats | incoherence, nats |")
    print("| --- | --- | --- | --- | --- | --- |")
    for tail in TAILS:
        nu = answers.marginals(tail)
        print(f"| before | {tail} | {answers.told(nu)} |")
        for name, game in PLAYED.items():
            with np.errstate(divide="ignore", invalid="ignore"):
                print(f"| {name} | {tail} | {answers.told(played(game, nu))} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
