"""Live games far past their peak: 1,000 steps on the built-in model, without the collapse watch and with it.

Run: python -m benchmarks.long_runs DIRECTORY [--seeds 0 1 2] [--arms agreement …] (10 minutes each)

512 training questions × 4 views, 2 questions × 4 samples a step (32,000 completions), constant learning rate.
A row holds accuracy, agreement and entropy on the training questions by windows of 50 steps (each is seen four
times), and what is left on 128 held-out questions. An arm with `watch` may stop early; its row says at which step
and why, and measures the model that it gives back.

All arms of a seed come before the next seed. One row per run is added to DIRECTORY/rows.jsonl as soon as it is
known; killed and run again, it resumes. The end prints a table.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np

import alft
from benchmarks.rows import add, known, rows, write_table

STEPS, WINDOW = 1000, 50
ARMS: dict[str, dict[str, Any]] = {
    "agreement": {"game": "agreement"},
    "majority_pooled": {"game": "majority_pooled"},
    "majority_cross": {"game": "majority_cross"},
    "anchored": {"game": "coherence_geometric", "scoring": {"power": 4, "beta": 0.1}},
    "labels": {"game": "correctness"},
}
ARMS |= {f"{name} watch": {**settings, "watch": {"enabled": True}} for name, settings in ARMS.items()}
CURVES = ("accuracy", "agreement", "entropy")


def main(directory: Path, seeds: list[int], arms: list[str]) -> None:
    """The runs that are not known yet, and the table."""
    directory.mkdir(parents=True, exist_ok=True)
    for seed, arm in product(seeds, arms):
        if not known(directory, {"arm": arm, "seed": seed}):
            began = time.process_time()
            made = run(directory, arm, seed)
            add(directory, {**made, "cpu_seconds": round(time.process_time() - began)})
            write_table(directory)
        show(rows(directory))


def run(directory: Path, arm: str, seed: int) -> dict[str, Any]:
    """One run, and its row."""
    place = directory / f"{arm.replace(' ', '-')}-{seed}"
    batch = {"steps": STEPS, "questions_per_step": 2, "samples": 4}
    config = {
        "model": {"path": "starter"},
        "data": {"path": "starter", "size": 512},
        "training": {
            "seed": seed,
            "learning_rate": 1e-4,
            "schedule": "constant",
            "checkpoint_every": 100,
            **batch,
        },
        "watch": {"enabled": False},
        "output": {"directory": str(directory), "name": place.name},
        **ARMS[arm],
    }
    done = cast(dict[str, Any], alft.train(config, resume=(place / "config.yaml").exists()).results)
    steps = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
    windows = [steps[start : start + WINDOW] for start in range(0, len(steps), WINDOW)]
    training = done["training"]
    return {
        "arm": arm,
        "seed": seed,
        "steps": training["steps"],
        "stopped": training["stopped"],
        **{name: [round(float(np.mean([step[name] for step in part])), 4) for part in windows] for name in CURVES},
        **{name: done[name]["accuracy_sampled"] for name in ("before", "after")},
        "agreement_greedy": done["after"]["agreement_greedy"],
        "dominant_share": done["after"]["dominant_share"],
    }


def show(known: list[dict[str, Any]]) -> None:
    """Accuracy by windows, the best one, and what is left on held-out questions."""
    print(
        f"{'run':24} {'steps':>5} {'first':>6} {'best':>12} {'last':>6} {'held-out':>8} {'commonest':>9}  stopped"
    )
    for row in known:
        curve = row["accuracy"]
        best = f"{max(curve):.3f} @{WINDOW * (1 + int(np.argmax(curve)))}"
        shown = f"{row['after']['mean']:8.3f} {row['dominant_share']:9.2f}  {row['stopped'] or ''}"
        print(
            f"{row['arm']:21} {row['seed']:2} {row['steps']:5} {curve[0]:6.3f} {best:>12} {curve[-1]:6.3f} {shown}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=[*ARMS], default=[*ARMS])
    given = parser.parse_args()
    main(given.directory, given.seeds, given.arms)
