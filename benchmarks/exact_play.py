"""Where each game ends on the built-in model if it is played exactly: no samples in between, no network.

python -m benchmarks.exact_play DIR

The answers of the untrained model to the held-out questions, 64 samples a view, become tables ν (question, view,
answer); each game then moves them by its exact reward at β = 0 (theory.md 5): by natural policy gradient,
ν ← ν·exp(η r) normalised, and by the plain one on logits, which moves an answer as far as it is likely. Where
views agree a coherence game has nothing more to say, so AT β = 0 ITS END DEPENDS ON THE WAY; the limit β → 0 of
its solutions is one point, the geometric consensus of the reference (theory.md 2.2), and stands beside them. What
a table cannot show is what a network does on the way; the study shows that.
Answers that no sample of a view gave have a tail of their own, given as pseudo-samples an answer.

python -m benchmarks.exact_play DIR --traces      the same with whole texts in the place of answers: what geometric
                                                  coherence of traces (app. D of the paper) comes to
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow.parquet as pq
import torch
import typer

from alft import consensus, games, simplex, starter
from alft.config.schema import ModelConfig
from alft.consensus import equal_weights
from alft.counts import UNREAD
from alft.estimators import Estimator
from alft.games import Game
from alft.offline import Samples
from alft.offline.tallies import Tallies
from alft.simplex import Array
from benchmarks.offline_starter import HELD_OUT, collected

SAMPLES, SEED = 64, 777
TAILS = (0.001, 0.02)
NATURAL, PLAIN = (0.02, 4000), (0.5, 200)  # size and number of steps
CAP = Estimator().cap
PLAYED: dict[str, Game] = {
    "coherence, geometric": games.Coherence("geometric"),
    "coherence, arithmetic": games.Coherence("arithmetic"),
    "coherence, Euclidean": games.Coherence("euclidean"),
    "coherence, pairwise": games.JeffreysCoherence(),
    "agreement": games.Agreement(),
    "collision": games.Collision(),
}
ON_TRACES = ("coherence, geometric", "coherence, arithmetic")


@dataclass(frozen=True)
class Answers:
    """Counts of each thing said, axes (question, view, said), of what answer it is, and which answers are right.

    What is said are answers, or whole texts with an answer; `answer` (question, said, answer) is 1 at the answer
    of each, `right` has axes (question, answer).
    """

    counts: Array
    answer: Array
    right: Array

    def marginals(self, tail: float) -> Array:
        """ν with `tail` pseudo-samples on each thing said to a question."""
        present = self.counts.sum(axis=1, keepdims=True) > 0
        return simplex.normalise(np.where(present, self.counts + tail, 0.0))

    def accuracy(self, nu: Array) -> float:
        """The chance that what is said is right, mean over questions and views."""
        return float((nu @ self.answer * self.right[:, None]).sum(axis=-1).mean())

    def told(self, nu: Array) -> str:
        """Accuracy, entropy and incoherence of the answers, and accuracy of the commonest answer of each view."""
        answers = nu @ self.answer
        own, pooled = (float(np.mean(simplex.entropy(part))) for part in (answers, answers.mean(axis=1)))
        greedy = np.take_along_axis(self.right, answers.argmax(axis=-1), axis=-1).mean()
        return f"{self.accuracy(nu):.3f} | {greedy:.3f} | {own:.2f} | {pooled - own:.3f}"


def tabulated(samples: Samples, said: Array) -> Answers:
    """Codes of what was said, axis (completion), as tables, each question's on their own; unread ones left out."""
    placed, keys = (Tallies.of(samples.question, samples.view, c, samples.right) for c in (said, samples.key))
    read = placed.answer != UNREAD
    question, view, place, key = (
        part[read] for part in (placed.question, placed.view, placed.answer, keys.answer)
    )
    questions, said_most, answers = len(placed.views), placed.answers.max(), keys.answers.max()
    counts = np.zeros((questions, placed.views.max(), said_most))
    np.add.at(counts, (question, view, place), 1)
    answer = np.zeros((questions, said_most, answers))
    answer[question, place, key] = 1
    right = np.zeros((questions, answers), dtype=bool)
    right[question, key] = placed.right[read] > 0
    return Answers(counts, answer, right)


def answers_of_starter(directory: Path, traces: bool = False) -> Answers:
    """What the untrained model answers to the held-out questions, asked once and kept in `directory`."""
    path, asked = directory / "exact-play.parquet", starter.held_out_questions(HELD_OUT)
    samples = collected(path, ModelConfig(), asked, SAMPLES, SEED)
    return tabulated(samples, texts(path, samples) if traces else samples.key)


def texts(path: Path, samples: Samples) -> Array:
    """Codes of whole completions, UNREAD for those without a readable answer."""
    completions = pq.read_table(path, columns=["completion"]).column(0).to_pylist()
    return np.where(samples.key == UNREAD, UNREAD, np.unique(completions, return_inverse=True)[1])


def exact_reward(game: Game, nu: Array, present: Array) -> Array:
    """The game's reward within the cap that live play has; 0 for what is not said to the question."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(present, np.clip(game.reward(nu, equal_weights(nu)), -CAP, CAP), 0.0)


def by_natural_gradient(game: Game, nu: Array) -> Array:
    """Where the game ends if what a view says moves by its reward alone."""
    present, (step, rounds) = nu > 0, NATURAL
    for _ in range(rounds):
        nu = stepped(nu, step * exact_reward(game, nu, present))
    return nu


def by_plain_gradient(game: Game, nu: Array) -> Array:
    """Where the game is after gradient ascent on logits."""
    present, (step, rounds) = nu > 0, PLAIN
    for _ in range(rounds):
        nu = stepped(nu, step * exact_gradient(game, nu, present))
    return nu


def exact_gradient(game: Game, nu: Array, present: Array) -> Array:
    """The policy gradient on logits: how likely, times how much better than the view's mean."""
    reward = exact_reward(game, nu, present)
    return nu * (reward - (nu * reward).sum(axis=-1, keepdims=True))


def stepped(nu: Array, move: Array) -> Array:
    """ν after its logits moved; what is not said stays unsaid."""
    return simplex.softmax(simplex.log(nu) + move)


def consensus_of_reference(nu: Array) -> Array:
    """Every view at the geometric consensus: the solution as β → 0."""
    return np.broadcast_to(consensus.geometric(nu, equal_weights(nu))[..., None, :], nu.shape)


def main(
    directory: Annotated[Path, typer.Argument(help="where samples are kept")],
    traces: Annotated[bool, typer.Option("--traces", help="play on whole texts")] = False,
) -> None:
    """Print a table: a line a game and tail."""
    torch.set_num_threads(1)
    answers = answers_of_starter(directory, traces)
    columns = "accuracy | commonest answer right | entropy, nats | incoherence, nats"
    print(f"| game | tail | way | {columns} |")
    print("| --- " * 7 + "|")
    for tail in TAILS:
        nu = answers.marginals(tail)
        print(f"| before | {tail} | | {answers.told(nu)} |")
        print(f"| coherence, any moving Target | {tail} | β → 0 | {answers.told(consensus_of_reference(nu))} |")
        for name in ON_TRACES if traces else PLAYED:
            for way, played in (("natural", by_natural_gradient), ("plain", by_plain_gradient)):
                print(f"| {name} | {tail} | {way} | {answers.told(played(PLAYED[name], nu))} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
