"""Power × completions on the built-in model: play against a sharpened reference, beside labels and the vote.

Run: python -m benchmarks.power DIRECTORY SEED…     (one thread: about a minute a row, 27 rows a seed)

Each seed draws 120 training questions × 4 wordings × 16 completions once. K ∈ {16, 4, 8} keeps the first K of each
wording; every arm solves the same completions, distills for 16/K epochs, so that all arms pass over as many
completions, and is measured on 128 held-out questions × 4 wordings × 16 samples and greedily. The arms: geometric
coherence at a power α (theory.md 2.4), `labels` (correctness of the same completions), `vote` (fine-tuning on the
answer with the most votes over all wordings), `format` (all readable completions alike: what form alone gains),
`random` (those that won a coin).

All seeds of an arm come before the next arm. One row per seed, K and arm is added to DIRECTORY/rows.jsonl at once;
killed and run again, it resumes. The end writes the rows to DIRECTORY/rows.parquet too.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from alft import starter
from alft.config.schema import ModelConfig
from alft.evaluation import Evaluation, EvaluationSettings, evaluate_model
from alft.games import Correctness, FixedTargetCoherence, Format, GeometricCoherence, Random
from alft.offline import Samples, SolveSettings, read_samples, solve_samples
from alft.offline.distill import distill
from alft.offline.solve import Solution
from alft.offline.trainer import Training
from alft.reporting.progress import quiet_libraries
from alft.simplex import LARGEST_POWER
from alft.storage.files import write_parquet
from benchmarks.offline_starter import BATCH, LEARNING_RATE, MAX_NEW_TOKENS, collected, loaded
from benchmarks.rows import add, known, write_table

QUESTIONS, HELD_OUT, MEASURED = 120, 128, 16
MOST = 16
KEPT = (16, 4, 8)
POWERS = (1, 2, 8, 16)
ARMS = {
    "power 4": SolveSettings(GeometricCoherence(), power=4.0),
    "labels": SolveSettings(Correctness()),
    "vote": SolveSettings(FixedTargetCoherence("arithmetic", power=LARGEST_POWER)),
    "format": SolveSettings(Format()),
    "random": SolveSettings(Random()),
    **{f"power {power}": SolveSettings(GeometricCoherence(), power=float(power)) for power in POWERS},
}


def main(directory: Path, seeds: list[int]) -> None:
    """All arms of all K of all seeds, those known already left out."""
    quiet_libraries()
    held_out = starter.held_out_questions(HELD_OUT)
    before = measure(ModelConfig(), held_out)
    print(json.dumps({"arm": "before", **told(before, before)}), flush=True)
    for kept, (name, settings), seed in product(KEPT, ARMS.items(), seeds):
        if known(directory, {"seed": seed, "samples": kept, "arm": name}):
            continue
        questions, folder = starter.training_questions(seed, QUESTIONS), directory / f"seed-{seed}"
        samples = collected(folder / "samples.parquet", ModelConfig(), questions, MOST, seed)
        some = first(samples, kept, folder / f"first-{kept}.parquet")
        began = time.process_time()
        solution = solve_samples(some, settings, name)
        place = folder / f"{kept}-{name.replace(' ', '-')}"
        training = Training(LEARNING_RATE, epochs=MOST / kept, seed=seed)
        model = ModelConfig(path=str(distill(solution.weighted, ModelConfig(), training, place)))
        spent = time.process_time() - began
        after = told(before, measure(model, held_out))
        made = {"training": asdict(training), "cpu_seconds": round(spent, 1), **_solved(solution)}
        row = {"seed": seed, "samples": kept, "arm": name, **made, **after}
        add(directory, row)
        shown = {name: value for name, value in row.items() if name not in ("right", "training")}
        print(json.dumps(shown), flush=True)
    write_table(directory)


def first(samples: Samples, kept: int, path: Path) -> Samples:
    """The first completions of each wording, as a samples file of their own."""
    if kept == MOST:
        return samples
    if not path.exists():
        table = pq.read_table(samples.path)
        some = table.filter(pc.less(table.column("sample"), kept))  # pyright: ignore[reportAttributeAccessIssue]
        write_parquet(path, [some], table.schema)
    return read_samples(path)


def _solved(solution: Solution) -> dict[str, Any]:
    summary = solution.summary()
    return {
        "predicted": summary["metrics"]["accuracy"]["after"]["mean"],
        "helped": int(solution.outlook.helped.sum()),
        "borrowed": round(summary["borrowed"], 4),
    }


def measure(model: ModelConfig, questions: list[Any]) -> Evaluation:
    """Sampled and greedy answers to every wording."""
    return evaluate_model(*loaded(model), questions, EvaluationSettings(MEASURED, MAX_NEW_TOKENS, BATCH))


def told(before: Evaluation, after: Evaluation) -> dict[str, Any]:
    """Held-out figures; `learnt` and `corrupted` are shares of all greedy answers, `right` is by question."""
    start, end = (one.measured.by_view["accuracy_greedy"] for one in (before, after))
    sampled, summary = after.measured.by_view["accuracy_sampled"], after.summary()
    return {
        "sampled": summary["accuracy_sampled"]["mean"],
        "interval": summary["accuracy_sampled"]["interval"],
        "worst_view": float(sampled.mean(axis=0).min()),
        "greedy": summary["accuracy_greedy"]["mean"],
        "agreement": summary["agreement_greedy"],
        "unread": summary["unread"],
        "learnt": float(((start == 0) & (end == 1)).mean()),
        "corrupted": float(((start == 1) & (end == 0)).mean()),
        "right": np.round(sampled.mean(axis=1), 4).tolist(),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]])
