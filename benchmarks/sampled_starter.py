"""What samples make of a game on the built-in model's own answers: estimators of log ν and baselines, K = 8.

python -m benchmarks.sampled_starter DIR

On the tables ν (question, view, answer) of `benchmarks.exact_play`, for each estimator and baseline:
- one update, drawn 60 times at the untrained model: what share of the exact gradient it has along it, how well its
  mean points that way (cosine), and its signal against its noise: ‖E g‖² / E‖g − E g‖² of a question and view;
- 200 plain steps on logits from samples, with the scorer of live play, beside the same steps with exact rewards:
  accuracy, and the KL divergence between the two ends. One seed draws all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from alft import games, simplex
from alft.estimators import Estimator
from alft.games import Game
from alft.rewards import Scoring
from alft.simplex import Array
from benchmarks.exact_play import (
    PLAIN,
    Answers,
    answers_of_starter,
    by_plain_gradient,
    exact_gradient,
    stepped,
)
from benchmarks.sampled_play import sampled_gradient

DRAWS, SEED, TAIL = 60, 3, 0.02
BASELINES = ("leave_two_out", "leave_one_out", "group_mean", "group_mean_std")
LOGS = ("variance_optimal", "digamma", "plugin")
COLUMNS = "along the exact gradient | cosine | signal / noise | accuracy | exact accuracy | KL to exact, nats"
Way = tuple[str, Scoring]


def by_baseline(game: Game, *kinds: Any) -> list[Way]:
    """The game scored with each baseline."""
    return [(kind, Scoring(game, baseline=kind, unread_penalty=0.0)) for kind in kinds]


def by_log(game: Game, *kinds: Any) -> list[Way]:
    """The game scored with each estimator of log ν."""
    return [(kind, Scoring(game, Estimator(log=kind), unread_penalty=0.0)) for kind in kinds]


PLAYED: dict[str, list[Way]] = {
    "coherence, geometric": by_baseline(games.Coherence("geometric"), *BASELINES),
    "coherence, arithmetic": by_log(games.Coherence("arithmetic"), *LOGS),
    "coherence, pairwise": by_log(games.JeffreysCoherence(), *LOGS),
    "coherence, Euclidean": by_baseline(games.Coherence("euclidean"), "leave_two_out"),
}


def one_update(nu: Array, scoring: Scoring) -> str:
    """Share along the exact gradient, cosine with it, and signal against noise."""
    rng, exact = np.random.default_rng(SEED), exact_gradient(scoring.game, nu, nu > 0)
    drawn = np.stack([sampled_gradient(nu, scoring, rng) for _ in range(DRAWS)])
    mean, noise = drawn.mean(axis=0), drawn.var(axis=0, ddof=1).sum()
    signal = (mean**2).sum() - noise / DRAWS
    along, size = (mean * exact).sum(), (exact**2).sum()
    return f"{along / size:.2f} | {along / np.sqrt(size * signal):.2f} | {signal / noise:.2f}"


def played(nu: Array, scoring: Scoring) -> Array:
    """Where PLAIN steps from samples lead."""
    rng, (step, rounds) = np.random.default_rng(SEED), PLAIN
    for _ in range(rounds):
        nu = stepped(nu, step * sampled_gradient(nu, scoring, rng))
    return nu


def line(answers: Answers, nu: Array, scoring: Scoring) -> str:
    """The row of one way to score."""
    exact, found = by_plain_gradient(scoring.game, nu), played(nu, scoring)
    ends = f"{answers.accuracy(found):.3f} | {answers.accuracy(exact):.3f}"
    return f"{one_update(nu, scoring)} | {ends} | {np.mean(simplex.kl(found, exact)):.4f}"


def main(directory: Annotated[Path, typer.Argument(help="where samples are kept")]) -> None:
    """Print a table: a line a game and way to score it."""
    torch.set_num_threads(1)
    answers = answers_of_starter(directory)
    nu = answers.marginals(TAIL)
    print(f"| game | scored with | {COLUMNS} |")
    print("| --- " * 8 + "|")
    for name, ways in PLAYED.items():
        for way, scoring in ways:
            print(f"| {name} | {way} | {line(answers, nu, scoring)} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
