"""Several offline rounds on the built-in model: against the first reference always, or against each last model.

Run: python -m benchmarks.rounds DIRECTORY SEED…     (one thread: about a quarter of an hour a seed)

Each seed draws 120 training questions × 4 wordings × 16 completions a round; geometric coherence at power 4, one
epoch a round. `anchored` plays every round against the first reference, as `alft distill --rounds` does (theory.md
6); `moving` takes each round's model as the reference of the next. Per round: held-out sampled and greedy accuracy
and agreement, and how far the answers of the training questions are from the FIRST equilibrium ν* (mean total
variation of a view, from 16 fresh completions). DIRECTORY/rows.jsonl and, at the end, rows.parquet; killed and
run again, it resumes.
"""

from __future__ import annotations

import sys
from itertools import product
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
from benchmarks.power import HELD_OUT, MOST, QUESTIONS, measure, told
from benchmarks.rows import add, known, write_table

ROUNDS = 3
SETTINGS = SolveSettings(GeometricCoherence(), power=4.0)


def main(directory: Path, seeds: list[int]) -> None:
    """Both ways for each seed, and what is known already left out."""
    quiet_libraries()
    held_out = starter.held_out_questions(HELD_OUT)
    before = measure(ModelConfig(), held_out)
    for seed, way in product(seeds, ("anchored", "moving")):
        questions, folder = starter.training_questions(seed, QUESTIONS), directory / f"seed-{seed}"
        first = collected(folder / "samples.parquet", ModelConfig(), questions, MOST, seed)
        place, training = folder / way, Training(LEARNING_RATE, seed=seed)
        rounds = Rounds(ROUNDS, ModelConfig(), SETTINGS, "coherence_geometric", training, way == "anchored")
        play(rounds, solve_samples(first, SETTINGS, "").weighted, place, lambda _: lambda _: None)
        for number in range(1, ROUNDS + 1):
            row = {"seed": seed, "way": way, "round": number}
            if known(directory, row):
                continue
            if number < ROUNDS:
                model = ModelConfig(path=str(place / f"round-{number}/model"))
                samples = read_samples(place / f"round-{number + 1}/samples.parquet")
            else:
                model = ModelConfig(path=str(place / "model"))
                samples = collected(place / "after.parquet", model, questions, MOST, 10_000 + seed)
            row |= {"from_target": distance(first, samples), **told(before, measure(model, held_out))}
            add(directory, row)
            print({name: value for name, value in row.items() if name != "right"}, flush=True)
    write_table(directory)


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
