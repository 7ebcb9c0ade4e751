"""Several offline rounds on the built-in model: against the first reference always, or against each last model.

Run: python -m benchmarks.rounds DIRECTORY SEED…     (one thread: some four minutes a seed)

Each seed draws 120 training questions × 4 wordings × 16 completions a round; geometric coherence at power 4, one
epoch a round. `anchored` plays every round against the first reference, as `alft distill --rounds` does (theory.md
6); `moving` takes each round's model as the reference of the next. Per round: held-out sampled and greedy accuracy
and agreement, and how far the answers of the training questions are from the FIRST equilibrium ν* (mean total
variation of a view, from 16 fresh completions). DIRECTORY/rows.jsonl; killed and run again, it resumes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from alft import starter
from alft.config.schema import ModelConfig
from alft.games import GeometricCoherence
from alft.offline import Samples, SolveSettings, read_samples, solve_samples
from alft.offline.distill import Rounds, play
from alft.offline.trainer import Training
from alft.reporting.progress import quiet_libraries
from benchmarks.offline_starter import LEARNING_RATE, collected
from benchmarks.power import HELD_OUT, MOST, QUESTIONS, add, known, measure, told

ROUNDS = 3
SETTINGS = SolveSettings(GeometricCoherence(), power=4.0)


def main(directory: Path, seeds: list[int]) -> None:
    """Both ways for each seed, and what was known already left out."""
    quiet_libraries()
    held_out = starter.held_out_questions(HELD_OUT)
    before = measure(ModelConfig(), held_out)
    for seed in seeds:
        questions, folder = starter.training_questions(seed, QUESTIONS), directory / f"seed-{seed}"
        first = collected(folder / "samples.parquet", ModelConfig(), questions, MOST, seed)
        for anchored in (True, False):
            way = "anchored" if anchored else "moving"
            rounds = Rounds(
                ROUNDS,
                ModelConfig(),
                SETTINGS,
                "coherence_geometric",
                Training(LEARNING_RATE, seed=seed),
                anchored,
            )
            play(rounds, solve_samples(first, SETTINGS, "").weighted, folder / way, lambda _: lambda _: None)
            for number in range(1, ROUNDS + 1):
                row = {"seed": seed, "way": way, "round": number}
                if not known(directory, row):
                    place = folder / way / ("model" if number == ROUNDS else f"round-{number}/model")
                    model = ModelConfig(path=str(place))
                    fresh = folder / way / f"after-{number}.parquet"
                    if number < ROUNDS:  # the next round's completions
                        samples = read_samples(folder / way / f"round-{number + 1}/samples.parquet")
                    else:
                        samples = collected(fresh, model, questions, MOST, 10_000 + seed)
                    add(
                        directory,
                        {**row, "from_target": distance(first, samples), **told(before, measure(model, held_out))},
                    )


def distance(first: Samples, samples: Samples) -> float:
    """Mean total variation between a view's answers and the equilibrium against the first reference."""
    solution = solve_samples(samples, SETTINGS, "", first=first)
    apart = []
    for part in solution.reweighting.solved:
        given = part.batch.counts / np.maximum(part.batch.asked, 1)[..., None]
        unread = 1 - given.sum(axis=-1)
        apart.append((np.abs(given - part.nu).sum(axis=-1) + unread) / 2)
    return float(np.concatenate([each.reshape(-1) for each in apart]).mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]])
